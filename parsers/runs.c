/* Runs of guest memory as a file. */
#include "parsers/runs.h"

#define MAX_RUNS (4u << 20) /* 128 MiB of them: 16 GiB in pages none of which continues another */

DacsaRuns *
dacsa_runs_new(void)
{
  DacsaRuns *runs = g_new0(DacsaRuns, 1);

  runs->runs = g_array_new(FALSE, FALSE, sizeof(DacsaRun));
  return runs;
}

void
dacsa_runs_free(DacsaRuns *runs)
{
  if (!runs)
    return;
  g_array_unref(runs->runs);
  g_free(runs);
}

bool
dacsa_runs_append(DacsaRuns *runs, uint64_t gva, uint64_t gpa, uint64_t len)
{
  GArray *array = runs->runs;
  const DacsaRun run = {runs->size, gva, gpa, len};

  if (runs->size + len < runs->size)
    return false;
  if (array->len > 0) {
    DacsaRun *last = &g_array_index(array, DacsaRun, array->len - 1);

    if (last->gva + last->len == gva && last->gpa + last->len == gpa) {
      last->len += len;
      runs->size += len;
      return true;
    }
  }
  if (array->len >= MAX_RUNS)
    return false;
  g_array_append_val(array, run);
  runs->size += len;
  return true;
}

size_t
dacsa_runs_find(const DacsaRuns *runs, uint64_t offset)
{
  size_t low = 0;
  size_t high = runs->runs->len;

  while (high - low > 1) {
    size_t mid = low + (high - low) / 2;

    if (g_array_index(runs->runs, DacsaRun, mid).offset <= offset)
      low = mid;
    else
      high = mid;
  }
  return low;
}

bool
dacsa_runs_read(const DacsaRuns *runs, DacsaMem *phys, uint64_t offset, void *buf, size_t len,
                GError **error)
{
  char *to = buf;

  for (size_t i = len > 0 ? dacsa_runs_find(runs, offset) : 0; len > 0; i++) {
    const DacsaRun *run = &g_array_index(runs->runs, DacsaRun, i);
    uint64_t into = offset - run->offset;
    size_t n = (size_t)MIN((uint64_t)len, run->len - into);

    if (!dacsa_mem_read(phys, run->gpa + into, to, n, error))
      return false;
    to += n;
    len -= n;
    offset += n;
  }
  return true;
}
