/* The viewer process: the channel's end, the registry, the FUSE session. */
#include "fs/viewer.h"

#include "fs/confine.h"
#include "fs/fuse.h"
#include "fs/privileges.h"
#include "fs/registry.h"
#include "fs/tree.h"
#include "snap/channel.h"
#include "snap/error.h"
#include "snap/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define CACHE_BYTES (64u << 20)
#define REFRESH_US G_USEC_PER_SEC /* a VM's status is asked for at most this often */
#define MAX_RECORD (80u << 20)
#define MAX_FILE (64u << 20) /* the log is all that it can write to */

typedef struct {
  int channel;
  uint32_t number;
  DacsaInflight *inflight;
  DacsaRegistry *registry;
  DacsaTree *tree;
  GMutex lock; /* of what follows */
  GCond replied;
  uint32_t n_requests;
  GHashTable *replies; /* sequence -> errno + 1; present while somebody waits: 0 is no reply yet */
  GHashTable *refreshed;  /* VM name -> monotonic time */
  bool told, keeper_gone; /* told: all that there was at the start */
} Viewer;

/* -- requests to the keeper -- */

/* Sends and waits for the reply: 0 or a positive errno. */
static int
ask(Viewer *v, const char *verb, const char *vm, const char *name)
{
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&v->lock);
  uint64_t sequence = dacsa_message_sequence(v->number, ++v->n_requests);
  g_autoptr(DacsaMessage) message = dacsa_message_new(verb, sequence);
  void *key = GSIZE_TO_POINTER(sequence);
  guint reply = 0;

  dacsa_message_set(message, "vm", vm);
  if (name)
    dacsa_message_set(message, "name", name);
  g_hash_table_insert(v->replies, key, GUINT_TO_POINTER(0));
  if (!v->keeper_gone && dacsa_channel_send(v->channel, message, NULL))
    while ((reply = GPOINTER_TO_UINT(g_hash_table_lookup(v->replies, key))) == 0 && !v->keeper_gone)
      g_cond_wait(&v->replied, &v->lock);
  g_hash_table_remove(v->replies, key);
  return reply == 0 ? ENOTCONN : (int)reply - 1; /* there is no keeper to ask */
}

/* As long as the keeper takes is not how long this viewer does. */
static int
request(Viewer *v, const char *verb, const char *vm, const char *name)
{
  dacsa_inflight_wait(v->inflight, true);
  const int errsv = ask(v, verb, vm, name);
  dacsa_inflight_wait(v->inflight, false);
  return errsv;
}

static int
action_take(const char *vm, const char *name, void *data)
{
  return request(data, "take", vm, name);
}

static int
action_drop(const char *vm, const char *name, void *data)
{
  return request(data, "drop", vm, name);
}

static void
action_refresh(const char *vm, void *data)
{
  Viewer *v = data;
  int64_t now = g_get_monotonic_time();

  g_mutex_lock(&v->lock);
  int64_t *last = g_hash_table_lookup(v->refreshed, vm);
  bool due = !last || now - *last > REFRESH_US;
  if (due)
    g_hash_table_insert(v->refreshed, g_strdup(vm), g_memdup2(&now, sizeof(now)));
  g_mutex_unlock(&v->lock);
  if (due)
    request(v, "refresh", vm, NULL);
}

static void
tell_ready(void *data)
{
  Viewer *v = data;
  g_autoptr(DacsaMessage) message = dacsa_message_new("ready", 0);

  g_mutex_lock(&v->lock);
  while (!v->told && !v->keeper_gone)
    g_cond_wait(&v->replied, &v->lock);
  g_mutex_unlock(&v->lock);
  if (!dacsa_channel_send(v->channel, message, NULL))
    g_warning("the keeper is gone");
}

/* -- messages from the keeper -- */

/* The record whose file comes with a message, as its first descriptor. Owned; NULL: there is none,
 * or it is damaged, which is told. */
static DacsaRecord *
take_record(DacsaMessage *message)
{
  const int fd = dacsa_message_steal_fd(message, 0);
  g_autoptr(GByteArray) text = g_byte_array_new();
  g_autoptr(GError) error = NULL;
  DacsaRecord *record = NULL;
  uint8_t buf[16384];
  ssize_t n;

  if (fd < 0)
    return NULL;
  while ((n = read(fd, buf, sizeof(buf))) > 0 && text->len < MAX_RECORD)
    g_byte_array_append(text, buf, (guint)n);
  close(fd);
  if (!dacsa_record_from_text((const char *)text->data, text->len, &record, &error))
    g_warning("%s/%s: %s", dacsa_message_get(message, "vm"), dacsa_message_get(message, "name"),
              error->message);
  return record;
}

static void
on_vm(Viewer *v, DacsaMessage *message)
{
  int64_t serial, since;

  if (!dacsa_message_get_number(message, "serial", 1, DACSA_SERIAL_MAX, &serial) ||
      !dacsa_message_get_number(message, "since", 0, INT64_MAX, &since))
    return;
  const DacsaVmNews news = {.serial = (uint32_t)serial,
                            .name = dacsa_message_get(message, "name"),
                            .status = dacsa_message_get(message, "status"),
                            .life = dacsa_message_get(message, "life"),
                            .since_us = since};
  dacsa_registry_set_vm(v->registry, &news);
}

static void
on_vm_gone(Viewer *v, DacsaMessage *message)
{
  const char *name = dacsa_message_get(message, "name");
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&v->lock);

  dacsa_registry_remove_vm(v->registry, name);
  g_hash_table_remove(v->refreshed, name);
}

static void
on_snapshot(Viewer *v, DacsaMessage *message)
{
  int64_t serial, time;

  if (message->n_fds != 4 ||
      !dacsa_message_get_number(message, "serial", 1, DACSA_SERIAL_MAX, &serial) ||
      !dacsa_message_get_number(message, "time", 0, UINT32_MAX, &time))
    return;
  g_autoptr(DacsaRecord) record = take_record(message);
  if (!record)
    return;
  const DacsaSnapshotFds fds = {dacsa_message_steal_fd(message, 1),
                                dacsa_message_steal_fd(message, 2),
                                dacsa_message_steal_fd(message, 3)};
  dacsa_registry_add_snapshot(v->registry, (DacsaSnapshotNumber){(uint32_t)serial, (uint32_t)time},
                              g_steal_pointer(&record), fds);
}

/* What is left of a snapshot. */
static void
on_buried(Viewer *v, DacsaMessage *message)
{
  g_autoptr(DacsaRecord) record = take_record(message);
  int64_t serial, dropped, bytes;

  if (!record || !dacsa_message_get_number(message, "serial", 1, DACSA_SERIAL_MAX, &serial) ||
      !dacsa_message_get_number(message, "dropped_us", 0, INT64_MAX, &dropped) ||
      !dacsa_message_get_number(message, "private_bytes", 0, INT64_MAX, &bytes))
    return;
  const DacsaGraveNews news = {(uint32_t)serial, dacsa_message_get(message, "why"), dropped,
                               (uint64_t)bytes};
  if (dacsa_registry_bury_snapshot(v->registry, &news, g_steal_pointer(&record)))
    dacsa_tree_forget(v->tree, news.serial);
}

static void
on_reply(Viewer *v, DacsaMessage *message)
{
  gint64 number = g_ascii_strtoll(dacsa_message_get(message, "errno"), NULL, 10);
  void *key = GSIZE_TO_POINTER(message->sequence);
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&v->lock);

  if (!g_hash_table_contains(v->replies, key))
    return;
  g_hash_table_insert(v->replies, key, GUINT_TO_POINTER((guint)CLAMP(number, 0, 4095) + 1));
  g_cond_broadcast(&v->replied);
}

static void
on_dropped(Viewer *v, DacsaMessage *message)
{
  uint32_t serial;

  if (dacsa_registry_remove_snapshot(v->registry, dacsa_message_get(message, "vm"),
                                     dacsa_message_get(message, "name"), &serial))
    dacsa_tree_forget(v->tree, serial);
}

/* The end of what there was when this viewer started. */
static void
on_all(Viewer *v, DacsaMessage *message)
{
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&v->lock);

  (void)message;
  v->told = true;
  g_cond_broadcast(&v->replied);
}

/* What the keeper tells (snap/teller.c). Other verbs are passed over. */
static const struct {
  const char *verb;
  void (*handle)(Viewer *v, DacsaMessage *message);
} verbs[] = {
    {"vm", on_vm},         {"vm-gone", on_vm_gone}, {"snapshot", on_snapshot},
    {"buried", on_buried}, {"dropped", on_dropped}, {"reply", on_reply},
    {"all", on_all},
};

static void
on_message(Viewer *v, DacsaMessage *message)
{
  for (size_t i = 0; i < G_N_ELEMENTS(verbs); i++)
    if (strcmp(message->verb, verbs[i].verb) == 0)
      verbs[i].handle(v, message);
}

/* Reads the channel until the keeper is gone; then the mount can take no more snapshots, but what
 * it has it still shows. */
static void *
channel_thread(void *data)
{
  Viewer *v = data;
  bool open = true;

  dacsa_inflight_attach(v->inflight, DACSA_INFLIGHT_CHANNEL);
  for (uint64_t count = 1; open; count++) {
    g_autoptr(DacsaMessage) message = NULL;
    g_autoptr(GError) error = NULL;

    if (dacsa_channel_receive(v->channel, &message, &error)) {
      dacsa_inflight_begin(v->inflight, DACSA_INFLIGHT_CHANNEL, 2 * count);
      on_message(v, message);
      dacsa_inflight_end(v->inflight, DACSA_INFLIGHT_CHANNEL);
    } else {
      open = g_error_matches(error, DACSA_ERROR, DACSA_ERROR_BAD_DATA);
    }
  }
  g_mutex_lock(&v->lock);
  v->keeper_gone = true;
  g_cond_broadcast(&v->replied);
  g_mutex_unlock(&v->lock);
  return NULL;
}

/* -- confinement -- */

/* Moves the two descriptors to 3 and 4 and closes all others but standard error, the log. */
static bool
keep_only(int *fuse, int *channel, GError **error)
{
  int a = dup2(*fuse, 100);
  int b = dup2(*channel, 101);

  *fuse = dup2(a, 3);
  *channel = dup2(b, 4);
  close_range(5, ~0u, 0);
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
    return dacsa_fail_errno(error, errno, "cannot open /dev/null");
  close(null);
  return true;
}

/* Before there is another thread, and before a byte of a guest is read. The log must not fill the
 * host's memory, which /run is, whoever writes it: a write beyond the limit fails. */
static bool
confine(GError **error)
{
  const struct rlimit file = {MAX_FILE, MAX_FILE};
  const DacsaConfinement nothing = {NULL, NULL, DACSA_FILTER_DESCRIPTORS};
  g_autofree char *missing = NULL;

  if (setrlimit(RLIMIT_FSIZE, &file) < 0)
    return dacsa_fail_errno(error, errno, "cannot limit what the viewer writes");
  if (!dacsa_privileges_drop(error) || !dacsa_confine(&nothing, &missing, error))
    return false;
  if (missing)
    g_message("this kernel cannot confine the viewer as it should be: %s", missing);
  return true;
}

/* Only an unmount ends the viewer: a Ctrl-C in the terminal is the keeper's. */
static void
ignore_signals(void)
{
  signal(SIGINT, SIG_IGN);
  signal(SIGTERM, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
}

int
dacsa_viewer_run(int fuse, int channel, const DacsaViewerOptions *options)
{
  Viewer v = {
      .number = options->number, .inflight = options->inflight, .registry = dacsa_registry_new()};
  const DacsaTreeOptions tree = {v.registry, options->group, options->show_all, CACHE_BYTES,
                                 options->since_us};
  const DacsaFuseActions actions = {action_take, action_drop, action_refresh, &v};
  g_autoptr(GError) error = NULL;

  prctl(PR_SET_NAME, "dacsa-viewer");
  dacsa_log_use_stderr(); /* GLib's own socket to the journal is closed below */
  ignore_signals();
  if (!keep_only(&fuse, &channel, &error) || !confine(&error)) {
    g_warning("%s", error->message);
    return 1;
  }
  v.channel = channel;
  v.tree = dacsa_tree_new(&tree);
  g_mutex_init(&v.lock);
  g_cond_init(&v.replied);
  v.replies = g_hash_table_new(NULL, NULL);
  v.refreshed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  g_thread_unref(g_thread_new("channel", channel_thread, &v));
  const DacsaLoopOptions loop = {
      fuse, options->init, options->inflight, options->number == 1, tell_ready, &v};
  if (!dacsa_fuse_serve(v.tree, options->number, &actions, &loop, &error)) {
    g_warning("%s", error->message);
    return 1;
  }
  return 0;
}
