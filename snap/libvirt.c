/* Domains and monitors through libvirt. */
#include "snap/libvirt.h"

#include "snap/error.h"

#include <glib-unix.h>
#include <libvirt/libvirt-qemu.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

#define RECONNECT_SECONDS 2

G_DEFINE_AUTOPTR_CLEANUP_FUNC(virDomain, virDomainFree)

struct DacsaLibvirt {
  char *uri;
  virConnectPtr connection; /* NULL: not connected just now */
  DacsaLibvirtChanged changed;
  void *data;
  guint retry; /* GSource id, or 0 */
};

typedef struct {
  DacsaMonitor monitor;
  virConnectPtr connection;
  virDomainPtr domain;
  bool suspended; /* by us */
} LibvirtMonitor;

/* libvirt prints its errors on stderr unless told otherwise; ours carry them. */
static void
ignore_error(void *data, virErrorPtr error)
{
  (void)data;
  (void)error;
}

static bool
fail_libvirt(GError **error, DacsaError code, const char *what)
{
  const char *why = virGetLastErrorMessage();

  return dacsa_fail(error, code, "%s: %s", what, why ? why : "libvirt gives no reason");
}

/* -- the set of domains -- */

static bool connect_and_watch(DacsaLibvirt *self, GError **error);

static gboolean
retry_connect(void *data)
{
  DacsaLibvirt *self = data;

  if (!connect_and_watch(self, NULL))
    return G_SOURCE_CONTINUE;
  self->retry = 0;
  self->changed(self->data);
  return G_SOURCE_REMOVE;
}

static void
on_close(virConnectPtr connection, int reason, void *data)
{
  DacsaLibvirt *self = data;

  (void)connection;
  (void)reason;
  if (self->retry == 0)
    self->retry = g_timeout_add_seconds(RECONNECT_SECONDS, retry_connect, self);
}

static int
on_lifecycle(virConnectPtr connection, virDomainPtr domain, int event, int detail, void *data)
{
  DacsaLibvirt *self = data;

  (void)connection;
  (void)domain;
  (void)detail;
  if (event == VIR_DOMAIN_EVENT_STARTED || event == VIR_DOMAIN_EVENT_STOPPED)
    self->changed(self->data);
  return 0;
}

static bool
connect_and_watch(DacsaLibvirt *self, GError **error)
{
  g_clear_pointer(&self->connection, virConnectClose);
  self->connection = virConnectOpen(self->uri);
  if (!self->connection)
    return fail_libvirt(error, DACSA_ERROR_NOT_FOUND, self->uri);
  virConnectSetKeepAlive(self->connection, 5, 3);
  if (virConnectRegisterCloseCallback(self->connection, on_close, self, NULL) < 0 ||
      virConnectDomainEventRegisterAny(self->connection, NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                       VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle), self, NULL) < 0)
    return fail_libvirt(error, DACSA_ERROR_UNSUPPORTED, "cannot watch libvirt's domains");
  return true;
}

void
dacsa_libvirt_init(void)
{
  virSetErrorFunc(NULL, ignore_error);
  virEventRegisterDefaultImpl();
}

bool
dacsa_libvirt_new(const char *uri, DacsaLibvirtChanged changed, void *data, DacsaLibvirt **ret,
                  GError **error)
{
  DacsaLibvirt *self = g_new0(DacsaLibvirt, 1);

  self->uri = g_strdup(uri);
  self->changed = changed;
  self->data = data;
  if (!connect_and_watch(self, error)) {
    dacsa_libvirt_free(self);
    return false;
  }
  *ret = self;
  return true;
}

void
dacsa_libvirt_free(DacsaLibvirt *self)
{
  if (!self)
    return;
  if (self->retry)
    g_source_remove(self->retry);
  if (self->connection) {
    virConnectUnregisterCloseCallback(self->connection, on_close);
    virConnectClose(self->connection);
  }
  g_free(self->uri);
  g_free(self);
}

bool
dacsa_libvirt_list(DacsaLibvirt *self, GPtrArray **ret, GError **error)
{
  g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func((GDestroyNotify)dacsa_vm_address_free);
  virDomainPtr *domains = NULL;

  if (self->retry != 0 || !self->connection)
    return dacsa_fail(error, DACSA_ERROR_BUSY, "%s: the connection is down", self->uri);
  int n = virConnectListAllDomains(self->connection, &domains, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
  if (n < 0)
    return fail_libvirt(error, DACSA_ERROR_BUSY, self->uri);
  for (int i = 0; i < n; i++) {
    char uuid[VIR_UUID_STRING_BUFLEN];

    if (virDomainGetUUIDString(domains[i], uuid) == 0)
      g_ptr_array_add(list,
                      dacsa_vm_address_new(virDomainGetName(domains[i]), NULL, self->uri, uuid));
    virDomainFree(domains[i]);
  }
  free(domains);
  *ret = g_steal_pointer(&list);
  return true;
}

/* -- a domain's monitor -- */

static bool
monitor_command(LibvirtMonitor *self, const char *command, unsigned flags, char **ret,
                GError **error)
{
  char *output = NULL;

  if (virDomainQemuMonitorCommand(self->domain, command, &output, flags) < 0)
    return fail_libvirt(error, DACSA_ERROR_BUSY, "libvirt's monitor command failed");
  *ret = g_strdup(output);
  free(output);
  return true;
}

static bool
libvirt_hmp(DacsaMonitor *monitor, const char *line, int64_t deadline, char **ret, GError **error)
{
  g_autofree char *text = NULL;

  (void)deadline;
  if (!monitor_command((LibvirtMonitor *)monitor, line, VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP, &text,
                       error))
    return false;
  g_auto(GStrv) parts = g_strsplit(text, "\r\n", -1);
  *ret = g_strjoinv("\n", parts);
  return true;
}

static bool
libvirt_query(DacsaMonitor *monitor, const char *command, int64_t deadline, JsonNode **ret,
              GError **error)
{
  g_autofree char *line = g_strdup_printf("{\"execute\":\"%s\"}", command);
  g_autofree char *text = NULL;

  (void)deadline;
  if (!monitor_command((LibvirtMonitor *)monitor, line, VIR_DOMAIN_QEMU_MONITOR_COMMAND_DEFAULT,
                       &text, error))
    return false;
  g_autoptr(JsonNode) node = json_from_string(text, NULL);
  if (!node || !JSON_NODE_HOLDS_OBJECT(node))
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "%s: the reply is not an object", command);
  JsonObject *object = json_node_get_object(node);
  if (!json_object_has_member(object, "return"))
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "%s: QEMU answered with an error", command);
  *ret = json_object_dup_member(object, "return");
  return true;
}

static bool
libvirt_stop(DacsaMonitor *monitor, int64_t deadline, char **ret_registers, GError **error)
{
  LibvirtMonitor *self = (LibvirtMonitor *)monitor;
  int state = VIR_DOMAIN_NOSTATE;

  monitor->stopped_it =
      virDomainGetState(self->domain, &state, NULL, 0) < 0 || state == VIR_DOMAIN_RUNNING;
  if (virDomainSuspend(self->domain) < 0)
    return fail_libvirt(error, DACSA_ERROR_BUSY, "cannot suspend the domain");
  self->suspended = true;
  if (deadline >= 0 && g_get_monotonic_time() > deadline)
    return dacsa_fail(error, DACSA_ERROR_BUSY, "suspending the domain took too long");
  return libvirt_hmp(monitor, "info registers -a", deadline, ret_registers, error);
}

static bool
libvirt_cont(DacsaMonitor *monitor, GError **error)
{
  LibvirtMonitor *self = (LibvirtMonitor *)monitor;
  int state = VIR_DOMAIN_NOSTATE;

  for (int tries = 0; tries < 60; tries++) {
    if (virDomainResume(self->domain) == 0)
      return true;
    /* The suspend may have failed before it paused anything. */
    if (virDomainGetState(self->domain, &state, NULL, 0) == 0 && state == VIR_DOMAIN_RUNNING) {
      monitor->resumed_elsewhere = self->suspended;
      return true;
    }
    /* Over another connection it can be resumed: the journal stays. */
    if (virConnectIsAlive(self->connection) != 1)
      return fail_libvirt(error, DACSA_ERROR_BUSY, "libvirt is gone");
    if (virDomainIsActive(self->domain) == 0)
      return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "the domain is gone");
    g_usleep(500 * 1000);
  }
  return fail_libvirt(error, DACSA_ERROR_BUSY, "cannot resume the domain");
}

static void
libvirt_monitor_free(DacsaMonitor *monitor)
{
  LibvirtMonitor *self = (LibvirtMonitor *)monitor;

  if (self->domain)
    virDomainFree(self->domain);
  if (self->connection)
    virConnectClose(self->connection);
  g_free(self);
}

/* The pid that libvirt wrote down when it started QEMU (src/util/virpidfile.c). */
static bool
read_pid(const char *name, pid_t *ret, GError **error)
{
  g_autofree char *path = g_strdup_printf("/run/libvirt/qemu/%s.pid", name);
  g_autofree char *text = NULL;
  g_autoptr(GError) cause = NULL;

  if (!g_file_get_contents(path, &text, NULL, &cause))
    return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "cannot tell QEMU's pid: %s", cause->message);
  *ret = (pid_t)g_ascii_strtoll(text, NULL, 10);
  if (*ret <= 0)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "%s holds no pid", path);
  return true;
}

bool
dacsa_libvirt_monitor_open(const DacsaVmAddress *address, DacsaMonitor **ret, GError **error)
{
  static const DacsaMonitorOps ops = {libvirt_stop, libvirt_cont, libvirt_hmp, libvirt_query,
                                      libvirt_monitor_free};
  LibvirtMonitor *self = g_new0(LibvirtMonitor, 1);
  g_autoptr(DacsaMonitor) monitor = &self->monitor;

  monitor->ops = &ops;
  self->connection = virConnectOpen(address->uri);
  if (!self->connection)
    return fail_libvirt(error, DACSA_ERROR_NOT_FOUND, address->uri);
  self->domain = virDomainLookupByUUIDString(self->connection, address->uuid);
  if (!self->domain)
    return fail_libvirt(error, DACSA_ERROR_NOT_FOUND, address->name);
  if (!read_pid(virDomainGetName(self->domain), &monitor->pid, error))
    return false;
  *ret = g_steal_pointer(&monitor);
  return true;
}
