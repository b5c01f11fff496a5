/* The monitor's interface: its calls, and what is the same for all kinds. */
#include "snap/monitor.h"

#include "snap/error.h"

void
dacsa_monitor_free(DacsaMonitor *monitor)
{
  if (monitor)
    monitor->ops->free(monitor);
}

bool
dacsa_monitor_stop(DacsaMonitor *monitor, int64_t deadline, char **ret_registers, GError **error)
{
  return monitor->ops->stop(monitor, deadline, ret_registers, error);
}

bool
dacsa_monitor_cont(DacsaMonitor *monitor, GError **error)
{
  return monitor->ops->cont(monitor, error);
}

bool
dacsa_monitor_hmp(DacsaMonitor *monitor, const char *line, int64_t deadline, char **ret,
                  GError **error)
{
  return monitor->ops->hmp(monitor, line, deadline, ret, error);
}

bool
dacsa_monitor_query(DacsaMonitor *monitor, const char *command, int64_t deadline, JsonNode **ret,
                    GError **error)
{
  return monitor->ops->query(monitor, command, deadline, ret, error);
}

bool
dacsa_monitor_state(DacsaMonitor *monitor, int64_t deadline, char **ret, GError **error)
{
  g_autoptr(JsonNode) node = NULL;

  if (!dacsa_monitor_query(monitor, "query-status", deadline, &node, error))
    return false;
  if (!JSON_NODE_HOLDS_OBJECT(node))
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "query-status: the reply is not an object");
  *ret = g_strdup(
      json_object_get_string_member_with_default(json_node_get_object(node), "status", "unknown"));
  return true;
}
