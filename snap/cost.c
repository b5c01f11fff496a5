/* Once a second a guess; where it says so a measurement; after that the decision. */
#include "snap/cost.h"

#include "snap/budget.h"
#include "snap/hostfile.h"
#include "snap/measure.h"
#include "snap/pressure.h"

#include <stdio.h>
#include <string.h>

#define TICK_MS 1000
#define CPU_SHARE 100 /* measuring takes one part in so many of a CPU's time */
#define INTERVAL_MIN_US (5 * G_USEC_PER_SEC)
#define INTERVAL_MAX_US (600 * G_USEC_PER_SEC)
#define STALL_US (3 * G_USEC_PER_SEC)   /* for so long after it was told there is a stall */
#define ENDING_US (10 * G_USEC_PER_SEC) /* a killed child is waited for; longer, and it hangs */
#define PAGE UINT64_C(4096)

struct DacsaCost {
  DacsaCostOptions options;
  DacsaPressure *pressure;
  guint tick; /* GSource id; 0: there is no snapshot */
  bool measuring;
  int64_t due_us; /* when to measure next, monotonic */
  int64_t stalled_us;
};

/* -- the budget, of what was measured, or guessed since -- */

/* Minor faults of a process so far, all its threads': proc_pid_stat(5), field 10. */
static uint64_t
faults_of(pid_t pid)
{
  g_autofree char *text = dacsa_hostfile_process("", pid, "stat");
  const char *after = text ? strrchr(text, ')') : NULL;
  unsigned long faults;

  return after && sscanf(after, ") %*c %*d %*d %*d %*d %*d %*u %lu", &faults) == 1 ? faults : 0;
}

static uint64_t
faults_of_vm(const DacsaVm *vm)
{
  return vm->running && vm->probe ? faults_of(vm->probe->pid) : 0;
}

typedef struct {
  bool guess;
  GArray *vms, *snapshots; /* DacsaBudgetVm, DacsaBudgetSnapshot */
  GPtrArray *kept;         /* those snapshots' */
  bool unknown;            /* a VM has snapshots that were never measured */
  bool ending;             /* one is being dropped */
} Gathering;

static void
gather_vm(DacsaVm *vm, void *data)
{
  Gathering *g = data;
  DacsaBudgetVm budget = {vm->cost.bytes, vm->cost.limit, vm->cost.cgroup, vm->cost.room,
                          vm->cost.room_max};

  if (vm->snapshots->len == 0 || !vm->cost.known) {
    g->unknown |= vm->snapshots->len > 0;
    vm->cost.known = false;
    return;
  }
  if (g->guess) {
    const uint64_t faults = faults_of_vm(vm);
    const uint64_t more = faults > vm->cost.faults ? (faults - vm->cost.faults) * PAGE : 0;

    /* A third on top: not all that makes a copy is a fault of QEMU's own (vhost, huge pages). */
    budget.bytes = (budget.bytes + more) / 3 * 4;
    budget.room -= MIN(budget.room, more);
  }
  for (guint i = 0; i < vm->snapshots->len; i++) {
    DacsaKept *kept = g_ptr_array_index(vm->snapshots, i);
    const DacsaBudgetSnapshot snapshot = {g->vms->len, kept->record->child_start};

    if (kept->stays)
      continue;
    if (kept->why) {
      g->ending |= g_get_monotonic_time() - kept->killed_us < ENDING_US;
      budget.bytes -= MIN(budget.bytes, kept->private_bytes);
      continue;
    }
    g_array_append_val(g->snapshots, snapshot);
    g_ptr_array_add(g->kept, kept);
  }
  g_array_append_val(g->vms, budget);
}

static void
gathering_init(Gathering *g, const DacsaCost *self, bool guess)
{
  *g = (Gathering){guess,
                   g_array_new(FALSE, FALSE, sizeof(DacsaBudgetVm)),
                   g_array_new(FALSE, FALSE, sizeof(DacsaBudgetSnapshot)),
                   g_ptr_array_new(),
                   false,
                   false};
  dacsa_fleet_foreach(self->options.fleet, gather_vm, g);
}

static void
gathering_clear(Gathering *g)
{
  g_array_unref(g->vms);
  g_array_unref(g->snapshots);
  g_ptr_array_unref(g->kept);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Gathering, gathering_clear)

/* The snapshot that has to go; NULL: none. */
static DacsaKept *
decide(const DacsaCost *self, const Gathering *g, char **ret_why)
{
  DacsaBudget budget = {.vms = (const DacsaBudgetVm *)(void *)g->vms->data,
                        .n_vms = g->vms->len,
                        .snapshots = (const DacsaBudgetSnapshot *)(void *)g->snapshots->data,
                        .n_snapshots = g->snapshots->len,
                        .stalled = g_get_monotonic_time() - self->stalled_us < STALL_US};
  size_t i;

  if (!dacsa_pressure_memory("", &budget.memory, &budget.available))
    budget.memory = budget.available = UINT64_MAX;
  budget.limit = dacsa_amount_of(self->options.host_limit, budget.memory);
  return dacsa_budget_decide(&budget, &i, ret_why) ? g_ptr_array_index(g->kept, i) : NULL;
}

/* -- measuring -- */

static void
give_up(DacsaCost *self, DacsaKept *kept, const char *why)
{
  DacsaVm *vm = dacsa_fleet_find(self->options.fleet, kept->record->vm);

  dacsa_shelf_drop(self->options.shelf, kept, DACSA_END_GIVEN_UP, why);
  /* Until it is measured again; else old figures would have all of them go. */
  if (vm)
    vm->cost.bytes -= MIN(vm->cost.bytes, MAX(kept->private_bytes, 1));
  /* The stall had its answer; what that brought is measured when the child is gone. */
  self->stalled_us = 0;
  self->due_us = 0;
}

static void
decide_now(DacsaCost *self)
{
  g_auto(Gathering) gathering = {0};
  g_autofree char *why = NULL;

  gathering_init(&gathering, self, false);
  DacsaKept *kept = gathering.ending ? NULL : decide(self, &gathering, &why);
  if (kept)
    give_up(self, kept, why);
}

static void
measured(GVariant *payload, const GError *error, void *data)
{
  DacsaCost *self = data;
  g_autoptr(GError) cause = error ? g_error_copy(error) : NULL;
  int64_t pause_us = INTERVAL_MIN_US;
  uint64_t cpu_us;

  self->measuring = false;
  if (!cause && dacsa_measure_note(self->options.fleet, payload, &cpu_us, &cause))
    pause_us =
        CLAMP((int64_t)MIN(cpu_us, INTERVAL_MAX_US) * CPU_SHARE, INTERVAL_MIN_US, INTERVAL_MAX_US);
  else
    g_message("what snapshots cost cannot be measured: %s", cause->message);
  self->due_us = g_get_monotonic_time() + pause_us;
  decide_now(self); /* without new figures: from the old ones, and the host's memory now */
}

static void
note_faults(DacsaVm *vm, void *data)
{
  (void)data;
  vm->cost.faults = faults_of_vm(vm);
}

static void
measure(DacsaCost *self)
{
  g_autoptr(GError) error = NULL;

  /* Before the measurement: what happens beside it counts twice, rather than not at all. */
  dacsa_fleet_foreach(self->options.fleet, note_faults, NULL);
  self->measuring = dacsa_measure_start(self->options.fleet, measured, self, &error);
  if (!self->measuring)
    measured(NULL, error, self);
}

static gboolean
on_tick(void *data)
{
  DacsaCost *self = data;
  g_auto(Gathering) gathering = {0};
  g_autofree char *why = NULL;

  gathering_init(&gathering, self, true);
  if (gathering.kept->len == 0 && !gathering.unknown) {
    self->tick = 0;
    return G_SOURCE_REMOVE;
  }
  if (!self->measuring && !gathering.ending &&
      (gathering.unknown || g_get_monotonic_time() >= self->due_us ||
       decide(self, &gathering, &why)))
    measure(self);
  return G_SOURCE_CONTINUE;
}

static void
on_stall(void *data)
{
  DacsaCost *self = data;

  self->stalled_us = g_get_monotonic_time();
}

/* -- life -- */

DacsaCost *
dacsa_cost_new(const DacsaCostOptions *options)
{
  DacsaCost *self = g_new0(DacsaCost, 1);

  self->options = *options;
  self->stalled_us = -STALL_US;
  self->pressure = dacsa_pressure_new(on_stall, self);
  if (!dacsa_pressure_is_watched(self->pressure))
    g_message("this kernel does not tell when tasks wait for memory (PSI)");
  return self;
}

void
dacsa_cost_free(DacsaCost *self)
{
  if (!self)
    return;
  if (self->tick)
    g_source_remove(self->tick);
  dacsa_pressure_free(self->pressure);
  g_free(self);
}

void
dacsa_cost_vm_changed(DacsaCost *self, DacsaVm *vm)
{
  g_auto(DacsaPolicy) policy = {0};

  vm->cost.limit = UINT64_MAX;
  if (!vm->running)
    return;
  dacsa_policy_find(&self->options.policies, vm->address->name, &policy);
  if (vm->probe || policy.cow_limit.percent == 0)
    vm->cost.limit = dacsa_amount_of(policy.cow_limit,
                                     vm->probe ? dacsa_layout_ram_bytes(vm->probe->layout) : 0);
}

void
dacsa_cost_wake(DacsaCost *self)
{
  if (!self->tick)
    self->tick = g_timeout_add(TICK_MS, on_tick, self);
}
