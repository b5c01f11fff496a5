/* How far signatures reach, by their text: never less than they do. */
#include "check.h"
#include "fake-dir.h"

#include "parsers/scan/longest.h"

static void
check(const char *type, const char *line, size_t expected)
{
  const size_t longest = dacsa_scan_longest_in_line(type, line);

  if (longest != expected)
    g_error("%s: %s: %zu, not %zu", type, line, longest, expected);
}

static void
test_lines(void)
{
  check("db", "Name=41424344", 4);
  check("ndb", "Name:0:*:41424344", 4);
  check("ndb", "Name:0:*:41424344\n", 4);
  check("ndb", "Name:1:EP+0:4142??44*4142434445", 5);
  check("ndb", "Name:0:*:4142{5}4344", 9);
  check("ndb", "Name:0:*:4142{-7}4344", 11);
  check("ndb", "Name:0:*:4142{2-7}4344:51:255", 11);
  check("ndb", "Name:0:*:4142{7-}434445", 3);
  check("ndb", "Name:0:*:4142[2-30]43", 33);
  check("ndb", "Name:0:*:41{99999999999999}43", DACSA_SCAN_LONGEST);
  check("ldb", "Name;Engine:51-255,Target:0;0&1;41424344;4142434445", 5);
  check("ldb", "Name;Target:0;0;41424344::i", 4);
  check("ldb", "Name;Target:0;0;41424344::iw", 8);
  check("ldb", "Name;Target:0;0;EP+0,5:41424344::w", 8);
  check("ldb", "Name;Target:0;0&1;41424344;0/ab+c/i", DACSA_SCAN_LONGEST);
  check("ldb", "Name;Target:0;0&1;41424344;0(>>26#ib2#>512)", DACSA_SCAN_LONGEST);
  check("hdb", "44d88612fea8a8f36de82e1278abb02f:68:Name", 0);
  check("cvd", "", DACSA_SCAN_LONGEST);
  check("new", "whatever", DACSA_SCAN_LONGEST);
  check("ndb", "", 0);
  check("ndb", "Name:0", 0);
  check("ldb", ";;", 0);
}

/* Alternatives count for more than they are. */
static void
test_alternatives(void)
{
  g_assert_cmpuint(dacsa_scan_longest_in_line("ndb", "Name:0:*:41(42|43|444546)47"), >=, 5);
}

static void
test_databases(void)
{
  char *dir = fake_dir_new();
  g_autofree char *ndb = g_build_filename(dir, "a.ndb", NULL);
  g_autofree char *hdb = g_build_filename(dir, "b.hdb", NULL);
  g_autofree char *cvd = g_build_filename(dir, "c.cvd", NULL);
  const char *const databases[] = {dir, NULL};
  const char *const rules[] = {"/nowhere.yar", NULL};
  DacsaScanOptions options = {.databases = databases};

  g_assert_true(g_file_set_contents(hdb, "44d88612fea8a8f36de82e1278abb02f:68:Name\n", -1, NULL));
  g_assert_cmpuint(dacsa_scan_longest(&options), ==, 0);
  g_assert_true(g_file_set_contents(ndb, "A:0:*:4142\nB:0:*:414243\nC:0:*:41\n", -1, NULL));
  g_assert_cmpuint(dacsa_scan_longest(&options), ==, 3);
  options.rules = rules;
  g_assert_cmpuint(dacsa_scan_longest(&options), ==, 8192);
  g_assert_true(g_file_set_contents(cvd, "ClamAV-VDB:", -1, NULL));
  g_assert_cmpuint(dacsa_scan_longest(&options), ==, DACSA_SCAN_LONGEST);
  fake_dir_free(dir);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/longest/lines", test_lines);
  g_test_add_func("/longest/alternatives", test_alternatives);
  g_test_add_func("/longest/databases", test_databases);
  return g_test_run();
}
