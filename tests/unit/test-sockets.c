/* Files that appear, in directories that do so before them, and again. */
#include "check.h"

#include "snap/sockets.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CALM_MS 50 /* between two looks for what happens */

/* In place of the C library's: what it is asked for, and what happens just then. */
static unsigned watched;
static const char *make_next; /* NULL: nothing */

int
inotify_add_watch(int fd, const char *path, uint32_t mask)
{
  const int watch = (int)syscall(SYS_inotify_add_watch, fd, path, mask);

  watched++;
  if (watch >= 0 && make_next)
    g_assert_cmpint(g_mkdir(make_next, 0700), ==, 0);
  if (watch >= 0)
    make_next = NULL;
  return watch;
}

typedef struct {
  DacsaSockets *sockets;
  char *tmp, *upper, *lower, *path; /* each in the one before */
  unsigned looks, looks_by_clock;
  bool found; /* by the latest */
} Fixture;

static void
look(bool by_clock, void *data)
{
  Fixture *f = data;

  f->looks++;
  f->looks_by_clock += by_clock;
  f->found = g_file_test(f->path, G_FILE_TEST_EXISTS);
}

static void
set_up(Fixture *f, const void *clock_s)
{
  f->tmp = g_dir_make_tmp("test-sockets-XXXXXX", NULL);
  f->upper = g_build_filename(f->tmp, "upper", NULL);
  f->lower = g_build_filename(f->upper, "lower", NULL);
  f->path = g_build_filename(f->lower, "vm.qmp", NULL);
  f->sockets = dacsa_sockets_new(GPOINTER_TO_UINT(clock_s), look, f);
}

static void
tear_down(Fixture *f, const void *clock_s)
{
  (void)clock_s;
  dacsa_sockets_free(f->sockets);
  g_unlink(f->path);
  g_rmdir(f->lower);
  g_rmdir(f->upper);
  g_rmdir(f->tmp);
  g_free(f->tmp);
  g_free(f->upper);
  g_free(f->lower);
  g_free(f->path);
}

/* A test that waits in vain is ended by its deadline. */
static void
await_look(const Fixture *f)
{
  const unsigned before = f->looks;

  while (f->looks == before)
    g_main_context_iteration(NULL, TRUE);
}

static void
await_found(const Fixture *f)
{
  while (!f->found)
    g_main_context_iteration(NULL, TRUE);
}

static void
make(const char *dir)
{
  g_assert_cmpint(g_mkdir(dir, 0700), ==, 0);
}

static void
make_file(Fixture *f)
{
  f->found = false;
  g_assert_true(g_file_set_contents(f->path, "", 0, NULL));
}

static void
test_there(Fixture *f, const void *data)
{
  (void)data;
  make(f->upper);
  make(f->lower);
  dacsa_sockets_add(f->sockets, f->path);
  make_file(f);
  await_found(f);
  g_assert_cmpint(g_unlink(f->path), ==, 0);
  make_file(f);
  await_found(f);
}

static void
test_step_by_step(Fixture *f, const void *data)
{
  (void)data;
  dacsa_sockets_add(f->sockets, f->path);
  make(f->upper);
  await_look(f);
  make(f->lower);
  await_look(f);
  make_file(f);
  await_found(f);
}

static void
test_at_once(Fixture *f, const void *data)
{
  (void)data;
  dacsa_sockets_add(f->sockets, f->path);
  make(f->upper);
  make(f->lower);
  make_file(f);
  await_found(f);
}

/* As systemd does with a RuntimeDirectory=. */
static void
test_made_anew(Fixture *f, const void *data)
{
  (void)data;
  make(f->upper);
  make(f->lower);
  dacsa_sockets_add(f->sockets, f->path);
  for (int i = 0; i < 3; i++) {
    make_file(f);
    await_found(f);
    g_assert_cmpint(g_unlink(f->path), ==, 0);
    g_assert_cmpint(g_rmdir(f->lower), ==, 0);
    await_look(f);
    g_assert_cmpint(g_rmdir(f->upper), ==, 0);
    make(f->upper);
    await_look(f);
    make(f->lower);
  }
}

/* One that is made elsewhere and moved there. */
static void
test_moved(Fixture *f, const void *data)
{
  g_autofree char *aside = g_build_filename(f->tmp, "aside", NULL);

  (void)data;
  make(f->upper);
  make(f->lower);
  dacsa_sockets_add(f->sockets, f->path);
  g_assert_cmpint(g_rename(f->upper, aside), ==, 0);
  g_assert_cmpint(g_rename(aside, f->upper), ==, 0);
  g_assert_cmpint(g_rename(f->lower, aside), ==, 0);
  await_look(f);
  make(f->lower);
  make_file(f);
  await_found(f);
  g_assert_cmpint(g_rmdir(aside), ==, 0);
}

/* How many watches there are: each has a line in the inotify's fdinfo (proc(5)). */
static unsigned
count_watches(void)
{
  g_autoptr(GDir) dir = g_dir_open("/proc/self/fdinfo", 0, NULL);
  const char *name;
  unsigned n = 0;

  while ((name = g_dir_read_name(dir))) {
    g_autofree char *path = g_build_filename("/proc/self/fdinfo", name, NULL);
    g_autofree char *text = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL))
      continue; /* the directory's own */
    for (const char *at = text; (at = strstr(at, "inotify wd:")); at++)
      n++;
  }
  return n;
}

/* A directory that comes just when the one above it is watched. */
static void
test_meanwhile(Fixture *f, const void *data)
{
  (void)data;
  make_next = f->upper;
  dacsa_sockets_add(f->sockets, f->path);
  g_assert_null(make_next);
  g_assert_cmpuint(count_watches(), ==, 1);
  make(f->lower);
  make_file(f);
  await_found(f);
  g_assert_cmpuint(count_watches(), ==, 1);
}

/* One more costs as much as the first. */
static void
test_many(Fixture *f, const void *data)
{
  unsigned first = 0;

  (void)data;
  make(f->upper);
  make(f->lower);
  for (unsigned i = 0; i < 10; i++) {
    watched = 0;
    dacsa_sockets_add(f->sockets, f->path);
    first = first ? first : watched;
    g_assert_cmpuint(watched, ==, first);
  }
  g_assert_cmpuint(count_watches(), ==, 1);
}

/* Others use the directory, too. */
static void
test_busy(Fixture *f, const void *data)
{
  const int64_t began = g_get_monotonic_time();

  (void)data;
  make(f->upper);
  make(f->lower);
  dacsa_sockets_add(f->sockets, f->path);
  for (unsigned i = 0; i < 100; i++) {
    make_file(f);
    g_unlink(f->path);
    g_main_context_iteration(NULL, FALSE);
  }
  g_assert_cmpuint(f->looks, <=, (g_get_monotonic_time() - began) / (CALM_MS * 1000));
  make_file(f);
  await_found(f);
}

static void
test_clock(Fixture *f, const void *data)
{
  (void)data;
  dacsa_sockets_add(f->sockets, f->path);
  await_look(f);
  g_assert_cmpuint(f->looks_by_clock, ==, 1);
}

#define ADD(name, clock_s)                                                                         \
  g_test_add("/sockets/" #name, Fixture, GUINT_TO_POINTER(clock_s), set_up, test_##name, tear_down)

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  ADD(there, 0);
  ADD(step_by_step, 0);
  ADD(at_once, 0);
  ADD(made_anew, 0);
  ADD(moved, 0);
  ADD(meanwhile, 0);
  ADD(many, 0);
  ADD(busy, 0);
  ADD(clock, 1);
  return g_test_run();
}
