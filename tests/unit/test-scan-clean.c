/* What is kept of one scan for the next: found again, and believed only if it is whole and ours. */
#include "check.h"
#include "fake-dir.h"

#include "parsers/scan/clean.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
  char *dir;  /* exists */
  char *keep; /* a directory in it, that does not */
  char *file; /* what is kept of the version */
} Place;

static void
setup(Place *place, gconstpointer data)
{
  (void)data;
  place->dir = fake_dir_new();
  place->keep = g_build_filename(place->dir, "a", "keep", NULL);
  place->file = g_build_filename(place->keep, "version", NULL);
}

static void
teardown(Place *place, gconstpointer data)
{
  (void)data;
  fake_dir_free(place->dir);
  g_free(place->keep);
  g_free(place->file);
}

static size_t
longest(void *data)
{
  (void)data;
  return 16384;
}

static DacsaScanClean *
open_clean(const Place *place)
{
  g_autoptr(GError) error = NULL;
  DacsaScanClean *clean = NULL;

  CHECK_OK(dacsa_scan_clean_open(place->keep, "version", longest, NULL, &clean, &error), error);
  return clean;
}

/* Ten pages by content. */
static void
make_keys(DacsaScanClean *clean, guint seed, DacsaScanKey keys[10])
{
  for (guint i = 0; i < 10; i++) {
    const guint content = seed + i;

    dacsa_scan_key_content(dacsa_scan_windows_salt(dacsa_scan_clean_windows(clean)), &content,
                           sizeof(content), &keys[i]);
  }
}

/* How many parts of them are to be scanned. */
static guint
claim(DacsaScanClean *clean, guint seed)
{
  g_autoptr(GArray) parts = g_array_new(FALSE, FALSE, sizeof(DacsaScanPart));
  DacsaScanKey keys[10];

  make_keys(clean, seed, keys);
  dacsa_scan_windows_claim(dacsa_scan_clean_windows(clean), keys, 10, parts);
  return parts->len;
}

static void
scan(DacsaScanClean *clean, guint seed)
{
  static const bool none[10] = {false};
  DacsaScanKey keys[10];

  make_keys(clean, seed, keys);
  claim(clean, seed);
  dacsa_scan_windows_settle(dacsa_scan_clean_windows(clean), keys, none, 10);
}

static void
save(DacsaScanClean *clean)
{
  g_autoptr(GError) error = NULL;

  CHECK_OK(dacsa_scan_clean_save(clean, &error), error);
}

static void
test_kept(Place *place, gconstpointer data)
{
  g_autoptr(DacsaScanClean) first = open_clean(place);
  struct stat st;

  (void)data;
  scan(first, 100);
  claim(first, 200); /* and is found infected */
  save(first);
  g_autoptr(DacsaScanClean) second = open_clean(place);
  g_assert_cmpuint(dacsa_scan_windows_width(dacsa_scan_clean_windows(second)), ==, 5);
  g_assert_cmpuint(claim(second, 100), ==, 0);
  g_assert_cmpuint(claim(second, 200), ==, 1);
  g_assert_cmpuint(claim(second, 300), ==, 1);
  g_assert_cmpint(g_stat(place->file, &st), ==, 0);
  g_assert_cmpuint(st.st_mode & 0777, ==, 0600);
}

/* What was found in content is known again, and its windows are; if it cannot be kept, neither are
 * they: nothing that was found is ever taken for clean. */
static void
test_found(Place *place, gconstpointer data)
{
  static const bool found[10] = {[3] = true};
  g_autofree char *long_name = g_strnfill(300, 'x');
  DacsaScanKey keys[10];

  (void)data;
  for (guint round = 0; round < 2; round++) {
    g_autoptr(DacsaScanClean) clean = open_clean(place);
    const char *name = round == 0 ? "Found" : long_name;

    make_keys(clean, 100, keys);
    claim(clean, 100);
    dacsa_scan_windows_settle(dacsa_scan_clean_windows(clean), keys, found, 10);
    g_assert_true(dacsa_scan_findings_add(dacsa_scan_clean_findings(clean), keys + 3, 1, 77, name));
    scan(clean, 200);
    save(clean);
    g_autoptr(DacsaScanClean) next = open_clean(place);
    DacsaScanFindings *known = dacsa_scan_clean_findings(next);
    g_assert_cmpuint(dacsa_scan_findings_count(known), ==, round == 0 ? 1 : 0);
    g_assert_cmpuint(claim(next, 100), ==, round == 0 ? 0 : 1);
    g_assert_cmpuint(claim(next, 200), ==, 0);
    if (round == 1)
      continue;
    g_assert_cmpstr(dacsa_scan_findings_get(known, 0)->signature, ==, "Found");
    g_assert_cmpuint(dacsa_scan_findings_get(known, 0)->offset, ==, 77);
    g_assert_cmpmem(dacsa_scan_findings_get(known, 0)->keys, sizeof(*keys), keys + 3,
                    sizeof(*keys));
  }
}

/* Two scans at once: what both found stands. */
static void
test_two_at_once(Place *place, gconstpointer data)
{
  (void)data;
  g_autoptr(DacsaScanClean) before = open_clean(place);
  save(before);
  g_autoptr(DacsaScanClean) a = open_clean(place);
  g_autoptr(DacsaScanClean) b = open_clean(place);
  scan(a, 100);
  scan(b, 200);
  save(a);
  save(b);
  g_autoptr(DacsaScanClean) after = open_clean(place);
  g_assert_cmpuint(claim(after, 100), ==, 0);
  g_assert_cmpuint(claim(after, 200), ==, 0);
}

/* Every byte that changes, and every length that it is cut to, makes the file worth nothing. */
static void
test_damaged(Place *place, gconstpointer data)
{
  g_autofree char *text = NULL;
  gsize len;

  (void)data;
  {
    g_autoptr(DacsaScanClean) clean = open_clean(place);
    scan(clean, 100);
    save(clean);
  }
  g_assert_true(g_file_get_contents(place->file, &text, &len, NULL));
  for (gsize at = 0; at < len; at += 13) {
    text[at] ^= 0x20;
    g_assert_true(g_file_set_contents(place->file, text, (gssize)len, NULL));
    g_chmod(place->file, 0600);
    g_autoptr(DacsaScanClean) changed = open_clean(place);
    g_assert_cmpuint(claim(changed, 100), ==, 1);
    text[at] ^= 0x20;
    g_assert_true(g_file_set_contents(place->file, text, (gssize)at, NULL));
    g_chmod(place->file, 0600);
    g_autoptr(DacsaScanClean) cut = open_clean(place);
    g_assert_cmpuint(claim(cut, 100), ==, 1);
  }
}

static void
test_written_by_others(Place *place, gconstpointer data)
{
  g_autoptr(GError) error = NULL;
  DacsaScanClean *clean = NULL;

  (void)data;
  g_autoptr(DacsaScanClean) first = open_clean(place);
  save(first);
  g_chmod(place->file, 0666);
  CHECK_FAILS(dacsa_scan_clean_open(place->keep, "version", longest, NULL, &clean, &error), error,
              DACSA_ERROR_OS);
  g_chmod(place->file, 0600);
  g_chmod(place->keep, 0777);
  CHECK_FAILS(dacsa_scan_clean_open(place->keep, "version", longest, NULL, &clean, &error), error,
              DACSA_ERROR_OS);
  g_chmod(place->keep, 0700);
}

/* Without a directory it works all the same, and keeps nothing. */
static void
test_nowhere(void)
{
  g_autoptr(GError) error = NULL;
  DacsaScanClean *clean = NULL;

  CHECK_OK(dacsa_scan_clean_open(NULL, "version", longest, NULL, &clean, &error), error);
  scan(clean, 100);
  g_assert_cmpuint(claim(clean, 100), ==, 0);
  save(clean);
  dacsa_scan_clean_free(clean);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add("/clean/kept", Place, NULL, setup, test_kept, teardown);
  g_test_add("/clean/found", Place, NULL, setup, test_found, teardown);
  g_test_add("/clean/two-at-once", Place, NULL, setup, test_two_at_once, teardown);
  g_test_add("/clean/damaged", Place, NULL, setup, test_damaged, teardown);
  g_test_add("/clean/written-by-others", Place, NULL, setup, test_written_by_others, teardown);
  g_test_add_func("/clean/nowhere", test_nowhere);
  return g_test_run();
}
