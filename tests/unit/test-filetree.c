/* Trees of names: sorted, found, and no name twice in a directory whatever is added. */
#include "check.h"

#include "parsers/filetree.h"

#include <string.h>

static char *
names_in(const DacsaFiletree *tree, uint32_t directory)
{
  g_autoptr(GArray) files = NULL;
  g_autoptr(GError) error = NULL;
  GString *text = g_string_new(NULL);

  CHECK_OK(dacsa_filetree_list(tree, directory, &files, &error), error);
  for (guint i = 0; i < files->len; i++)
    g_string_append_printf(text, "%s\n", g_array_index(files, DacsaGuestFile, i).name);
  return g_string_free(text, FALSE);
}

static void
check_names(const DacsaFiletree *tree, uint32_t directory, const char *expected)
{
  g_autofree char *text = names_in(tree, directory);

  g_assert_cmpstr(text, ==, expected);
}

static void
test_empty(void)
{
  g_autoptr(DacsaFiletree) tree = dacsa_filetree_new();
  g_autoptr(GError) error = NULL;
  DacsaGuestFile file;

  g_assert_cmpuint(dacsa_filetree_finish(tree), ==, 0);
  check_names(tree, 0, "");
  CHECK_FAILS(dacsa_filetree_lookup(tree, 0, "", &file, &error), error, DACSA_ERROR_NOT_FOUND);
  CHECK_FAILS(dacsa_filetree_get(tree, 1, &file, &error), error, DACSA_ERROR_NOT_FOUND);
}

static void
test_sorted(void)
{
  g_autoptr(DacsaFiletree) tree = dacsa_filetree_new();
  g_autoptr(GError) error = NULL;
  g_auto(DacsaGuestFile) file = {0};
  uint64_t object;

  uint32_t d = dacsa_filetree_add(tree, 0, true, "d", 0, 0);
  uint32_t b = dacsa_filetree_add(tree, d, false, "b", 77, 0);
  dacsa_filetree_add(tree, 0, false, "z", 0, 0);
  uint32_t e = dacsa_filetree_add(tree, d, true, "e", 0, 0);
  dacsa_filetree_add(tree, d, false, "\xff", 0, 0);
  dacsa_filetree_add(tree, d, false, "a", 0, 0);
  dacsa_filetree_add(tree, e, false, "", 0, 0);
  g_assert_cmpuint(dacsa_filetree_finish(tree), ==, 0);
  check_names(tree, 0, "d\nz\n");
  check_names(tree, d, "a\nb\ne\n\xff\n");
  check_names(tree, e, "\n");
  CHECK_OK(dacsa_filetree_lookup(tree, d, "b", &file, &error), error);
  g_assert_cmpuint(file.id, ==, b);
  g_assert_cmpuint(file.parent, ==, d);
  g_assert_false(file.is_directory);
  CHECK_OK(dacsa_filetree_object(tree, b, &object, &error), error);
  g_assert_cmpuint(object, ==, 77);
  g_autofree char *path = dacsa_filetree_path(tree, b);
  g_assert_cmpstr(path, ==, "d/b");
}

static void
test_doubles(void)
{
  g_autoptr(DacsaFiletree) tree = dacsa_filetree_new();

  dacsa_filetree_add(tree, 0, false, "x", 0, 5);
  dacsa_filetree_add(tree, 0, false, "x", 0, 6);
  dacsa_filetree_add(tree, 0, true, "x", 0, 6);
  dacsa_filetree_add(tree, 0, false, "x#6", 0, 7);
  uint32_t d = dacsa_filetree_add(tree, 0, true, "d", 0, 0);
  dacsa_filetree_add(tree, d, false, "x", 0, 5);
  g_assert_cmpuint(dacsa_filetree_finish(tree), ==, 0);
  check_names(tree, 0, "d\nx\nx#6\nx#6#3\nx#6#4\n");
  check_names(tree, d, "x\n");
}

/* A guest that knows how doubles are told apart, and has names for it to run into. */
static void
test_hostile_doubles(void)
{
  static const char *const names[] = {"x",       "x",         "x#0",         "x#0#2",
                                      "x#0#2#2", "x#0#2#2#2", "x#0#2#2#2#2", "y"};
  g_autoptr(DacsaFiletree) tree = dacsa_filetree_new();
  g_autoptr(GError) error = NULL;
  DacsaGuestFile file;

  for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
    dacsa_filetree_add(tree, 0, i == 1, names[i], 0, 0);
  dacsa_filetree_add(tree, 2, false, "below", 0, 0);
  const uint32_t left_out = dacsa_filetree_finish(tree);
  g_autofree char *text = names_in(tree, 0);
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  for (guint i = 0; lines[i] && lines[i + 1]; i++)
    g_assert_cmpstr(lines[i], !=, lines[i + 1]);
  g_assert_cmpuint(g_strv_length(lines) - 1 + left_out, ==, G_N_ELEMENTS(names));
  for (uint32_t id = 1; left_out > 0 && id <= G_N_ELEMENTS(names); id++)
    if (!dacsa_filetree_get(tree, id, &file, &error)) {
      g_assert_error(error, DACSA_ERROR, DACSA_ERROR_NOT_FOUND);
      g_clear_error(&error);
    } else {
      dacsa_guest_file_clear(&file);
    }
}

static void
test_long_names(void)
{
  g_autoptr(DacsaFiletree) tree = dacsa_filetree_new();
  char name[300];

  memset(name, 'n', sizeof(name) - 1);
  name[sizeof(name) - 1] = 0;
  dacsa_filetree_add(tree, 0, false, name, 0, 1);
  dacsa_filetree_add(tree, 0, false, name, 0, 2);
  g_assert_cmpuint(dacsa_filetree_finish(tree), ==, 0);
  name[255] = 0;
  g_autofree char *expected = g_strdup_printf("%s\n%s#2\n", name, name);
  check_names(tree, 0, expected);
}

static void
test_full(void)
{
  g_autoptr(DacsaFiletree) tree = dacsa_filetree_new();
  uint32_t n = 0;

  while (dacsa_filetree_add(tree, 0, false, "the same name", 0, 1) != 0)
    n++;
  g_assert_cmpuint(n, ==, 1 << 20);
  g_assert_cmpuint(dacsa_filetree_finish(tree), <, n);
  g_autoptr(GArray) files = NULL;
  g_autoptr(GError) error = NULL;
  CHECK_OK(dacsa_filetree_list(tree, 0, &files, &error), error);
  for (guint i = 1; i < files->len; i++)
    g_assert_cmpint(strcmp(g_array_index(files, DacsaGuestFile, i - 1).name,
                           g_array_index(files, DacsaGuestFile, i).name),
                    <, 0);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/filetree/empty", test_empty);
  g_test_add_func("/filetree/sorted", test_sorted);
  g_test_add_func("/filetree/doubles", test_doubles);
  g_test_add_func("/filetree/hostile-doubles", test_hostile_doubles);
  g_test_add_func("/filetree/long-names", test_long_names);
  g_test_add_func("/filetree/full", test_full);
  return g_test_run();
}
