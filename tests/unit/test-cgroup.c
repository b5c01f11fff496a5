/* The tightest limit above a process, in cgroups of version 1 and 2, made up. */
#include "check.h"
#include "fake-host.h"

#include "snap/cgroup.h"

#define PID 4242
#define MIB (UINT64_C(1) << 20)

static const char v1_mounts[] =
    "22 1 0:20 / /proc rw - proc proc rw\n"
    "30 1 0:25 / /sys/fs/cgroup/unified rw,relatime shared:4 - cgroup2 cgroup2 rw\n"
    "31 1 0:26 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
    "32 1 0:27 / /sys/fs/cgroup/pids\\040and\\040more rw,relatime - cgroup cgroup rw,misc,pids\n";
static const char v2_mounts[] =
    "22 1 0:20 / /proc rw - proc proc rw\n"
    "30 1 0:25 / /sys/fs/cgroup rw,relatime shared:4 master:1 - cgroup2 cgroup2 rw,nsdelegate\n";

static void
check_limit(const char *root, DacsaCgroupKind kind, const char *file, uint64_t limit, uint64_t used)
{
  g_autoptr(DacsaCgroupLimit) found = dacsa_cgroup_tightest(root, PID, kind);

  if (!file) {
    g_assert_null(found);
    return;
  }
  g_assert_nonnull(found);
  g_assert_cmpstr(found->file, ==, file);
  g_assert_cmpuint(found->limit, ==, limit);
  g_assert_cmpuint(found->used, ==, used);
}

static void
test_v1(void)
{
  char *root = fake_host_new();

  fake_host_put(root, "/proc/self/mountinfo", v1_mounts);
  fake_host_put(root, "/proc/4242/cgroup", "8:misc,pids:/machine/vm\n4:memory:/machine\n0::/\n");
  check_limit(root, DACSA_CGROUP_PIDS, NULL, 0, 0);
  check_limit(root, DACSA_CGROUP_MEMORY, NULL, 0, 0);

  fake_host_put(root, "/sys/fs/cgroup/pids and more/machine/vm/pids.max", "max\n");
  fake_host_put(root, "/sys/fs/cgroup/pids and more/machine/vm/pids.current", "7\n");
  check_limit(root, DACSA_CGROUP_PIDS, NULL, 0, 0);
  fake_host_put(root, "/sys/fs/cgroup/pids and more/machine/pids.max", "100\n");
  fake_host_put(root, "/sys/fs/cgroup/pids and more/machine/pids.current", "40\n");
  check_limit(root, DACSA_CGROUP_PIDS, "/sys/fs/cgroup/pids and more/machine/pids.max", 100, 40);
  fake_host_put(root, "/sys/fs/cgroup/pids and more/machine/vm/pids.max", "50\n");
  check_limit(root, DACSA_CGROUP_PIDS, "/sys/fs/cgroup/pids and more/machine/vm/pids.max", 50, 7);

  /* The number for "no limit", then one; page cache does not count. */
  fake_host_put(root, "/sys/fs/cgroup/memory/machine/memory.limit_in_bytes",
                "9223372036854771712\n");
  fake_host_put(root, "/sys/fs/cgroup/memory/machine/memory.usage_in_bytes", "209715200\n");
  fake_host_put(root, "/sys/fs/cgroup/memory/machine/memory.stat",
                "inactive_file 1\nactive_file 1\ntotal_inactive_file 10485760\n"
                "total_active_file 20971520\n");
  check_limit(root, DACSA_CGROUP_MEMORY, NULL, 0, 0);
  fake_host_put(root, "/sys/fs/cgroup/memory/machine/memory.limit_in_bytes", "314572800\n");
  check_limit(root, DACSA_CGROUP_MEMORY, "/sys/fs/cgroup/memory/machine/memory.limit_in_bytes",
              300 * MIB, 170 * MIB);
  fake_host_free(root);
}

static void
test_v2(void)
{
  const char *vm = "/sys/fs/cgroup/machine.slice/vm.scope";
  char *root = fake_host_new();

  fake_host_put(root, "/proc/self/mountinfo", v2_mounts);
  fake_host_put(root, "/proc/4242/cgroup", "0::/machine.slice/vm.scope\n");
  for (int i = 0; i < 2; i++) {
    g_autofree char *high = g_build_filename(vm, "memory.high", NULL);
    g_autofree char *max = g_build_filename(vm, "memory.max", NULL);
    g_autofree char *current = g_build_filename(vm, "memory.current", NULL);

    fake_host_put(root, high, i ? "73400320" : "max");
    fake_host_put(root, max, "104857600");
    fake_host_put(root, current, "52428800");
    check_limit(root, DACSA_CGROUP_MEMORY, i ? high : max, (i ? 70 : 100) * MIB, 50 * MIB);
  }
  /* An ancestor that is above its limit has no room at all. */
  fake_host_put(root, "/sys/fs/cgroup/machine.slice/memory.max", "104857600");
  fake_host_put(root, "/sys/fs/cgroup/machine.slice/memory.current", "104857601");
  g_autoptr(DacsaCgroupLimit) limit = dacsa_cgroup_tightest(root, PID, DACSA_CGROUP_MEMORY);
  g_assert_cmpstr(limit->file, ==, "/sys/fs/cgroup/machine.slice/memory.max");
  g_assert_cmpuint(dacsa_cgroup_room(limit), ==, 0);
  check_limit(root, DACSA_CGROUP_PIDS, NULL, 0, 0);
  fake_host_free(root);
}

/* In a container: only a part of the hierarchy is mounted, and the process is there or elsewhere.
 */
static void
test_namespaces(void)
{
  char *root = fake_host_new();

  fake_host_put(root, "/proc/self/mountinfo",
                "30 1 0:25 /box /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
  fake_host_put(root, "/sys/fs/cgroup/vm/pids.max", "9");
  fake_host_put(root, "/sys/fs/cgroup/vm/pids.current", "3");
  fake_host_put(root, "/proc/4242/cgroup", "0::/box/vm\n");
  check_limit(root, DACSA_CGROUP_PIDS, "/sys/fs/cgroup/vm/pids.max", 9, 3);
  fake_host_put(root, "/proc/4242/cgroup", "0::/boxes/vm\n");
  check_limit(root, DACSA_CGROUP_PIDS, NULL, 0, 0);
  fake_host_put(root, "/proc/4242/cgroup", "0::/../vm\n");
  check_limit(root, DACSA_CGROUP_PIDS, NULL, 0, 0);
  fake_host_free(root);
}

static void
test_garbage(void)
{
  static const char *const mounts[] = {"", "1 2 3\n", "30 1 0:25 / /sys/fs/cgroup rw - cgroup2\n",
                                       "30 1 0:25 / /sys/fs/cgroup rw cgroup2 cgroup2 rw x y\n"};
  static const char *const cgroups[] = {"",        "0\n",  "0:\n",      "0::\n",
                                        "0::vm\n", "::\n", "1:memory\n"};
  char *root = fake_host_new();

  fake_host_put(root, "/sys/fs/cgroup/vm/pids.max", "9");
  fake_host_put(root, "/sys/fs/cgroup/vm/pids.current", "3");
  check_limit(root, DACSA_CGROUP_PIDS, NULL, 0, 0);
  fake_host_put(root, "/proc/4242/cgroup", "0::/vm\n");
  for (size_t i = 0; i < G_N_ELEMENTS(mounts); i++) {
    fake_host_put(root, "/proc/self/mountinfo", mounts[i]);
    check_limit(root, DACSA_CGROUP_PIDS, NULL, 0, 0);
  }
  fake_host_put(root, "/proc/self/mountinfo", v2_mounts);
  check_limit(root, DACSA_CGROUP_PIDS, "/sys/fs/cgroup/vm/pids.max", 9, 3);
  for (size_t i = 0; i < G_N_ELEMENTS(cgroups); i++) {
    fake_host_put(root, "/proc/4242/cgroup", cgroups[i]);
    check_limit(root, DACSA_CGROUP_PIDS, NULL, 0, 0);
  }
  fake_host_free(root);
}

static void
check_file(const char *root, const char *path, const char *wanted)
{
  g_autofree char *file = g_strconcat(root, path, NULL);
  g_autofree char *text = NULL;

  g_assert_true(g_file_get_contents(file, &text, NULL, NULL));
  g_assert_cmpstr(text, ==, wanted);
}

static void
test_move(void)
{
  static const char systemd_mount[] =
      "33 1 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n";
  char *root = fake_host_new();
  g_autofree char *mounts = g_strconcat(v1_mounts, systemd_mount, NULL);
  g_autoptr(GError) error = NULL;

  fake_host_put(root, "/proc/4242/cgroup", "4:memory:/vm\n1:name=systemd:/vm\n0::/vm\n");
  fake_host_put(root, "/proc/7/cgroup", "4:memory:/us\n1:name=systemd:/us\n0::/us\n");
  CHECK_OK(dacsa_cgroup_move(root, PID, 7, &error),
           error); /* no hierarchy to be seen: nothing to do */

  fake_host_put(root, "/proc/self/mountinfo", v2_mounts);
  CHECK_FAILS(dacsa_cgroup_move(root, PID, 7, &error), error, DACSA_ERROR_NOT_FOUND);
  fake_host_put(root, "/sys/fs/cgroup/us/cgroup.procs", "");
  CHECK_OK(dacsa_cgroup_move(root, PID, 7, &error), error);
  check_file(root, "/sys/fs/cgroup/us/cgroup.procs", "4242");

  fake_host_put(root, "/proc/self/mountinfo", mounts);
  fake_host_put(root, "/sys/fs/cgroup/unified/us/cgroup.procs", "");
  fake_host_put(root, "/sys/fs/cgroup/systemd/us/cgroup.procs", "");
  CHECK_OK(dacsa_cgroup_move(root, PID, 7, &error), error);
  check_file(root, "/sys/fs/cgroup/unified/us/cgroup.procs", "4242");
  check_file(root, "/sys/fs/cgroup/systemd/us/cgroup.procs", "4242");

  /* Both in one already: left alone. */
  fake_host_put(root, "/sys/fs/cgroup/unified/us/cgroup.procs", "");
  fake_host_put(root, "/proc/7/cgroup", "1:name=systemd:/vm\n0::/vm\n");
  CHECK_OK(dacsa_cgroup_move(root, PID, 7, &error), error);
  check_file(root, "/sys/fs/cgroup/unified/us/cgroup.procs", "");
  fake_host_free(root);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/cgroup/v1", test_v1);
  g_test_add_func("/cgroup/v2", test_v2);
  g_test_add_func("/cgroup/namespaces", test_namespaces);
  g_test_add_func("/cgroup/garbage", test_garbage);
  g_test_add_func("/cgroup/move", test_move);
  return g_test_run();
}
