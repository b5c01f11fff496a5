/* Which process has which socket open: the files of all threads, since they may differ. */
#include "parsers/linux/fds.h"
#include "parsers/linux/process.h"
#include "parsers/linux/sockets.h"
#include "parsers/linux/walk.h"

#define MAX_THREADS (1u << 22) /* of all processes; PID_MAX_LIMIT */
#define MAX_OWNERS (1u << 22)
#define WHERE "netconns"

typedef struct {
  DacsaLinux *l;
  GArray *owners;    /* DacsaLinuxOwner */
  GHashTable *files; /* gva of a struct file -> gva of its struct sock; 0: it is no socket */
  uint64_t budget;   /* see dacsa_linux_fds */
  uint32_t threads;
  uint32_t pid;     /* the process whose threads are looked at */
  GHashTable *seen; /* the files_structs of that process */
} Search;

static gint
compare_owners(gconstpointer a, gconstpointer b)
{
  const DacsaLinuxOwner *x = a;
  const DacsaLinuxOwner *y = b;

  if (x->sk != y->sk)
    return x->sk < y->sk ? -1 : 1;
  return x->pid < y->pid ? -1 : x->pid > y->pid;
}

/* *ret: 0 where the file is no socket. */
static bool
socket_of_file(const DacsaLinux *l, uint64_t file, uint64_t *ret, GError **error)
{
  uint64_t ops, socket;

  *ret = 0;
  if (!dacsa_linux_get(l, file, M_FILE_OP, &ops, error))
    return false;
  if (ops == 0 || ops != dacsa_linux_symbol(l, S_SOCKET_FILE_OPS))
    return true;
  return dacsa_linux_get(l, file, M_FILE_PRIVATE, &socket, error) &&
         (socket == 0 || dacsa_linux_get(l, socket, M_SOCKET_SK, ret, error));
}

/* Processes share files with their children: each is looked at once. */
static uint64_t
cached_socket_of_file(Search *s, uint64_t file)
{
  g_autoptr(GError) cause = NULL;
  void *known;
  uint64_t sk;

  if (g_hash_table_lookup_extended(s->files, GSIZE_TO_POINTER(file), NULL, &known))
    return GPOINTER_TO_SIZE(known);
  if (!socket_of_file(s->l, file, &sk, &cause))
    dacsa_errors_add(s->l->errors, WHERE, cause->message);
  g_hash_table_insert(s->files, GSIZE_TO_POINTER(file), GSIZE_TO_POINTER(sk));
  return sk;
}

static void
search_files(Search *s, uint64_t files)
{
  g_autoptr(GArray) fds = g_array_new(FALSE, FALSE, sizeof(DacsaLinuxFd));
  g_autoptr(GError) cause = NULL;

  if (files == 0 || !g_hash_table_add(s->seen, GSIZE_TO_POINTER(files)))
    return;
  if (!dacsa_linux_fds(s->l, files, &s->budget, fds, &cause))
    dacsa_errors_add(s->l->errors, WHERE, cause->message);
  for (guint i = 0; i < fds->len && s->owners->len < MAX_OWNERS; i++) {
    const uint64_t file = g_array_index(fds, DacsaLinuxFd, i).file;
    const DacsaLinuxOwner owner = {cached_socket_of_file(s, file), s->pid};

    if (owner.sk != 0)
      g_array_append_val(s->owners, owner);
  }
}

static bool
is_exhausted(const Search *s)
{
  return s->budget == 0 || s->threads >= MAX_THREADS || s->owners->len >= MAX_OWNERS ||
         g_hash_table_size(s->files) >= DACSA_LINUX_MAX_ENTRIES;
}

static bool
search_thread(uint64_t task, void *data)
{
  Search *s = data;
  g_autoptr(GError) cause = NULL;
  uint64_t files;

  s->threads++;
  if (!dacsa_linux_get(s->l, task, M_TASK_FILES, &files, &cause))
    dacsa_errors_add(s->l->errors, WHERE, cause->message);
  else
    search_files(s, files);
  return !is_exhausted(s);
}

/* A thread may have files of its own (unshare), and a leader that has ended has none. */
static void
search_process(Search *s, const DacsaLinuxTask *task)
{
  g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
  g_autoptr(GError) cause = NULL;

  s->pid = task->pid;
  s->seen = seen;
  if (!dacsa_linux_threads_each(s->l, task->task, search_thread, s, &cause))
    dacsa_errors_add(s->l->errors, WHERE, cause->message);
  s->seen = NULL;
}

static void
remove_duplicates(GArray *owners)
{
  guint kept = 0;

  for (guint i = 0; i < owners->len; i++) {
    const DacsaLinuxOwner owner = g_array_index(owners, DacsaLinuxOwner, i);

    if (kept == 0 || compare_owners(&owner, &g_array_index(owners, DacsaLinuxOwner, kept - 1)) != 0)
      g_array_index(owners, DacsaLinuxOwner, kept++) = owner;
  }
  g_array_set_size(owners, kept);
}

GArray *
dacsa_linux_owners(DacsaLinux *l)
{
  g_autoptr(GHashTable) files = g_hash_table_new(NULL, NULL);
  Search s = {.l = l,
              .owners = g_array_new(FALSE, FALSE, sizeof(DacsaLinuxOwner)),
              .files = files,
              .budget = DACSA_LINUX_MAX_ALL_FDS};

  dacsa_linux_tasks(l);
  for (guint i = 0; i < l->tasks->len && !is_exhausted(&s); i++)
    search_process(&s, &g_array_index(l->tasks, DacsaLinuxTask, i));
  if (is_exhausted(&s))
    dacsa_errors_add(l->errors, WHERE, "owners are missing: there are too many open files");
  g_array_sort(s.owners, compare_owners);
  remove_duplicates(s.owners);
  return s.owners;
}
