/* Watches the directory of each socket, or the nearest one above it that is there. */
#include "snap/sockets.h"

#include <glib-unix.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define EVENTS (IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)
#define MAX_TRIES 16u /* for directories that come and go just now; then the clock has to do */
#define CALM_MS 50    /* what happens in so short a time is looked at once: /tmp is busy */

struct DacsaSockets {
  DacsaSocketsLook look;
  void *data;
  GPtrArray *paths; /* owned */
  int inotify;      /* or -1: the clock alone */
  guint source;     /* of the inotify; 0: what it tells of is about to be looked at, by */
  guint timer;
  guint clock;
  GHashTable *watches; /* of the inotify, by number */
};

/* The watch on the lowest directory of those above path that is there; -1: none can be watched. */
static int
watch_lowest(const DacsaSockets *self, const char *path)
{
  g_autofree char *dir = g_path_get_dirname(path);

  for (;;) {
    const int watch = inotify_add_watch(self->inotify, dir, EVENTS);
    char *parent = g_path_get_dirname(dir);
    const bool is_top = strcmp(parent, dir) == 0;

    g_free(dir);
    dir = parent;
    if (watch >= 0 || is_top)
      return watch;
  }
}

/* The next directory may have been made before this one was watched, so it is looked for again.
 * What was watched meanwhile is among old, then. */
static void
watch_above(DacsaSockets *self, const char *path, GHashTable *old)
{
  int watch = watch_lowest(self, path), before = -1;

  for (unsigned i = 0; i < MAX_TRIES && watch != before; i++) {
    g_hash_table_add(old, GINT_TO_POINTER(watch));
    before = watch;
    watch = watch_lowest(self, path);
  }
  g_hash_table_add(self->watches, GINT_TO_POINTER(watch));
}

static void
remove_unwanted(const DacsaSockets *self, GHashTable *old)
{
  GHashTableIter iter;
  void *watch;

  g_hash_table_iter_init(&iter, old);
  while (g_hash_table_iter_next(&iter, &watch, NULL))
    if (!g_hash_table_contains(self->watches, watch))
      inotify_rm_watch(self->inotify, GPOINTER_TO_INT(watch));
}

/* Directories have come and gone. */
static void
watch_all(DacsaSockets *self)
{
  g_autoptr(GHashTable) old = self->watches;

  self->watches = g_hash_table_new(NULL, NULL);
  for (guint i = 0; i < self->paths->len; i++)
    watch_above(self, g_ptr_array_index(self->paths, i), old);
  remove_unwanted(self, old);
}

static gboolean on_event(gint fd, GIOCondition condition, void *data);

/* Which it was does not matter: they are few. */
static gboolean
on_calm(void *data)
{
  DacsaSockets *self = data;
  char events[8192];

  while (read(self->inotify, events, sizeof(events)) > 0)
    ;
  self->timer = 0;
  self->source = g_unix_fd_add(self->inotify, G_IO_IN, on_event, self);
  watch_all(self);
  self->look(false, self->data);
  return G_SOURCE_REMOVE;
}

/* Nobody is woken for what else happens until then. */
static gboolean
on_event(gint fd, GIOCondition condition, void *data)
{
  DacsaSockets *self = data;

  (void)fd;
  (void)condition;
  self->source = 0;
  self->timer = g_timeout_add(CALM_MS, on_calm, self);
  return G_SOURCE_REMOVE;
}

static gboolean
on_clock(void *data)
{
  DacsaSockets *self = data;

  watch_all(self);
  self->look(true, self->data);
  return G_SOURCE_CONTINUE;
}

DacsaSockets *
dacsa_sockets_new(guint clock_s, DacsaSocketsLook look, void *data)
{
  DacsaSockets *self = g_new0(DacsaSockets, 1);

  self->look = look;
  self->data = data;
  self->paths = g_ptr_array_new_with_free_func(g_free);
  self->watches = g_hash_table_new(NULL, NULL);
  self->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (self->inotify >= 0)
    self->source = g_unix_fd_add(self->inotify, G_IO_IN, on_event, self);
  if (clock_s > 0)
    self->clock = g_timeout_add_seconds(clock_s, on_clock, self);
  return self;
}

void
dacsa_sockets_free(DacsaSockets *self)
{
  if (!self)
    return;
  if (self->source)
    g_source_remove(self->source);
  g_clear_handle_id(&self->timer, g_source_remove);
  if (self->clock)
    g_source_remove(self->clock);
  if (self->inotify >= 0)
    close(self->inotify);
  g_hash_table_unref(self->watches);
  g_ptr_array_unref(self->paths);
  g_free(self);
}

void
dacsa_sockets_add(DacsaSockets *self, const char *path)
{
  g_autoptr(GHashTable) old = g_hash_table_new(NULL, NULL);

  g_ptr_array_add(self->paths, g_strdup(path));
  watch_above(self, path, old);
  remove_unwanted(self, old);
}
