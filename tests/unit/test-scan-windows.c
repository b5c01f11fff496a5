/* Windows of pages: each is claimed once, none is missed, and neighbours count. */
#include "check.h"

#include "parsers/scan/engine.h"
#include "parsers/scan/pages.h"
#include "parsers/scan/windows.h"

#include <string.h>

#define MAX_SEQUENCE 400u

static DacsaScanWindows *
windows_new(void)
{
  DacsaScanSalt salt;

  dacsa_scan_salt_init(&salt);
  return dacsa_scan_windows_new(&salt, DACSA_SCAN_LONGEST);
}

/* Claims pages by their numbers; the parts as text, `first-end first-end`. */
static char *
claim(DacsaScanWindows *windows, const guint *numbers, guint n)
{
  g_autoptr(GArray) parts = g_array_new(FALSE, FALSE, sizeof(DacsaScanPart));
  DacsaScanKey keys[MAX_SEQUENCE];
  GString *text = g_string_new(NULL);

  for (guint i = 0; i < n; i++)
    keys[i] = dacsa_scan_key_frame(numbers[i]);
  dacsa_scan_windows_claim(windows, keys, n, parts);
  for (guint i = 0; i < parts->len; i++) {
    const DacsaScanPart *part = &g_array_index(parts, DacsaScanPart, i);

    g_string_append_printf(text, "%s%u-%u", i > 0 ? " " : "", part->first, part->end);
  }
  return g_string_free(text, FALSE);
}

#define CHECK_CLAIM(windows, expected, ...)                                                        \
  do {                                                                                             \
    const guint numbers_[] = {__VA_ARGS__};                                                        \
    g_autofree char *text_ = claim(windows, numbers_, G_N_ELEMENTS(numbers_));                     \
    g_assert_cmpstr(text_, ==, expected);                                                          \
  } while (0)

static void
test_once(void)
{
  g_autoptr(DacsaScanWindows) w = windows_new();

  CHECK_CLAIM(w, "0-8", 1, 2, 3, 4, 5, 6, 7, 8);
  CHECK_CLAIM(w, "", 1, 2, 3, 4, 5, 6, 7, 8);
  CHECK_CLAIM(w, "", 2, 3, 4, 5, 6);
}

/* A page among others is new with each neighbour as far as a pattern can reach. */
static void
test_neighbours(void)
{
  g_autoptr(DacsaScanWindows) w = windows_new();

  CHECK_CLAIM(w, "0-12", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
  CHECK_CLAIM(w, "2-11", 1, 2, 3, 4, 5, 6, 99, 8, 9, 10, 11, 12);
  CHECK_CLAIM(w, "8-14", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14);
  CHECK_CLAIM(w, "1-7", 8, 9, 10, 11, 12, 20, 21);
  CHECK_CLAIM(w, "0-8", 4, 3, 2, 1, 8, 7, 6, 5);
}

/* Two changes far apart are two parts. */
static void
test_parts(void)
{
  g_autoptr(DacsaScanWindows) w = windows_new();
  guint numbers[40];

  for (guint i = 0; i < 40; i++)
    numbers[i] = i;
  g_autofree char *first = claim(w, numbers, 40);
  g_assert_cmpstr(first, ==, "0-40");
  numbers[0] = 100;
  numbers[20] = 101;
  g_autofree char *changed = claim(w, numbers, 40);
  g_assert_cmpstr(changed, ==, "0-5 16-25");
}

/* Sequences shorter than a window are windows of their own, and tell their ends. */
static void
test_short(void)
{
  g_autoptr(DacsaScanWindows) w = windows_new();

  CHECK_CLAIM(w, "0-1", 1);
  CHECK_CLAIM(w, "", 1);
  CHECK_CLAIM(w, "0-2", 1, 2);
  CHECK_CLAIM(w, "0-2", 2, 1);
  CHECK_CLAIM(w, "0-4", 1, 2, 3, 4);
  CHECK_CLAIM(w, "0-5", 1, 2, 3, 4, 5);
  CHECK_CLAIM(w, "", 1, 2, 3, 4);
}

/* Whatever is claimed in whatever order: every window of every sequence lies in a part of the first
 * that had it. The table grows on the way. */
static void
test_nothing_is_missed(void)
{
  g_autoptr(DacsaScanWindows) w = windows_new();
  g_autoptr(GHashTable) scanned = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr(GRand) rand = g_rand_new_with_seed(7);
  guint claimed_twice = 0;

  for (guint round = 0; round < 300; round++) {
    g_autoptr(GArray) parts = g_array_new(FALSE, FALSE, sizeof(DacsaScanPart));
    const guint n = (guint)g_rand_int_range(rand, 1, MAX_SEQUENCE);
    const guint start = (guint)g_rand_int_range(rand, 0, 3000);
    DacsaScanKey keys[MAX_SEQUENCE];

    for (guint i = 0; i < n; i++)
      keys[i] = dacsa_scan_key_frame(g_rand_int_range(rand, 0, 50) == 0 ? 9999 : start + i);
    dacsa_scan_windows_claim(w, keys, n, parts);
    const guint width = MIN(n, DACSA_SCAN_WINDOW);
    for (guint i = 0; i + width <= n; i++) {
      g_autoptr(GString) name = g_string_new(NULL);
      bool in_part = false;

      for (guint k = i; k < i + width; k++)
        g_string_append_printf(name, "%" G_GUINT64_FORMAT " ", keys[k].a);
      for (guint p = 0; p < parts->len; p++)
        in_part = in_part || (g_array_index(parts, DacsaScanPart, p).first <= i &&
                              i + width <= g_array_index(parts, DacsaScanPart, p).end);
      g_assert_true(in_part || g_hash_table_contains(scanned, name->str));
      claimed_twice += in_part && g_hash_table_contains(scanned, name->str);
      g_hash_table_add(scanned, g_strdup(name->str));
    }
  }
  /* Windows between two new ones that are less than a window apart are scanned again. */
  g_assert_cmpuint(claimed_twice, <, g_hash_table_size(scanned) / 2);
}

/* The width is what the longest pattern asks for. */
static void
test_width(void)
{
  static const struct {
    size_t longest;
    guint width;
  } cases[] = {{0, 1}, {1, 1}, {2, 2}, {4097, 2}, {4098, 3}, {8193, 3}, {DACSA_SCAN_LONGEST, 5}};
  DacsaScanSalt salt;

  dacsa_scan_salt_init(&salt);
  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(DacsaScanWindows) w = dacsa_scan_windows_new(&salt, cases[i].longest);

    g_assert_cmpuint(dacsa_scan_windows_width(w), ==, cases[i].width);
  }
  g_autoptr(DacsaScanWindows) narrow = dacsa_scan_windows_new(&salt, 60);
  CHECK_CLAIM(narrow, "0-8", 1, 2, 3, 4, 5, 6, 7, 8);
  CHECK_CLAIM(narrow, "2-5", 1, 2, 3, 99, 5, 6, 7, 8);
}

/* Whatever is claimed: each stretch of bytes no longer than the longest pattern lies in something
 * that is to be scanned, now or before. Content of every kind, longest patterns of every length. */
static void
test_trim(void)
{
  static const size_t lengths[] = {0, 1, 2, 60, 4096, 4097, 4098, 8000, 16384};
  g_autoptr(GRand) rand = g_rand_new_with_seed(11);
  DacsaScanSalt salt;

  dacsa_scan_salt_init(&salt);
  for (size_t l = 0; l < G_N_ELEMENTS(lengths); l++) {
    g_autoptr(DacsaScanWindows) w = dacsa_scan_windows_new(&salt, lengths[l]);
    const uint64_t longest = MAX(lengths[l], 1);
    DacsaScanKey keys[40];

    for (guint round = 0; round < 20; round++) {
      g_autoptr(GArray) parts = g_array_new(FALSE, FALSE, sizeof(DacsaScanPart));
      bool covered[41] = {false}; /* windows' first pages: by some part now */

      /* The first round's pages are all new; then a few change. */
      for (guint i = 0; i < 40; i++)
        if (round == 0 || g_rand_int_range(rand, 0, 12) == 0)
          keys[i] = dacsa_scan_key_frame(g_rand_int(rand));
      dacsa_scan_windows_claim(w, keys, 40, parts);
      for (guint p = 0; p < parts->len; p++) {
        const DacsaScanPart *part = &g_array_index(parts, DacsaScanPart, p);

        for (guint i = part->first; i + dacsa_scan_windows_width(w) <= part->end; i++)
          covered[i] = true;
      }
      /* At every page's edges: a pattern of the greatest length, if its pages' window is new. */
      for (guint i = 0; i + dacsa_scan_windows_width(w) <= 40; i++) {
        const uint64_t last_page = i + dacsa_scan_windows_width(w) - 1;
        const uint64_t starts[] = {last_page * DACSA_SCAN_PAGE + 1 -
                                       MIN(longest, last_page * DACSA_SCAN_PAGE + 1),
                                   (i + 1) * DACSA_SCAN_PAGE - 1};
        bool before = i > 0 && !covered[i - 1], after = !covered[i + 1];

        for (guint s = 0; covered[i] && s < 2; s++) {
          const uint64_t start = starts[s], end = start + longest;
          bool found = false;

          for (guint p = 0; p < parts->len; p++) {
            uint64_t from, to;

            dacsa_scan_windows_trim(w, &g_array_index(parts, DacsaScanPart, p), 40, false, false,
                                    &from, &to);
            found = found || (from <= start && end <= to);
          }
          /* What lies in a neighbouring window that is known need not be in a part. */
          const bool in_before = before && end <= last_page * DACSA_SCAN_PAGE;
          const bool in_after = after && start >= (i + 1) * DACSA_SCAN_PAGE;
          g_assert_true(found || in_before || in_after || end > 40 * DACSA_SCAN_PAGE);
        }
      }
    }
  }
}

static void
test_settled(void)
{
  static const bool found[7] = {[6] = true};
  g_autoptr(DacsaScanWindows) w = windows_new();
  g_autoptr(GArray) settled = g_array_new(FALSE, FALSE, sizeof(DacsaScanSettled));
  DacsaScanKey keys[10];
  guint with_found = 0;

  for (guint i = 0; i < 10; i++)
    keys[i] = dacsa_scan_key_frame(i);
  CHECK_CLAIM(w, "0-10", 0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
  dacsa_scan_windows_settled(w, settled);
  g_assert_cmpuint(settled->len, ==, 0); /* claimed is not settled */
  dacsa_scan_windows_settle(w, keys, found, 7);
  dacsa_scan_windows_settled(w, settled);
  g_assert_cmpuint(settled->len, ==, 3);
  for (guint i = 0; i < settled->len; i++)
    with_found += g_array_index(settled, DacsaScanSettled, i).found;
  g_assert_cmpuint(with_found, ==, 1);
}

/* Keys depend on every byte, on the order, and on the secret. */
static void
test_keys(void)
{
  DacsaScanSalt salts[2];
  DacsaScanKey a, b, c;
  char page[DACSA_SCAN_PAGE] = {0};

  dacsa_scan_salt_init(&salts[0]);
  dacsa_scan_salt_init(&salts[1]);
  dacsa_scan_key_content(&salts[0], page, sizeof(page), &a);
  dacsa_scan_key_content(&salts[1], page, sizeof(page), &b);
  g_assert_true(memcmp(&a, &b, sizeof(a)) != 0);
  page[DACSA_SCAN_PAGE - 1] = 1;
  dacsa_scan_key_content(&salts[0], page, sizeof(page), &b);
  g_assert_true(memcmp(&a, &b, sizeof(a)) != 0);
  page[DACSA_SCAN_PAGE - 1] = 0;
  dacsa_scan_key_content(&salts[0], page, sizeof(page), &b);
  g_assert_cmpmem(&a, sizeof(a), &b, sizeof(b));
  dacsa_scan_key_sequence(&salts[0], (DacsaScanKey[]){a, {1, 2}}, 2, &b);
  dacsa_scan_key_sequence(&salts[0], (DacsaScanKey[]){{1, 2}, a}, 2, &c);
  g_assert_true(memcmp(&b, &c, sizeof(b)) != 0);
}

static void
test_pages(void)
{
  g_autoptr(DacsaScanPages) pages = dacsa_scan_pages_new();
  const uint64_t frames[] = {0, 5, UINT64_C(1) << 63};
  const DacsaScanKey keys[] = {{1, 2}, {3, 4}, {5, 6}};
  DacsaScanKey key;

  dacsa_scan_pages_set(pages, frames, keys, 3);
  for (guint i = 0; i < 3; i++) {
    g_assert_true(dacsa_scan_pages_get(pages, frames[i], &key));
    g_assert_cmpmem(&key, sizeof(key), &keys[i], sizeof(key));
  }
  g_assert_false(dacsa_scan_pages_get(pages, 1, &key));
  g_assert_false(dacsa_scan_pages_get(pages, 1 << 20, &key));
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/windows/once", test_once);
  g_test_add_func("/windows/neighbours", test_neighbours);
  g_test_add_func("/windows/parts", test_parts);
  g_test_add_func("/windows/short", test_short);
  g_test_add_func("/windows/nothing-is-missed", test_nothing_is_missed);
  g_test_add_func("/windows/width", test_width);
  g_test_add_func("/windows/trim", test_trim);
  g_test_add_func("/windows/settled", test_settled);
  g_test_add_func("/windows/keys", test_keys);
  g_test_add_func("/pages", test_pages);
  return g_test_run();
}
