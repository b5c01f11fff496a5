/* `dacsa mount`: checks, mounts, and splits into keeper and viewer. */
#include "fs/commands.h"
#include "fs/config.h"
#include "fs/notify.h"
#include "fs/viewer.h"
#include "snap/error.h"
#include "snap/keeper.h"
#include "snap/mountpoint.h"
#include "snap/state.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define READAHEAD_KIB "4096"
#define GRACE_SECONDS 10 /* for those who still read when the end is asked for */

typedef struct {
  char *mountpoint; /* absolute */
  char *state_path;
  int ready_fd; /* to the waiting command, or -1 */
  bool foreground;
  bool stopping; /* somebody asked for it */
  int fuse;      /* /dev/fuse: while it is open here, the connection outlives a viewer */
  DacsaViewerOptions options;
  DacsaKeeper *keeper;
} Mount;

/* The kernel reads ahead 128 KiB on a FUSE mount unless told otherwise; requests are up to 1 MiB.
 * The viewer may have crashed by now, and this process alone can start another: so nothing may be
 * asked of the file system, not even the root's attributes. */
static void
raise_readahead(const char *mountpoint)
{
  struct statx st;

  if (statx(AT_FDCWD, mountpoint, AT_STATX_DONT_SYNC, 0, &st) < 0)
    return;
  g_autofree char *path =
      g_strdup_printf("/sys/class/bdi/%u:%u/read_ahead_kb", st.stx_dev_major, st.stx_dev_minor);
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0)
    return;
  if (write(fd, READAHEAD_KIB, strlen(READAHEAD_KIB)) < 0)
    g_message("%s: %s", path, g_strerror(errno));
  close(fd);
}

/* Standard streams leave the terminal: errors go to the log in the state directory. */
static void
detach_streams(const Mount *m)
{
  g_autofree char *log = g_build_filename(m->state_path, "log", NULL);
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

  if (null < 0 || out < 0)
    return;
  dup2(null, STDIN_FILENO);
  dup2(null, STDOUT_FILENO);
  dup2(out, STDERR_FILENO);
  close(null);
  close(out);
}

static void
tell_manager(const char *text)
{
  g_autoptr(GError) error = NULL;

  if (!dacsa_notify(text, &error))
    g_message("%s", error->message);
}

static void
on_ready(void *data)
{
  Mount *m = data;

  raise_readahead(m->mountpoint);
  tell_manager("READY=1\n");
  if (m->foreground)
    return;
  detach_streams(m);
  if (write(m->ready_fd, "", 1) != 1)
    g_message("nobody waits for the mount");
  close(m->ready_fd);
  m->ready_fd = -1;
}

/* No other viewer comes, and the FUSE connection ends: whoever still waits gets an error. */
static gboolean
on_grace_over(void *data)
{
  const Mount *m = data;

  if (dacsa_keeper_kill_viewer(m->keeper))
    g_message("%s is still in use; its readers are cut off", m->mountpoint);
  return G_SOURCE_REMOVE;
}

/* A polite end: the unmount ends the viewer, and that the keeper. A file that somebody has open
 * keeps an unmounted file system alive, for a while; or until the signal comes again. */
static gboolean
on_signal(gint fd, GIOCondition condition, void *data)
{
  Mount *m = data;
  struct signalfd_siginfo info;

  (void)condition;
  if (read(fd, &info, sizeof(info)) != sizeof(info))
    return G_SOURCE_CONTINUE;
  dacsa_mountpoint_unmount(m->mountpoint);
  if (!m->stopping)
    tell_manager("STOPPING=1\n");
  g_timeout_add_seconds(m->stopping ? 0 : GRACE_SECONDS, on_grace_over, m);
  m->stopping = true;
  return G_SOURCE_CONTINUE;
}

static void
watch_signals(Mount *m)
{
  sigset_t set;

  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGHUP);
  sigprocmask(SIG_BLOCK, &set, NULL);
  signal(SIGPIPE, SIG_IGN);
  g_unix_fd_add(signalfd(-1, &set, SFD_CLOEXEC), G_IO_IN, on_signal, m);
}

/* -- the viewer's lives -- */

/* The kernel reports an error on /dev/fuse when the file system is unmounted, and not before. */
static bool
is_wanted(void *data)
{
  const Mount *m = data;
  struct pollfd fuse = {.fd = m->fuse};

  return !m->stopping && !(poll(&fuse, 1, 0) == 1 && fuse.revents & POLLERR);
}

static pid_t
start_viewer(int channel, uint32_t number, void *data)
{
  Mount *m = data;

  m->options.number = number;
  dacsa_inflight_renew(m->options.inflight);
  const pid_t viewer = fork();
  if (viewer != 0)
    return viewer;
  if (!m->foreground)
    detach_streams(m);
  _exit(dacsa_viewer_run(m->fuse, channel, &m->options));
}

static void
tell_tasks(DacsaTask ret[DACSA_TASKS_MAX], void *data)
{
  const Mount *m = data;

  dacsa_inflight_tasks(m->options.inflight, ret);
}

/* -- start and end -- */

/* Keeper and viewer have some descriptors open for each snapshot, more than the usual limit has
 * room for; it is as low as that for the sake of select(2), which nothing here uses. */
static void
raise_descriptors(void)
{
  struct rlimit limit;

  if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
    return;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
    g_message("cannot have more than the usual number of files open: %s", g_strerror(errno));
}

/* All that can fail without a trace: libvirt, the sockets, the mount. */
static bool
start(Mount *m, const DacsaKeeperOptions *options, const char *fuse_options, GError **error)
{
  if (!dacsa_keeper_new(options, &m->keeper, error) ||
      !dacsa_inflight_new(&m->options.inflight, error))
    return false;
  watch_signals(m);
  m->options.since_us = g_get_real_time();
  if (!dacsa_mountpoint_mount(m->mountpoint, fuse_options, &m->fuse, error))
    return false;
  if (dacsa_loop_read_init(m->fuse, &m->options.init, error))
    return true;
  close(m->fuse);
  dacsa_mountpoint_unmount(m->mountpoint);
  return false;
}

static void
clear(Mount *m)
{
  dacsa_keeper_free(m->keeper);
  dacsa_inflight_free(m->options.inflight);
  g_bytes_unref(m->options.init);
}

/* The daemon, from the first check to the last unmount: its exit status. */
static int
serve(Mount *m, const DacsaKeeperOptions *options, const char *fuse_options)
{
  const DacsaLivesOptions viewer = {is_wanted, start_viewer, tell_tasks, DACSA_LIVES_HANG_US, m};
  g_autoptr(GError) error = NULL;
  int lock;

  raise_descriptors();
  if (!dacsa_state_open(m->state_path, &lock, &error))
    return dacsa_cmd_fail("%s", error->message);
  if (!start(m, options, fuse_options, &error)) {
    clear(m);
    dacsa_state_close(m->state_path, lock);
    return dacsa_cmd_fail("%s", error->message);
  }
  prctl(PR_SET_NAME, "dacsa-keeper");
  dacsa_keeper_on_ready(m->keeper, on_ready, m);
  const DacsaKeeperEnd end = dacsa_keeper_run(m->keeper, &viewer);
  close(m->fuse); /* and with it the connection: nobody waits for an answer any more */
  dacsa_mountpoint_unmount(m->mountpoint);
  clear(m);
  if (end == DACSA_KEEPER_NOT_READY && !m->foreground)
    return dacsa_cmd_fail("the viewer ended before it could serve %s; see %s/log", m->mountpoint,
                          m->state_path);
  dacsa_state_close(m->state_path, lock);
  if (end == DACSA_KEEPER_NOT_READY)
    return dacsa_cmd_fail("the viewer ended before it could serve %s", m->mountpoint);
  if (end == DACSA_KEEPER_LOST && !m->stopping)
    return dacsa_cmd_fail("the viewer of %s was killed or crashed too often; mount again: its "
                          "snapshots wait",
                          m->mountpoint);
  return 0;
}

/* Forks; the parent returns when the mount can be listed, or with the child's failure. */
static int
serve_in_background(Mount *m, const DacsaKeeperOptions *options, const char *fuse_options)
{
  int ready[2];
  char byte;
  int status;

  if (pipe2(ready, O_CLOEXEC) < 0)
    return dacsa_cmd_fail("cannot make a pipe: %s", g_strerror(errno));
  pid_t daemon = fork();
  if (daemon < 0)
    return dacsa_cmd_fail("cannot fork: %s", g_strerror(errno));
  if (daemon == 0) {
    close(ready[0]);
    setsid();
    m->ready_fd = ready[1];
    _exit(serve(m, options, fuse_options));
  }
  close(ready[1]);
  if (read(ready[0], &byte, 1) == 1)
    return 0;
  waitpid(daemon, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) != 0
             ? WEXITSTATUS(status)
             : dacsa_cmd_fail("the daemon died before it was ready");
}

/* The command line over the configuration file; false: *ret_status is the exit status. */
static bool
complete(DacsaConfig *config, const char *path, gid_t *ret_group, int *ret_status)
{
  g_auto(DacsaConfig) file = {0};
  g_autoptr(GError) error = NULL;

  if (!dacsa_config_check(config, &error)) {
    *ret_status = dacsa_cmd_usage("mount", "%s", error->message);
    return false;
  }
  if (!dacsa_config_load(path, &file, &error)) {
    *ret_status = dacsa_cmd_fail("%s", error->message);
    return false;
  }
  dacsa_config_complete(config, &file);
  if (!config->group || dacsa_config_find_group(config->group, ret_group, &error))
    return true;
  *ret_status = dacsa_cmd_fail("--group %s", error->message);
  return false;
}

/* The path without symbolic links, as far as it is there. Owned. */
static char *
resolve(const char *path)
{
  g_autofree char *absolute = g_canonicalize_filename(path, NULL);
  g_autofree char *real = realpath(absolute, NULL);
  g_autofree char *parent = g_path_get_dirname(absolute);

  if (real || strcmp(parent, absolute) == 0)
    return g_strdup(real ? real : absolute);
  g_autofree char *above = resolve(parent);
  g_autofree char *name = g_path_get_basename(absolute);
  return g_build_filename(above, name, NULL);
}

/* The keeper looks for sockets itself, and would wait for its own viewer. */
static bool
check_sockets(const DacsaConfig *config, const char *mountpoint, GError **error)
{
  g_autofree char *top = resolve(mountpoint);

  for (size_t i = 0; config->qmp && config->qmp[i]; i++) {
    const char *equals = strchr(config->qmp[i], '=');
    g_autofree char *path = resolve(equals ? equals + 1 : config->qmp[i]);

    if (g_str_has_prefix(path, top) && strchr("/", path[strlen(top)]))
      return dacsa_fail(error, DACSA_ERROR_BAD_DATA,
                        "--qmp %s: the socket is below the mountpoint; have QEMU make it elsewhere",
                        config->qmp[i]);
  }
  return true;
}

static int
mount_as_told(const DacsaConfig *config, gid_t group, bool foreground, const char *mountpoint)
{
  const char *uri = config->connect ? config->connect : "qemu:///system";
  g_autofree char *path = g_canonicalize_filename(mountpoint, NULL);
  g_autofree char *state_path = dacsa_state_path(path);
  Mount m = {path, state_path, .ready_fd = -1, .foreground = foreground,
             .options = {.group = group, .show_all = config->show_all}};
  DacsaAmount host_cow_limit = {0};
  const DacsaPolicies policies = {{
      [DACSA_POLICY_METHOD] = (const char *const *)config->method,
      [DACSA_POLICY_COW_LIMIT] = (const char *const *)config->cow_limit,
      [DACSA_POLICY_EVERY] = (const char *const *)config->every,
      [DACSA_POLICY_KEEP] = (const char *const *)config->keep,
  }};
  g_autoptr(GError) error = NULL;
  if (!check_sockets(config, path, &error))
    return dacsa_cmd_fail("%s", error->message);
  if (config->host_cow_limit && !dacsa_amount_parse(config->host_cow_limit, &host_cow_limit, NULL))
    return dacsa_cmd_fail("--host-cow-limit %s is no amount", config->host_cow_limit);
  const DacsaKeeperOptions options = {.uri = strcmp(uri, "none") == 0 ? NULL : uri,
                                      .qmp = (const char *const *)config->qmp,
                                      .qmp_awaited = config->qmp_of_file,
                                      .state_path = state_path,
                                      .policies = policies,
                                      .host_cow_limit = host_cow_limit,
                                      .no_collapse = config->no_collapse,
                                      .drop_on_exit = config->drop_on_exit};

  return foreground ? serve(&m, &options, config->options)
                    : serve_in_background(&m, &options, config->options);
}

int
dacsa_cmd_mount(int argc, char **argv)
{
  g_autofree char *path = NULL;
  g_auto(DacsaConfig) config = {0};
  gboolean foreground = FALSE;
  const GOptionEntry entries[] = {
      {"config", 0, 0, G_OPTION_ARG_FILENAME, &path,
       "what the options do not tell, or `none` [/etc/dacsa.conf]", "FILE"},
      {"connect", 0, 0, G_OPTION_ARG_STRING, &config.connect,
       "libvirt connection, or `none` [qemu:///system]", "URI"},
      {"qmp", 0, 0, G_OPTION_ARG_STRING_ARRAY, &config.qmp,
       "a QEMU that libvirt does not manage; repeatable", "NAME=SOCKET"},
      {"group", 0, 0, G_OPTION_ARG_STRING, &config.group, "who may read beside root", "GROUP"},
      {"show-all", 0, 0, G_OPTION_ARG_NONE, &config.show_all,
       "list also what otherwise opens by name only", NULL},
      {"method", 0, 0, G_OPTION_ARG_STRING_ARRAY, &config.method,
       "how snapshots may be taken, the first that is possible [fork]; repeatable",
       "[VM=]METHOD,..."},
      {"cow-limit", 0, 0, G_OPTION_ARG_STRING_ARRAY, &config.cow_limit,
       "what a VM's snapshots may cost; then the oldest goes; repeatable", "[VM=]SIZE"},
      {"host-cow-limit", 0, 0, G_OPTION_ARG_STRING, &config.host_cow_limit,
       "what all snapshots together may cost", "SIZE"},
      {"every", 0, 0, G_OPTION_ARG_STRING_ARRAY, &config.every,
       "take a snapshot each time that this long has passed; repeatable", "[VM=]TIME"},
      {"keep", 0, 0, G_OPTION_ARG_STRING_ARRAY, &config.keep,
       "how many of those stay, the newest [3]; repeatable", "[VM=]NUMBER"},
      {"no-collapse", 0, 0, G_OPTION_ARG_NONE, &config.no_collapse,
       "leave QEMU's huge pages as snapshots split them", NULL},
      {"drop-on-exit", 0, 0, G_OPTION_ARG_NONE, &config.drop_on_exit,
       "drop all snapshots at the end instead of keeping them for the next mount", NULL},
      {"foreground", 'f', 0, G_OPTION_ARG_NONE, &foreground, "stay in the foreground", NULL},
      {"options", 'o', 0, G_OPTION_ARG_STRING, &config.options, "further mount options",
       "FUSE-OPTIONS"},
      {NULL, 0, 0, 0, NULL, NULL, NULL}};
  gid_t group = 0;
  int status;

  if (!dacsa_cmd_parse("mount", "MOUNTPOINT",
                       "Serves the VMs of this host as files on MOUNTPOINT. `mkdir VM/NAME` there "
                       "takes a snapshot,\n`rmdir` drops it. Ends with `umount MOUNTPOINT`, or on "
                       "SIGTERM; snapshots then wait for\nthe next mount in the same place.",
                       entries, &argc, &argv, &status))
    return status;
  if (argc != 2)
    return dacsa_cmd_usage("mount", "name one MOUNTPOINT");
  if (!complete(&config, path, &group, &status))
    return status;
  if (geteuid() != 0)
    return dacsa_cmd_fail("mounting needs root, for tracing QEMU and for mount(2); try again with "
                          "sudo");
  return mount_as_told(&config, group, foreground, argv[1]);
}
