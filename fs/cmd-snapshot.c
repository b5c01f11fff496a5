/* `dacsa snapshot`: one mkdir, and what came of it. */
#include "fs/client.h"
#include "fs/commands.h"
#include "snap/record.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TICK_US (200 * 1000)

typedef struct {
  const char *path;
  int errsv; /* of mkdir; 0: done */
  GMutex lock;
  GCond over;
  bool is_over;
} Take;

static void *
take_thread(void *data)
{
  Take *take = data;
  int errsv = mkdir(take->path, 0700) < 0 ? errno : 0;

  g_mutex_lock(&take->lock);
  take->errsv = errsv;
  take->is_over = true;
  g_cond_signal(&take->over);
  g_mutex_unlock(&take->lock);
  return NULL;
}

/* mkdir, with a line on the terminal when it takes more than a second. */
static int
take_with_progress(const char *vm, const char *path)
{
  Take take = {.path = path};
  gint64 begin = g_get_monotonic_time();
  bool shown = false;

  g_mutex_init(&take.lock);
  g_cond_init(&take.over);
  GThread *thread = g_thread_new("mkdir", take_thread, &take);
  g_mutex_lock(&take.lock);
  while (!take.is_over) {
    gint64 now = g_get_monotonic_time();

    if (now - begin > G_USEC_PER_SEC && isatty(STDERR_FILENO)) {
      fprintf(stderr, "\rdacsa: waiting for %s, %d s ", vm, (int)((now - begin) / G_USEC_PER_SEC));
      shown = true;
    }
    g_cond_wait_until(&take.over, &take.lock, now + TICK_US);
  }
  g_mutex_unlock(&take.lock);
  g_thread_join(thread);
  if (shown)
    fputs("\r\033[K", stderr);
  return take.errsv;
}

/* Why a mkdir failed, in a line with the remedy. */
static int
explain(const char *mount, const char *vm, const char *name, int errsv)
{
  g_autofree char *status_path = g_build_filename(mount, vm, "status", NULL);
  g_autofree char *status = dacsa_client_read(status_path);
  g_autofree char *reason = dacsa_client_value(status, "reason");
  g_autofree char *remedy = dacsa_client_value(status, "remedy");
  g_autofree char *last = dacsa_client_value(status, "last_error");

  if (errsv == EEXIST)
    return dacsa_cmd_fail("%s/%s is there already; choose another name, or drop it first", vm,
                          name);
  if (errsv == EINVAL)
    return dacsa_cmd_fail("%s cannot be a snapshot's name; use up to 200 letters, digits and signs",
                          name);
  if (errsv == EACCES || errsv == EPERM)
    return dacsa_cmd_fail("taking a snapshot needs root; try again with sudo");
  if (dacsa_client_is_end(errsv))
    return dacsa_client_tell_end(mount);
  if (reason)
    return dacsa_cmd_fail("%s cannot be snapshotted: %s; %s", vm, reason, remedy ? remedy : "");
  if (last)
    return dacsa_cmd_fail("%s: no snapshot: %s", vm, last);
  return dacsa_cmd_fail("%s: no snapshot: %s; see the log of dacsa mount", vm, g_strerror(errsv));
}

static int
explain_unknown_vm(const char *mount, const char *vm)
{
  g_autoptr(GPtrArray) vms = dacsa_client_directories(mount);

  g_ptr_array_add(vms, NULL);
  g_autofree char *names = g_strjoinv(", ", (char **)vms->pdata);
  if (vms->len == 1)
    return dacsa_cmd_fail("there is no VM %s; none is running", vm);
  return dacsa_cmd_fail("there is no VM %s; running: %s", vm, names);
}

int
dacsa_cmd_snapshot(int argc, char **argv)
{
  static const DacsaClientCommand command = {
      .name = "snapshot",
      .parameters = "VM [NAME]",
      .summary = "Takes a snapshot of a VM and prints its path and how long the VM was paused.\n"
                 "NAME is the time in UTC unless given.",
      .min = 1,
      .max = 2,
      .usage = "name one VM, and a NAME if you like",
  };
  g_autofree char *mount = NULL;
  int status;

  if (!dacsa_client_begin(&command, &argc, &argv, &mount, &status))
    return status;
  g_autofree char *name =
      argc == 3 ? g_strdup(argv[2]) : dacsa_record_default_name(g_get_real_time());
  g_autofree char *vm = g_build_filename(mount, argv[1], NULL);
  g_autofree char *path = g_build_filename(vm, name, NULL);
  g_autofree char *info_path = g_build_filename(path, "info", NULL);
  if (strchr(argv[1], '/') || !g_file_test(vm, G_FILE_TEST_IS_DIR))
    return explain_unknown_vm(mount, argv[1]);
  if (name[0] == '\0' || strchr(name, '/'))
    return explain(mount, argv[1], name, EINVAL);
  int errsv = take_with_progress(argv[1], path);
  if (errsv != 0)
    return explain(mount, argv[1], name, errsv);
  g_autofree char *info = dacsa_client_read(info_path);
  g_autofree char *pause = dacsa_client_value(info, "pause_us");
  printf("%s  paused %.1f ms\n", path, pause ? g_ascii_strtod(pause, NULL) / 1000 : 0.0);
  return 0;
}
