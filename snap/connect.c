/* QMP or libvirt. */
#include "snap/connect.h"

#include "snap/libvirt.h"
#include "snap/qmp-monitor.h"

bool
dacsa_connect(const DacsaVmAddress *address, int64_t deadline, DacsaMonitor **ret, GError **error)
{
  return address->socket ? dacsa_qmp_monitor_open(address, deadline, ret, error)
                         : dacsa_libvirt_monitor_open(address, ret, error);
}
