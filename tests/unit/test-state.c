/* Names of snapshots: the viewer sends them, and nobody believes it. And the directory: its lock,
 * and what is left of it. */
#include "check.h"

#include "snap/state.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

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

/* In place of libc's: others who end remove the directory just before it is opened, so many times.
 */
static int removals;

int
open(const char *path, int flags, ...)
{
  va_list rest;

  va_start(rest, flags);
  const mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  if (removals > 0 && g_rmdir(path) == 0)
    removals--;
  return openat(AT_FDCWD, path, flags, mode);
}

static void
test_removed_meanwhile(void)
{
  g_autofree char *tmp = g_dir_make_tmp("dacsa-test-XXXXXX", NULL);
  g_autofree char *path = g_build_filename(tmp, "state", NULL);
  g_autoptr(GError) error = NULL;
  int lock;

  removals = 3;
  CHECK_OK(dacsa_state_open(path, &lock, &error), error);
  g_assert_cmpint(removals, ==, 0);
  dacsa_state_close(path, lock);
  g_rmdir(tmp);
}

static void
test_is_locked(void)
{
  g_autofree char *tmp = g_dir_make_tmp("dacsa-test-XXXXXX", NULL);
  g_autofree char *path = g_build_filename(tmp, "state", NULL);
  g_autoptr(GError) error = NULL;
  int lock;

  g_assert_false(dacsa_state_is_locked(path));
  CHECK_OK(dacsa_state_open(path, &lock, &error), error);
  g_assert_true(dacsa_state_is_locked(path));
  dacsa_state_close(path, lock);
  g_assert_false(dacsa_state_is_locked(path));
  g_assert_cmpint(g_mkdir(path, 0700), ==, 0);
  g_assert_false(dacsa_state_is_locked(path)); /* one who was killed has left it */
  g_rmdir(path);
  g_rmdir(tmp);
}

/* -- what the end leaves there -- */

static void
test_remains(void)
{
  static const struct {
    const char *file, *taking;
    bool stays;
  } rows[] = {
      {"vm@now.snapshot.new", NULL, false},
      {"vm@now.snapshot.new", "vm@now.taking", true},
      {"vm@now.snapshot.new", "vm@now.taking.new", true}, /* another one's */
      {"vm@now.taking.new", NULL, true},
      {"vm@now.taking", NULL, true},
      {"log", NULL, false},
      {"log", "vm@now.taking", true},
  };

  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autofree char *tmp = g_dir_make_tmp("dacsa-test-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(tmp, "state", NULL);
    g_autofree char *file = g_build_filename(path, rows[i].file, NULL);
    g_autofree char *taking = g_build_filename(path, rows[i].taking ? rows[i].taking : "x", NULL);
    g_autoptr(GError) error = NULL;
    int lock;

    g_test_message("row %zu", i);
    CHECK_OK(dacsa_state_open(path, &lock, &error), error);
    g_assert_true(g_file_set_contents(file, "", 0, NULL));
    if (rows[i].taking)
      g_assert_true(g_file_set_contents(taking, "", 0, NULL));
    dacsa_state_close(path, lock);
    g_assert_cmpint(g_file_test(file, G_FILE_TEST_EXISTS), ==, rows[i].stays);
    g_assert_cmpint(g_file_test(path, G_FILE_TEST_EXISTS), ==, rows[i].stays);

    /* The next one's end leaves nothing, once those are not under way any more. */
    CHECK_OK(dacsa_state_open(path, &lock, &error), error);
    if (g_str_has_suffix(rows[i].file, ".taking"))
      g_unlink(file);
    if (rows[i].taking)
      g_unlink(taking);
    dacsa_state_close(path, lock);
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    g_rmdir(tmp);
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/state/good", test_good);
  g_test_add_func("/state/bad", test_bad);
  g_test_add_func("/state/long", test_long);
  g_test_add_func("/state/lock-is-waited-for", test_lock_is_waited_for);
  g_test_add_func("/state/removed-meanwhile", test_removed_meanwhile);
  g_test_add_func("/state/is-locked", test_is_locked);
  g_test_add_func("/state/remains", test_remains);
  return g_test_run();
}
