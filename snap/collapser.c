/* When which VM's memory is passed over. */
#include "snap/collapser.h"

#include "snap/collapse.h"
#include "snap/error.h"
#include "snap/log.h"
#include "snap/worker.h"

#include <inttypes.h>

#define FIRST_MS 1000u /* after a take or a drop: the next one may follow at once */
#define LAST_MS 64000u /* between passes, at most; each time twice as long as before */
#define MAX_AT_ONCE 2u /* passes, of all VMs: each a tenth of a processor */

struct DacsaCollapser {
  DacsaFleet *fleet;
  GHashTable *turns;  /* VM's name -> Turn, owned */
  GHashTable *passes; /* VM's name -> Pass, which is its worker's */
  unsigned running;   /* passes that nobody has ended */
  bool is_impossible; /* on this host; told already */
};

/* A VM that a pass is due for, or under way. */
typedef struct {
  DacsaCollapser *collapser;
  char *vm;
  guint delay_ms; /* of the timer, or of the one before */
  guint timer;    /* GSource id, or 0 */
  bool is_due;    /* and waits for others to end */
  bool again;     /* one is wanted after the one under way */
} Turn;

/* A pass, for as long as its worker is there: one that was killed may be in a call for long yet. */
typedef struct {
  DacsaCollapser *collapser; /* NULL: that is gone */
  char *vm;
  DacsaWorker *worker; /* NULL: it is done, or was ended */
  pid_t ended;         /* that worker's, where it was; else 0 */
} Pass;

static gboolean on_timer(void *data);

/* -- turns -- */

static void
turn_free(void *data)
{
  Turn *turn = data;

  if (turn->timer)
    g_source_remove(turn->timer);
  g_free(turn->vm);
  g_free(turn);
}

static void
turn_wait(Turn *turn, guint delay_ms)
{
  if (turn->timer)
    g_source_remove(turn->timer);
  turn->again = false;
  turn->delay_ms = delay_ms;
  turn->timer = g_timeout_add(delay_ms, on_timer, turn);
}

/* -- passes -- */

static void
pass_job(int reply_fd, void *data)
{
  const DacsaProbe *probe = data;
  g_auto(DacsaCollapsed) collapsed = {0};
  g_autoptr(GError) error = NULL;

  if (dacsa_collapse_run(probe, &collapsed, &error))
    dacsa_worker_reply(reply_fd, dacsa_collapsed_to_variant(&collapsed), NULL);
  else
    dacsa_worker_reply(reply_fd, NULL, error);
}

static void
tell(const char *vm, const DacsaCollapsed *c)
{
  const uint64_t *seen = c->seen;
  g_autofree char *stopped = c->stopped ? g_strdup_printf("; stopped: %s", c->stopped) : NULL;

  dacsa_log(DACSA_LOG_COLLAPSED, G_LOG_LEVEL_INFO, vm, NULL, -1,
            "%" PRIu64 " of %" PRIu64
            " split huge pages put together again in %.0f ms; others: %" PRIu64 " huge, %" PRIu64
            " shared, %" PRIu64 " absent, %" PRIu64 " swapped%s",
            c->collapsed, seen[DACSA_RANGE_SPLIT], (double)c->busy_us / 1000,
            seen[DACSA_RANGE_HUGE], seen[DACSA_RANGE_SHARED], seen[DACSA_RANGE_ABSENT],
            seen[DACSA_RANGE_SWAPPED], stopped ? stopped : "");
}

static void start_due(DacsaCollapser *self);

static void
pass_free(Pass *pass)
{
  g_free(pass->vm);
  g_free(pass);
}

/* When the next one follows, if one does. */
static void
plan_next(Turn *turn, bool complete)
{
  DacsaCollapser *self = turn->collapser;
  const DacsaVm *vm = dacsa_fleet_find(self->fleet, turn->vm);

  if (!vm || !vm->running)
    g_hash_table_remove(self->turns, turn->vm);
  else if (turn->again)
    turn_wait(turn, FIRST_MS);
  else if (vm->snapshots->len > 0 || !complete)
    turn_wait(turn, MIN(turn->delay_ms * 2, LAST_MS));
  else
    g_hash_table_remove(self->turns, turn->vm);
}

/* Unless it was ended. */
static void
pass_done(GVariant *payload, const GError *error, void *data)
{
  Pass *pass = data;
  DacsaCollapser *self = pass->collapser;
  Turn *turn = g_hash_table_lookup(self->turns, pass->vm);
  g_auto(DacsaCollapsed) collapsed = {0};
  bool ok = payload && dacsa_collapsed_from_variant(payload, &collapsed, NULL);

  pass->worker = NULL;
  self->running--;
  if (ok)
    tell(pass->vm, &collapsed);
  if (g_error_matches(error, DACSA_ERROR, DACSA_ERROR_UNSUPPORTED)) {
    if (!self->is_impossible)
      g_message("huge pages that snapshots split stay split: %s", error->message);
    self->is_impossible = true;
    g_hash_table_remove_all(self->turns);
  } else if (turn) {
    plan_next(turn, ok && !collapsed.stopped);
  }
  start_due(self);
}

/* replied: it is done, or was ended; else it died. */
static void
pass_ended(pid_t worker, bool replied, void *data)
{
  Pass *pass = data;
  DacsaCollapser *self = pass->collapser;

  (void)worker;
  if (self && !replied)
    pass_done(NULL, NULL, pass);
  if (self) {
    g_hash_table_remove(self->passes, pass->vm);
    start_due(self);
  }
  pass_free(pass);
}

static void
end_pass(Pass *pass)
{
  if (!pass->worker)
    return;
  pass->collapser->running--;
  pass->ended = dacsa_worker_end(g_steal_pointer(&pass->worker));
}

static void
start_pass(Turn *turn, DacsaVm *vm)
{
  DacsaCollapser *self = turn->collapser;
  Pass *pass = g_new0(Pass, 1);
  g_autoptr(GError) error = NULL;

  pass->collapser = self;
  pass->vm = g_strdup(turn->vm);
  if (dacsa_worker_start_expendable(pass_job, vm->probe, pass_done, pass_ended, pass, &pass->worker,
                                    &error)) {
    g_hash_table_insert(self->passes, pass->vm, pass);
    self->running++;
  } else {
    pass_free(pass);
    turn_wait(turn, LAST_MS);
  }
}

/* One whose last pass is not gone yet waits for that. */
static bool
is_startable(const Turn *turn)
{
  return turn->is_due && !g_hash_table_contains(turn->collapser->passes, turn->vm);
}

/* A VM that is being snapshotted is told of again when that is over. */
static void
start_due(DacsaCollapser *self)
{
  GHashTableIter iter;
  void *value;

  g_hash_table_iter_init(&iter, self->turns);
  while (self->running < MAX_AT_ONCE && g_hash_table_iter_next(&iter, NULL, &value)) {
    Turn *turn = value;

    if (!is_startable(turn))
      continue;
    DacsaVm *vm = dacsa_fleet_find(self->fleet, turn->vm);
    turn->is_due = false;
    if (!vm || !vm->running || !vm->probe || vm->taking)
      g_hash_table_iter_remove(&iter);
    else
      start_pass(turn, vm);
  }
}

static gboolean
on_timer(void *data)
{
  Turn *turn = data;

  turn->timer = 0;
  turn->is_due = true;
  start_due(turn->collapser);
  return G_SOURCE_REMOVE;
}

/* -- from outside -- */

DacsaCollapser *
dacsa_collapser_new(DacsaFleet *fleet)
{
  DacsaCollapser *self = g_new0(DacsaCollapser, 1);

  self->fleet = fleet;
  self->turns = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, turn_free);
  self->passes = g_hash_table_new(g_str_hash, g_str_equal);
  return self;
}

void
dacsa_collapser_free(DacsaCollapser *self)
{
  GHashTableIter iter;
  void *value;

  if (!self)
    return;
  g_hash_table_iter_init(&iter, self->passes);
  while (g_hash_table_iter_next(&iter, NULL, &value)) {
    Pass *pass = value;

    end_pass(pass);
    pass->collapser = NULL;
  }
  g_hash_table_unref(self->passes);
  g_hash_table_unref(self->turns);
  g_free(self);
}

void
dacsa_collapser_note(DacsaCollapser *self, const DacsaVm *vm)
{
  const char *name = vm->address->name;

  if (!self || self->is_impossible || !vm->running)
    return;
  Turn *turn = g_hash_table_lookup(self->turns, name);
  if (!turn) {
    turn = g_new0(Turn, 1);
    turn->collapser = self;
    turn->vm = g_strdup(name);
    g_hash_table_insert(self->turns, turn->vm, turn);
  }
  const Pass *pass = g_hash_table_lookup(self->passes, name);
  if (pass && pass->worker)
    turn->again = true;
  else if (!turn->is_due)
    turn_wait(turn, FIRST_MS);
}

pid_t
dacsa_collapser_yield(DacsaCollapser *self, const DacsaVm *vm)
{
  Pass *pass = self ? g_hash_table_lookup(self->passes, vm->address->name) : NULL;

  if (!self)
    return 0;
  if (pass)
    end_pass(pass);
  g_hash_table_remove(self->turns, vm->address->name);
  start_due(self);
  return pass ? pass->ended : 0;
}
