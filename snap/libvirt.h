/* VMs of libvirt: which run, their pid, and their monitor (virDomainQemuMonitorCommand). */
#pragma once

#include "snap/address.h"
#include "snap/monitor.h"

typedef struct DacsaLibvirt DacsaLibvirt;

/* Called from the main loop whenever domains may have started or stopped. */
typedef void (*DacsaLibvirtChanged)(void *data);

/* Once, before any connection that is to deliver events: libvirt's events run in the default
 * GMainContext's thread from then on. */
void dacsa_libvirt_init(void);

/* Opens a connection and watches it; when it breaks, tries again until freed. */
bool dacsa_libvirt_new(const char *uri, DacsaLibvirtChanged changed, void *data, DacsaLibvirt **ret,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;
void dacsa_libvirt_free(DacsaLibvirt *libvirt);

/* The running domains: owned array of owned DacsaVmAddress. BUSY: not connected just now. */
bool dacsa_libvirt_list(DacsaLibvirt *libvirt, GPtrArray **ret,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A monitor over a connection of its own. */
bool dacsa_libvirt_monitor_open(const DacsaVmAddress *address, DacsaMonitor **ret,
                                GError **error) G_GNUC_WARN_UNUSED_RESULT;
