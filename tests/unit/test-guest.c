/* What is the same for all guests: errors, runs of memory, the lines of memory.map. */
#include "check.h"
#include "fake-mem.h"

#include "parsers/guest.h"

#include <string.h>

/* -- errors -- */

static void
test_errors_once(void)
{
  g_autoptr(DacsaErrors) errors = dacsa_errors_new();
  g_autofree char *none = dacsa_errors_text(errors);

  g_assert_cmpstr(none, ==, "");
  dacsa_errors_add(errors, "processes", "one");
  dacsa_errors_add(errors, "processes", "two\nlines");
  dacsa_errors_add(errors, "processes", "one");
  dacsa_errors_add(errors, "guest", "one");
  g_autofree char *text = dacsa_errors_text(errors);
  g_assert_cmpstr(text, ==, "processes: one\nprocesses: two\\nlines\nguest: one\n");
}

static void
test_errors_bounded(void)
{
  g_autoptr(DacsaErrors) errors = dacsa_errors_new();
  g_autofree char *longest = g_strnfill(100000, 'x');
  guint lines = 0;

  dacsa_errors_add(errors, "w", longest);
  for (int i = 0; i < 5000; i++) {
    g_autofree char *line = g_strdup_printf("%d", i);
    dacsa_errors_add(errors, "w", line);
  }
  g_autofree char *text = dacsa_errors_text(errors);
  for (const char *c = text; *c; c++)
    lines += *c == '\n';
  g_assert_cmpuint(lines, ==, 4096 + 1);
  g_assert_true(g_str_has_suffix(text, "\nerrors: 905 more were left out\n"));
  g_assert_cmpuint(strcspn(text, "\n"), ==, 3 + 512);
}

/* -- runs -- */

static void
check_run(const DacsaRuns *runs, guint i, const DacsaRun *expected)
{
  const DacsaRun *run = &g_array_index(runs->runs, DacsaRun, i);

  g_assert_cmphex(run->offset, ==, expected->offset);
  g_assert_cmphex(run->gva, ==, expected->gva);
  g_assert_cmphex(run->gpa, ==, expected->gpa);
  g_assert_cmphex(run->len, ==, expected->len);
}

static DacsaRuns *
runs_new(void)
{
  DacsaRuns *runs = dacsa_runs_new();

  g_assert_true(dacsa_runs_append(runs, 0x400000, 0x1000, 0x1000));
  g_assert_true(dacsa_runs_append(runs, 0x401000, 0x2000, 0x1000)); /* continues both addresses */
  g_assert_true(dacsa_runs_append(runs, 0x402000, 0x5000, 0x1000)); /* only the virtual one */
  g_assert_true(dacsa_runs_append(runs, 0x404000, 0x6000, 0x1000)); /* only the physical one */
  return runs;
}

static void
test_runs_join(void)
{
  g_autoptr(DacsaRuns) runs = runs_new();

  g_assert_cmpuint(runs->size, ==, 0x4000);
  g_assert_cmpuint(runs->runs->len, ==, 3);
  check_run(runs, 0, &(DacsaRun){0, 0x400000, 0x1000, 0x2000});
  check_run(runs, 1, &(DacsaRun){0x2000, 0x402000, 0x5000, 0x1000});
  check_run(runs, 2, &(DacsaRun){0x3000, 0x404000, 0x6000, 0x1000});
  g_assert_cmpuint(dacsa_runs_find(runs, 0), ==, 0);
  g_assert_cmpuint(dacsa_runs_find(runs, 0x1fff), ==, 0);
  g_assert_cmpuint(dacsa_runs_find(runs, 0x2000), ==, 1);
  g_assert_cmpuint(dacsa_runs_find(runs, 0x3fff), ==, 2);
}

static void
test_runs_overflow(void)
{
  g_autoptr(DacsaRuns) runs = runs_new();

  g_assert_false(dacsa_runs_append(runs, 0, 0, UINT64_MAX - 0xfff));
  g_assert_cmpuint(runs->size, ==, 0x4000);
}

static void
test_runs_read(void)
{
  g_autoptr(DacsaRuns) runs = runs_new();
  g_autoptr(DacsaMem) phys = fake_mem_new();
  g_autoptr(GError) error = NULL;
  char buf[0x1003];

  fake_mem_u8(phys, 0x2fff, 'a');
  fake_mem_u8(phys, 0x5000, 'b');
  fake_mem_u8(phys, 0x5fff, 'c');
  CHECK_OK(dacsa_runs_read(runs, phys, 0x1fff, buf, 0x1001, &error), error);
  g_assert_cmpint(buf[0], ==, 'a');
  g_assert_cmpint(buf[1], ==, 'b');
  g_assert_cmpint(buf[0x1000], ==, 'c');
  CHECK_OK(dacsa_runs_read(runs, phys, 0x4000, buf, 0, &error), error);
  CHECK_FAILS(dacsa_runs_read(runs, phys, 0x1fff, buf, 0x1002, &error), error, DACSA_ERROR_FAULT);
}

/* Holes before, between and behind the runs. */
static DacsaRuns *
holed_runs_new(void)
{
  DacsaRuns *runs = dacsa_runs_new();

  g_assert_true(dacsa_runs_append_at(runs, 0x1000, 0, 0x1000, 0x1000));
  g_assert_true(dacsa_runs_append_at(runs, 0x4000, 0, 0x5000, 0x1000));
  g_assert_true(dacsa_runs_append_at(runs, 0x5000, 0, 0x9000, 0x1000));
  dacsa_runs_set_size(runs, 0x8123);
  return runs;
}

static void
test_runs_holes(void)
{
  g_autoptr(DacsaRuns) runs = holed_runs_new();
  g_autoptr(DacsaMem) phys = fake_mem_new();
  g_autoptr(GError) error = NULL;
  g_autofree uint8_t *buf = g_malloc(0x8123);
  g_autofree uint8_t *expected = g_malloc0(0x8123);
  uint64_t start, end;

  memset(expected + 0x1000, 'a', 0x1000);
  memset(expected + 0x4000, 'b', 0x1000);
  memset(expected + 0x5000, 'c', 0x1000);
  fake_mem_write(phys, 0x1000, expected + 0x1000, 0x1000);
  fake_mem_write(phys, 0x5000, expected + 0x4000, 0x1000);
  fake_mem_write(phys, 0x9000, expected + 0x5000, 0x1000);
  CHECK_OK(dacsa_runs_read(runs, phys, 0, buf, 0x8123, &error), error);
  g_assert_cmpmem(buf, 0x8123, expected, 0x8123);
  CHECK_OK(dacsa_runs_read(runs, phys, 0x1fff, buf, 0x2002, &error), error);
  g_assert_cmpmem(buf, 0x2002, expected + 0x1fff, 0x2002);
  CHECK_OK(dacsa_runs_read(runs, phys, 0x7000, buf, 0x1123, &error), error);
  g_assert_cmpmem(buf, 0x1123, expected + 0x7000, 0x1123);
  g_assert_true(dacsa_runs_next(runs, 0, &start, &end));
  g_assert_cmphex(start, ==, 0x1000);
  g_assert_cmphex(end, ==, 0x2000);
  g_assert_true(dacsa_runs_next(runs, 0x2000, &start, &end)); /* two runs side by side */
  g_assert_cmphex(start, ==, 0x4000);
  g_assert_cmphex(end, ==, 0x6000);
  g_assert_true(dacsa_runs_next(runs, 0x5fff, &start, &end));
  g_assert_cmphex(start, ==, 0x5fff);
  g_assert_false(dacsa_runs_next(runs, 0x6000, &start, &end));
  g_assert_false(dacsa_runs_append_at(runs, 0x8122, 0, 0, 1)); /* before the end */
}

static void
test_runs_cut(void)
{
  g_autoptr(DacsaRuns) runs = holed_runs_new();

  dacsa_runs_set_size(runs, 0x4800);
  g_assert_cmpuint(runs->runs->len, ==, 2);
  check_run(runs, 1, &(DacsaRun){0x4000, 0, 0x5000, 0x800});
  dacsa_runs_set_size(runs, 0);
  g_assert_cmpuint(runs->runs->len, ==, 0);
  g_assert_cmpuint(dacsa_runs_find(runs, 0), ==, 0);
}

/* -- memory.map -- */

typedef struct {
  DacsaGuest guest;
  const DacsaRegion *regions;
  guint n;
} FakeGuest;

static bool
fake_regions(DacsaGuest *guest, uint32_t pid, GArray **ret, GError **error)
{
  const FakeGuest *g = (FakeGuest *)guest;

  if (pid != 1)
    return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "there is no process %u", pid);
  *ret = g_array_append_vals(g_array_new(FALSE, FALSE, sizeof(DacsaRegion)), g->regions, g->n);
  return true;
}

static void
check_map(const DacsaRegion *regions, guint n, const DacsaRuns *runs, const char *expected)
{
  static const DacsaGuestOs os = {.name = "fake", .regions = fake_regions};
  FakeGuest guest = {{&os}, regions, n};
  g_autoptr(GString) out = g_string_new(NULL);
  g_autoptr(GError) error = NULL;

  CHECK_OK(dacsa_guest_memory_map(&guest.guest, 1, runs, out, &error), error);
  g_assert_cmpstr(out->str, ==, expected);
  CHECK_FAILS(dacsa_guest_memory_map(&guest.guest, 2, runs, out, &error), error,
              DACSA_ERROR_NOT_FOUND);
}

static void
test_memory_map(void)
{
  static const DacsaRegion regions[] = {
      {0x400000, 0x401000, "r-xp", (char *)"/bin/my cat"},
      {0x401000, 0x403000, "rw-p", NULL},
      {0x500000, 0x600000, "rw-p", (char *)"[heap]"}, /* nothing of it is there */
  };
  g_autoptr(DacsaRuns) runs = runs_new();

  /* The first run is split between two mappings, the second joined to it though its memory lies
   * elsewhere, the third is of no mapping. */
  check_map(regions, 3, runs,
            "00000000 00001000 000000400000 r-xp /bin/my cat\n"
            "00001000 00002000 000000401000 rw-p\n"
            "00003000 00001000 000000404000 ----\n");
  check_map(regions, 0, runs,
            "00000000 00003000 000000400000 ----\n"
            "00003000 00001000 000000404000 ----\n");
}

/* A gap before, within and after mappings; and mappings out of order, which only a guest that means
 * harm has: lines all the same, and an end. */
static void
test_memory_map_gaps(void)
{
  static const DacsaRegion gaps[] = {{0x1000, 0x2000, "r--p", NULL},
                                     {0x4000, 0x5000, "r--p", NULL}};
  static const DacsaRegion shuffled[] = {{0x4000, 0x5000, "r--p", NULL},
                                         {0x1000, 0x2000, "rw-p", NULL},
                                         {0x4000, 0x5000, "--xp", NULL}};
  g_autoptr(DacsaRuns) runs = dacsa_runs_new();

  g_assert_true(dacsa_runs_append(runs, 0, 0x10000, 0x6000));
  check_map(gaps, 2, runs,
            "00000000 00001000 000000000000 ----\n"
            "00001000 00001000 000000001000 r--p\n"
            "00002000 00002000 000000002000 ----\n"
            "00004000 00001000 000000004000 r--p\n"
            "00005000 00001000 000000005000 ----\n");
  check_map(shuffled, 3, runs,
            "00000000 00004000 000000000000 ----\n"
            "00004000 00001000 000000004000 r--p\n"
            "00005000 00001000 000000005000 ----\n");
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/errors/once", test_errors_once);
  g_test_add_func("/errors/bounded", test_errors_bounded);
  g_test_add_func("/runs/join", test_runs_join);
  g_test_add_func("/runs/overflow", test_runs_overflow);
  g_test_add_func("/runs/read", test_runs_read);
  g_test_add_func("/runs/holes", test_runs_holes);
  g_test_add_func("/runs/cut", test_runs_cut);
  g_test_add_func("/memory-map/lines", test_memory_map);
  g_test_add_func("/memory-map/gaps", test_memory_map_gaps);
  return g_test_run();
}
