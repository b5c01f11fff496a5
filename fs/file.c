/* Open files' content. */
#include "fs/file.h"

#include <string.h>

#define FRAME_SIZE UINT64_C(4096)

typedef struct {
  bool (*read)(DacsaFile *file, uint64_t offset, void *buf, size_t len, GError **error);
  void (*clear)(DacsaFile *file);
} Ops;

struct DacsaFile {
  const Ops *ops;
  gatomicrefcount refs;
  uint64_t size;
  char *text;              /* text */
  DacsaRuns *runs;         /* runs */
  DacsaMem *phys;          /* runs and physmem */
  DacsaResident *resident; /* physmem: the rest are holes */
  DacsaFile *pages;        /* pagemap: the file of whose pages it tells */
};

static DacsaFile *
file_new(const Ops *ops, uint64_t size)
{
  DacsaFile *file = g_new0(DacsaFile, 1);

  file->ops = ops;
  file->size = size;
  g_atomic_ref_count_init(&file->refs);
  return file;
}

static void
file_clear(DacsaFile *file)
{
  g_free(file->text);
  dacsa_runs_free(file->runs);
  dacsa_mem_unref(file->phys);
  dacsa_resident_unref(file->resident);
  dacsa_file_unref(file->pages);
}

static bool
text_read(DacsaFile *file, uint64_t offset, void *buf, size_t len, GError **error)
{
  (void)error;
  memcpy(buf, file->text + offset, len);
  return true;
}

static bool
runs_read(DacsaFile *file, uint64_t offset, void *buf, size_t len, GError **error)
{
  return dacsa_runs_read(file->runs, file->phys, offset, buf, len, error);
}

static bool
physmem_read(DacsaFile *file, uint64_t offset, void *buf, size_t len, GError **error)
{
  uint64_t end = offset + len;
  char *to = buf;

  while (offset < end) {
    uint64_t start, stop;

    if (!dacsa_resident_next(file->resident, offset, &start, &stop) || start > end)
      start = stop = end;
    stop = MIN(stop, end);
    memset(to, 0, start - offset);
    to += start - offset;
    if (stop > start && !dacsa_mem_read(file->phys, start, to, stop - start, error))
      return false;
    to += stop - start;
    offset = stop;
  }
  return true;
}

/* The bytes [offset, offset + len) of an array of frame numbers. */
static bool
pagemap_read(DacsaFile *file, uint64_t offset, void *buf, size_t len, GError **error)
{
  const DacsaRuns *runs = file->pages->runs;
  const uint64_t end = offset + len;
  char *to = buf;
  size_t i = dacsa_runs_find(runs, offset / sizeof(uint64_t) * FRAME_SIZE);

  (void)error;
  while (offset < end) {
    const uint64_t page = offset / sizeof(uint64_t) * FRAME_SIZE;
    const DacsaRun *run = &g_array_index(runs->runs, DacsaRun, i);
    const size_t skip = offset % sizeof(uint64_t);
    const size_t n = (size_t)MIN(sizeof(uint64_t) - skip, end - offset);

    if (page >= run->offset + run->len) {
      i++;
      continue;
    }
    const uint64_t frame = GUINT64_TO_LE((run->gpa + (page - run->offset)) / FRAME_SIZE);
    memcpy(to, (const char *)&frame + skip, n);
    to += n;
    offset += n;
  }
  return true;
}

DacsaFile *
dacsa_file_new_text(GString *text)
{
  static const Ops ops = {text_read, file_clear};
  DacsaFile *file = file_new(&ops, text->len);

  file->text = g_string_free(text, FALSE);
  return file;
}

DacsaFile *
dacsa_file_new_runs(DacsaRuns *runs, DacsaMem *phys)
{
  static const Ops ops = {runs_read, file_clear};
  DacsaFile *file = file_new(&ops, runs->size);

  file->runs = runs;
  file->phys = dacsa_mem_ref(phys);
  return file;
}

DacsaFile *
dacsa_file_new_pagemap(DacsaFile *pages)
{
  static const Ops ops = {pagemap_read, file_clear};
  DacsaFile *file = file_new(&ops, pages->runs->size / FRAME_SIZE * sizeof(uint64_t));

  file->pages = dacsa_file_ref(pages);
  return file;
}

DacsaFile *
dacsa_file_new_physmem(DacsaMem *phys, DacsaResident *resident, uint64_t size)
{
  static const Ops ops = {physmem_read, file_clear};
  DacsaFile *file = file_new(&ops, size);

  file->phys = dacsa_mem_ref(phys);
  file->resident = dacsa_resident_ref(resident);
  return file;
}

DacsaFile *
dacsa_file_ref(DacsaFile *file)
{
  g_atomic_ref_count_inc(&file->refs);
  return file;
}

void
dacsa_file_unref(DacsaFile *file)
{
  if (!file || !g_atomic_ref_count_dec(&file->refs))
    return;
  file->ops->clear(file);
  g_free(file);
}

uint64_t
dacsa_file_size(const DacsaFile *file)
{
  return file->size;
}

size_t
dacsa_file_cost(const DacsaFile *file)
{
  size_t cost = sizeof(*file);

  if (file->text)
    cost += file->size;
  if (file->runs)
    cost += file->runs->runs->len * sizeof(DacsaRun) + dacsa_runs_head_len(file->runs);
  if (file->pages)
    cost += dacsa_file_cost(file->pages);
  return cost;
}

const DacsaRuns *
dacsa_file_runs(const DacsaFile *file)
{
  return file->runs;
}

bool
dacsa_file_read(DacsaFile *file, uint64_t offset, void *buf, size_t len, size_t *ret_len,
                GError **error)
{
  *ret_len = 0;
  if (offset >= file->size)
    return true;
  len = (size_t)MIN((uint64_t)len, file->size - offset);
  if (!file->ops->read(file, offset, buf, len, error))
    return false;
  *ret_len = len;
  return true;
}

/* The first part at or after offset that is no hole; false: none is left. */
static bool
next_data(const DacsaFile *file, uint64_t offset, uint64_t *ret_start, uint64_t *ret_end)
{
  if (file->resident)
    return dacsa_resident_next(file->resident, offset, ret_start, ret_end) &&
           *ret_start < file->size;
  if (file->runs)
    return dacsa_runs_next(file->runs, offset, ret_start, ret_end);
  *ret_start = offset;
  *ret_end = file->size;
  return true;
}

bool
dacsa_file_seek(DacsaFile *file, uint64_t offset, bool hole, uint64_t *ret)
{
  uint64_t start, end;

  if (offset >= file->size)
    return false;
  if (!next_data(file, offset, &start, &end)) {
    *ret = offset;
    return hole;
  }
  *ret = hole ? (start > offset ? offset : MIN(end, file->size)) : start;
  return true;
}

uint64_t
dacsa_file_data_bytes(const DacsaFile *file)
{
  uint64_t bytes = file->runs ? dacsa_runs_head_len(file->runs) : 0;

  if (!file->runs)
    return file->size;
  for (guint i = 0; i < file->runs->runs->len; i++)
    bytes += g_array_index(file->runs->runs, DacsaRun, i).len;
  return bytes;
}
