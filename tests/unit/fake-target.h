/* What a process does that something is injected into: a child of a test, with memory that is
 * MADV_DONTFORK, a descriptor or two, and work that it goes on with. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define FAKE_TARGET_REGION (4u << 20) /* bytes */
#define FAKE_TARGET_REGIONS 3u

typedef struct FakeTarget FakeTarget;

/* A system call that it may be in. */
typedef struct {
  const char *name;
  int (*call)(FakeTarget *shared);
  bool told; /* that it was interrupted, as it would be by a signal: the kernel cannot restart it */
  bool reads;
  bool is_futex; /* and needs to be woken */
} FakeTargetCall;

/* In memory shared with the test. */
struct FakeTarget {
  volatile uint64_t turns;   /* of the target's loop */
  volatile uint64_t replies; /* to what comes through the pipe */
  volatile uint32_t failed;  /* the target found something of its own changed */
  volatile uint32_t fill;    /* what the target is to fill its regions with; 0: nothing */
  volatile uint32_t ready;
  volatile uint32_t interrupted; /* calls that told so */
  volatile uint32_t leave;       /* the restartable sequence */
  volatile uint32_t aborts;      /* of it */
  volatile uint32_t futex;
  uint64_t regions[FAKE_TARGET_REGIONS];
  int pipe[2];
  const FakeTargetCall *call; /* of fake_target_call */
};

/* Makes the regions; filled with 'A', 'B', 'C'. */
void fake_target_prepare(FakeTarget *shared);

/* Ways to work; none returns. All answer what comes through the pipe, a reply each byte. */
void fake_target_blocked(FakeTarget *shared); /* waits in ppoll */
void fake_target_busy(FakeTarget *shared);
void fake_target_coroutine(FakeTarget *shared); /* busy, on another stack */
void fake_target_rseq(FakeTarget *shared); /* in a restartable sequence, until it is to leave */
void fake_target_fpu(FakeTarget *shared);  /* vector and floating point registers in use */
void fake_target_call(FakeTarget *shared); /* in shared->call, again and again */

/* Ends with a row of NULLs. */
extern const FakeTargetCall fake_target_calls[];
