/* One acquisition. Between stop and cont stands nothing but the registers and the fork. */
#include "snap/take.h"

#include "snap/connect.h"
#include "snap/error.h"
#include "snap/inject.h"
#include "snap/method.h"
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
#define TRIES 5

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

/* The pause itself. record's times are filled in. The VM was running where `running`. */
static bool
pause_and_acquire(DacsaMonitor *monitor, DacsaAcquisition *acquisition, bool running,
                  DacsaRecord *record, const DacsaTakeOptions *options, GError **error)
{
  const DacsaMethod *method = acquisition->method;
  g_autoptr(GError) failure = NULL;
  g_autoptr(GError) resume_failure = NULL;

  if (!method->prepare(acquisition, error))
    return false;
  int64_t begin = g_get_monotonic_time();
  bool ok = running ? dacsa_monitor_stop(monitor, begin + QUIESCE_US, &record->registers, &failure)
                    : dacsa_monitor_hmp(monitor, "info registers -a", soon(), &record->registers,
                                        &failure);
  int64_t stopped = g_get_monotonic_time();

  record->taken_us = g_get_real_time();
  if (ok)
    ok = method->acquire(acquisition, &failure);
  int64_t acquired = g_get_monotonic_time();
  if (!ok && options->failed_early && g_error_matches(failure, DACSA_ERROR, DACSA_ERROR_BUSY))
    options->failed_early(failure, options->data);
  bool resumed = !running || !monitor->stopped_it || dacsa_monitor_cont(monitor, &resume_failure);
  record->quiesce_us = running ? stopped - begin : 0;
  record->fork_us = acquired - stopped;
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

/* Whether what was found out about the VM still holds: its memory map, and that nothing forbids the
 * method. */
static bool
probe_holds(DacsaMonitor *monitor, const DacsaProbe *probe, bool *ret, GError **error)
{
  const DacsaMethod *method = dacsa_method_find(probe->method);

  if (!layout_holds(monitor, probe, ret, error))
    return false;
  if (*ret) {
    g_autoptr(GPtrArray) findings = dacsa_preflight_changed(monitor, method->bit);

    *ret = !dacsa_preflight_refusal(findings, method->bit);
  }
  return true;
}

/* Looks at the VM anew where the probe does not hold: RAM that was plugged in since may be of a
 * kind that is refused, or needs another method. *ret and *probe are then the same; *ret is owned.
 */
static bool
renew_probe(DacsaMonitor *monitor, const DacsaTakeOptions *options, const DacsaProbe **probe,
            DacsaProbe **ret, GError **error)
{
  g_autoptr(DacsaProbe) fresh = NULL;
  bool holds;

  if (!probe_holds(monitor, *probe, &holds, error))
    return false;
  if (holds)
    return true;
  if (!dacsa_probe_monitor(monitor, options->methods, &fresh, error))
    return false;
  if (!fresh->method)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "%s; %s", fresh->reason, fresh->remedy);
  dacsa_probe_free(*ret);
  *ret = g_steal_pointer(&fresh);
  *probe = *ret;
  return true;
}

/* The VM that was probed, and no other at the same address. */
static bool
connect_to_probed(const DacsaTakeOptions *options, DacsaMonitor **ret, GError **error)
{
  uint64_t start_time;

  if (!dacsa_connect(options->address, soon(), ret, error) ||
      !dacsa_procmaps_start_time((*ret)->pid, &start_time, error))
    return false;
  return ((*ret)->pid == options->probe->pid && start_time == options->probe->start_time) ||
         dacsa_fail(error, DACSA_ERROR_BUSY, "the VM was restarted just now: try again");
}

static DacsaRecord *
new_record(const DacsaTakeOptions *options, const DacsaProbe *probe)
{
  DacsaRecord *record = dacsa_record_new();

  record->vm = g_strdup(options->address->name);
  record->name = g_strdup(options->name);
  record->uuid = g_strdup(probe->uuid);
  record->method = g_strdup(probe->method);
  return record;
}

static bool
take_locked(const DacsaTakeOptions *options, DacsaRecord **ret, GError **error)
{
  g_autoptr(DacsaMonitor) monitor = NULL;
  g_autoptr(DacsaProbe) fresh = NULL;
  g_autofree char *state = NULL;
  g_autofree char *label =
      g_strdup_printf("%s/%s@%s", options->state_path, options->address->name, options->name);
  const DacsaProbe *probe = options->probe;

  if (!connect_to_probed(options, &monitor, error) ||
      !dacsa_monitor_state(monitor, soon(), &state, error))
    return false;
  for (int tries = 0; tries < TRIES; tries++) {
    g_autoptr(DacsaRecord) record = NULL;
    g_auto(DacsaAcquisition) acquisition = {.pidfd = -1};
    bool holds = false;

    if (!renew_probe(monitor, options, &probe, &fresh, error))
      return false;
    record = new_record(options, probe);
    dacsa_acquisition_init(&acquisition, dacsa_method_find(probe->method), probe, label);
    if (!pause_and_acquire(monitor, &acquisition, strcmp(state, "running") == 0, record, options,
                           error) ||
        !layout_holds(monitor, probe, &holds, error))
      return false;
    if (holds) {
      if (!dacsa_acquisition_settle(&acquisition, record, error))
        return false;
      *ret = g_steal_pointer(&record);
      return true;
    }
  }
  return dacsa_fail(error, DACSA_ERROR_BUSY,
                    "the VM's memory map kept changing: try again when it has booted");
}

bool
dacsa_take(const DacsaTakeOptions *options, DacsaRecord **ret, GError **error)
{
  int lock = lock_vm(options->probe->pid, error);
  bool ok = lock >= 0 && take_locked(options, ret, error);

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
