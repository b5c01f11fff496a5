/*
 * Chains of system calls that a thread runs by itself, each step a signal frame that rt_sigreturn
 * loads (x86-64: arch/x86/kernel/signal_64.c, struct rt_sigframe; FPU part: kernel/fpu/signal.c).
 *
 * A step's registers have rip at a `syscall; ret` and rsp at the next frame, whose first word is
 * the address of a restorer (`mov $15, %rax; syscall`): the ret goes there, rt_sigreturn loads the
 * next step. The last frame is the thread's own state. Nobody has to look on: once its registers
 * point at the first frame a thread runs the chain to its end and goes on with its own work.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/user.h>

#define DACSA_SIGCHAIN_FRAME 448u /* bytes from one frame to the next */

/* Instructions found in the thread's own code: addresses in its process. */
typedef struct {
  uint64_t syscall_ret; /* 0f 05 c3 */
  uint64_t restorer;    /* 48 c7 c0 0f 00 00 00 0f 05 */
} DacsaGadgets;

typedef struct {
  long nr;
  uint64_t args[6];
} DacsaSyscall;

/* A thread as it was found: what its last frame restores. */
typedef struct {
  struct user_regs_struct regs;
  uint64_t sigmask;
  GByteArray *xstate; /* NT_X86_XSTATE */
} DacsaThreadState;

/* Finds both in a piece of code that lies at address base; those not found stay as they are. */
void dacsa_gadgets_search(DacsaGadgets *gadgets, const uint8_t *code, size_t len, uint64_t base);

/* Writes the frame of one step. next: the address of the frame that follows. All signals are
 * blocked while it runs. frame: DACSA_SIGCHAIN_FRAME bytes. */
void dacsa_sigchain_step(uint8_t *frame, const DacsaGadgets *gadgets, const DacsaSyscall *call,
                         uint64_t next);

/* Writes the last frame: the thread goes on where it was, an interrupted system call restarted as
 * the kernel would. fpstate: address of the image made by dacsa_sigchain_fpstate, 64-byte aligned.
 */
void dacsa_sigchain_last(uint8_t *frame, const DacsaGadgets *gadgets, const DacsaThreadState *state,
                         uint64_t fpstate);

/* The FPU state as a signal frame holds it: owned. UNSUPPORTED: AMX tiles are in use. */
bool dacsa_sigchain_fpstate(const GByteArray *xstate, GByteArray **ret,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Points regs at the first frame of a chain. */
void dacsa_sigchain_enter(struct user_regs_struct *regs, const DacsaGadgets *gadgets,
                          uint64_t first_frame);
