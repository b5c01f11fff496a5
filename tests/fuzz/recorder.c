/* Notes which pages are read. */
#include "recorder.h"

#define PAGE UINT64_C(4096)

typedef struct {
  DacsaMem mem;
  DacsaMem *below;
  GHashTable *known; /* page numbers + 1 */
  GArray *pages;     /* uint64_t, gpas, those that were not told yet */
} Recorder;

static bool
recorder_read(DacsaMem *mem, uint64_t addr, void *buf, size_t len, GError **error)
{
  Recorder *self = (Recorder *)mem;

  if (!dacsa_mem_read(self->below, addr, buf, len, error))
    return false;
  for (uint64_t number = addr / PAGE; len > 0 && number <= (addr + len - 1) / PAGE; number++) {
    const uint64_t gpa = number * PAGE;

    if (g_hash_table_add(self->known, GSIZE_TO_POINTER(number + 1)))
      g_array_append_val(self->pages, gpa);
  }
  return true;
}

static bool
recorder_next(DacsaMem *mem, uint64_t addr, uint64_t *ret_start, uint64_t *ret_end)
{
  return dacsa_mem_next(((Recorder *)mem)->below, addr, ret_start, ret_end);
}

static void
recorder_free(DacsaMem *mem)
{
  Recorder *self = (Recorder *)mem;

  g_hash_table_unref(self->known);
  g_array_unref(self->pages);
  dacsa_mem_unref(self->below);
  g_free(self);
}

DacsaMem *
recorder_new(DacsaMem *below)
{
  static const DacsaMemOps ops = {recorder_read, recorder_next, recorder_free};
  Recorder *self = g_new0(Recorder, 1);

  dacsa_mem_init(&self->mem, &ops);
  self->below = dacsa_mem_ref(below);
  self->known = g_hash_table_new(NULL, NULL);
  self->pages = g_array_new(FALSE, FALSE, sizeof(uint64_t));
  return &self->mem;
}

static gint
compare_gpas(gconstpointer a, gconstpointer b)
{
  const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

  return x < y ? -1 : x > y;
}

GArray *
recorder_take(DacsaMem *recorder)
{
  Recorder *self = (Recorder *)recorder;
  GArray *pages = self->pages;

  self->pages = g_array_new(FALSE, FALSE, sizeof(uint64_t));
  g_array_sort(pages, compare_gpas);
  return pages;
}
