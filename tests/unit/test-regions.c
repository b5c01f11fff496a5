/* Mappings as files: names, numbers, pieces of large ones, content. */
#include "check.h"

#include "fs/regions.h"

#include <string.h>

#define GIB DACSA_REGION_MAX
#define NO_PID 100u /* and all after it */

typedef struct {
  DacsaGuest guest;
  const DacsaRegion *regions;
  guint n;
  const DacsaRun *runs;
  guint n_runs;
  guint regions_asked, memory_asked;
} FakeGuest;

static bool
fake_regions(DacsaGuest *guest, uint32_t pid, GArray **ret, GError **error)
{
  FakeGuest *g = (FakeGuest *)guest;

  g->regions_asked++;
  if (pid >= NO_PID)
    return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "there is no process %u", pid);
  *ret = g_array_append_vals(g_array_new(FALSE, FALSE, sizeof(DacsaRegion)), g->regions, g->n);
  return true;
}

static DacsaRuns *
memory_of(const DacsaRun *given, guint n)
{
  DacsaRuns *runs = dacsa_runs_new();

  for (guint i = 0; i < n; i++)
    g_assert_true(dacsa_runs_append(runs, given[i].gva, given[i].gpa, given[i].len));
  return runs;
}

static bool
fake_memory(DacsaGuest *guest, uint32_t pid, DacsaRuns **ret, GError **error)
{
  FakeGuest *g = (FakeGuest *)guest;

  (void)pid;
  (void)error;
  g->memory_asked++;
  *ret = memory_of(g->runs, g->n_runs);
  return true;
}

static const DacsaGuestOs fake_os = {
    .name = "fake", .regions = fake_regions, .memory = fake_memory};

/* -- names -- */

typedef struct {
  GString *names; /* a line each */
  uint32_t first, last;
} Listed;

static void
remember(const char *name, uint32_t number, void *data)
{
  Listed *listed = data;

  g_string_append_printf(listed->names, "%s\n", name);
  g_assert_cmpuint(strlen(name), <=, 255);
  if (listed->first == 0)
    listed->first = number;
  else
    g_assert_cmpuint(number, ==, listed->last + 1);
  listed->last = number;
}

static Listed
list(DacsaRegions *regions, FakeGuest *guest, uint32_t pid)
{
  Listed listed = {g_string_new(NULL), 0, 0};
  g_autoptr(GError) error = NULL;

  CHECK_OK(dacsa_regions_list(regions, &guest->guest, pid, remember, &listed, &error), error);
  return listed;
}

/* What a process with these mappings and this memory lists, and that each is found by its name. */
static void
check_names(FakeGuest *guest, const char *expected, const char *expected_errors)
{
  g_autoptr(DacsaErrors) errors = dacsa_errors_new();
  g_autoptr(DacsaRegions) regions = dacsa_regions_new(errors, 0);
  Listed listed = list(regions, guest, 1);
  g_auto(GStrv) names = g_strsplit(listed.names->str, "\n", -1);
  g_autofree char *text = dacsa_errors_text(errors);
  g_autoptr(GError) error = NULL;

  g_assert_cmpstr(listed.names->str, ==, expected);
  g_assert_cmpstr(text, ==, expected_errors);
  for (uint32_t i = 0; names[i][0]; i++) {
    uint32_t number;

    CHECK_OK(dacsa_regions_find(regions, &guest->guest, 1, names[i], &number, &error), error);
    g_assert_cmpuint(number, ==, listed.first + i);
  }
  g_string_free(listed.names, TRUE);
}

static void
test_names(void)
{
  static const DacsaRegion regions[] = {
      {0x1000, 0x2000, "r--p", (char *)"/bin/my cat"},
      {0x400000, 0x401000, "r-xp", (char *)"/memfd:a%b (deleted)"},
      {0x401000, 0x403000, "rw-p", NULL},
      {0x500000, 0x600000, "rw-p", (char *)"[heap]"},
      {0x600000, 0x601000, "rw-p", (char *)"[anon:a/b]"},
      {0x601000, 0x602000, "rw-p", (char *)"/a\\012b/c\td"},
      {0x602000, 0x603000, "rw-p", (char *)"/.."},
      {0x603000, 0x604000, "rw-p", (char *)"/"},
      {0x604000, 0x605000, "rw-p", (char *)"anon_inode:[io_uring]"},
      {0xffffffffff600000, 0xffffffffff601000, "--xp", (char *)"[vsyscall]"},
  };
  FakeGuest guest = {.guest = {&fake_os}, .regions = regions, .n = G_N_ELEMENTS(regions)};

  check_names(&guest,
              "00001000-00002000-my cat\n"
              "00400000-00401000-memfd:a%25b (deleted)\n"
              "00401000-00403000-anon\n"
              "00500000-00600000-[heap]\n"
              "00600000-00601000-[anon:a%2Fb]\n"
              "00601000-00602000-c%09d\n"
              "00602000-00603000-%2E%2E\n"
              "00603000-00604000-%\n"
              "00604000-00605000-anon_inode:[io_uring]\n"
              "ffffffffff600000-ffffffffff601000-[vsyscall]\n",
              "");
  g_assert_cmpuint(guest.memory_asked, ==, 0);
  g_assert_cmpuint(guest.regions_asked, ==, 1);
}

/* A name that is too long is cut, and not within an escape. */
static void
test_long_names(void)
{
  g_autofree char *letters = g_strnfill(255, 'x');
  g_autofree char *tail = g_strnfill(199, 'y');
  g_autofree char *odd = g_strdup_printf("/%s\n\n", tail);
  const DacsaRegion regions[] = {{0x1000, 0x2000, "r--p", letters}, {0x2000, 0x3000, "r--p", odd}};
  FakeGuest guest = {.guest = {&fake_os}, .regions = regions, .n = 2};
  g_autofree char *expected = g_strdup_printf("00001000-00002000-%.200s\n"
                                              "00002000-00003000-%s\n",
                                              letters, tail);

  check_names(&guest, expected, "");
}

/* Only a damaged guest has them: out of order, overlapping, one and the same twice. */
static void
test_damaged(void)
{
  static const DacsaRegion regions[] = {
      {0x5000, 0x6000, "r--p", (char *)"/b"}, {0x1000, 0x9000, "r--p", NULL},
      {0x5000, 0x6000, "r--p", (char *)"/b"}, {0x5000, 0x6000, "r--p", (char *)"/c"},
      {0x5000, 0x7000, "r--p", (char *)"/b"},
  };
  FakeGuest guest = {.guest = {&fake_os}, .regions = regions, .n = G_N_ELEMENTS(regions)};

  check_names(&guest,
              "00001000-00009000-anon\n"
              "00005000-00006000-b\n"
              "00005000-00007000-b\n",
              "");
}

/* -- large mappings -- */

/* Pieces begin where the mapping does; of the many of a sparse one, there are those with a page. */
static void
test_pieces(void)
{
  static const DacsaRegion regions[] = {
      {0x1000, 0x1000 + GIB, "rw-p", NULL}, /* just small enough, and nothing in it */
      {4 * GIB + 0x1000, 7 * GIB, "rw-p", (char *)"/large"},
      {8 * GIB, 8 * GIB + 20000 * GIB, "rw-p", (char *)"[heap]"},
      {40000 * GIB, 40002 * GIB, "rw-p", (char *)"/empty"},
  };
  static const DacsaRun runs[] = {
      {0, 5 * GIB, 0x100000, 0x2000},          /* across two pieces of /large */
      {0, 7 * GIB - 0x1000, 0x200000, 0x2000}, /* its last page, and one past it */
      {0, 8 * GIB + 17 * GIB + 0x5000, 0x300000, 0x1000},
      {0, 8 * GIB + 20000 * GIB - 0x1000, 0x400000, 0x1000},
  };
  FakeGuest guest = {.guest = {&fake_os},
                     .regions = regions,
                     .n = G_N_ELEMENTS(regions),
                     .runs = runs,
                     .n_runs = G_N_ELEMENTS(runs)};

  check_names(&guest,
              "00001000-40001000-anon\n"
              "100001000-140001000-large\n"
              "140001000-180001000-large\n"
              "180001000-1c0000000-large\n"
              "640000000-680000000-[heap]\n"
              "1389c0000000-138a00000000-[heap]\n",
              "");
  g_assert_cmpuint(guest.memory_asked, ==, 1);
}

/* Mappings as large as there can be, each with a page in every piece. */
#define HUGE_END (UINT64_C(1) << 46)
static const DacsaRegion huge_regions[] = {
    {0, HUGE_END, "rw-p", NULL},          {0x1000, HUGE_END + 1, "rw-p", NULL},
    {0x2000, HUGE_END + 2, "rw-p", NULL}, {0x3000, HUGE_END + 3, "rw-p", NULL},
    {0x4000, HUGE_END + 4, "rw-p", NULL}, {0x5000, HUGE_END + 5, "rw-p", NULL},
};
static const DacsaRun huge_runs[] = {{0, 0, 0, HUGE_END}};

static FakeGuest
huge_guest(void)
{
  return (FakeGuest){.guest = {&fake_os},
                     .regions = huge_regions,
                     .n = G_N_ELEMENTS(huge_regions),
                     .runs = huge_runs,
                     .n_runs = 1};
}

/* One process has too many: an end, and it is told. */
static void
test_too_many(void)
{
  g_autoptr(DacsaErrors) errors = dacsa_errors_new();
  g_autoptr(DacsaRegions) table = dacsa_regions_new(errors, 0);
  FakeGuest guest = huge_guest();
  Listed listed = list(table, &guest, 1);
  g_assert_cmpuint(listed.last, ==, 1u << 18);
  g_autofree char *text = dacsa_errors_text(errors);
  g_assert_cmpstr(text, ==, "processes/1/regions: cut short: too many mappings\n");
  g_string_free(listed.names, TRUE);
}

/* All of them together have: the first have theirs, the last has none. */
static void
test_full(void)
{
  static const char first[] = "00000000-40000000-anon";
  g_autoptr(DacsaErrors) errors = dacsa_errors_new();
  g_autoptr(DacsaRegions) table = dacsa_regions_new(errors, 0);
  FakeGuest guest = huge_guest();
  g_autoptr(GError) error = NULL;
  uint32_t number;

  for (uint32_t pid = 1; pid <= 16; pid++) {
    CHECK_OK(dacsa_regions_find(table, &guest.guest, pid, first, &number, &error), error);
    g_assert_cmpuint(number, ==, (pid - 1) * (1u << 18) + 1);
  }
  CHECK_FAILS(dacsa_regions_find(table, &guest.guest, 17, first, &number, &error), error,
              DACSA_ERROR_NOT_FOUND);
  g_autofree char *text = dacsa_errors_text(errors);
  g_assert_nonnull(
      strstr(text, "processes/17/regions: cut short: too many mappings of all processes\n"));
}

/* -- numbers -- */

static void
check_range(DacsaRegions *table, uint32_t number, uint32_t pid, uint64_t start, uint64_t end)
{
  g_autoptr(GError) error = NULL;
  DacsaRegionRange range;

  CHECK_OK(dacsa_regions_get(table, number, &range, &error), error);
  g_assert_cmpuint(range.pid, ==, pid);
  g_assert_cmphex(range.start, ==, start);
  g_assert_cmphex(range.end, ==, end);
}

static void
test_numbers(void)
{
  static const DacsaRegion regions[] = {{0x1000, 0x2000, "r--p", NULL},
                                        {0x2000, 0x3000, "r--p", NULL}};
  static const char *const missing[] = {"",
                                        "00001000",
                                        "00001000-00002000",
                                        "00001000-00002000-",
                                        "00001000-00002000-anon2",
                                        "1000-2000-anon",
                                        "00001000-00003000-anon",
                                        "-00001000-00002000-anon",
                                        "0x00001000-00002000-anon",
                                        "00003000-00004000-anon"};
  g_autoptr(DacsaErrors) errors = dacsa_errors_new();
  g_autoptr(DacsaRegions) table = dacsa_regions_new(errors, 0);
  FakeGuest guest = {.guest = {&fake_os}, .regions = regions, .n = 2};
  FakeGuest empty = {.guest = {&fake_os}};
  g_autoptr(GError) error = NULL;
  DacsaRegionRange range;
  uint32_t number;

  CHECK_FAILS(dacsa_regions_get(table, 1, &range, &error), error, DACSA_ERROR_NOT_FOUND);
  CHECK_OK(dacsa_regions_find(table, &guest.guest, 7, "00002000-00003000-anon", &number, &error),
           error);
  g_assert_cmpuint(number, ==, 2);
  g_string_free(list(table, &empty, 5).names, TRUE); /* a kernel thread */
  g_string_free(list(table, &guest, 3).names, TRUE);
  g_string_free(list(table, &guest, 7).names, TRUE); /* again: as it was */
  check_range(table, 1, 7, 0x1000, 0x2000);
  check_range(table, 2, 7, 0x2000, 0x3000);
  check_range(table, 3, 3, 0x1000, 0x2000);
  check_range(table, 4, 3, 0x2000, 0x3000);
  CHECK_FAILS(dacsa_regions_get(table, 0, &range, &error), error, DACSA_ERROR_NOT_FOUND);
  CHECK_FAILS(dacsa_regions_get(table, 5, &range, &error), error, DACSA_ERROR_NOT_FOUND);
  g_assert_cmpuint(guest.regions_asked, ==, 2);
  for (size_t i = 0; i < G_N_ELEMENTS(missing); i++) {
    g_test_message("%s", missing[i]);
    CHECK_FAILS(dacsa_regions_find(table, &guest.guest, 7, missing[i], &number, &error), error,
                DACSA_ERROR_NOT_FOUND);
  }
  CHECK_FAILS(dacsa_regions_list(table, &guest.guest, NO_PID, remember, NULL, &error), error,
              DACSA_ERROR_NOT_FOUND);
}

/* Tables that viewers made of one snapshot, one after the other, have no number in common. */
static void
test_tables(void)
{
  static const DacsaRegion regions[] = {{0x1000, 0x2000, "r--p", NULL}};
  static const char name[] = "00001000-00002000-anon";
  g_autoptr(DacsaErrors) errors = dacsa_errors_new();
  FakeGuest guest = {.guest = {&fake_os}, .regions = regions, .n = 1};
  g_autoptr(GError) error = NULL;
  uint32_t last = 0;

  for (uint32_t time = 0; time < DACSA_REGION_TABLES; time++) {
    g_autoptr(DacsaRegions) table = dacsa_regions_new(errors, time);
    DacsaRegionRange range;
    uint32_t number;

    CHECK_OK(dacsa_regions_find(table, &guest.guest, 7, name, &number, &error), error);
    g_assert_cmpuint(number, ==, time << 22 | 1);
    g_assert_cmpuint(number, <, 1u << 30);
    if (last != 0)
      CHECK_FAILS(dacsa_regions_get(table, last, &range, &error), error, DACSA_ERROR_NOT_FOUND);
    check_range(table, number, 7, 0x1000, 0x2000);
    last = number;
  }
  g_autoptr(DacsaRegions) none = dacsa_regions_new(errors, UINT32_MAX);
  CHECK_FAILS(dacsa_regions_find(none, &guest.guest, 7, name, &last, &error), error,
              DACSA_ERROR_NOT_FOUND);
  g_autofree char *text = dacsa_errors_text(errors);
  g_assert_nonnull(strstr(text, "cut short: too many mappings of all processes"));
}

/* -- content -- */

static void
test_content(void)
{
  static const DacsaRun pages[] = {
      {0, 0x1000, 0x10000, 0x3000}, {0, 0x6000, 0x20000, 0x1000}, {0, 0x9000, 0x30000, 0x4000}};
  static const struct {
    uint64_t start, end;
    DacsaRun expected[3];
  } cases[] = {
      {0x1000, 0x4000, {{0, 0x1000, 0x10000, 0x3000}}},
      {0x2000, 0x3000, {{0, 0x2000, 0x11000, 0x1000}}},
      {0, 0x7000, {{0x1000, 0x1000, 0x10000, 0x3000}, {0x6000, 0x6000, 0x20000, 0x1000}}},
      {0x3000,
       0xa000,
       {{0, 0x3000, 0x12000, 0x1000},
        {0x3000, 0x6000, 0x20000, 0x1000},
        {0x6000, 0x9000, 0x30000, 0x1000}}},
      {0x4000, 0x6000, {{0}}},
      {0x7000, 0x9000, {{0}}},
      {0x20000, 0x30000, {{0}}},
  };
  g_autoptr(DacsaRuns) memory = memory_of(pages, G_N_ELEMENTS(pages));

  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(DacsaRuns) runs = dacsa_regions_content(memory, cases[i].start, cases[i].end);
    guint n = 0;

    g_test_message("case %zu", i);
    g_assert_cmphex(runs->size, ==, cases[i].end - cases[i].start);
    while (n < 3 && cases[i].expected[n].len > 0)
      n++;
    g_assert_cmpuint(runs->runs->len, ==, n);
    if (n > 0)
      g_assert_cmpmem(runs->runs->data, n * sizeof(DacsaRun), cases[i].expected,
                      n * sizeof(DacsaRun));
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/regions/names", test_names);
  g_test_add_func("/regions/long-names", test_long_names);
  g_test_add_func("/regions/damaged", test_damaged);
  g_test_add_func("/regions/pieces", test_pieces);
  g_test_add_func("/regions/too-many", test_too_many);
  g_test_add_func("/regions/full", test_full);
  g_test_add_func("/regions/numbers", test_numbers);
  g_test_add_func("/regions/tables", test_tables);
  g_test_add_func("/regions/content", test_content);
  return g_test_run();
}
