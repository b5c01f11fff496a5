/* Where a VM's monitor is: enough to reach it, and to reach it again. */
#pragma once

#include <glib.h>

typedef struct {
  char *name;   /* the VM's, as the tree shows it */
  char *socket; /* QMP; else NULL and: */
  char *uri;    /* libvirt connection, and */
  char *uuid;   /* the domain */
} DacsaVmAddress;

DacsaVmAddress *dacsa_vm_address_new(const char *name, const char *socket, const char *uri,
                                     const char *uuid);
void dacsa_vm_address_free(DacsaVmAddress *address);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaVmAddress, dacsa_vm_address_free)
