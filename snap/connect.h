/* Opens a VM's monitor, whichever kind its address names. */
#pragma once

#include "snap/address.h"
#include "snap/monitor.h"

bool dacsa_connect(const DacsaVmAddress *address, int64_t deadline, DacsaMonitor **ret,
                   GError **error) G_GNUC_WARN_UNUSED_RESULT;
