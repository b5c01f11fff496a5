/* Names of snapshots: the viewer sends them, and nobody believes it. And the directory's lock. */
#include "check.h"

#include "snap/state.h"

#include <glib/gstdio.h>
#include <string.h>

static void
test_good(void)
{
  const char *const names[] = {"now", "20261126T052001Z", "a b", "ä", "status.1", "-f", "x@y"};

  for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
    g_assert_true(dacsa_state_is_name("web", names[i]));
}

static void
test_bad(void)
{
  const char *const names[] = {"",       ".",      "..",      ".hidden", "a/b",      "/",
                               "status", "latest", "a\nb: c", "\x7f",    "\xff\xfe", "a\tb"};

  for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
    g_assert_false(dacsa_state_is_name("web", names[i]));
}

/* All files of a snapshot have its name and the VM's in theirs, escaped. */
static void
test_long(void)
{
  g_autofree char *just = g_strnfill(200, 'n');
  g_autofree char *more = g_strnfill(201, 'n');
  g_autofree char *vm = g_strnfill(60, 'v');
  g_autoptr(GString) escaped = g_string_new(NULL);

  for (unsigned i = 0; i < 50; i++)
    g_string_append(escaped, "ä"); /* six bytes each, as %C3%A4 */
  g_assert_true(dacsa_state_is_name("web", just));
  g_assert_false(dacsa_state_is_name("web", more));
  g_assert_false(dacsa_state_is_name(vm, just));
  g_assert_false(dacsa_state_is_name("web", escaped->str));
}

/* -- the lock -- */

typedef struct {
  char *path;
  int lock;
} Holder;

static unsigned
times_open(const char *path)
{
  g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
  const char *name;
  unsigned n = 0;

  while ((name = g_dir_read_name(dir))) {
    g_autofree char *link = g_build_filename("/proc/self/fd", name, NULL);
    g_autofree char *target = g_file_read_link(link, NULL);

    n += g_strcmp0(target, path) == 0;
  }
  return n;
}

/* As soon as somebody else wants it; the directory goes with it. */
static void *
close_when_wanted(void *data)
{
  const Holder *holder = data;

  while (times_open(holder->path) < 2)
    g_thread_yield();
  dacsa_state_close(holder->path, holder->lock);
  return NULL;
}

static void
test_lock_is_waited_for(void)
{
  g_autofree char *tmp = g_dir_make_tmp("dacsa-test-XXXXXX", NULL);
  g_autofree char *path = g_build_filename(tmp, "state", NULL);
  g_autoptr(GError) error = NULL;
  Holder holder = {.path = path};
  int lock;

  CHECK_OK(dacsa_state_open(path, &holder.lock, &error), error);
  GThread *thread = g_thread_new("holder", close_when_wanted, &holder);
  CHECK_OK(dacsa_state_open(path, &lock, &error), error);
  g_thread_join(thread);
  g_assert_true(g_file_test(path, G_FILE_TEST_IS_DIR));

  CHECK_FAILS(dacsa_state_open(path, &holder.lock, &error), error, DACSA_ERROR_BUSY);
  dacsa_state_close(path, lock);
  g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
  g_rmdir(tmp);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/state/good", test_good);
  g_test_add_func("/state/bad", test_bad);
  g_test_add_func("/state/long", test_long);
  g_test_add_func("/state/lock-is-waited-for", test_lock_is_waited_for);
  return g_test_run();
}
