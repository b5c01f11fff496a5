/* The cases in which no consistent or no harmless snapshot can be had. */
#include "snap/preflight.h"

#include "snap/procmaps.h"

#include <string.h>
#include <unistd.h>

#define MONITOR_US (5 * G_USEC_PER_SEC)

/* Returns the reason (owned) where the case holds, else NULL. */
typedef char *(*Check)(const DacsaPreflight *p);

static char *
check_traced(const DacsaPreflight *p)
{
  g_autofree char *tracer = NULL;

  if (!dacsa_procmaps_status(p->monitor->pid, "TracerPid", &tracer, NULL) ||
      strcmp(tracer, "0") == 0)
    return NULL;
  return g_strdup_printf("another process (pid %s) traces QEMU", tracer);
}

static char *
check_ptrace_scope(const DacsaPreflight *p)
{
  g_autofree char *scope = NULL;

  (void)p;
  if (!g_file_get_contents("/proc/sys/kernel/yama/ptrace_scope", &scope, NULL, NULL) ||
      strcmp(g_strchomp(scope), "3") != 0)
    return NULL;
  return g_strdup("the host forbids all tracing (kernel.yama.ptrace_scope is 3)");
}

static char *
check_own_seccomp(const DacsaPreflight *p)
{
  g_autofree char *ours = NULL;

  (void)p;
  if (!dacsa_procmaps_status(getpid(), "Seccomp", &ours, NULL) || strcmp(ours, "0") == 0)
    return NULL;
  return g_strdup("dacsa itself runs under a seccomp filter, so it cannot suspend QEMU's");
}

static char *
check_gadgets(const DacsaPreflight *p)
{
  if (p->has_gadgets)
    return NULL;
  return g_strdup("the process has no 64-bit C library: it is not an x86-64 QEMU");
}

static char *
check_shadow_stack(const DacsaPreflight *p)
{
  g_autofree char *features = NULL;

  if (!dacsa_procmaps_status(p->monitor->pid, "x86_Thread_features", &features, NULL) ||
      !strstr(features, "shstk"))
    return NULL;
  return g_strdup("QEMU runs with a user shadow stack");
}

/* The first VMA of guest RAM of which a predicate holds. */
static const DacsaHostVma *
find_ram(const DacsaPreflight *p, bool (*predicate)(const DacsaHostVma *))
{
  for (guint i = 0; i < p->ram_hvas->len; i++) {
    const DacsaHostVma *vma = dacsa_procmaps_find(p->vmas, g_array_index(p->ram_hvas, uint64_t, i));

    if (vma && predicate(vma))
      return vma;
  }
  return NULL;
}

static bool
is_shared(const DacsaHostVma *vma)
{
  return vma->shared;
}

static bool
is_file(const DacsaHostVma *vma)
{
  return vma->path && vma->path[0] == '/' && !vma->hugetlb;
}

static bool
is_hugetlb(const DacsaHostVma *vma)
{
  return vma->hugetlb;
}

static bool
is_userfaultfd(const DacsaHostVma *vma)
{
  return vma->userfaultfd;
}

static char *
check_shared(const DacsaPreflight *p)
{
  const DacsaHostVma *vma = find_ram(p, is_shared);

  return vma ? g_strdup_printf("guest RAM is shared memory (%s): a fork would not freeze it",
                               vma->path ? vma->path : "anonymous")
             : NULL;
}

static char *
check_file(const DacsaPreflight *p)
{
  const DacsaHostVma *vma = find_ram(p, is_file);

  return vma ? g_strdup_printf("guest RAM is mapped from a file (%s): a fork would not freeze it",
                               vma->path)
             : NULL;
}

static char *
check_hugetlb(const DacsaPreflight *p)
{
  return find_ram(p, is_hugetlb)
             ? g_strdup("guest RAM is on hugetlbfs: copy-on-write could run out of huge pages")
             : NULL;
}

static char *
check_userfaultfd(const DacsaPreflight *p)
{
  return find_ram(p, is_userfaultfd)
             ? g_strdup("a background snapshot or a postcopy migration watches guest RAM")
             : NULL;
}

static char *
check_migration(const DacsaPreflight *p)
{
  static const char *const harmless[] = {"none", "completed", "failed", "cancelled", NULL};
  g_autoptr(JsonNode) node = NULL;

  if (!dacsa_monitor_query(p->monitor, "query-migrate", g_get_monotonic_time() + MONITOR_US, &node,
                           NULL) ||
      !JSON_NODE_HOLDS_OBJECT(node))
    return NULL;
  const char *status =
      json_object_get_string_member_with_default(json_node_get_object(node), "status", "none");
  if (g_strv_contains(harmless, status))
    return NULL;
  return g_strdup_printf("a migration is under way (%s)", status);
}

static char *
check_vfio(const DacsaPreflight *p)
{
  g_autofree char *path = g_strdup_printf("/proc/%d/fd", (int)p->monitor->pid);
  g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
  const char *name;

  while (dir && (name = g_dir_read_name(dir))) {
    g_autofree char *link = g_build_filename(path, name, NULL);
    g_autofree char *target = g_file_read_link(link, NULL);

    if (target &&
        (g_str_has_prefix(target, "/dev/vfio/") || g_str_has_prefix(target, "/dev/infiniband/")))
      return g_strdup("a passed-through device (VFIO or RDMA) writes to guest RAM by itself");
  }
  return NULL;
}

static char *
check_overcommit(const DacsaPreflight *p)
{
  g_autofree char *mode = NULL;

  (void)p;
  if (!g_file_get_contents("/proc/sys/vm/overcommit_memory", &mode, NULL, NULL) ||
      strcmp(g_strchomp(mode), "2") != 0)
    return NULL;
  return g_strdup("the host does not overcommit memory (vm.overcommit_memory is 2), so that a "
                  "fork needs as much again as QEMU has");
}

static const struct {
  Check check;
  bool changes; /* may come and go while QEMU runs, and needs nothing but the monitor */
  const char *remedy;
} checks[] = {
    {check_gadgets, false, "name the monitor socket of a 64-bit QEMU that made the socket itself"},
    {check_traced, true, "detach the debugger or tracer"},
    {check_ptrace_scope, false, "boot with kernel.yama.ptrace_scope below 3"},
    {check_own_seccomp, false, "run `dacsa mount` outside a container, without SystemCallFilter"},
    {check_shadow_stack, false, "start QEMU without GLIBC_TUNABLES=glibc.cpu.x86_shstk"},
    {check_shared, false,
     "start the VM with share=off (libvirt: no <access mode='shared'/>), and without vhost-user or "
     "virtiofs"},
    {check_file, false, "start the VM with anonymous memory (-m, memory-backend-ram)"},
    {check_hugetlb, false,
     "start the VM with anonymous memory; transparent huge pages are as fast"},
    {check_userfaultfd, false, "wait until it has finished"},
    {check_migration, true, "wait until it has finished, or cancel it"},
    {check_vfio, true, "detach the device"},
    {check_overcommit, false, "set vm.overcommit_memory to 0 or 1"},
};

static bool
run_checks(const DacsaPreflight *preflight, bool only_changing, char **ret_reason,
           char **ret_remedy)
{
  for (size_t i = 0; i < G_N_ELEMENTS(checks); i++) {
    if (only_changing && !checks[i].changes)
      continue;
    g_autofree char *reason = checks[i].check(preflight);
    if (reason) {
      *ret_reason = g_steal_pointer(&reason);
      *ret_remedy = g_strdup(checks[i].remedy);
      return true;
    }
  }
  return false;
}

bool
dacsa_preflight_refuses(const DacsaPreflight *preflight, char **ret_reason, char **ret_remedy)
{
  return run_checks(preflight, false, ret_reason, ret_remedy);
}

bool
dacsa_preflight_changed(DacsaMonitor *monitor, char **ret_reason, char **ret_remedy)
{
  const DacsaPreflight preflight = {.monitor = monitor};

  return run_checks(&preflight, true, ret_reason, ret_remedy);
}
