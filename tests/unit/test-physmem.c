/* Physical memory over a file, the cache in front of it, and which of its pages are there. */
#include "check.h"
#include "fake-mem.h"

#include "snap/pagecache.h"
#include "snap/physmem.h"
#include "snap/resident.h"

#include <string.h>
#include <unistd.h>

/* An unlinked file of len bytes, each the number of its 256-byte block. */
static int
file_new(size_t len)
{
  g_autofree char *name = NULL;
  g_autofree uint8_t *data = g_malloc(len);
  int fd = g_file_open_tmp("dacsa-test-XXXXXX", &name, NULL);

  g_assert_cmpint(fd, >=, 0);
  unlink(name);
  for (size_t i = 0; i < len; i++)
    data[i] = (uint8_t)(i / 256);
  g_assert_cmpint((int)write(fd, data, len), ==, (int)len);
  return fd;
}

/* Three ranges: two that continue one another in gpa but not in the file, then a hole. */
static DacsaLayout *
layout_new(void)
{
  static const DacsaRange ranges[] = {{0x1000, 0x1000, 0x4000, true},
                                      {0x2000, 0x1000, 0x0000, false},
                                      {0x8000, 0x2000, 0x1000, true}};
  DacsaLayout *layout = dacsa_layout_new();
  g_autoptr(GError) error = NULL;

  for (size_t i = 0; i < G_N_ELEMENTS(ranges); i++)
    CHECK_OK(dacsa_layout_append(layout, ranges[i], &error), error);
  return layout;
}

static DacsaMem *
physmem_new(size_t file_size)
{
  g_autoptr(DacsaLayout) layout = layout_new();

  return dacsa_physmem_new(file_new(file_size), layout);
}

static void
test_reads(void)
{
  g_autoptr(DacsaMem) mem = physmem_new(0x5000);
  g_autoptr(GError) error = NULL;
  uint8_t buf[0x2000];

  CHECK_OK(dacsa_mem_read(mem, 0x1000, buf, 0x2000, &error), error); /* across two ranges */
  g_assert_cmpuint(buf[0], ==, 0x40);
  g_assert_cmpuint(buf[0xfff], ==, 0x4f);
  g_assert_cmpuint(buf[0x1000], ==, 0);
  g_assert_cmpuint(buf[0x1fff], ==, 0x0f);
  CHECK_OK(dacsa_mem_read(mem, 0x9fff, buf, 1, &error), error);
  g_assert_cmpuint(buf[0], ==, 0x2f);
  CHECK_FAILS(dacsa_mem_read(mem, 0xfff, buf, 2, &error), error, DACSA_ERROR_FAULT);
  CHECK_FAILS(dacsa_mem_read(mem, 0x2fff, buf, 2, &error), error, DACSA_ERROR_FAULT);
  CHECK_FAILS(dacsa_mem_read(mem, 0x9fff, buf, 2, &error), error, DACSA_ERROR_FAULT);
  CHECK_FAILS(dacsa_mem_read(mem, 0x5000, buf, 1, &error), error, DACSA_ERROR_FAULT);
  CHECK_FAILS(dacsa_mem_read(mem, UINT64_MAX, buf, 1, &error), error, DACSA_ERROR_FAULT);
}

/* A snapshot that is gone reads as the end of the file. */
static void
test_short_file(void)
{
  g_autoptr(DacsaMem) mem = physmem_new(0x4800);
  g_autoptr(GError) error = NULL;
  uint8_t buf[0x1000];

  CHECK_OK(dacsa_mem_read(mem, 0x1000, buf, 0x800, &error), error);
  CHECK_FAILS(dacsa_mem_read(mem, 0x1000, buf, 0x801, &error), error, DACSA_ERROR_FAULT);
}

static void
check_next(DacsaMem *mem, uint64_t from, uint64_t expected_start, uint64_t expected_end)
{
  uint64_t start = 0, end = 0;

  g_assert_true(dacsa_mem_next(mem, from, &start, &end));
  g_assert_cmphex(start, ==, expected_start);
  g_assert_cmphex(end, ==, expected_end);
}

static void
test_next(void)
{
  g_autoptr(DacsaMem) mem = physmem_new(0x5000);
  g_autoptr(DacsaMem) cache = dacsa_pagecache_new(mem, 0);
  uint64_t start, end;

  check_next(mem, 0, 0x1000, 0x3000); /* neighbours are one run */
  check_next(mem, 0x1234, 0x1234, 0x3000);
  check_next(mem, 0x2fff, 0x2fff, 0x3000);
  check_next(mem, 0x3000, 0x8000, 0xa000);
  check_next(cache, 0x3000, 0x8000, 0xa000);
  g_assert_false(dacsa_mem_next(mem, 0xa000, &start, &end));
  g_assert_false(dacsa_mem_next(mem, UINT64_MAX, &start, &end));
}

static void
test_pagecache(void)
{
  g_autoptr(DacsaMem) below = fake_mem_new();
  g_autoptr(GError) error = NULL;
  uint8_t buf[16384];

  fake_mem_u64(below, 0x1ffc, 0x1122334455667788);
  fake_mem_u8(below, 0x3000, 3);
  fake_mem_u8(below, UINT64_MAX, 9);
  g_autoptr(DacsaMem) cache = dacsa_pagecache_new(below, 1u << 20);
  CHECK_OK(dacsa_mem_read(cache, 0x1ffc, buf, 8, &error), error);
  g_assert_cmpmem(buf, 8, "\x88\x77\x66\x55\x44\x33\x22\x11", 8);
  unsigned reads = fake_mem_reads(below);
  g_assert_cmpuint(reads, ==, 2);
  CHECK_OK(dacsa_mem_read(cache, 0x1000, buf, 4096, &error), error);
  CHECK_OK(dacsa_mem_read(cache, 0x2004, buf, 100, &error), error);
  g_assert_cmpuint(fake_mem_reads(below), ==, reads); /* both pages were known */
  CHECK_OK(dacsa_mem_read(cache, 0x1001, buf, 4097, &error), error);
  g_assert_cmpuint(fake_mem_reads(below), ==, reads + 1); /* too long: not kept */
  g_assert_cmpuint(buf[0xffb + 4], ==, 0x44);
  CHECK_OK(dacsa_mem_read(cache, UINT64_MAX, buf, 1, &error), error);
  g_assert_cmpuint(buf[0], ==, 9);
  CHECK_FAILS(dacsa_mem_read(cache, 0x3fff, buf, 2, &error), error, DACSA_ERROR_FAULT);
  CHECK_FAILS(dacsa_mem_read(cache, 0x5000, buf, 1, &error), error, DACSA_ERROR_FAULT);
}

/* A run that ends within a page: what is there can be read, again and again. */
static void
test_pagecache_part_of_page(void)
{
  g_autoptr(DacsaMem) below = fake_mem_new();
  g_autoptr(GError) error = NULL;
  uint8_t buf[16];

  fake_mem_u64(below, 0x1100, 0x77);
  fake_mem_u8(below, 0x2000, 5);
  fake_mem_cut(below, 0x1108);
  g_autoptr(DacsaMem) cache = dacsa_pagecache_new(below, 4096); /* one slot */
  for (int again = 0; again < 2; again++) {
    CHECK_OK(dacsa_mem_read(cache, 0x1100, buf, 8, &error), error);
    g_assert_cmpuint(buf[0], ==, 0x77);
    CHECK_FAILS(dacsa_mem_read(cache, 0x1101, buf, 8, &error), error, DACSA_ERROR_FAULT);
    CHECK_OK(dacsa_mem_read(cache, 0x2000, buf, 1, &error), error); /* the slot changes hands */
    g_assert_cmpuint(buf[0], ==, 5);
  }
}

/* -- residency -- */

#define PRESENT (UINT64_C(1) << 63)
#define SWAPPED (UINT64_C(1) << 62)

static void
check_resident(DacsaResident *r, uint64_t from, uint64_t expected_start, uint64_t expected_end)
{
  uint64_t start = 0, end = 0;

  g_assert_true(dacsa_resident_next(r, from, &start, &end));
  g_assert_cmphex(start, ==, expected_start);
  g_assert_cmphex(end, ==, expected_end);
}

static void
test_resident(void)
{
  static const DacsaRange ranges[] = {{0, 0x4000, 0x2000, true},
                                      {0x10000, 0x1000000, 0x8000, true}};
  const size_t n = 0x8000 / 4096 + 0x1000;
  g_autofree uint64_t *entries = g_new0(uint64_t, n);
  g_autoptr(DacsaLayout) layout = dacsa_layout_new();
  g_autoptr(GError) error = NULL;
  int fd = file_new(0);
  uint64_t start, end;

  for (size_t i = 0; i < G_N_ELEMENTS(ranges); i++)
    CHECK_OK(dacsa_layout_append(layout, ranges[i], &error), error);
  entries[3] = PRESENT | 0x1234; /* gpa 0x1000 */
  entries[4] = SWAPPED;          /* gpa 0x2000 */
  entries[6] = PRESENT;          /* of no range */
  for (size_t i = 8 + 100; i < 8 + 300; i++)
    entries[i] = PRESENT; /* gpa 0x10000 + 100 pages */
  entries[8 + 0xfff] = PRESENT;
  g_assert_cmpint((int)pwrite(fd, entries, n * 8, 0), ==, (int)(n * 8));
  g_autoptr(DacsaResident) r = dacsa_resident_new(fd, layout, NULL);
  check_resident(r, 0, 0x1000, 0x3000);
  check_resident(r, 0x1800, 0x1800, 0x3000);
  check_resident(r, 0x3000, 0x10000 + 100 * 4096, 0x10000 + 300 * 4096);
  check_resident(r, 0x10000 + 200 * 4096 + 5, 0x10000 + 200 * 4096 + 5, 0x10000 + 300 * 4096);
  check_resident(r, 0x10000 + 300 * 4096, 0x100f000, 0x1010000);
  g_assert_false(dacsa_resident_next(r, 0x1010000, &start, &end));
}

/* Where the pagemap tells nothing everything counts as there. */
static void
test_resident_unknown(void)
{
  g_autoptr(DacsaLayout) layout = layout_new();
  g_autoptr(DacsaResident) r = dacsa_resident_new(file_new(0), layout, NULL);
  g_autoptr(DacsaResident) closed = dacsa_resident_new(-1, layout, NULL);

  check_resident(r, 0, 0x1000, 0x2000);
  check_resident(r, 0x2000, 0x2000, 0x3000);
  check_resident(r, 0x3001, 0x8000, 0xa000);
  check_resident(closed, 0x3001, 0x8000, 0xa000);
}

/* A process whose memory is being taken from it has holes everywhere, and none that can be faulted
 * in. */
static void
test_resident_emptied(void)
{
  static const DacsaRange range = {0x100000, 0x8000000, 0x4000, true}; /* into a second chunk */
  const size_t n = 32768 + 4;
  g_autofree uint64_t *entries = g_new0(uint64_t, n);
  g_autoptr(DacsaLayout) layout = dacsa_layout_new();
  g_autoptr(DacsaMem) memory = fake_mem_new();
  g_autoptr(GError) error = NULL;
  int fd = file_new(0);

  CHECK_OK(dacsa_layout_append(layout, range, &error), error);
  entries[4] = entries[6] = PRESENT;
  entries[32768] = entries[32769] = entries[32770] = entries[32771] = PRESENT;
  g_assert_cmpint((int)pwrite(fd, entries, n * 8, 0), ==, (int)(n * 8));
  {
    g_autoptr(DacsaResident) r = dacsa_resident_new(dup(fd), layout, memory);

    check_resident(r, 0, 0x100000, 0x8100000); /* its first hole, gpa 0x101000, is a fault */
  }
  fake_mem_u8(memory, 0x101000, 0);
  g_autoptr(DacsaResident) r = dacsa_resident_new(fd, layout, memory);
  check_resident(r, 0, 0x100000, 0x101000);
  check_resident(r, 0x101000, 0x102000, 0x103000);
  check_resident(r, 0x103000, 0x80fc000, 0x8100000);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/physmem/reads", test_reads);
  g_test_add_func("/physmem/short-file", test_short_file);
  g_test_add_func("/physmem/next", test_next);
  g_test_add_func("/pagecache/reads", test_pagecache);
  g_test_add_func("/pagecache/part-of-page", test_pagecache_part_of_page);
  g_test_add_func("/resident/runs", test_resident);
  g_test_add_func("/resident/unknown", test_resident_unknown);
  g_test_add_func("/resident/emptied", test_resident_emptied);
  return g_test_run();
}
