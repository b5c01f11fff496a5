/* Processes and modules as dacsa scan reads them: what makes no sense is refused. */
#include "check.h"
#include "fake-dir.h"

#include "fs/scan-unit.h"

#include <string.h>

static char *
write_process(const char *map, const uint64_t *frames, size_t n)
{
  char *dir = fake_dir_new();
  g_autofree char *map_path = g_build_filename(dir, "memory.map", NULL);
  g_autofree char *pagemap = g_build_filename(dir, "pagemap", NULL);
  g_autofree char *memory = g_build_filename(dir, "memory", NULL);
  g_autofree char *bytes = g_malloc(n * 4096);

  for (size_t i = 0; i < n; i++)
    memset(bytes + i * 4096, 'a' + (int)i, 4096);
  g_assert_true(g_file_set_contents(map_path, map, -1, NULL));
  g_assert_true(g_file_set_contents(pagemap, (const char *)frames, (gssize)(n * 8), NULL));
  g_assert_true(g_file_set_contents(memory, bytes, (gssize)(n * 4096), NULL));
  return dir;
}

static void
test_process(void)
{
  const uint64_t frames[] = {7, 9, 8, 5};
  char *dir = write_process("00000000 00001000 000000400000 r-xp /bin/a b\n"
                            "00001000 00002000 000000401000 rw-p [heap]\n"
                            "00003000 00001000 7ffff0000000 rw-p\n",
                            frames, G_N_ELEMENTS(frames));
  g_autoptr(GError) error = NULL;
  DacsaScanUnit *unit = NULL;
  uint64_t read[4];
  char bytes[2 * 4096];

  CHECK_OK(dacsa_scan_unit_process(dir, 5, &unit, &error), error);
  g_assert_cmpuint(unit->n_pages, ==, 4);
  g_assert_cmpuint(unit->stretches->len, ==, 2);
  g_assert_cmpuint(unit->mappings->len, ==, 3);
  g_assert_cmphex(dacsa_scan_unit_address(unit, 2), ==, 0x402000);
  g_assert_cmphex(dacsa_scan_unit_address(unit, 3), ==, 0x7ffff0000000);
  g_assert_cmpstr(dacsa_scan_unit_mapping(unit, 0x400fff)->path, ==, "/bin/a b");
  g_assert_true(dacsa_scan_unit_mapping(unit, 0x400fff)->executable);
  g_assert_cmpstr(dacsa_scan_unit_mapping(unit, 0x402fff)->path, ==, "[heap]");
  g_assert_null(dacsa_scan_unit_mapping(unit, 0x403000));
  g_assert_null(dacsa_scan_unit_mapping(unit, 0x7ffff0000000)->path);
  CHECK_OK(dacsa_scan_unit_open(unit, &error), error);
  g_assert_true(dacsa_scan_unit_frames(unit, 0, 4, read));
  g_assert_cmpmem(read, sizeof(read), frames, sizeof(frames));
  g_assert_false(dacsa_scan_unit_frames(unit, 3, 2, read));
  g_assert_true(dacsa_scan_unit_read(unit, 1, 2, bytes));
  g_assert_cmpint(bytes[0], ==, 'b');
  g_assert_cmpint(bytes[2 * 4096 - 1], ==, 'c');
  g_assert_false(dacsa_scan_unit_read(unit, 3, 2, bytes));
  dacsa_scan_unit_free(unit);
  fake_dir_free(dir);
}

static void
test_bad_maps(void)
{
  static const char *const maps[] = {
      "nonsense\n",
      "00000000 00001000\n",
      "00000000 00001000 000000400000\n",
      "00000000 00001000 000000400000 rwx\n",
      "00000000 00001000 000000400000 rwxp[heap]\n",
      "00001000 00001000 000000400000 rw-p\n",         /* does not begin at 0 */
      "00000000 00000800 000000400000 rw-p\n",         /* no whole pages */
      "00000000 00001000 000000400800 rw-p\n",         /* at no page's start */
      "00000000 fffffffffffff000 000000400000 rw-p\n", /* more than there can be */
      "00000000 00001000 000000400000 rw-p\n\n",       /* an empty line */
      "00000000 00001000 000000400000 rw-p\n00000000 00001000 000000500000 rw-p\n", /* twice */
  };
  const uint64_t frame = 1;

  for (size_t i = 0; i < G_N_ELEMENTS(maps); i++) {
    char *dir = write_process(maps[i], &frame, 1);
    g_autoptr(GError) error = NULL;
    DacsaScanUnit *unit = NULL;

    CHECK_FAILS(dacsa_scan_unit_process(dir, 5, &unit, &error), error, DACSA_ERROR_BAD_DATA);
    fake_dir_free(dir);
  }
}

static void
test_no_memory(void)
{
  char *dir = write_process("", NULL, 0);
  g_autoptr(GError) error = NULL;
  DacsaScanUnit *unit = NULL;

  CHECK_FAILS(dacsa_scan_unit_process(dir, 2, &unit, &error), error, DACSA_ERROR_NOT_FOUND);
  fake_dir_free(dir);
}

static void
test_module(void)
{
  static const char *const bad[] = {"nonsense",
                                    "0xffffffffc0000000",
                                    "0xffffffffc0000000+",
                                    "0xffffffffc0000000+0",
                                    "0xffffffffc0000001+4096",
                                    "0xffffffffc0000000+4095",
                                    "0xffffffffc0000000+18446744073709547520"};
  g_autoptr(GError) error = NULL;
  DacsaScanUnit *unit = NULL;
  uint64_t frames[3], others[1];

  CHECK_OK(dacsa_scan_unit_module("/nowhere", "ext4",
                                  "0xffffffffc0000000+8192 0xffffffffc0100000+4096", &unit, &error),
           error);
  g_assert_cmpuint(unit->n_pages, ==, 3);
  g_assert_cmphex(dacsa_scan_unit_address(unit, 1), ==, 0xffffffffc0001000);
  g_assert_cmphex(dacsa_scan_unit_address(unit, 2), ==, 0xffffffffc0100000);
  g_assert_true(dacsa_scan_unit_frames(unit, 0, 3, frames));
  g_assert_true(frames[0] >> 63 && frames[0] != frames[1] && frames[1] != frames[2]);
  g_assert_true(dacsa_scan_unit_frames(unit, 2, 1, others));
  g_assert_cmphex(others[0], ==, frames[2]);
  CHECK_FAILS(dacsa_scan_unit_open(unit, &error), error, DACSA_ERROR_NOT_FOUND);
  dacsa_scan_unit_free(unit);
  for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
    CHECK_FAILS(dacsa_scan_unit_module("/nowhere", "ext4", bad[i], &unit, &error), error,
                DACSA_ERROR_BAD_DATA);
  CHECK_FAILS(dacsa_scan_unit_module("/nowhere", "ext4", "", &unit, &error), error,
              DACSA_ERROR_NOT_FOUND);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/unit/process", test_process);
  g_test_add_func("/unit/bad-maps", test_bad_maps);
  g_test_add_func("/unit/no-memory", test_no_memory);
  g_test_add_func("/unit/module", test_module);
  return g_test_run();
}
