/*
 * A running VM's monitor, as acquisition needs it; snap/connect.h opens one. One caller, one
 * thread. Deadlines as in snap/qmp.h; libvirt's calls know none, they return when they return.
 */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct DacsaMonitor DacsaMonitor;

typedef struct {
  bool (*stop)(DacsaMonitor *self, int64_t deadline, char **ret_registers, GError **error);
  bool (*cont)(DacsaMonitor *self, GError **error);
  bool (*hmp)(DacsaMonitor *self, const char *line, int64_t deadline, char **ret, GError **error);
  bool (*query)(DacsaMonitor *self, const char *command, int64_t deadline, JsonNode **ret,
                GError **error);
  void (*free)(DacsaMonitor *self);
} DacsaMonitorOps;

struct DacsaMonitor {
  const DacsaMonitorOps *ops;
  pid_t pid;              /* QEMU's */
  bool stopped_it;        /* by stop: the VM ran until then, and is ours to resume */
  bool resumed_elsewhere; /* by cont: somebody else had resumed it already */
};

void dacsa_monitor_free(DacsaMonitor *monitor);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaMonitor, dacsa_monitor_free)

/* Pauses the vCPUs, drains and flushes block I/O, then prints all vCPUs' registers (owned). A VM
 * that somebody else had paused stays theirs: see stopped_it. After a failure the VM may be
 * stopped, or be about to: stopped_it is set then, too. */
bool dacsa_monitor_stop(DacsaMonitor *monitor, int64_t deadline, char **ret_registers,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Resumes. Waits as long as it takes: nothing matters more. */
bool dacsa_monitor_cont(DacsaMonitor *monitor, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The run state ("running", "paused", ...); owned. */
bool dacsa_monitor_state(DacsaMonitor *monitor, int64_t deadline, char **ret,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The output of a human monitor command, owned, with \n line ends. */
bool dacsa_monitor_hmp(DacsaMonitor *monitor, const char *line, int64_t deadline, char **ret,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The "return" of a QMP command without arguments, owned. */
bool dacsa_monitor_query(DacsaMonitor *monitor, const char *command, int64_t deadline,
                         JsonNode **ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;
