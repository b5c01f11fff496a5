/* The cases in which no consistent or no harmless snapshot can be had. */
#include "snap/preflight.h"

#include "snap/preflight-checks.h"

typedef char *(*Check)(const DacsaPreflight *p);

#define WAIT "wait until it has finished"
#define PIDS "stop processes that are not needed, or raise the limit"
#define MEMORY "drop snapshots, free memory, or raise the limit"
#define FORK DACSA_METHOD_FORK
#define COPY DACSA_METHOD_COPY
#define ANY (FORK | COPY)

static const struct {
  Check check;
  bool changes; /* may come and go while QEMU runs, and needs nothing but the monitor and /proc */
  bool warns;   /* the snapshot is taken all the same */
  unsigned methods; /* that the case forbids, or is a warning for */
  const char *remedy;
} checks[] = {
    {dacsa_preflight_ptrace_scope, false, false, ANY, "boot with kernel.yama.ptrace_scope below 3"},
    {dacsa_preflight_own_seccomp, false, false, FORK,
     "run `dacsa mount` outside a container, without SystemCallFilter"},
    {dacsa_preflight_user_namespace, false, false, ANY, "run `dacsa mount` as the host's root"},
    {dacsa_preflight_capabilities, false, false, ANY,
     "run `dacsa mount` as root with all capabilities (no CapabilityBoundingSet)"},
    {dacsa_preflight_confined, false, false, ANY,
     "run `dacsa mount` unconfined, or let its profile trace (AppArmor: ptrace (trace) peer=..., "
     "SELinux: process ptrace)"},
    {dacsa_preflight_attach, false, false, ANY,
     "see the audit log; QEMU's own profile may have to allow it (AppArmor: ptrace (tracedby))"},
    {dacsa_preflight_signal, false, false, FORK,
     "run `dacsa mount` unconfined and with CAP_KILL, or let its profile send signals and QEMU's "
     "receive them (AppArmor: signal (send) peer=..., signal (receive) peer=...)"},
    {dacsa_preflight_elf, false, false, FORK, "run the VM with a QEMU built for this x86-64 host"},
    {dacsa_preflight_gadgets, false, false, FORK,
     "name the monitor socket of a 64-bit QEMU that made the socket itself"},
    {dacsa_preflight_traced, true, false, FORK, "detach the debugger or tracer"},
    {dacsa_preflight_shadow_stack, false, false, FORK,
     "start QEMU without GLIBC_TUNABLES=glibc.cpu.x86_shstk"},
    {dacsa_preflight_state, true, false, ANY, "wait until the VM runs or is paused"},
    {dacsa_preflight_migration, true, false, ANY, WAIT ", or cancel it"},
    {dacsa_preflight_encrypted, false, false, ANY,
     "start the VM without memory encryption (libvirt: no <launchSecurity>)"},
    {dacsa_preflight_passthrough, true, false, ANY, "detach the device"},
    {dacsa_preflight_ram_known, false, false, ANY,
     "name the monitor socket that QEMU itself made (-qmp unix:...)"},
    {dacsa_preflight_shared, false, false, FORK,
     "start the VM with share=off (libvirt: no <access mode='shared'/>), and without vhost-user or "
     "virtiofs"},
    {dacsa_preflight_file, false, false, FORK,
     "start the VM with anonymous memory (-m, memory-backend-ram)"},
    {dacsa_preflight_hugetlb, false, false, FORK,
     "start the VM with anonymous memory; transparent huge pages are as fast"},
    {dacsa_preflight_device_memory, false, false, ANY, "detach the device"},
    {dacsa_preflight_wiped, false, false, FORK,
     "start the VM with a QEMU that does not ask for that"},
    {dacsa_preflight_userfaultfd, false, false, ANY, WAIT},
    {dacsa_preflight_user_tasks, true, false, FORK, PIDS " (libvirt: max_processes in qemu.conf)"},
    {dacsa_preflight_cgroup_tasks, true, false, FORK, PIDS},
    {dacsa_preflight_host_tasks, true, false, FORK, PIDS},
    {dacsa_preflight_overcommit, true, false, FORK,
     "set vm.overcommit_memory to 0 or 1, or raise vm.overcommit_ratio"},
    {dacsa_preflight_cgroup_memory, true, false, FORK, MEMORY},
    {dacsa_preflight_cgroup_waits, true, false, FORK,
     "turn it on (0 into memory.oom_control), or lift the limit"},
    {dacsa_preflight_cgroup_group, true, false, FORK,
     "write 0 to it (systemd: OOMPolicy=continue for the VM's unit)"},
    {dacsa_preflight_host_memory, true, false, FORK, "drop snapshots, or free memory"},
    {dacsa_preflight_cgroup_copies, false, true, FORK, MEMORY},
    {dacsa_preflight_host_copies, false, true, FORK, "drop snapshots, or free memory"},
    {dacsa_preflight_copy_file, false, false, COPY,
     "start the VM with its memory in a file, or anonymous"},
    {dacsa_preflight_copy_commit, false, false, COPY,
     "set vm.overcommit_memory to 0 or 1, or raise vm.overcommit_ratio"},
    {dacsa_preflight_copy_cgroup, true, false, COPY, MEMORY},
    {dacsa_preflight_copy_host, true, false, COPY, "drop snapshots, or free memory"},
};

DacsaFinding *
dacsa_finding_new(const char *reason, const char *remedy, bool refuses, unsigned methods)
{
  DacsaFinding *finding = g_new0(DacsaFinding, 1);

  finding->reason = g_strdup(reason);
  finding->remedy = g_strdup(remedy);
  finding->refuses = refuses;
  finding->methods = methods;
  return finding;
}

void
dacsa_finding_free(DacsaFinding *finding)
{
  g_free(finding->reason);
  g_free(finding->remedy);
  g_free(finding);
}

static GPtrArray *
run_checks(const DacsaPreflight *preflight, bool only_changing, unsigned methods)
{
  GPtrArray *findings = g_ptr_array_new_with_free_func((GDestroyNotify)dacsa_finding_free);

  for (size_t i = 0; i < G_N_ELEMENTS(checks); i++) {
    if ((only_changing && !checks[i].changes) || !(checks[i].methods & methods))
      continue;
    g_autofree char *reason = checks[i].check(preflight);
    if (!reason)
      continue;
    DacsaFinding *finding =
        dacsa_finding_new(reason, checks[i].remedy, !checks[i].warns, checks[i].methods);
    finding->passing = checks[i].changes;
    g_ptr_array_add(findings, finding);
  }
  return findings;
}

GPtrArray *
dacsa_preflight_run(const DacsaPreflight *preflight)
{
  return run_checks(preflight, false, ANY);
}

GPtrArray *
dacsa_preflight_changed(DacsaMonitor *monitor, unsigned method)
{
  const DacsaPreflight preflight = {.root = "", .monitor = monitor};

  return run_checks(&preflight, true, method);
}

const DacsaFinding *
dacsa_preflight_refusal(const GPtrArray *findings, unsigned methods)
{
  for (guint i = 0; i < findings->len; i++) {
    const DacsaFinding *finding = g_ptr_array_index(findings, i);

    if (finding->refuses && (finding->methods & methods))
      return finding;
  }
  return NULL;
}
