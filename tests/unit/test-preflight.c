/* Each row of the preflight: a host and a QEMU with which nothing is wrong, and then one thing is.
 */
#include "check.h"
#include "fake-host.h"

#include "snap/preflight.h"
#include "snap/procmaps.h"

#include <elf.h>
#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define PID 4242
#define RAM 0x7f0000000000

static const char good_smaps[] = "7f0000000000-7f0040000000 rw-p 00000000 00:00 0 \n"
                                 "Rss: 524288 kB\n"
                                 "VmFlags: rd wr mr mw me dc dd hg \n";

/* As a QEMU 7.2 answers with which nothing is wrong. */
static const FakeAnswer good_answers[] = {
    {"query-status", "{\"running\": true, \"singlestep\": false, \"status\": \"running\"}"},
    {"query-migrate", "{}"},
    {"query-migrate-capabilities", "[{\"state\": false, \"capability\": \"xbzrle\"}, "
                                   "{\"state\": false, \"capability\": \"background-snapshot\"}]"},
    {"qom-get /machine confidential-guest-support", "\"\"\n"},
    {"info qtree", "bus: main-system-bus\n  dev: virtio-blk-pci, id \"disk\"\n"},
    {"info network", "net0: index=0,type=user,net=10.0.2.0\n"},
    {NULL, NULL}};

typedef struct {
  char *root;
  FakeMonitor monitor;
  GArray *vmas, *ram_hvas;
  int attach_errno, signal_errno;
  bool has_gadgets;
  uint64_t ram_bytes;
} Fixture;

static void
put_elf(Fixture *f, uint8_t class, uint16_t machine)
{
  g_autofree char *path = g_strdup_printf("%s/proc/%d/exe", f->root, PID);
  Elf64_Ehdr head = {.e_ident = {0x7f, 'E', 'L', 'F', class}, .e_machine = machine};

  g_assert_true(g_file_set_contents_full(path, (char *)&head, sizeof(head),
                                         G_FILE_SET_CONTENTS_NONE, 0600, NULL));
}

static void
put_qemu(Fixture *f, const char *uid, const char *more)
{
  g_autofree char *status = g_strdup_printf(
      "Name:\tqemu\nTracerPid:\t0\nUid:\t%s\t%s\t%s\t%s\nVmData:\t1048576 kB\nRssAnon:\t524288 kB\n"
      "Threads:\t5\nCapEff:\t0000000000000000\nSeccomp:\t2\n%s",
      uid, uid, uid, uid, more);

  fake_host_put(f->root, "/proc/4242/status", status);
}

static void
put_self(Fixture *f, const char *caps, const char *seccomp)
{
  g_autofree char *status =
      g_strdup_printf("Name:\tdacsa\nCapEff:\t%s\nSeccomp:\t%s\n", caps, seccomp);

  fake_host_put(f->root, "/proc/self/status", status);
}

static void
put_smaps(Fixture *f, const char *smaps)
{
  g_autoptr(GError) error = NULL;

  g_clear_pointer(&f->vmas, g_array_unref);
  CHECK_OK(dacsa_procmaps_parse(smaps, &f->vmas, &error), error);
}

static void
put_meminfo(Fixture *f, unsigned available_mib, unsigned commit_limit_mib)
{
  g_autofree char *text = g_strdup_printf("MemTotal: 33554432 kB\nMemAvailable: %u kB\n"
                                          "SwapFree: 0 kB\nCommitLimit: %u kB\n"
                                          "Committed_AS: 1048576 kB\n",
                                          available_mib * 1024, commit_limit_mib * 1024);

  fake_host_put(f->root, "/proc/meminfo", text);
}

static void
set_up(Fixture *f, const void *data)
{
  uint64_t hva = RAM;

  (void)data;
  *f = (Fixture){.root = fake_host_new(), .has_gadgets = true};
  fake_monitor_init(&f->monitor, PID);
  f->monitor.answers[1] = good_answers;
  f->ram_hvas = g_array_new(FALSE, FALSE, sizeof(uint64_t));
  g_array_append_val(f->ram_hvas, hva);
  put_smaps(f, good_smaps);
  put_self(f, "000001ffffffffff", "0");
  fake_host_put(f->root, "/proc/self/uid_map", "         0          0 4294967295\n");
  fake_host_put(f->root, "/proc/self/attr/current", "unconfined\n");
  fake_host_put(f->root, "/proc/sys/kernel/yama/ptrace_scope", "2\n");
  fake_host_put(f->root, "/proc/sys/kernel/threads-max", "100000\n");
  fake_host_put(f->root, "/proc/sys/kernel/pid_max", "4194304\n");
  fake_host_put(f->root, "/proc/sys/vm/overcommit_memory", "0\n");
  fake_host_put(f->root, "/proc/loadavg", "0.20 0.18 0.12 1/400 11206\n");
  put_meminfo(f, 16384, 16384);
  fake_host_put(f->root, "/proc/4242/limits",
                "Limit                     Soft Limit           Hard Limit           Units\n"
                "Max processes             96365                96365                processes\n");
  fake_host_link(f->root, "/proc/4242/fd/0", "/dev/null");
  put_qemu(f, "64055", "");
  put_elf(f, ELFCLASS64, EM_X86_64);
}

static void
tear_down(Fixture *f, const void *data)
{
  (void)data;
  g_clear_pointer(&f->vmas, g_array_unref);
  g_array_unref(f->ram_hvas);
  fake_host_free(f->root);
}

static GPtrArray *
run(Fixture *f)
{
  const DacsaPreflight preflight = {.root = f->root,
                                    .monitor = &f->monitor.monitor,
                                    .vmas = f->vmas,
                                    .ram_hvas = f->ram_hvas,
                                    .attach_errno = f->attach_errno,
                                    .signal_errno = f->signal_errno,
                                    .has_gadgets = f->has_gadgets,
                                    .ram_bytes = f->ram_bytes};

  return dacsa_preflight_run(&preflight);
}

/* Those of the findings that concern one of the methods. */
static GPtrArray *
run_for(Fixture *f, unsigned methods)
{
  GPtrArray *findings = run(f);

  for (guint i = findings->len; i-- > 0;)
    if (!(((DacsaFinding *)findings->pdata[i])->methods & methods))
      g_ptr_array_remove_index(findings, i);
  return findings;
}

/* There is one finding about a method, with that in its reason; NULL: there is none. It concerns
 * `methods`. */
static void
check_finding(Fixture *f, unsigned method, const char *reason, bool refuses, unsigned methods)
{
  g_autoptr(GPtrArray) findings = run_for(f, method);

  for (guint i = reason ? 1 : 0; i < findings->len; i++)
    g_test_message("also: %s", ((DacsaFinding *)findings->pdata[i])->reason);
  g_assert_cmpuint(findings->len, ==, reason ? 1 : 0);
  g_assert_true((dacsa_preflight_refusal(findings, method) != NULL) == (reason && refuses));
  if (!reason)
    return;
  const DacsaFinding *finding = g_ptr_array_index(findings, 0);
  if (!strstr(finding->reason, reason))
    g_error("not `%s`: %s", reason, finding->reason);
  g_assert_cmpuint(finding->methods, ==, methods);
  g_assert_true(finding->refuses == refuses);
  g_assert_cmpuint(strlen(finding->remedy), >, 5);
  g_assert_null(strchr(finding->reason, '\n'));
}

static void
check_warned(Fixture *f, const char *reason)
{
  check_finding(f, DACSA_METHOD_FORK, reason, false, DACSA_METHOD_FORK);
}

/* A fork is refused, and only that. */
static void
check_refused(Fixture *f, const char *reason)
{
  check_finding(f, DACSA_METHOD_FORK, reason, true, DACSA_METHOD_FORK);
}

/* A copy is refused, and only that. */
static void
check_no_copy(Fixture *f, const char *reason)
{
  check_finding(f, DACSA_METHOD_COPY, reason, true, DACSA_METHOD_COPY);
}

/* Whatever the method. */
static void
check_impossible(Fixture *f, const char *reason)
{
  check_finding(f, DACSA_METHOD_FORK, reason, true, DACSA_METHOD_FORK | DACSA_METHOD_COPY);
}

static void
check_answers(Fixture *f, const FakeAnswer *answers, const char *reason)
{
  f->monitor.answers[0] = answers;
  check_impossible(f, reason);
}

static void
test_nothing(Fixture *f, const void *data)
{
  (void)data;
  check_refused(f, NULL);
}

/* All that is wrong is told, in the order of the rows, and the first that refuses is found. */
static void
test_all_told(Fixture *f, const void *data)
{
  (void)data;
  put_meminfo(f, 300, 16384);
  put_self(f, "000001ffffffffff", "2");
  put_smaps(f, "7f0000000000-7f0040000000 rw-s 00000000 00:01 2048 /memfd:ram (deleted)\n");
  g_autoptr(GPtrArray) findings = run_for(f, DACSA_METHOD_FORK);
  g_assert_cmpuint(findings->len, ==, 3);
  const DacsaFinding *first = g_ptr_array_index(findings, 0);
  const DacsaFinding *second = g_ptr_array_index(findings, 1);
  const DacsaFinding *third = g_ptr_array_index(findings, 2);
  g_assert_nonnull(strstr(first->reason, "seccomp"));
  g_assert_nonnull(strstr(second->reason, "shared memory"));
  g_assert_nonnull(strstr(third->reason, "300 MiB"));
  g_assert_false(third->refuses);
  g_assert_true(dacsa_preflight_refusal(findings, ~0u) == first);
}

static void
test_dacsa(Fixture *f, const void *data)
{
  (void)data;
  put_self(f, "000001ffffffffff", "2");
  check_refused(f, "seccomp filter");
  put_self(f, "000001fffff7ffff", "0");
  check_impossible(f, "lacks CAP_SYS_PTRACE,");
  put_self(f, "000001ffffdfffff", "0");
  check_impossible(f, "lacks CAP_SYS_ADMIN,");
  put_self(f, "0000000000000000", "0");
  check_impossible(f, "lacks CAP_SYS_PTRACE and CAP_SYS_ADMIN,");
  put_self(f, "000001ffffffffff", "0");
  fake_host_put(f->root, "/proc/self/uid_map", "         0     100000      65536\n");
  check_impossible(f, "user namespace");
}

static void
test_denied(Fixture *f, const void *data)
{
  static const struct {
    const char *label, *reason;
  } cases[] = {
      {"dacsa-profile (enforce)", "confined (dacsa-profile (enforce))"},
      {"system_u:system_r:container_t:s0:c1,c2", "confined (system_u:system_r:container_t"},
      {"dacsa-profile (complain)", "does not let"},
      {"unconfined_u:unconfined_r:unconfined_t:s0", "does not let"},
      {"unconfined", "does not let"},
      {"", "does not let"},
  };

  (void)data;
  f->has_gadgets = false; /* they could not be looked for */
  g_clear_pointer(&f->vmas, g_array_unref);
  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
    fake_host_put(f->root, "/proc/self/attr/current", cases[i].label);
    f->attach_errno = i % 2 ? EACCES : EPERM;
    check_impossible(f, cases[i].reason);
  }
  /* AppArmor's own file goes before the one that security modules share. */
  fake_host_put(f->root, "/proc/self/attr/apparmor/current", "other (enforce)\n");
  check_impossible(f, "confined (other");
  fake_host_put(f->root, "/proc/sys/kernel/yama/ptrace_scope", "3\n");
  g_autoptr(GPtrArray) findings = run(f);
  g_assert_nonnull(strstr(((DacsaFinding *)findings->pdata[0])->reason, "ptrace_scope"));
  /* Confined, but allowed: that is nobody's business. */
  fake_host_put(f->root, "/proc/sys/kernel/yama/ptrace_scope", "1\n");
  f->attach_errno = 0;
  f->has_gadgets = true;
  put_smaps(f, good_smaps);
  check_refused(f, NULL);
}

static void
test_program(Fixture *f, const void *data)
{
  (void)data;
  f->has_gadgets = false;
  check_refused(f, "no 64-bit C library");
  put_elf(f, ELFCLASS32, EM_386);
  check_refused(f, "not a 64-bit x86 program (32 bits, ELF machine 3)");
  put_elf(f, ELFCLASS32, EM_X86_64); /* x32 */
  check_refused(f, "32 bits");
  put_elf(f, ELFCLASS64, EM_AARCH64);
  check_refused(f, "64 bits, ELF machine 183");
  put_elf(f, ELFCLASS64, EM_X86_64);
  f->has_gadgets = true;
  put_qemu(f, "64055", "x86_Thread_features:\tshstk wrss\n");
  check_refused(f, "shadow stack");
  put_qemu(f, "64055", "x86_Thread_features:\t\n");
  check_refused(f, NULL);
  fake_host_put(f->root, "/proc/4242/status", "TracerPid:\t77\n");
  check_refused(f, "pid 77");
}

static void
test_busy(Fixture *f, const void *data)
{
  static const FakeAnswer incoming[] = {
      {"query-status", "{\"running\": false, \"status\": \"inmigrate\"}"}, {NULL, NULL}};
  static const FakeAnswer paused[] = {
      {"query-status", "{\"running\": false, \"status\": \"paused\"}"}, {NULL, NULL}};
  static const FakeAnswer migrating[] = {{"query-migrate", "{\"status\": \"active\"}"},
                                         {NULL, NULL}};
  static const FakeAnswer done[] = {{"query-migrate", "{\"status\": \"completed\"}"}, {NULL, NULL}};
  static const FakeAnswer background[] = {
      {"query-migrate", "{\"status\": \"setup\"}"},
      {"query-migrate-capabilities",
       "[null, {\"state\": true, \"capability\": \"background-snapshot\"}]"},
      {NULL, NULL}};
  static const FakeAnswer garbage[] = {{"query-status", "[]"},
                                       {"query-migrate", "7"},
                                       {"query-migrate-capabilities", "{}"},
                                       {NULL, NULL}};

  (void)data;
  check_answers(f, incoming, "state `inmigrate`");
  check_answers(f, paused, NULL);
  check_answers(f, migrating, "a migration is under way (active)");
  check_answers(f, done, NULL);
  check_answers(f, background, "a background snapshot is under way (setup)");
  check_answers(f, garbage, NULL);
}

/* Recorded: what QEMU's own documentation shows for query-sev (qapi/misc-target.json), and how QOM
 * prints a link. */
static void
test_encrypted(Fixture *f, const void *data)
{
  static const FakeAnswer sev[] = {
      {"query-sev", "{\"enabled\": true, \"api-major\": 0, \"api-minor\": 0, \"build-id\": 0, "
                    "\"policy\": 0, \"state\": \"running\", \"handle\": 1}"},
      {NULL, NULL}};
  static const FakeAnswer off[] = {{"query-sev", "{\"enabled\": false}"}, {NULL, NULL}};
  static const FakeAnswer linked[] = {
      {"qom-get /machine confidential-guest-support", "\"/objects/tdx0\"\n"},
      {"query-sev", "{\"enabled\": true}"},
      {NULL, NULL}};
  static const FakeAnswer old[] = {
      {"qom-get /machine confidential-guest-support",
       "Error: Property 'pc-machine.confidential-guest-support' not found\n"},
      {NULL, NULL}};

  (void)data;
  check_answers(f, sev, "encrypted (SEV)");
  check_answers(f, off, NULL);
  check_answers(f, linked, "encrypted (/objects/tdx0)");
  check_answers(f, old, NULL);
}

static void
test_passthrough(Fixture *f, const void *data)
{
  static const char *const devices[] = {"/dev/vfio/17", "/dev/vfio/devices/vfio0", "/dev/iommu",
                                        "/dev/vhost-vdpa-0", "/dev/infiniband/uverbs0"};

  (void)data;
  fake_host_link(f->root, "/proc/4242/fd/7", "/dev/vhost-net");
  check_refused(f, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS(devices); i++) {
    tear_down(f, NULL);
    set_up(f, NULL);
    fake_host_link(f->root, "/proc/4242/fd/8", devices[i]);
    check_impossible(f, devices[i]);
  }
}

static void
test_ram(Fixture *f, const void *data)
{
  static const struct {
    const char *path, *flags, *reason;
    bool impossible;
  } cases[] = {
      {"", "rd wr mr mw me dc ac", NULL, false},
      {"", "rd wr mr mw me ac mg hg lo", NULL, false},
      {" 7 /memfd:ram (deleted)", "rd wr sh mr mw me ms dc",
       "shared memory (/memfd:ram (deleted)): a", false},
      {"", "rd wr sh mr mw me ms dc", "shared memory (anonymous)", false},
      {" 7 /var/ram", "rd wr mr mw me dc", "mapped from a file (/var/ram)", false},
      {" 7 /dev/hugepages/x (deleted)", "rd wr mr mw me dc de ht", "hugetlbfs", false},
      {" 7 /dev/hugepages/x", "rd wr sh mr mw me dc de ht", "shared memory (/dev/hugepages/x)",
       false},
      {" 7 anon_inode:[vfio-device]", "rd wr sh mr mw me dc io pf de", "a device's memory", true},
      {"", "rd wr mr mw me dc wf", "MADV_WIPEONFORK", false},
      {"", "rd wr mr mw me dc uw", "watches guest RAM", true},
      {"", "rd wr mr mw me dc um", "watches guest RAM", true},
  };

  (void)data;
  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *smaps =
        g_strdup_printf("7f0000000000-7f0040000000 rw-p 00000000 00:01%s\nVmFlags: %s\n",
                        cases[i].path[0] ? cases[i].path : " 0", cases[i].flags);

    put_smaps(f, smaps);
    if (cases[i].impossible)
      check_impossible(f, cases[i].reason);
    else
      check_refused(f, cases[i].reason);
  }
  put_smaps(f, "7f1000000000-7f1040000000 rw-p 00000000 00:00 0 \nVmFlags: rd wr dc\n");
  check_impossible(f, "does not hold the guest's memory (nothing is at 0x7f0000000000)");
}

static void
test_shared_with(Fixture *f, const void *data)
{
  static const FakeAnswer answers[] = {
      {"info qtree", "bus: main-system-bus\n  type System\n    dev: vhost-user-fs-pci, id \"fs0\"\n"
                     "      bus: virtio-bus\n        dev: vhost-user-fs-device, id \"\"\n"
                     "          tag = \"vhost-user-fs\"\n"},
      {"info network", "nic: index=0,type=nic,model=virtio-net-pci\n"
                       " \\ net7: index=0,type=vhost-user,\n"},
      {NULL, NULL}};

  (void)data;
  put_smaps(f, "7f0000000000-7f0040000000 rw-s 00000000 00:01 7 /memfd:ram (deleted)\n");
  f->monitor.answers[0] = answers;
  check_refused(f, "(/memfd:ram (deleted)) with vhost-user-fs-pci \"fs0\", vhost-user-fs-device "
                   "\"\", netdev \"net7\": a fork");
}

static void
put_cgroup_pids(Fixture *f, const char *limit, const char *used)
{
  fake_host_put(f->root, "/proc/self/mountinfo", "30 1 0:25 / /cg rw - cgroup2 cgroup2 rw\n");
  fake_host_put(f->root, "/proc/4242/cgroup", "0::/vms/vm\n");
  fake_host_put(f->root, "/cg/vms/pids.max", limit);
  fake_host_put(f->root, "/cg/vms/pids.current", used);
}

static void
test_tasks(Fixture *f, const void *data)
{
  (void)data;
  fake_host_put(f->root, "/proc/4242/limits", "Max processes             100   200   processes\n");
  check_refused(f, NULL); /* QEMU's user has 5 */
  fake_host_put(f->root, "/proc/50/status", "Uid:\t64055\t0\t0\t0\nThreads:\t30\n");
  fake_host_put(f->root, "/proc/51/status", "Uid:\t1000\t64055\t64055\t64055\nThreads:\t300\n");
  check_refused(f, "user 64055 has 35 of 100");
  fake_host_put(f->root, "/proc/52/status", "Uid:\t0\t0\t0\t0\nThreads:\t500\n");
  put_qemu(f, "0", "");
  check_refused(f, NULL); /* root is exempt */
  put_qemu(f, "64055", "");
  fake_host_put(f->root, "/proc/4242/limits", "Max processes   unlimited  unlimited  processes\n");
  check_refused(f, NULL);

  put_cgroup_pids(f, "max", "100");
  check_refused(f, NULL);
  put_cgroup_pids(f, "166", "100");
  check_refused(f, NULL);
  put_cgroup_pids(f, "165", "100");
  check_refused(f, "has 100 of 165 processes and threads (/cg/vms/pids.max)");
  put_cgroup_pids(f, "1000", "100");
  fake_host_put(f->root, "/proc/sys/kernel/threads-max", "465\n");
  check_refused(f, "the host has 400 of 465");
  fake_host_put(f->root, "/proc/sys/kernel/threads-max", "466\n");
  check_refused(f, NULL);
}

/* QEMU has 512 MiB resident: 1 MiB of page tables, and 64 MiB for the first pages. */
static void
test_memory(Fixture *f, const void *data)
{
  (void)data;
  fake_host_put(f->root, "/proc/self/mountinfo", "30 1 0:25 / /cg rw - cgroup2 cgroup2 rw\n");
  fake_host_put(f->root, "/proc/4242/cgroup", "0::/vms/vm\n");
  fake_host_put(f->root, "/cg/vms/memory.max", "1073741824");    /* 1024 MiB */
  fake_host_put(f->root, "/cg/vms/memory.current", "535822336"); /* 511 MiB */
  check_refused(f, NULL);
  fake_host_put(f->root, "/cg/vms/memory.current", "536870912"); /* 512 MiB */
  check_warned(f, "cgroup has 512 MiB of memory left (/cg/vms/memory.max)");
  fake_host_put(f->root, "/cg/vms/memory.current", "1005584384"); /* 959 MiB */
  check_warned(f, "cgroup has 65 MiB");
  fake_host_put(f->root, "/cg/vms/memory.current", "1005584385");
  check_refused(f, "cgroup has only 64 MiB of memory left (/cg/vms/memory.max)");
  fake_host_put(f->root, "/cg/vms/memory.max", "max");
  put_meminfo(f, 513, 16384);
  check_refused(f, NULL);
  put_meminfo(f, 512, 16384);
  check_warned(f, "the host has 512 MiB");
  put_meminfo(f, 64, 16384);
  check_refused(f, "the host has only 64 MiB");
}

/* Version 1: where memory runs out, nothing is ended; that matters only below a limit. */
static void
test_no_oom_killer(Fixture *f, const void *data)
{
  (void)data;
  fake_host_put(f->root, "/proc/self/mountinfo", "30 1 0:25 / /cg rw - cgroup cgroup rw,memory\n");
  fake_host_put(f->root, "/proc/4242/cgroup", "4:memory:/vms/vm\n");
  fake_host_put(f->root, "/cg/vms/memory.limit_in_bytes", "1073741824");
  fake_host_put(f->root, "/cg/vms/memory.usage_in_bytes", "1048576");
  fake_host_put(f->root, "/cg/vms/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\n");
  check_refused(f, NULL);
  fake_host_put(f->root, "/cg/vms/memory.oom_control", "oom_kill_disable 1\nunder_oom 0\n");
  check_refused(f,
                "has the OOM killer off: where its memory runs out (/cg/vms/memory.limit_in_bytes");
  /* Others may fill that one, though QEMU's own is tighter. */
  fake_host_put(f->root, "/cg/vms/vm/memory.limit_in_bytes", "943718400");
  fake_host_put(f->root, "/cg/vms/vm/memory.usage_in_bytes", "1048576");
  fake_host_put(f->root, "/cg/vms/vm/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\n");
  check_refused(f, "where its memory runs out (/cg/vms/memory.limit_in_bytes");
  fake_host_put(f->root, "/cg/vms/memory.limit_in_bytes", "9223372036854771712");
  check_refused(f, NULL);
}

/* In QEMU's cgroup or one above it the kernel kills all or none. */
static void
test_dies_together(Fixture *f, const void *data)
{
  (void)data;
  fake_host_put(f->root, "/proc/self/mountinfo", "30 1 0:25 / /cg rw - cgroup2 cgroup2 rw\n");
  fake_host_put(f->root, "/proc/4242/cgroup", "0::/vms/vm\n");
  fake_host_put(f->root, "/cg/vms/vm/memory.oom.group", "0\n");
  fake_host_put(f->root, "/cg/vms/memory.oom.group", "0\n");
  fake_host_put(f->root, "/cg/others/memory.oom.group", "1\n");
  check_refused(f, NULL);
  fake_host_put(f->root, "/cg/vms/memory.oom.group", "1\n");
  check_refused(f, "kill QEMU with its snapshot (/cg/vms/memory.oom.group is 1)");
  fake_host_put(f->root, "/cg/vms/vm/memory.oom.group", "1\n");
  check_refused(f, "(/cg/vms/vm/memory.oom.group is 1)");
}

static void
test_signal(Fixture *f, const void *data)
{
  (void)data;
  f->signal_errno = EPERM;
  check_refused(f, "dacsa may not send signals to QEMU (Operation not permitted)");
  f->signal_errno = EACCES;
  fake_host_put(f->root, "/proc/self/attr/apparmor/current", "dacsa (enforce)\n");
  check_refused(f, "dacsa is confined (dacsa (enforce)) and may not send signals");
}

static void
test_overcommit(Fixture *f, const void *data)
{
  (void)data;
  put_meminfo(f, 16384, 1024);
  check_refused(f, NULL);
  fake_host_put(f->root, "/proc/sys/vm/overcommit_memory", "2\n");
  check_refused(f, "needs 1088 MiB as QEMU has, and 0 MiB are left");
  put_meminfo(f, 16384, 2111);
  check_refused(f, "1087 MiB are left");
  put_meminfo(f, 16384, 2112);
  check_refused(f, NULL);
}

/* QEMU has 512 MiB in memory, 8 in swap and 40 in huge pages: 561 with page tables, and 64 for the
 * process that holds the copy. The limit is that of dacsa's own cgroup. */
static void
test_copy_memory(Fixture *f, const void *data)
{
  g_autofree char *cgroup = g_strdup_printf("/proc/%d/cgroup", (int)getpid());

  (void)data;
  put_qemu(f, "64055", "VmRSS:\t524288 kB\nVmSwap:\t8192 kB\nHugetlbPages:\t40960 kB\n");
  put_meminfo(f, 626, 16384);
  check_no_copy(f, NULL);
  put_meminfo(f, 624, 16384);
  check_no_copy(f, "the host has only 624 MiB of memory left, and a copy needs 625 MiB");
  put_meminfo(f, 16384, 16384);
  fake_host_put(f->root, "/proc/self/mountinfo", "30 1 0:25 / /cg rw - cgroup2 cgroup2 rw\n");
  fake_host_put(f->root, cgroup, "0::/dacsa\n");
  fake_host_put(f->root, "/cg/dacsa/memory.max", "1073741824");
  fake_host_put(f->root, "/cg/dacsa/memory.current", "417333248"); /* 398 MiB */
  check_no_copy(f, NULL);
  fake_host_put(f->root, "/cg/dacsa/memory.current", "419430400"); /* 400 MiB */
  check_no_copy(f, "dacsa's cgroup has only 624 MiB of memory left (/cg/dacsa/memory.max)");
  f->ram_bytes = UINT64_C(256) << 20; /* no more than that is copied */
  check_no_copy(f, NULL);
}

static void
test_copy_commit(Fixture *f, const void *data)
{
  (void)data;
  f->ram_bytes = UINT64_C(4) << 30;
  put_meminfo(f, 16384, 1024);
  check_no_copy(f, NULL);
  fake_host_put(f->root, "/proc/sys/vm/overcommit_memory", "2\n");
  put_meminfo(f, 16384, 1024 + 4096 + 63);
  check_no_copy(f, "a copy needs 4160 MiB, and 4159 MiB are left");
  put_meminfo(f, 16384, 1024 + 4096 + 64);
  check_no_copy(f, NULL);
}

/* A device that is mapped like a file cannot be read like one. */
static void
test_copy_file(Fixture *f, const void *data)
{
  (void)data;
  put_smaps(f, "7f0000000000-7f0040000000 rw-s 00000000 00:05 7 /dev/dax0.0\n");
  fake_host_put(f->root, "/proc/4242/map_files/7f0000000000-7f0040000000", "memory");
  check_no_copy(f, NULL);
  g_autofree char *path =
      g_build_filename(f->root, "/proc/4242/map_files/7f0000000000-7f0040000000", NULL);
  g_assert_cmpint(g_unlink(path), ==, 0);
  fake_host_link(f->root, "/proc/4242/map_files/7f0000000000-7f0040000000", "/dev/null");
  check_no_copy(f, "from what is no file (/dev/dax0.0)");
}

/* A process that is gone, and a monitor that answers nothing: no case can be seen, nothing fails.
 */
static void
test_silence(Fixture *f, const void *data)
{
  char *root = f->root;

  (void)data;
  f->root = fake_host_new();
  f->monitor.answers[1] = NULL;
  check_refused(f, NULL);
  fake_host_free(root);
}

#define ADD(name, function)                                                                        \
  g_test_add("/preflight/" name, Fixture, NULL, set_up, function, tear_down)

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  ADD("nothing", test_nothing);
  ADD("all-told", test_all_told);
  ADD("dacsa", test_dacsa);
  ADD("denied", test_denied);
  ADD("program", test_program);
  ADD("busy", test_busy);
  ADD("encrypted", test_encrypted);
  ADD("passthrough", test_passthrough);
  ADD("ram", test_ram);
  ADD("shared-with", test_shared_with);
  ADD("tasks", test_tasks);
  ADD("memory", test_memory);
  ADD("no-oom-killer", test_no_oom_killer);
  ADD("dies-together", test_dies_together);
  ADD("signal", test_signal);
  ADD("overcommit", test_overcommit);
  ADD("copy-memory", test_copy_memory);
  ADD("copy-commit", test_copy_commit);
  ADD("copy-file", test_copy_file);
  ADD("silence", test_silence);
  return g_test_run();
}
