/* Workers: fork, run, reply over a pipe. */
#include "snap/worker.h"

#include "snap/error.h"
#include "snap/hostfile.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define REPLY_TYPE "(bismv)" /* ok, error code, message, payload */
#define MAX_REPLY (64u << 20)
#define WORKER_NICE (-20)
#define WORKER_AUTOGROUP "-20"

struct DacsaWorker {
  pid_t pid;
  int reply_fd;
  guint reply_source, deadline_source, exit_source;
  int pidfd;
  GByteArray *reply;
  DacsaWorkerDone done;   /* NULL once called */
  DacsaWorkerEnded ended; /* or NULL */
  void *data;
};

void
dacsa_worker_reply(int reply_fd, GVariant *payload, const GError *error)
{
  g_autoptr(GVariant) reply = g_variant_ref_sink(g_variant_new(
      REPLY_TYPE, payload != NULL, error ? error->code : 0, error ? error->message : "", payload));
  const char *data = g_variant_get_data(reply);
  size_t len = g_variant_get_size(reply);

  while (len > 0) {
    ssize_t n = write(reply_fd, data, len);

    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      break;
    data += n;
    len -= (size_t)n;
  }
  close(reply_fd);
}

/* The worker is reaped when it ends, which may be long after its reply. */
static void
worker_free_if_over(DacsaWorker *self)
{
  if (self->reply_source || self->exit_source)
    return;
  if (self->deadline_source)
    g_source_remove(self->deadline_source);
  if (self->ended)
    self->ended(self->pid, !self->done, self->data);
  close(self->reply_fd);
  close(self->pidfd);
  g_byte_array_unref(self->reply);
  g_free(self);
}

static void
call_done(DacsaWorker *self, GVariant *payload, const GError *error)
{
  DacsaWorkerDone done = g_steal_pointer(&self->done);

  if (done)
    done(payload, error, self->data);
}

static void
finish_reply(DacsaWorker *self)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GVariant) payload = NULL;
  g_autoptr(GBytes) bytes = g_bytes_new(self->reply->data, self->reply->len);
  g_autoptr(GVariant) reply =
      g_variant_ref_sink(g_variant_new_from_bytes(G_VARIANT_TYPE(REPLY_TYPE), bytes, FALSE));
  gboolean ok = FALSE;
  gint32 code = DACSA_ERROR_OS;
  const char *message = "";

  if (self->reply->len > 0 && g_variant_is_normal_form(reply))
    g_variant_get(reply, "(bi&smv)", &ok, &code, &message, &payload);
  else if (self->ended)
    return; /* who started it hears of its end */
  else
    message = "the process that did it died";
  if (ok && payload) {
    call_done(self, payload, NULL);
    return;
  }
  dacsa_fail(&error, (DacsaError)code, "%s", message);
  call_done(self, NULL, error);
}

static gboolean
on_reply(gint fd, GIOCondition condition, void *data)
{
  DacsaWorker *self = data;
  uint8_t buf[65536];
  ssize_t n = read(fd, buf, sizeof(buf));

  (void)condition;
  if (n < 0 && (errno == EINTR || errno == EAGAIN))
    return G_SOURCE_CONTINUE;
  if (n > 0 && self->reply->len < MAX_REPLY) {
    g_byte_array_append(self->reply, buf, (guint)n);
    return G_SOURCE_CONTINUE;
  }
  self->reply_source = 0;
  finish_reply(self);
  worker_free_if_over(self);
  return G_SOURCE_REMOVE;
}

static gboolean
on_worker_exit(gint fd, GIOCondition condition, void *data)
{
  DacsaWorker *self = data;

  (void)fd;
  (void)condition;
  waitpid(self->pid, NULL, 0);
  self->exit_source = 0;
  worker_free_if_over(self);
  return G_SOURCE_REMOVE;
}

static gboolean
on_deadline(void *data)
{
  DacsaWorker *self = data;
  g_autoptr(GError) error = NULL;

  self->deadline_source = 0;
  dacsa_fail(&error, DACSA_ERROR_BUSY,
             "the VM's monitor does not answer; it is resumed as soon as it does");
  call_done(self, NULL, error);
  return G_SOURCE_REMOVE;
}

/* Nothing of the daemon may stay open here: its lock and its channel would outlive it. Each becomes
 * /dev/null instead of being closed, since libraries still hold the numbers: GLib wakes its main
 * loop by a write, which must not reach whatever gets the number next. */
static void
abandon_descriptors(int keep)
{
  g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
  g_autoptr(GArray) fds = g_array_new(FALSE, FALSE, sizeof(int));
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  const char *name;

  while (dir && (name = g_dir_read_name(dir))) {
    int fd = (int)g_ascii_strtoll(name, NULL, 10);

    if (fd > STDERR_FILENO && fd != keep && fd != null)
      g_array_append_val(fds, fd);
  }
  for (guint i = 0; i < fds->len && null >= 0; i++)
    if (fcntl(g_array_index(fds, int, i), F_GETFD) >= 0)
      dup3(null, g_array_index(fds, int, i), O_CLOEXEC);
}

/* Writes to a file of /proc/self; where that is not allowed, or it is not there, all stays as it
 * is.
 */
static void
set_own(const char *name, const char *value)
{
  g_autoptr(GError) error = NULL;

  if (!dacsa_hostfile_write(getpid(), name, value, &error))
    g_debug("%s", error->message);
}

/* From here on nothing that is sent to the daemon or its terminal reaches this process, the OOM
 * killer looks elsewhere, and it goes first when processors are scarce: a VM may be paused. */
static void
become_worker(int reply_fd)
{
  sigset_t all;

  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
  setsid();
  if (setpriority(PRIO_PROCESS, 0, WORKER_NICE) < 0)
    g_debug("a worker's priority stays as it is: %m"); /* without CAP_SYS_NICE */
  /* Where the kernel shares processors out by session first, that counts within this one only
   * (sched(7), autogroup). */
  set_own("autogroup", WORKER_AUTOGROUP);
  set_own("oom_score_adj", "-1000");
  abandon_descriptors(reply_fd);
}

/* The first to go when memory runs short; and what nobody waits for any more need not be done. */
static void
become_expendable(pid_t parent)
{
  set_own("oom_score_adj", "1000");
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent)
    _exit(0);
}

static _Noreturn void
run_job(DacsaWorkerJob job, void *job_data, int reply_fd, pid_t expendable_of)
{
  become_worker(reply_fd);
  if (expendable_of)
    become_expendable(expendable_of);
  job(reply_fd, job_data);
  _exit(0);
}

/* deadline_us 0: there is none, and the job is expendable. */
static DacsaWorker *
start(DacsaWorkerJob job, void *job_data, gint64 deadline_us, DacsaWorkerDone done,
      DacsaWorkerEnded ended, void *data, GError **error)
{
  const pid_t parent = getpid();
  int fds[2];

  if (pipe2(fds, O_CLOEXEC) < 0) {
    dacsa_fail_errno(error, errno, "cannot make a pipe");
    return NULL;
  }
  pid_t pid = fork();
  if (pid < 0) {
    int errsv = errno;
    close(fds[0]);
    close(fds[1]);
    dacsa_fail_errno(error, errsv, "cannot start a worker");
    return NULL;
  }
  if (pid == 0)
    run_job(job, job_data, fds[1], deadline_us ? 0 : parent);
  close(fds[1]);
  DacsaWorker *self = g_new0(DacsaWorker, 1);
  self->pid = pid;
  self->reply_fd = fds[0];
  self->reply = g_byte_array_new();
  self->done = done;
  self->ended = ended;
  self->data = data;
  self->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
  self->reply_source = g_unix_fd_add(fds[0], G_IO_IN | G_IO_HUP, on_reply, self);
  self->exit_source = g_unix_fd_add(self->pidfd, G_IO_IN, on_worker_exit, self);
  if (deadline_us)
    self->deadline_source = g_timeout_add((guint)(deadline_us / 1000), on_deadline, self);
  return self;
}

bool
dacsa_worker_start_watched(DacsaWorkerJob job, void *job_data, gint64 deadline_us,
                           DacsaWorkerDone done, DacsaWorkerEnded ended, void *data, GError **error)
{
  return start(job, job_data, MAX(deadline_us, 1), done, ended, data, error) != NULL;
}

bool
dacsa_worker_start(DacsaWorkerJob job, void *job_data, gint64 deadline_us, DacsaWorkerDone done,
                   void *done_data, GError **error)
{
  return dacsa_worker_start_watched(job, job_data, deadline_us, done, NULL, done_data, error);
}

bool
dacsa_worker_start_expendable(DacsaWorkerJob job, void *job_data, DacsaWorkerDone done,
                              DacsaWorkerEnded ended, void *data, DacsaWorker **ret, GError **error)
{
  *ret = start(job, job_data, 0, done, ended, data, error);
  return *ret != NULL;
}

pid_t
dacsa_worker_end(DacsaWorker *self)
{
  self->done = NULL;
  syscall(SYS_pidfd_send_signal, self->pidfd, SIGKILL, NULL, 0);
  return self->pid;
}

bool
dacsa_worker_await(pid_t pid, int timeout_ms)
{
  struct pollfd ended = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};

  if (ended.fd < 0)
    return errno == ESRCH; /* reaped already */
  const bool ok = poll(&ended, 1, timeout_ms) == 1;
  close(ended.fd);
  return ok;
}
