/* The monitor over QMP. */
#include "snap/qmp-monitor.h"

#include "snap/error.h"
#include "snap/qmp.h"

#define HMP_REGISTERS "{\"command-line\":\"info registers -a\"}"

typedef struct {
  DacsaMonitor monitor;
  DacsaQmp *qmp;
  guint unanswered; /* commands whose reply has not come */
  guint resumes;    /* events, when it was stopped */
} QmpMonitor;

static bool
qmp_send(QmpMonitor *self, const char *command, const char *arguments, GError **error)
{
  if (!dacsa_qmp_send(self->qmp, command, arguments, error))
    return false;
  self->unanswered++;
  return true;
}

static bool
qmp_receive(QmpMonitor *self, int64_t deadline, JsonNode **ret, GError **error)
{
  g_autoptr(GError) cause = NULL;

  if (dacsa_qmp_receive(self->qmp, deadline, ret, &cause)) {
    self->unanswered--;
    return true;
  }
  /* An error that QEMU sent is an answer too. */
  if (g_error_matches(cause, DACSA_ERROR, DACSA_ERROR_UNSUPPORTED))
    self->unanswered--;
  g_propagate_error(error, g_steal_pointer(&cause));
  return false;
}

/* Receives replies until only `due` commands are unanswered; how the others went is of no account.
 */
static bool
qmp_catch_up(QmpMonitor *self, guint due, int64_t deadline, GError **error)
{
  while (self->unanswered > due) {
    guint before = self->unanswered;
    g_autoptr(GError) cause = NULL;

    if (!qmp_receive(self, deadline, NULL, &cause) && self->unanswered == before) {
      g_propagate_error(error, g_steal_pointer(&cause));
      return false;
    }
  }
  return true;
}

/* Sends a command and returns its own reply. */
static bool
qmp_execute(QmpMonitor *self, const char *command, const char *arguments, int64_t deadline,
            JsonNode **ret, GError **error)
{
  return qmp_send(self, command, arguments, error) && qmp_catch_up(self, 1, deadline, error) &&
         qmp_receive(self, deadline, ret, error);
}

static bool
node_string(JsonNode *node, char **ret, GError **error)
{
  if (!node || !JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_STRING)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "the monitor's reply is not text");
  g_auto(GStrv) parts = g_strsplit(json_node_get_string(node), "\r\n", -1);
  *ret = g_strjoinv("\n", parts);
  return true;
}

/* Whether a query-status reply says that the vCPUs run. */
static bool
says_running(JsonNode *status)
{
  return JSON_NODE_HOLDS_OBJECT(status) &&
         json_object_get_boolean_member_with_default(json_node_get_object(status), "running", TRUE);
}

/* All travel together: fewer round trips in the pause, and hardly a moment for another client to
 * stop the VM between the question whether it runs and our stop. One that does shows in the lack of
 * a STOP event of ours. */
static bool
qmp_stop(DacsaMonitor *monitor, int64_t deadline, char **ret_registers, GError **error)
{
  QmpMonitor *self = (QmpMonitor *)monitor;
  g_autoptr(JsonNode) status = NULL;
  g_autoptr(JsonNode) registers = NULL;

  monitor->stopped_it = true;
  if (!qmp_send(self, "query-status", NULL, error) || !qmp_send(self, "stop", NULL, error) ||
      !qmp_send(self, "human-monitor-command", HMP_REGISTERS, error) ||
      !qmp_catch_up(self, 3, deadline, error) || !qmp_receive(self, deadline, &status, error))
    return false;
  guint stops = dacsa_qmp_stops(self->qmp);
  self->resumes = dacsa_qmp_resumes(self->qmp);
  monitor->stopped_it = says_running(status);
  if (!qmp_receive(self, deadline, NULL, error) ||
      !qmp_receive(self, deadline, &registers, error) ||
      !node_string(registers, ret_registers, error))
    return false;
  monitor->stopped_it = monitor->stopped_it && dacsa_qmp_stops(self->qmp) > stops;
  return true;
}

/* QEMU tells of each resumption before it answers, ours among them.
 * Sent at once, even behind a stop that hangs: QEMU then runs it as soon as it can. */
static bool
qmp_cont(DacsaMonitor *monitor, GError **error)
{
  QmpMonitor *self = (QmpMonitor *)monitor;

  if (!qmp_execute(self, "cont", NULL, -1, NULL, error))
    return false;
  monitor->resumed_elsewhere = dacsa_qmp_resumes(self->qmp) > self->resumes + 1;
  return true;
}

static bool
qmp_query(DacsaMonitor *monitor, const char *command, int64_t deadline, JsonNode **ret,
          GError **error)
{
  return qmp_execute((QmpMonitor *)monitor, command, NULL, deadline, ret, error);
}

static bool
qmp_hmp(DacsaMonitor *monitor, const char *line, int64_t deadline, char **ret, GError **error)
{
  g_autofree char *arguments = g_strdup_printf("{\"command-line\":\"%s\"}", line);
  g_autoptr(JsonNode) node = NULL;

  return qmp_execute((QmpMonitor *)monitor, "human-monitor-command", arguments, deadline, &node,
                     error) &&
         node_string(node, ret, error);
}

static void
qmp_free(DacsaMonitor *monitor)
{
  QmpMonitor *self = (QmpMonitor *)monitor;

  dacsa_qmp_free(self->qmp);
  g_free(self);
}

bool
dacsa_qmp_monitor_open(const DacsaVmAddress *address, int64_t deadline, DacsaMonitor **ret,
                       GError **error)
{
  static const DacsaMonitorOps ops = {qmp_stop, qmp_cont, qmp_hmp, qmp_query, qmp_free};
  g_autoptr(DacsaQmp) qmp = NULL;

  if (!dacsa_qmp_connect(address->socket, deadline, &qmp, error))
    return false;
  QmpMonitor *self = g_new0(QmpMonitor, 1);
  self->monitor.ops = &ops;
  self->monitor.pid = dacsa_qmp_peer(qmp);
  self->qmp = g_steal_pointer(&qmp);
  self->unanswered = 1; /* qmp_capabilities */
  *ret = &self->monitor;
  return true;
}
