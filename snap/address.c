/* VM addresses. */
#include "snap/address.h"

DacsaVmAddress *
dacsa_vm_address_new(const char *name, const char *socket, const char *uri, const char *uuid)
{
  DacsaVmAddress *address = g_new0(DacsaVmAddress, 1);

  address->name = g_strdup(name);
  address->socket = g_strdup(socket);
  address->uri = g_strdup(uri);
  address->uuid = g_strdup(uuid);
  return address;
}

void
dacsa_vm_address_free(DacsaVmAddress *address)
{
  if (!address)
    return;
  g_free(address->name);
  g_free(address->socket);
  g_free(address->uri);
  g_free(address->uuid);
  g_free(address);
}
