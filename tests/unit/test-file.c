/* Files' content at its edges, and the cache of what was carved. */
#include "check.h"
#include "fake-mem.h"

#include "fs/cache.h"

#include <string.h>
#include <unistd.h>

static DacsaFile *
text_new(const char *text)
{
  return dacsa_file_new_text(g_string_new(text));
}

static void
check_read(DacsaFile *file, uint64_t offset, size_t len, const char *expected, size_t expected_len)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *buf = g_malloc(len + 1);
  size_t got = 99;

  buf[len] = '!';
  CHECK_OK(dacsa_file_read(file, offset, buf, len, &got, &error), error);
  g_assert_cmpmem(buf, got, expected, expected_len);
  g_assert_cmpint(buf[len], ==, '!'); /* not a byte more than was asked for */
}

static void
test_text(void)
{
  g_autoptr(DacsaFile) file = text_new("hello");
  g_autoptr(DacsaFile) empty = text_new("");
  uint64_t at = 0;

  g_assert_cmpuint(dacsa_file_size(file), ==, 5);
  check_read(file, 0, 5, "hello", 5);
  check_read(file, 1, 2, "el", 2);
  check_read(file, 4, 100, "o", 1);
  check_read(file, 5, 100, "", 0);
  check_read(file, UINT64_MAX, 100, "", 0);
  check_read(empty, 0, 100, "", 0);
  g_assert_true(dacsa_file_seek(file, 2, false, &at) && at == 2);
  g_assert_true(dacsa_file_seek(file, 2, true, &at) && at == 5);
  g_assert_false(dacsa_file_seek(file, 5, true, &at));
  g_assert_false(dacsa_file_seek(empty, 0, false, &at));
  g_assert_null(dacsa_file_runs(file));
}

static void
test_runs(void)
{
  g_autoptr(DacsaMem) phys = fake_mem_new();
  DacsaRuns *runs = dacsa_runs_new();
  g_autoptr(GError) error = NULL;
  char buf[8];
  size_t got = 99;

  fake_mem_write(phys, 0x5000, "abcd", 4);
  fake_mem_write(phys, 0x2000, "efgh", 4);
  g_assert_true(dacsa_runs_append(runs, 0x400000, 0x5000, 4));
  g_assert_true(dacsa_runs_append(runs, 0x500000, 0x2000, 4));
  g_assert_true(dacsa_runs_append(runs, 0x600000, 0x9000, 4)); /* not in memory */
  g_autoptr(DacsaFile) file = dacsa_file_new_runs(runs, phys);
  g_assert_cmpuint(dacsa_file_size(file), ==, 12);
  g_assert_true(dacsa_file_runs(file) == runs);
  check_read(file, 0, 8, "abcdefgh", 8);
  check_read(file, 3, 2, "de", 2);
  check_read(file, 12, 2, "", 0);
  CHECK_FAILS(dacsa_file_read(file, 7, buf, 2, &got, &error), error, DACSA_ERROR_FAULT);
  g_assert_cmpuint(got, ==, 0);
}

/* A file with holes: the seeks of tar -S and cp --sparse. */
static void
test_head(void)
{
  g_autoptr(DacsaMem) phys = fake_mem_new();
  DacsaRuns *runs = dacsa_runs_new();
  uint64_t at = 0;

  fake_mem_write(phys, 0x5000, "abcd", 4);
  dacsa_runs_set_head(runs, g_bytes_new_static("head", 4));
  g_assert_true(dacsa_runs_append_at(runs, 8, 0, 0x5000, 4));
  g_assert_true(dacsa_runs_append(runs, 0, 0x5000, 2));
  dacsa_runs_set_size(runs, 16);
  g_autoptr(DacsaFile) file = dacsa_file_new_runs(runs, phys);
  check_read(file, 0, 16, "head\0\0\0\0abcdab\0\0", 16);
  check_read(file, 2, 4, "ad\0\0", 4);
  check_read(file, 3, 1, "d", 1);
  check_read(file, 9, 4, "bcda", 4);
  g_assert_cmpuint(dacsa_file_data_bytes(file), ==, 10);
  g_assert_true(dacsa_file_seek(file, 1, true, &at) && at == 4);
  g_assert_true(dacsa_file_seek(file, 4, false, &at) && at == 8);
  g_assert_true(dacsa_file_seek(file, 8, true, &at) && at == 14);
}

/* A frame number for each page, and for reads at any offset. */
static void
test_pagemap(void)
{
  g_autoptr(DacsaMem) phys = fake_mem_new();
  DacsaRuns *runs = dacsa_runs_new();
  char expected[24] = {5, [8] = 6, [16] = 0x34, [17] = 0x12};

  g_assert_true(dacsa_runs_append(runs, 0x400000, 0x5000, 0x2000));
  g_assert_true(dacsa_runs_append(runs, 0x600000, 0x1234000, 0x1000));
  g_autoptr(DacsaFile) memory = dacsa_file_new_runs(runs, phys);
  g_autoptr(DacsaFile) pagemap = dacsa_file_new_pagemap(memory);
  g_assert_cmpuint(dacsa_file_size(pagemap), ==, sizeof(expected));
  check_read(pagemap, 0, 100, expected, sizeof(expected));
  for (size_t start = 0; start < sizeof(expected); start++)
    for (size_t end = start; end <= sizeof(expected); end++)
      check_read(pagemap, start, end - start, expected + start, end - start);
}

static void
test_runs_with_holes(void)
{
  g_autoptr(DacsaMem) phys = fake_mem_new();
  DacsaRuns *runs = dacsa_runs_new();
  uint64_t at;

  fake_mem_write(phys, 0x5000, "abcd", 4);
  g_assert_true(dacsa_runs_append_at(runs, 2, 0, 0x5000, 4));
  dacsa_runs_set_size(runs, 9);
  g_autoptr(DacsaFile) file = dacsa_file_new_runs(runs, phys);
  g_assert_cmpuint(dacsa_file_size(file), ==, 9);
  g_assert_cmpuint(dacsa_file_data_bytes(file), ==, 4);
  check_read(file, 0, 20, "\0\0abcd\0\0\0", 9);
  g_assert_true(dacsa_file_seek(file, 0, false, &at));
  g_assert_cmpuint(at, ==, 2);
  g_assert_true(dacsa_file_seek(file, 0, true, &at));
  g_assert_cmpuint(at, ==, 0);
  g_assert_true(dacsa_file_seek(file, 3, true, &at));
  g_assert_cmpuint(at, ==, 6);
  g_assert_false(dacsa_file_seek(file, 6, false, &at));
  g_assert_true(dacsa_file_seek(file, 7, true, &at));
  g_assert_cmpuint(at, ==, 7);
  g_assert_false(dacsa_file_seek(file, 9, true, &at));
}

/* Physical memory with a hole, of whose pages the snapshot has some. */
static DacsaFile *
physmem_new(DacsaMem *phys)
{
  static const DacsaRange ranges[] = {{0x1000, 0x2000, 0x1000, true},
                                      {0x5000, 0x2000, 0x3000, true}};
  /* By host page: 1 and 2 the first range, of which 2 is absent, 3 and 4 the second. */
  static const uint64_t pagemap[] = {0, UINT64_C(1) << 63, 0, UINT64_C(1) << 63, UINT64_C(1) << 63};
  g_autoptr(DacsaLayout) layout = dacsa_layout_new();
  g_autoptr(GError) error = NULL;
  g_autofree char *name = NULL;
  int fd = g_file_open_tmp("dacsa-test-XXXXXX", &name, NULL);

  g_assert_cmpint(fd, >=, 0);
  unlink(name);
  g_assert_cmpint((int)write(fd, pagemap, sizeof(pagemap)), ==, (int)sizeof(pagemap));
  for (size_t i = 0; i < G_N_ELEMENTS(ranges); i++)
    CHECK_OK(dacsa_layout_append(layout, ranges[i], &error), error);
  g_autoptr(DacsaResident) resident = dacsa_resident_new(fd, layout, NULL);
  return dacsa_file_new_physmem(phys, resident, dacsa_layout_end(layout));
}

static void
test_physmem_reads(void)
{
  g_autoptr(DacsaMem) phys = fake_mem_new();
  g_autofree char *expected = g_malloc0(0x7000);

  memset(expected + 0x1000, '1', 0x1000); /* the page at 0x2000 is not looked at */
  memset(expected + 0x5000, '5', 0x2000);
  fake_mem_write(phys, 0x1000, expected + 0x1000, 0x1000);
  fake_mem_write(phys, 0x5000, expected + 0x5000, 0x2000);
  g_autoptr(DacsaFile) file = physmem_new(phys);
  g_assert_cmpuint(dacsa_file_size(file), ==, 0x7000);
  check_read(file, 0, 0x8000, expected, 0x7000);
  check_read(file, 0xfff, 2, expected + 0xfff, 2);
  check_read(file, 0x1fff, 2, expected + 0x1fff, 2);
  check_read(file, 0x2100, 0x100, expected + 0x2100, 0x100);
  check_read(file, 0x4fff, 2, expected + 0x4fff, 2);
  check_read(file, 0x6fff, 2, expected + 0x6fff, 1);
  check_read(file, 0x7000, 2, "", 0);
}

static void
test_physmem_seek(void)
{
  static const struct {
    uint64_t from;
    bool hole;
    int64_t expected; /* -1: ENXIO */
  } cases[] = {{0, false, 0x1000},      {0, true, 0},           {0x1000, false, 0x1000},
               {0x1000, true, 0x2000},  {0x1800, true, 0x2000}, {0x2000, false, 0x5000},
               {0x2000, true, 0x2000},  {0x4fff, true, 0x4fff}, {0x5000, true, 0x7000},
               {0x6fff, false, 0x6fff}, {0x6fff, true, 0x7000}, {0x7000, true, -1},
               {0x7000, false, -1}};
  g_autoptr(DacsaMem) phys = fake_mem_new();
  g_autoptr(DacsaFile) file = physmem_new(phys);

  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
    uint64_t at = UINT64_MAX;
    bool ok = dacsa_file_seek(file, cases[i].from, cases[i].hole, &at);

    g_test_message("case %zu", i);
    g_assert_cmpint(ok, ==, cases[i].expected >= 0);
    if (ok)
      g_assert_cmphex(at, ==, (uint64_t)cases[i].expected);
  }
}

/* -- the cache -- */

static bool
holds(DacsaCache *cache, uint64_t ino)
{
  g_autoptr(DacsaFile) file = dacsa_cache_get(cache, ino);

  return file != NULL;
}

/* Files of about 1000 bytes in a cache for three of them. */
static DacsaCache *
filled_cache(void)
{
  DacsaCache *cache = dacsa_cache_new(3 * 1300);
  g_autofree char *text = g_strnfill(1000, 'x');

  for (uint64_t ino = 1; ino <= 3; ino++) {
    g_autoptr(DacsaFile) file = text_new(text);
    g_autoptr(DacsaFile) put = dacsa_cache_put(cache, ino, file);

    g_assert_true(put == file);
  }
  return cache;
}

static void
test_cache_evicts(void)
{
  DacsaCache *cache = filled_cache();
  g_autofree char *text = g_strnfill(1000, 'y');
  g_autoptr(DacsaFile) fourth = text_new(text);

  g_assert_true(holds(cache, 2) && holds(cache, 3));
  g_assert_true(holds(cache, 1)); /* now 2 is the one not used for longest */
  g_autoptr(DacsaFile) put = dacsa_cache_put(cache, 4, fourth);
  g_assert_false(holds(cache, 2));
  g_assert_true(holds(cache, 1) && holds(cache, 3) && holds(cache, 4));
  dacsa_cache_free(cache);
  check_read(put, 999, 1, "y", 1); /* references outlive it */
}

static void
test_cache_oversized(void)
{
  DacsaCache *cache = filled_cache();
  g_autofree char *text = g_strnfill(10000, 'z');
  g_autoptr(DacsaFile) big = text_new(text);
  g_autoptr(DacsaFile) put = dacsa_cache_put(cache, 9, big);

  /* It alone is over the budget, and stays; also beside the files that are made of it, of which the
   * newest one does. */
  g_assert_true(holds(cache, 9));
  g_assert_false(holds(cache, 1) || holds(cache, 2));
  for (uint64_t ino = 10; ino < 13; ino++) {
    g_autoptr(DacsaFile) small = text_new("s");

    g_assert_true(holds(cache, 9));
    g_autoptr(DacsaFile) put_small = dacsa_cache_put(cache, ino, small);
    g_assert_false(holds(cache, 3) || (ino > 10 && holds(cache, ino - 1)));
    g_assert_true(holds(cache, ino));
  }
  g_autoptr(DacsaFile) other = text_new("other");
  g_autoptr(DacsaFile) put_other = dacsa_cache_put(cache, 13, other);
  g_assert_false(holds(cache, 9)); /* not used since two others were */
  dacsa_cache_free(cache);
}

static void
test_cache_put_twice(void)
{
  DacsaCache *cache = dacsa_cache_new(1u << 20);
  g_autoptr(DacsaFile) first = text_new("first");
  g_autoptr(DacsaFile) second = text_new("second");

  g_autoptr(DacsaFile) a = dacsa_cache_put(cache, 1, first);
  g_autoptr(DacsaFile) b = dacsa_cache_put(cache, 1, second);
  g_autoptr(DacsaFile) c = dacsa_cache_get(cache, 1);
  g_assert_true(a == first && b == first && c == first);
  dacsa_cache_free(cache);
}

static void
test_cache_forget(void)
{
  DacsaCache *cache = filled_cache();

  dacsa_cache_forget(cache, 2, 2);
  g_assert_true(holds(cache, 1) && !holds(cache, 2) && holds(cache, 3));
  dacsa_cache_forget(cache, 4, UINT64_MAX);
  g_assert_true(holds(cache, 1) && holds(cache, 3));
  dacsa_cache_forget(cache, 0, UINT64_MAX);
  g_assert_false(holds(cache, 1) || holds(cache, 3));
  dacsa_cache_free(cache);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/file/text", test_text);
  g_test_add_func("/file/runs", test_runs);
  g_test_add_func("/file/head", test_head);
  g_test_add_func("/file/pagemap", test_pagemap);
  g_test_add_func("/file/runs-with-holes", test_runs_with_holes);
  g_test_add_func("/file/physmem/reads", test_physmem_reads);
  g_test_add_func("/file/physmem/seek", test_physmem_seek);
  g_test_add_func("/cache/evicts", test_cache_evicts);
  g_test_add_func("/cache/oversized", test_cache_oversized);
  g_test_add_func("/cache/put-twice", test_cache_put_twice);
  g_test_add_func("/cache/forget", test_cache_forget);
  return g_test_run();
}
