/* One acquisition. Between stop and cont stands nothing but the registers and the fork. */
#include "snap/take.h"

#include "snap/connect.h"
#include "snap/error.h"
#include "snap/inject.h"
#include "snap/preflight.h"
#include "snap/procmaps.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define MONITOR_US (5 * G_USEC_PER_SEC)
#define QUIESCE_US (10 * G_USEC_PER_SEC)
#define RETRY_US (20 * 1000)
#define PARK_US (10 * G_USEC_PER_SEC)
#define TRIES 5

/* What one try made, before it is known to be good. */
typedef struct {
  pid_t child;
  int pidfd;
} Child;

static void
child_kill(Child *child)
{
  if (child->pidfd >= 0) {
    syscall(SYS_pidfd_send_signal, child->pidfd, SIGKILL, NULL, 0);
    close(child->pidfd);
  }
  child->pidfd = -1;
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Child, child_kill)

static int64_t
soon(void)
{
  return g_get_monotonic_time() + MONITOR_US;
}

/* One snapshot of a VM at a time, whichever daemon takes it: else one could fork while the other
 * resumes. An abstract socket is a lock that ends with its holder and leaves nothing behind. Owned,
 * or -1 with the reason. */
static int
lock_vm(pid_t pid, GError **error)
{
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  int64_t deadline = soon();
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  int n = snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "dacsa-take-%d", (int)pid);
  socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);

  while (fd >= 0 && bind(fd, (struct sockaddr *)&name, len) < 0) {
    if (errno != EADDRINUSE || g_get_monotonic_time() > deadline) {
      dacsa_fail(error, DACSA_ERROR_BUSY, "another dacsa takes a snapshot of this VM; try again");
      close(fd);
      return -1;
    }
    usleep(2000);
  }
  if (fd < 0)
    dacsa_fail_errno(error, errno, "cannot make a socket");
  return fd;
}

/* What may have changed since the probe. */
static bool
check_changed(DacsaMonitor *monitor, GError **error)
{
  g_autoptr(GPtrArray) findings = dacsa_preflight_changed(monitor);
  const DacsaFinding *refusal = dacsa_preflight_refusal(findings);

  return !refusal ||
         dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "%s; %s", refusal->reason, refusal->remedy);
}

/* Tries again where QEMU's main thread was at a place where it could not be done, and only if that
 * was found out at once: the VM is paused. */
static bool
fork_now(DacsaInjector *injector, const DacsaInjection *injection, Child *child, GError **error)
{
  int64_t deadline = g_get_monotonic_time() + RETRY_US;
  g_autoptr(GError) failure = NULL;
  bool ok = dacsa_injector_fork(injector, &child->child, &child->pidfd, &failure);

  while (!ok && g_error_matches(failure, DACSA_ERROR, DACSA_ERROR_BUSY) &&
         g_get_monotonic_time() < deadline) {
    g_clear_error(&failure);
    ok = dacsa_inject_fork(injection, &child->child, &child->pidfd, &failure);
  }
  if (!ok)
    g_propagate_error(error, g_steal_pointer(&failure));
  return ok;
}

/* The pause itself. record's times are filled in. The VM was running where `running`. */
static bool
pause_and_fork(DacsaMonitor *monitor, const DacsaProbe *probe, bool running, DacsaRecord *record,
               Child *child, DacsaTakeFailedEarly failed_early, void *data, GError **error)
{
  const DacsaInjection injection = {probe->pid, probe->gadgets, probe->vmas};
  g_autoptr(GError) failure = NULL;
  g_autoptr(GError) resume_failure = NULL;
  g_autoptr(DacsaInjector) injector = NULL;

  if (!dacsa_injector_new(&injection, &injector, error))
    return false;
  int64_t begin = g_get_monotonic_time();
  bool ok = running ? dacsa_monitor_stop(monitor, begin + QUIESCE_US, &record->registers, &failure)
                    : dacsa_monitor_hmp(monitor, "info registers -a", soon(), &record->registers,
                                        &failure);
  int64_t stopped = g_get_monotonic_time();

  record->taken_us = g_get_real_time();
  if (ok)
    ok = fork_now(injector, &injection, child, &failure);
  int64_t forked = g_get_monotonic_time();
  if (!ok && failed_early && g_error_matches(failure, DACSA_ERROR, DACSA_ERROR_BUSY))
    failed_early(failure, data);
  bool resumed = !running || !monitor->stopped_it || dacsa_monitor_cont(monitor, &resume_failure);
  record->quiesce_us = running ? stopped - begin : 0;
  record->fork_us = forked - stopped;
  record->pause_us = running ? g_get_monotonic_time() - begin : 0;
  if (!ok)
    g_propagate_error(error, g_steal_pointer(&failure));
  else if (!resumed)
    g_propagate_error(error, g_steal_pointer(&resume_failure));
  return ok && resumed;
}

/* QEMU's memory map may change under us (hotplug, firmware remapping ROM): the snapshot is good
 * only if the layout it was taken with still holds after it. */
static bool
layout_holds(DacsaMonitor *monitor, const DacsaProbe *probe, bool *ret, GError **error)
{
  g_autofree char *mtree = NULL;

  if (!dacsa_monitor_hmp(monitor, "info mtree -f", soon(), &mtree, error))
    return false;
  *ret = strcmp(mtree, probe->mtree) == 0;
  return true;
}

static bool
has_open_files(pid_t pid)
{
  g_autofree char *path = g_strdup_printf("/proc/%d/fd", (int)pid);
  g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);

  return !dir || g_dir_read_name(dir) != NULL;
}

/* Waits until the child sits in pause(2) with nothing open: parked. It is on its way there by
 * itself. Reads /proc/PID/syscall, whose first word is the call's number. */
static bool
wait_parked(pid_t pid, GError **error)
{
  g_autofree char *path = g_strdup_printf("/proc/%d/syscall", (int)pid);
  g_autofree char *want = g_strdup_printf("%d ", SYS_pause);
  int64_t deadline = g_get_monotonic_time() + PARK_US;

  for (useconds_t nap = 50; g_get_monotonic_time() < deadline; nap = MIN(nap * 2, 10000)) {
    g_autofree char *text = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL))
      return dacsa_fail(error, DACSA_ERROR_BUSY,
                        "the snapshot died before it was parked (killed "
                        "by the kernel: out of memory, or seccomp)");
    if (g_str_has_prefix(text, want) && !has_open_files(pid))
      return true;
    usleep(nap);
  }
  return dacsa_fail(error, DACSA_ERROR_BUSY, "the snapshot was not parked in time");
}

/* The snapshot is the first to die when memory runs out, never the VM. */
static bool
make_expendable(pid_t pid, GError **error)
{
  g_autofree char *path = g_strdup_printf("/proc/%d/oom_score_adj", (int)pid);
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  bool ok = fd >= 0 && write(fd, "1000", 4) == 4;
  int errsv = errno;

  if (fd >= 0)
    close(fd);
  return ok || dacsa_fail_errno(error, errsv, "%s", path);
}

static bool
resident_bytes(pid_t pid, uint64_t *ret)
{
  g_autofree char *path = g_strdup_printf("/proc/%d/statm", (int)pid);
  g_autofree char *text = NULL;
  unsigned long pages;

  if (!g_file_get_contents(path, &text, NULL, NULL) || sscanf(text, "%*u %lu", &pages) != 1)
    return false;
  *ret = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
  return true;
}

/* Whether the child has all of the guest's memory: the first byte of every range can be read. */
static bool
check_memory(const DacsaProbe *probe, pid_t child, GError **error)
{
  g_autofree char *path = g_strdup_printf("/proc/%d/mem", (int)child);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  bool ok = fd >= 0;

  for (guint i = 0; ok && i < probe->layout->ranges->len; i++) {
    const DacsaRange *range = &g_array_index(probe->layout->ranges, DacsaRange, i);
    char byte;

    ok = pread(fd, &byte, 1, (off_t)range->offset) == 1;
  }
  if (fd >= 0)
    close(fd);
  return ok || dacsa_fail(error, DACSA_ERROR_OS, "the fork does not hold the guest's memory");
}

/* What is left to do when the VM runs again. */
static bool
settle(const DacsaProbe *probe, const Child *child, DacsaRecord *record, GError **error)
{
  record->child = child->child;
  record->layout = dacsa_layout_copy(probe->layout);
  return make_expendable(child->child, error) && wait_parked(child->child, error) &&
         dacsa_procmaps_start_time(child->child, &record->child_start, error) &&
         check_memory(probe, child->child, error) &&
         resident_bytes(child->child, &record->resident_bytes);
}

/* Looks at the VM anew where its memory map is no longer the probe's: RAM that was plugged in since
 * may be of a kind that is refused. *ret and *probe are then the same; *ret is owned. */
static bool
renew_probe(DacsaMonitor *monitor, const DacsaProbe **probe, DacsaProbe **ret, GError **error)
{
  g_autoptr(DacsaProbe) fresh = NULL;
  bool holds;

  if (!layout_holds(monitor, *probe, &holds, error))
    return false;
  if (holds)
    return true;
  if (!dacsa_probe_monitor(monitor, &fresh, error))
    return false;
  if (fresh->reason)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "%s; %s", fresh->reason, fresh->remedy);
  dacsa_probe_free(*ret);
  *ret = g_steal_pointer(&fresh);
  *probe = *ret;
  return true;
}

static bool
take_locked(const DacsaVmAddress *address, const DacsaProbe *probe, const char *name,
            DacsaTakeFailedEarly failed_early, void *data, DacsaRecord **ret, GError **error)
{
  g_autoptr(DacsaMonitor) monitor = NULL;
  g_autoptr(DacsaProbe) fresh = NULL;
  g_autofree char *state = NULL;
  uint64_t start_time;

  if (!dacsa_connect(address, soon(), &monitor, error) ||
      !dacsa_procmaps_start_time(monitor->pid, &start_time, error))
    return false;
  if (monitor->pid != probe->pid || start_time != probe->start_time)
    return dacsa_fail(error, DACSA_ERROR_BUSY, "the VM was restarted just now: try again");
  if (!dacsa_monitor_state(monitor, soon(), &state, error) || !check_changed(monitor, error))
    return false;

  for (int tries = 0; tries < TRIES; tries++) {
    g_autoptr(DacsaRecord) record = dacsa_record_new();
    g_auto(Child) child = {.pidfd = -1};
    bool holds = false;

    record->vm = g_strdup(address->name);
    record->name = g_strdup(name);
    record->uuid = g_strdup(probe->uuid);
    record->method = g_strdup("fork");
    if (!renew_probe(monitor, &probe, &fresh, error) ||
        !pause_and_fork(monitor, probe, strcmp(state, "running") == 0, record, &child, failed_early,
                        data, error) ||
        !layout_holds(monitor, probe, &holds, error))
      return false;
    if (holds) {
      if (!settle(probe, &child, record, error))
        return false;
      close(child.pidfd);
      child.pidfd = -1; /* it lives on */
      *ret = g_steal_pointer(&record);
      return true;
    }
  }
  return dacsa_fail(error, DACSA_ERROR_BUSY,
                    "the VM's memory map kept changing: try again when it has booted");
}

bool
dacsa_take(const DacsaVmAddress *address, const DacsaProbe *probe, const char *name,
           DacsaTakeFailedEarly failed_early, void *data, DacsaRecord **ret, GError **error)
{
  int lock = lock_vm(probe->pid, error);
  bool ok = lock >= 0 && take_locked(address, probe, name, failed_early, data, ret, error);

  if (lock >= 0)
    close(lock);
  return ok;
}

bool
dacsa_take_verify(const DacsaProbe *probe, GError **error)
{
  g_autoptr(GArray) host = NULL;

  if (!dacsa_procmaps_read(probe->pid, &host, error))
    return false;
  for (guint i = 0; i < probe->vmas->len; i++) {
    const DacsaForkVma *want = &g_array_index(probe->vmas, DacsaForkVma, i);
    const DacsaHostVma *vma = dacsa_procmaps_find(host, want->start);

    if (vma && !vma->dont_fork)
      return dacsa_fail(error, DACSA_ERROR_OS,
                        "MADV_DONTFORK is not back on QEMU's memory at 0x%" PRIx64, want->start);
  }
  return true;
}
