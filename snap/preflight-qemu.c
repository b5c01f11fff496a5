/* Whether the QEMU process is one that can be forked, and is not busy with its memory itself. */
#include "snap/hostfile.h"
#include "snap/preflight-checks.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>

#define MONITOR_US (5 * G_USEC_PER_SEC)

static int64_t
soon(void)
{
  return g_get_monotonic_time() + MONITOR_US;
}

static char *
qemu_status(const DacsaPreflight *p, const char *key)
{
  g_autofree char *status = dacsa_hostfile_process(p->root, p->monitor->pid, "status");

  return dacsa_hostfile_line(status, key);
}

/* The head of the program, of any word size: up to e_machine both are laid out alike (elf(5)). */
static bool
read_elf(const DacsaPreflight *p, uint8_t *ret_class, uint16_t *ret_machine)
{
  g_autofree char *path = g_strdup_printf("%s/proc/%d/exe", p->root, (int)p->monitor->pid);
  Elf32_Ehdr head;
  FILE *file = fopen(path, "re");
  bool ok = file && fread(&head, sizeof(head), 1, file) == 1 &&
            memcmp(head.e_ident, ELFMAG, SELFMAG) == 0;

  if (file)
    fclose(file);
  if (!ok)
    return false;
  *ret_class = head.e_ident[EI_CLASS];
  *ret_machine = head.e_machine;
  return true;
}

char *
dacsa_preflight_elf(const DacsaPreflight *p)
{
  uint8_t class;
  uint16_t machine;

  if (!read_elf(p, &class, &machine) || (class == ELFCLASS64 && machine == EM_X86_64))
    return NULL;
  return g_strdup_printf("QEMU is not a 64-bit x86 program (%d bits, ELF machine %u)",
                         class == ELFCLASS64 ? 64 : 32, machine);
}

char *
dacsa_preflight_gadgets(const DacsaPreflight *p)
{
  g_autofree char *elf = dacsa_preflight_elf(p);

  /* Of memory that cannot be read nothing is known, and another row says so. */
  if (p->has_gadgets || p->attach_errno || elf)
    return NULL;
  return g_strdup("the process has no 64-bit C library: it is not an x86-64 QEMU");
}

char *
dacsa_preflight_traced(const DacsaPreflight *p)
{
  g_autofree char *tracer = qemu_status(p, "TracerPid");

  if (!tracer || strcmp(tracer, "0") == 0)
    return NULL;
  return g_strdup_printf("another process (pid %s) traces QEMU", tracer);
}

char *
dacsa_preflight_shadow_stack(const DacsaPreflight *p)
{
  g_autofree char *features = qemu_status(p, "x86_Thread_features");

  if (!features || !strstr(features, "shstk"))
    return NULL;
  return g_strdup("QEMU runs with a user shadow stack");
}

/* States in which memory is in flight or is not the guest's yet (qapi/run-state.json). */
char *
dacsa_preflight_state(const DacsaPreflight *p)
{
  static const char *const refused[] = {"inmigrate",  "finish-migrate", "postmigrate", "save-vm",
                                        "restore-vm", "colo",           NULL};
  g_autofree char *state = NULL;

  if (!dacsa_monitor_state(p->monitor, soon(), &state, NULL) || !g_strv_contains(refused, state))
    return NULL;
  return g_strdup_printf("the VM is in state `%s`", state);
}

/* Whether query-migrate-capabilities has background-snapshot set. */
static bool
is_background_snapshot(DacsaMonitor *monitor)
{
  g_autoptr(JsonNode) node = NULL;

  if (!dacsa_monitor_query(monitor, "query-migrate-capabilities", soon(), &node, NULL) ||
      !JSON_NODE_HOLDS_ARRAY(node))
    return false;
  JsonArray *array = json_node_get_array(node);
  for (guint i = 0; i < json_array_get_length(array); i++) {
    JsonNode *element = json_array_get_element(array, i);

    if (!JSON_NODE_HOLDS_OBJECT(element))
      continue;
    JsonObject *object = json_node_get_object(element);
    if (g_strcmp0(json_object_get_string_member_with_default(object, "capability", ""),
                  "background-snapshot") == 0)
      return json_object_get_boolean_member_with_default(object, "state", FALSE);
  }
  return false;
}

char *
dacsa_preflight_migration(const DacsaPreflight *p)
{
  static const char *const harmless[] = {"none", "completed", "failed", "cancelled", NULL};
  g_autoptr(JsonNode) node = NULL;

  if (!dacsa_monitor_query(p->monitor, "query-migrate", soon(), &node, NULL) ||
      !JSON_NODE_HOLDS_OBJECT(node))
    return NULL;
  const char *status =
      json_object_get_string_member_with_default(json_node_get_object(node), "status", "none");
  if (g_strv_contains(harmless, status))
    return NULL;
  return g_strdup_printf(
      "%s is under way (%s)",
      is_background_snapshot(p->monitor) ? "a background snapshot" : "a migration", status);
}

static bool
sev_is_enabled(DacsaMonitor *monitor)
{
  g_autoptr(JsonNode) node = NULL;

  /* A QEMU without SEV, or whose SEV is off, answers with an error. */
  return dacsa_monitor_query(monitor, "query-sev", soon(), &node, NULL) &&
         JSON_NODE_HOLDS_OBJECT(node) &&
         json_object_get_boolean_member_with_default(json_node_get_object(node), "enabled", FALSE);
}

/* The object that encrypts guest RAM, of any kind (SEV, SEV-SNP, TDX), as the machine names it: a
 * path in quotes. Owned, or NULL. */
static char *
guest_support(DacsaMonitor *monitor)
{
  g_autofree char *text = NULL;

  if (!dacsa_monitor_hmp(monitor, "qom-get /machine confidential-guest-support", soon(), &text,
                         NULL))
    return NULL;
  g_auto(GStrv) parts = g_strsplit(text, "\"", 3);
  return g_strv_length(parts) == 3 && parts[1][0] == '/' ? g_strdup(parts[1]) : NULL;
}

char *
dacsa_preflight_encrypted(const DacsaPreflight *p)
{
  g_autofree char *object = guest_support(p->monitor);

  if (object)
    return g_strdup_printf("the guest's memory is encrypted (%s)", object);
  return sev_is_enabled(p->monitor) ? g_strdup("the guest's memory is encrypted (SEV)") : NULL;
}

/* Their drivers pin guest RAM for a device: pinned pages are copied at the fork, and the device
 * goes on writing. */
char *
dacsa_preflight_passthrough(const DacsaPreflight *p)
{
  static const char *const devices[] = {"/dev/vfio/", "/dev/iommu", "/dev/vhost-vdpa-",
                                        "/dev/infiniband/"};
  g_autofree char *path = g_strdup_printf("%s/proc/%d/fd", p->root, (int)p->monitor->pid);
  g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
  const char *name;

  while (dir && (name = g_dir_read_name(dir))) {
    g_autofree char *link = g_build_filename(path, name, NULL);
    g_autofree char *target = g_file_read_link(link, NULL);

    for (size_t i = 0; target && i < G_N_ELEMENTS(devices); i++)
      if (g_str_has_prefix(target, devices[i]))
        return g_strdup_printf(
            "a passed-through device (VFIO, vDPA or RDMA: %s) writes to guest RAM by itself",
            target);
  }
  return NULL;
}
