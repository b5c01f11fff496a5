/* Which snapshot goes: by each rule, and in which order the rules are asked. */
#include "check.h"

#include "snap/budget.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define NONE UINT64_MAX

/* Two VMs: b's first snapshot is the oldest, a's second the newest. */
static const DacsaBudgetSnapshot snapshots[] = {{0, 200}, {0, 400}, {1, 300}, {1, 100}};
enum { A_OLD, A_NEW, B_NEW, B_OLD };

typedef struct {
  DacsaBudgetVm vms[2];
  DacsaBudget budget;
} Fixture;

/* Nothing is amiss with these. */
static Fixture
quiet(void)
{
  return (Fixture){.vms = {{100 * MIB, NONE, NULL, NONE, NONE}, {50 * MIB, NONE, NULL, NONE, NONE}},
                   .budget = {.n_vms = 2,
                              .snapshots = snapshots,
                              .n_snapshots = G_N_ELEMENTS(snapshots),
                              .limit = NONE,
                              .memory = 32 * GIB,
                              .available = 8 * GIB}};
}

static void
check_none(Fixture f)
{
  g_autofree char *why = NULL;
  size_t i;

  f.budget.vms = f.vms;
  g_assert_false(dacsa_budget_decide(&f.budget, &i, &why));
  g_assert_null(why);
}

static void
check_goes(Fixture f, size_t wanted, const char *wanted_why)
{
  g_autofree char *why = NULL;
  size_t i;

  f.budget.vms = f.vms;
  g_assert_true(dacsa_budget_decide(&f.budget, &i, &why));
  g_assert_cmpuint(i, ==, wanted);
  g_assert_cmpstr(why, ==, wanted_why);
}

static void
test_vm_limit(void)
{
  Fixture f = quiet();

  check_none(f);
  f.vms[0].limit = 100 * MIB;
  check_none(f); /* as much as is allowed */
  f.vms[0].limit = 99 * MIB;
  check_goes(f, A_OLD, "the snapshots of this VM cost 100 MiB, more than cow-limit allows, 99 MiB");
  f.vms[1].limit = 10 * MIB;
  check_goes(f, A_OLD, "the snapshots of this VM cost 100 MiB, more than cow-limit allows, 99 MiB");
  f.vms[0].limit = NONE;
  check_goes(f, B_OLD, "the snapshots of this VM cost 50 MiB, more than cow-limit allows, 10 MiB");
  f.budget.n_snapshots = 2; /* b's are on their way out */
  check_none(f);
}

static void
test_host_limit(void)
{
  Fixture f = quiet();

  f.budget.limit = 150 * MIB;
  check_none(f);
  f.budget.limit = 149 * MIB;
  check_goes(f, B_OLD, "all snapshots cost 150 MiB, more than host-cow-limit allows, 149 MiB");
  f.vms[0].limit = 1; /* a VM's own limit is asked first */
  check_goes(f, A_OLD, "the snapshots of this VM cost 100 MiB, more than cow-limit allows, 0 MiB");
}

static void
test_cgroup(void)
{
  Fixture f = quiet();

  f.vms[0].cgroup = "/a/memory.max";
  f.vms[0].room_max = 1 * GIB;
  f.vms[0].room = 32 * MIB; /* the reserve: a 32nd */
  check_none(f);
  f.vms[0].room--;
  check_goes(f, A_OLD,
             "memory runs short: QEMU's cgroup has 31 MiB left below /a/memory.max, and snapshots "
             "cost 100 MiB of it");
  f.vms[0].bytes = 4 * MIB - 1; /* an eighth of the reserve would be worth it */
  check_none(f);
  f.vms[1].cgroup = "/b/memory.max"; /* with room enough */
  f.vms[1].room = f.vms[1].room_max = 1 * GIB;
  check_none(f);
  f.vms[1] = f.vms[0]; /* both in one cgroup: together they are worth it */
  check_goes(f, B_OLD,
             "memory runs short: QEMU's cgroup has 31 MiB left below /a/memory.max, and snapshots "
             "cost 7 MiB of it");
}

static void
test_host_memory(void)
{
  Fixture f = quiet();

  f.budget.available = 1 * GIB;
  check_none(f);
  f.budget.available--;
  check_goes(f, B_OLD, "memory runs short: the host has 1023 MiB left, and snapshots cost 150 MiB");
  f.vms[0].bytes = 77 * MIB; /* with the other's 127: less than an eighth of 1 GiB */
  check_none(f);
}

/* A stall alone is not the snapshots' fault; where memory is not plenty either it may be. */
static void
test_stall(void)
{
  Fixture f = quiet();

  f.budget.stalled = true;
  f.vms[0].bytes = 1 * GIB;
  check_none(f);
  f.budget.available = 4 * GIB - 1;
  check_goes(f, B_OLD,
             "memory runs short: the host has 4095 MiB left and tasks wait for it, and snapshots "
             "cost 1074 MiB");
  f.budget.stalled = false;
  check_none(f);
}

static void
test_reserves(void)
{
  g_assert_cmpuint(dacsa_budget_host_reserve(1 * GIB, false), ==, 64 * MIB);
  g_assert_cmpuint(dacsa_budget_host_reserve(16 * GIB, false), ==, 512 * MIB);
  g_assert_cmpuint(dacsa_budget_host_reserve(512 * GIB, false), ==, 1 * GIB);
  g_assert_cmpuint(dacsa_budget_host_reserve(16 * GIB, true), ==, 2 * GIB);
  g_assert_cmpuint(dacsa_budget_cgroup_reserve(100 * MIB), ==, 16 * MIB);
  g_assert_cmpuint(dacsa_budget_cgroup_reserve(4 * GIB), ==, 128 * MIB);
  g_assert_cmpuint(dacsa_budget_cgroup_reserve(100 * GIB), ==, 256 * MIB);
}

static void
test_nothing(void)
{
  Fixture f = quiet();

  f.budget.n_vms = f.budget.n_snapshots = 0;
  f.budget.limit = 0;
  f.budget.available = 0;
  check_none(f);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/budget/vm-limit", test_vm_limit);
  g_test_add_func("/budget/host-limit", test_host_limit);
  g_test_add_func("/budget/cgroup", test_cgroup);
  g_test_add_func("/budget/host-memory", test_host_memory);
  g_test_add_func("/budget/stall", test_stall);
  g_test_add_func("/budget/reserves", test_reserves);
  g_test_add_func("/budget/nothing", test_nothing);
  return g_test_run();
}
