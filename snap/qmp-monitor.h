/* A monitor over a QMP socket. */
#pragma once

#include "snap/address.h"
#include "snap/monitor.h"

bool dacsa_qmp_monitor_open(const DacsaVmAddress *address, int64_t deadline, DacsaMonitor **ret,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;
