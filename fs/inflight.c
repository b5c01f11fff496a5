/* A slot a thread, each on a cache line of its own: the number of the request it has read last, who
 * it is, and whether it waits. Numbers are even; an odd one is that of a request that has been
 * answered. Honest viewers write to a slot in its own thread alone; between them the keeper does.
 * Any value may be there, so each has a type of which every value is one. */
#include "fs/inflight.h"

#include "snap/error.h"

#include <errno.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#define ANSWERED UINT64_C(1)
#define SLOTS (DACSA_INFLIGHT_CHANNEL + 1)

struct DacsaInflight {
  struct {
    alignas(64) _Atomic uint64_t last;
    _Atomic pid_t thread;  /* 0: none of the viewer that is there now */
    _Atomic uint8_t waits; /* for the keeper; 0: it does not */
  } slots[SLOTS];
};

G_STATIC_ASSERT(SLOTS <= DACSA_TASKS_MAX);

bool
dacsa_inflight_new(DacsaInflight **ret, GError **error)
{
  void *page =
      mmap(NULL, sizeof(DacsaInflight), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

  if (page == MAP_FAILED)
    return dacsa_fail_errno(error, errno, "cannot share memory with the viewer");
  *ret = page;
  return true;
}

void
dacsa_inflight_free(DacsaInflight *inflight)
{
  if (inflight)
    munmap(inflight, sizeof(*inflight));
}

void
dacsa_inflight_renew(DacsaInflight *inflight)
{
  for (unsigned i = 0; i < SLOTS; i++)
    atomic_store(&inflight->slots[i].thread, 0);
}

void
dacsa_inflight_attach(DacsaInflight *inflight, unsigned thread)
{
  atomic_fetch_or(&inflight->slots[thread].last, ANSWERED);
  atomic_store(&inflight->slots[thread].waits, 0);
  atomic_store(&inflight->slots[thread].thread, gettid());
}

void
dacsa_inflight_begin(DacsaInflight *inflight, unsigned thread, uint64_t unique)
{
  atomic_store(&inflight->slots[thread].last, unique);
}

void
dacsa_inflight_end(DacsaInflight *inflight, unsigned thread)
{
  atomic_fetch_or(&inflight->slots[thread].last, ANSWERED);
}

void
dacsa_inflight_wait(DacsaInflight *inflight, bool waits)
{
  const pid_t self = gettid();

  for (unsigned i = 0; i < SLOTS; i++)
    if (atomic_load(&inflight->slots[i].thread) == self)
      atomic_store(&inflight->slots[i].waits, waits);
}

void
dacsa_inflight_tasks(const DacsaInflight *inflight, DacsaTask ret[DACSA_TASKS_MAX])
{
  for (unsigned i = 0; i < DACSA_TASKS_MAX; i++) {
    ret[i] = (DacsaTask){0};
    if (i >= SLOTS || atomic_load(&inflight->slots[i].waits) != 0)
      continue;
    const uint64_t last = atomic_load(&inflight->slots[i].last);
    const pid_t thread = atomic_load(&inflight->slots[i].thread);
    if (!(last & ANSWERED) && thread > 0)
      ret[i] = (DacsaTask){last, thread};
  }
}

size_t
dacsa_inflight_unanswered(const DacsaInflight *inflight, uint64_t ret[DACSA_INFLIGHT_THREADS])
{
  size_t n = 0;

  for (unsigned i = 0; i < DACSA_INFLIGHT_THREADS; i++) {
    const uint64_t last = atomic_load(&inflight->slots[i].last);

    if (last != 0 && !(last & ANSWERED))
      ret[n++] = last;
  }
  return n;
}

uint64_t
dacsa_inflight_highest(const DacsaInflight *inflight)
{
  uint64_t highest = 0;

  for (unsigned i = 0; i < DACSA_INFLIGHT_THREADS; i++)
    highest = MAX(highest, atomic_load(&inflight->slots[i].last) & ~ANSWERED);
  return highest;
}
