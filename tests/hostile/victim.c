/* A guest's memory to be damaged. */
#include "victim.h"

#include "snap/physmem.h"
#include "snap/resident.h"
#include "tests/fuzz/source.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096u
#define CHUNK (1u << 20)

static void
copy_resident(Victim *v, DacsaMem *phys, DacsaResident *resident)
{
  g_autofree uint8_t *buf = g_malloc(CHUNK);
  uint64_t start, end;

  for (uint64_t at = 0; dacsa_resident_next(resident, at, &start, &end); at = end)
    for (uint64_t gpa = start; gpa < end; gpa += CHUNK) {
      size_t n = (size_t)MIN(end - gpa, (uint64_t)CHUNK);

      n = dacsa_mem_read_some(phys, gpa, buf, n);
      if (pwrite(v->copy, buf, n, (off_t)gpa) != (ssize_t)n)
        g_error("cannot copy the guest's memory");
    }
}

static int
open_pagemap(pid_t child)
{
  g_autofree char *path = g_strdup_printf("/proc/%d/pagemap", (int)child);
  int fd = open(path, O_RDONLY | O_CLOEXEC);

  if (fd < 0)
    g_error("cannot open %s", path);
  return fd;
}

Victim *
victim_new(const char *record_path)
{
  Victim *v = g_new0(Victim, 1);
  int mem;

  v->record = source_open(record_path, &mem);
  v->copy = memfd_create("victim", MFD_CLOEXEC);
  if (v->copy < 0 || ftruncate(v->copy, (off_t)dacsa_layout_end(v->record->layout)) < 0)
    g_error("cannot make a copy of the guest's memory");
  g_autoptr(DacsaResident) resident =
      dacsa_resident_new(open_pagemap(v->record->child), v->record->layout, NULL);
  g_autoptr(DacsaMem) phys = dacsa_physmem_new(mem, v->record->layout);
  copy_resident(v, phys, resident);
  for (guint i = 0; i < v->record->layout->ranges->len; i++) {
    DacsaRange *r = &g_array_index(v->record->layout->ranges, DacsaRange, i);

    r->offset = r->gpa;
  }
  v->phys = dacsa_physmem_new(dup(v->copy), v->record->layout);
  source_record_pages(v->phys, v->record->registers, &v->opening, &v->facts);
  v->kept = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
  return v;
}

void
victim_free(Victim *v)
{
  g_hash_table_unref(v->kept);
  g_array_unref(v->opening);
  g_array_unref(v->facts);
  dacsa_mem_unref(v->phys);
  dacsa_record_free(v->record);
  close(v->copy);
  g_free(v);
}

static void
keep(Victim *v, uint64_t gpa)
{
  uint8_t page[PAGE] = {0};

  gpa -= gpa % PAGE;
  if (g_hash_table_contains(v->kept, &gpa))
    return;
  dacsa_mem_read_some(v->phys, gpa, page, PAGE);
  g_hash_table_insert(v->kept, g_memdup2(&gpa, sizeof(gpa)), g_memdup2(page, PAGE));
}

void
victim_write(Victim *v, uint64_t gpa, const void *data, size_t len)
{
  const char *from = data;

  while (len > 0) {
    size_t n = MIN(len, PAGE - (size_t)(gpa % PAGE));

    keep(v, gpa);
    if (pwrite(v->copy, from, n, (off_t)gpa) != (ssize_t)n)
      g_error("cannot write at 0x%" PRIx64, gpa);
    from += n;
    len -= n;
    gpa += n;
  }
}

void
victim_restore(Victim *v)
{
  GHashTableIter iter;
  void *gpa, *page;

  g_hash_table_iter_init(&iter, v->kept);
  while (g_hash_table_iter_next(&iter, &gpa, &page))
    if (pwrite(v->copy, page, PAGE, (off_t) * (uint64_t *)gpa) != PAGE)
      g_error("cannot restore a page");
  g_hash_table_remove_all(v->kept);
}
