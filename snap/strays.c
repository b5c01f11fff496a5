/* Looks for holders without a record. */
#include "snap/strays.h"

#include "snap/holder.h"
#include "snap/record.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static char *
proc_path(pid_t pid, const char *name)
{
  return g_strdup_printf("/proc/%d/%s", (int)pid, name);
}

/* The label of a process of root's that is named as a holder: owned; NULL: it is none. */
static char *
label_of(pid_t pid)
{
  g_autofree char *path = proc_path(pid, "cmdline");
  g_autofree char *line = NULL;
  struct stat st;
  gsize len;

  if (stat(path, &st) < 0 || st.st_uid != 0 || !g_file_get_contents(path, &line, &len, NULL) ||
      len <= sizeof(DACSA_HOLDER_NAME) || strcmp(line, DACSA_HOLDER_NAME) != 0)
    return NULL;
  return g_strdup(line + sizeof(DACSA_HOLDER_NAME));
}

/* One that has descriptors waits for a worker, and ends with it. */
static bool
is_parked(pid_t pid)
{
  g_autofree char *path = proc_path(pid, "fd");
  g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);

  return dir && !g_dir_read_name(dir);
}

static bool
is_known(pid_t pid, const GPtrArray *records)
{
  for (guint i = 0; i < records->len; i++)
    if (((const DacsaRecord *)g_ptr_array_index(records, i))->child == pid)
      return true;
  return false;
}

/* Of a mount whose records are known: parked, and in none of them. */
typedef struct {
  const char *state_path;
  const GPtrArray *records;
} Mount;

static bool
is_unknown(pid_t pid, const void *data)
{
  const Mount *mount = data;
  g_autofree char *prefix = g_strconcat(mount->state_path, "/", NULL);
  g_autofree char *label = label_of(pid);

  return label && g_str_has_prefix(label, prefix) && !is_known(pid, mount->records) &&
         is_parked(pid);
}

static bool
is_labelled(pid_t pid, const void *data)
{
  g_autofree char *label = label_of(pid);

  return label && strcmp(label, data) == 0;
}

/* Kills those of which is_one says so. It is asked twice: the descriptor is of whoever has the pid
 * when it is opened. */
static void
kill_each(bool (*is_one)(pid_t pid, const void *data), const void *data)
{
  g_autoptr(GDir) dir = g_dir_open("/proc", 0, NULL);
  const char *name;

  while (dir && (name = g_dir_read_name(dir))) {
    const pid_t pid = (pid_t)g_ascii_strtoll(name, NULL, 10);
    const int pidfd = pid > 0 && is_one(pid, data) ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;

    if (pidfd < 0)
      continue;
    if (is_one(pid, data)) {
      g_message("a copy that nobody knows is ended (pid %d)", (int)pid);
      syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
    }
    close(pidfd);
  }
}

void
dacsa_strays_end(const char *state_path, const GPtrArray *records)
{
  const Mount mount = {state_path, records};

  kill_each(is_unknown, &mount);
}

void
dacsa_strays_end_one(const char *label)
{
  kill_each(is_labelled, label);
}
