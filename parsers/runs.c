/* Runs of guest memory as a file. */
#include "parsers/runs.h"

#include <string.h>

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
  g_clear_pointer(&runs->head, g_bytes_unref);
  g_free(runs);
}

void
dacsa_runs_set_head(DacsaRuns *runs, GBytes *head)
{
  runs->head = head;
  runs->size = g_bytes_get_size(head);
}

size_t
dacsa_runs_head_len(const DacsaRuns *runs)
{
  return runs->head ? g_bytes_get_size(runs->head) : 0;
}

bool
dacsa_runs_append_at(DacsaRuns *runs, uint64_t offset, uint64_t gva, uint64_t gpa, uint64_t len)
{
  GArray *array = runs->runs;
  const DacsaRun run = {offset, gva, gpa, len};

  if (len == 0)
    return true;
  if (offset < runs->size || offset + len < offset)
    return false;
  if (array->len > 0) {
    DacsaRun *last = &g_array_index(array, DacsaRun, array->len - 1);

    if (last->offset + last->len == offset && last->gva + last->len == gva &&
        last->gpa + last->len == gpa) {
      last->len += len;
      runs->size = offset + len;
      return true;
    }
  }
  if (array->len >= MAX_RUNS)
    return false;
  g_array_append_val(array, run);
  runs->size = offset + len;
  return true;
}

bool
dacsa_runs_append(DacsaRuns *runs, uint64_t gva, uint64_t gpa, uint64_t len)
{
  return dacsa_runs_append_at(runs, runs->size, gva, gpa, len);
}

void
dacsa_runs_set_size(DacsaRuns *runs, uint64_t size)
{
  while (runs->runs->len > 0) {
    DacsaRun *last = &g_array_index(runs->runs, DacsaRun, runs->runs->len - 1);

    if (last->offset < size) {
      last->len = MIN(last->len, size - last->offset);
      break;
    }
    g_array_set_size(runs->runs, runs->runs->len - 1);
  }
  runs->size = size;
}

/* Index of the first run that ends past an address; key: the member that they are ascending by. */
static size_t
find(const DacsaRuns *runs, size_t key, uint64_t address)
{
  size_t low = 0;
  size_t high = runs->runs->len;

  while (low < high) {
    size_t mid = low + (high - low) / 2;
    const DacsaRun *run = &g_array_index(runs->runs, DacsaRun, mid);

    if (G_STRUCT_MEMBER(uint64_t, run, key) + run->len <= address)
      low = mid + 1;
    else
      high = mid;
  }
  return low;
}

size_t
dacsa_runs_find(const DacsaRuns *runs, uint64_t offset)
{
  return find(runs, G_STRUCT_OFFSET(DacsaRun, offset), offset);
}

size_t
dacsa_runs_find_gva(const DacsaRuns *runs, uint64_t gva)
{
  return find(runs, G_STRUCT_OFFSET(DacsaRun, gva), gva);
}

bool
dacsa_runs_next(const DacsaRuns *runs, uint64_t offset, uint64_t *ret_start, uint64_t *ret_end)
{
  size_t i = dacsa_runs_find(runs, offset);

  if (offset < dacsa_runs_head_len(runs)) {
    *ret_start = offset;
    *ret_end = dacsa_runs_head_len(runs);
  } else if (i < runs->runs->len) {
    const DacsaRun *run = &g_array_index(runs->runs, DacsaRun, i++);

    *ret_start = MAX(offset, run->offset);
    *ret_end = run->offset + run->len;
  } else {
    return false;
  }
  for (; i < runs->runs->len && g_array_index(runs->runs, DacsaRun, i).offset == *ret_end; i++)
    *ret_end += g_array_index(runs->runs, DacsaRun, i).len;
  return true;
}

bool
dacsa_runs_read(const DacsaRuns *runs, DacsaMem *phys, uint64_t offset, void *buf, size_t len,
                GError **error)
{
  char *to = buf;

  if (offset < dacsa_runs_head_len(runs)) {
    size_t n = (size_t)MIN((uint64_t)len, dacsa_runs_head_len(runs) - offset);

    memcpy(to, (const char *)g_bytes_get_data(runs->head, NULL) + offset, n);
    to += n;
    len -= n;
    offset += n;
  }
  for (size_t i = dacsa_runs_find(runs, offset); len > 0; i++) {
    const DacsaRun *run = i < runs->runs->len ? &g_array_index(runs->runs, DacsaRun, i) : NULL;
    size_t hole =
        run ? (size_t)MIN((uint64_t)len, run->offset > offset ? run->offset - offset : 0) : len;

    memset(to, 0, hole);
    to += hole;
    len -= hole;
    offset += hole;
    if (len == 0)
      break;
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
