/* Large buffers. */
#include "parsers/scratch.h"

#include <glib.h>
#include <stdlib.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)
#define WORTH_IT (HUGE_PAGE / 2) /* less than that would leave most of a huge page unused */

void *
dacsa_scratch_new(size_t len)
{
  size_t whole = (len + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);

  if (len < WORTH_IT || whole < len)
    return g_malloc(len);
  void *buf = aligned_alloc(HUGE_PAGE, whole);
  if (!buf)
    g_error("out of memory: %zu bytes", whole); /* as g_malloc has it */
  madvise(buf, whole, MADV_HUGEPAGE);           /* or else small ones */
  return buf;
}
