#include "fake-dir.h"

#include <glib/gstdio.h>

char *
fake_dir_new(void)
{
  g_autoptr(GError) error = NULL;
  char *dir = g_dir_make_tmp("dacsa-test-XXXXXX", &error);

  g_assert_no_error(error);
  return dir;
}

static void
remove_all(const char *path)
{
  g_autoptr(GDir) dir =
      g_file_test(path, G_FILE_TEST_IS_SYMLINK) ? NULL : g_dir_open(path, 0, NULL);
  const char *name;

  while (dir && (name = g_dir_read_name(dir))) {
    g_autofree char *below = g_build_filename(path, name, NULL);

    remove_all(below);
  }
  g_remove(path);
}

void
fake_dir_free(char *dir)
{
  remove_all(dir);
  g_free(dir);
}
