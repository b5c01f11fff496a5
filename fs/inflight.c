/* A slot a thread, each on a cache line of its own: the number of the request it has read last.
 * Those are even; an odd number is that of one that has been answered. */
#include "fs/inflight.h"

#include "snap/error.h"

#include <errno.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <sys/mman.h>

#define ANSWERED UINT64_C(1)

struct DacsaInflight {
  struct {
    alignas(64) _Atomic uint64_t last;
  } slots[DACSA_INFLIGHT_THREADS];
};

G_STATIC_ASSERT(sizeof(DacsaInflight) == 4096);

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
dacsa_inflight_begin(DacsaInflight *inflight, unsigned thread, uint64_t unique)
{
  atomic_store(&inflight->slots[thread].last, unique);
}

void
dacsa_inflight_end(DacsaInflight *inflight, unsigned thread)
{
  atomic_fetch_or(&inflight->slots[thread].last, ANSWERED);
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
