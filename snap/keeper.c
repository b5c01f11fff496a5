/* The keeper's main loop: the viewer's requests, and what all the others have to be told. */
#include "snap/keeper.h"

#include "snap/channel.h"
#include "snap/collapser.h"
#include "snap/cost.h"
#include "snap/error.h"
#include "snap/lives.h"
#include "snap/log.h"
#include "snap/schedule.h"
#include "snap/shelf.h"
#include "snap/takes.h"
#include "snap/teller.h"

#include <glib-unix.h>
#include <string.h>
#include <unistd.h>

#define MAX_WAITING 128u /* requests for a probe; the viewer has fewer threads */

static void replace_viewer(DacsaKeeper *self);

struct DacsaKeeper {
  GMainLoop *loop;
  DacsaFleet *fleet;
  DacsaShelf *shelf;
  DacsaTakes *takes;
  DacsaCollapser *collapser; /* NULL: --no-collapse */
  DacsaCost *cost;
  DacsaSchedule *schedule;
  DacsaTeller *teller;
  bool drop_on_exit;
  DacsaLives *lives; /* of the viewer */
  DacsaLifeEnd end;  /* of the last of them */
  int channel;
  guint channel_source;
  bool is_ready;
  void (*ready)(void *data);
  void *ready_data;
};

/* -- what the shelf tells -- */

static void
note_collapse(DacsaKeeper *self, const char *name)
{
  const DacsaVm *vm = dacsa_fleet_find(self->fleet, name);

  if (vm)
    dacsa_collapser_note(self->collapser, vm);
}

static void
on_kept(DacsaKept *kept, void *data)
{
  DacsaKeeper *self = data;

  dacsa_teller_snapshot(self->teller, kept);
  note_collapse(self, kept->record->vm);
  dacsa_cost_wake(self->cost);
}

static void
on_ended(const DacsaKept *kept, void *data)
{
  DacsaKeeper *self = data;

  dacsa_teller_dropped(self->teller, kept->record, kept->why);
  dacsa_teller_reply(self->teller, kept->drop_sequence, NULL);
  note_collapse(self, kept->record->vm);
}

static void
on_buried(const DacsaTombstone *tombstone, void *data)
{
  DacsaKeeper *self = data;

  dacsa_teller_tombstone(self->teller, tombstone);
  note_collapse(self, tombstone->record->vm);
}

static void
on_forgotten(const DacsaTombstone *tombstone, void *data)
{
  DacsaKeeper *self = data;

  dacsa_teller_dropped(self->teller, tombstone->record, tombstone->why);
}

/* -- requests, the viewer's and the schedule's -- */

static void
refuse_take(DacsaKeeper *self, DacsaVm *vm, const DacsaTakeRequest *request, GLogLevelFlags level,
            const GError *error)
{
  if (request->scheduled && vm)
    dacsa_schedule_tried(self->schedule, vm, error);
  else
    dacsa_log(DACSA_LOG_REFUSED, level, request->vm, request->name, -1, "%s", error->message);
  if (vm && vm->running)
    dacsa_teller_vm(self->teller, vm);
  dacsa_teller_reply(self->teller, request->sequence, error);
}

static void
on_take_over(DacsaVm *vm, const DacsaTakeRequest *request, const GError *error, void *data)
{
  DacsaKeeper *self = data;

  if (error) {
    refuse_take(self, vm, request, G_LOG_LEVEL_WARNING, error);
    return;
  }
  if (request->scheduled)
    dacsa_schedule_tried(self->schedule, vm, NULL);
  dacsa_teller_reply(self->teller, request->sequence, NULL);
}

static void
take(DacsaKeeper *self, DacsaVm *vm, const DacsaMessage *message)
{
  g_autofree char *name = g_strdup(dacsa_message_get(message, "vm"));
  g_autofree char *snapshot = g_strdup(dacsa_message_get(message, "name"));
  const DacsaTakeRequest request = {name, snapshot, message->sequence, message->sequence == 0};
  g_autoptr(GError) error = NULL;

  if (dacsa_takes_start(self->takes, vm, &request, &error))
    return;
  if (vm && vm->running) {
    g_free(vm->last_error);
    vm->last_error = g_strdup(error->message);
  }
  refuse_take(self, vm, &request, G_LOG_LEVEL_MESSAGE, error);
}

static bool
start_drop(DacsaKeeper *self, DacsaVm *vm, const char *name, uint64_t sequence, GError **error)
{
  DacsaKept *kept = vm ? dacsa_vm_find(vm, name) : NULL;

  if (!kept && vm && dacsa_shelf_forget(self->shelf, vm, name)) {
    dacsa_teller_reply(self->teller, sequence, NULL);
    return true;
  }
  if (!kept)
    return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "no such snapshot");
  if (kept->drop_sequence)
    return dacsa_fail(error, DACSA_ERROR_BUSY, "it is being dropped already");
  const int errsv = dacsa_shelf_drop(self->shelf, kept, DACSA_END_ASKED, "dropped");
  if (errsv)
    return dacsa_fail_errno(error, errsv, "its child cannot be killed");
  kept->drop_sequence = sequence; /* answered when it has ended, which comes by the main loop */
  return true;
}

static void
drop(DacsaKeeper *self, DacsaVm *vm, const DacsaMessage *message)
{
  const char *name = dacsa_message_get(message, "name");
  g_autoptr(GError) error = NULL;

  if (start_drop(self, vm, name, message->sequence, &error))
    return;
  g_message("%s/%s: %s", dacsa_message_get(message, "vm"), name, error->message);
  dacsa_teller_reply(self->teller, message->sequence, error);
}

static bool
may_be_taken(const DacsaVm *vm)
{
  return vm->probe && vm->probe->method;
}

/* Whether a VM has to be looked at before its snapshot is taken: one that could not be snapshotted
 * when it was last looked at may have changed since; so may one that the schedule comes back to. */
static bool
wants_look(const DacsaVm *vm, const DacsaMessage *message)
{
  return vm && vm->running && !vm->taking &&
         (message->sequence == 0 || (vm->probe && !vm->probe->method));
}

/* Whether what waits for the probe under way is more than an honest viewer asks for. */
static bool
is_crowded(const DacsaVm *vm)
{
  return vm && vm->waiting->len >= MAX_WAITING;
}

/* Takes message. */
static void
handle_request(DacsaKeeper *self, DacsaMessage *message)
{
  g_autoptr(DacsaMessage) request = message;
  DacsaVm *vm = dacsa_fleet_find(self->fleet, dacsa_message_get(request, "vm"));
  const bool is_refresh = strcmp(request->verb, "refresh") == 0;
  const bool is_take = strcmp(request->verb, "take") == 0;
  g_autoptr(GError) crowded = NULL;

  if (is_crowded(vm)) {
    dacsa_fail(&crowded, DACSA_ERROR_BUSY, "too many requests wait for this VM");
    dacsa_teller_reply(self->teller, request->sequence, crowded);
  } else if (vm && vm->probing && (is_refresh || (is_take && !may_be_taken(vm)))) {
    g_ptr_array_add(vm->waiting, g_steal_pointer(&request));
  } else if (is_take && wants_look(vm, request)) {
    g_ptr_array_add(vm->waiting, g_steal_pointer(&request));
    dacsa_fleet_probe(self->fleet, vm, 0);
  } else if (is_take) {
    take(self, vm, request);
  } else if (strcmp(request->verb, "drop") == 0) {
    drop(self, vm, request);
  } else if (is_refresh && vm && (vm->running || vm->unreachable) && !vm->taking) {
    dacsa_fleet_probe(self->fleet, vm, request->sequence);
  } else {
    dacsa_teller_reply(self->teller, request->sequence, NULL);
  }
}

/* The probe that requests waited for is done: refreshes are answered, snapshots are taken. */
static void
handle_waiting(DacsaKeeper *self, DacsaVm *vm)
{
  g_autoptr(GPtrArray) waiting = vm->waiting;

  vm->waiting = g_ptr_array_new_with_free_func((GDestroyNotify)dacsa_message_free);
  while (waiting->len > 0) {
    g_autoptr(DacsaMessage) request = g_ptr_array_steal_index(waiting, 0);

    if (strcmp(request->verb, "refresh") == 0)
      dacsa_teller_reply(self->teller, request->sequence, NULL);
    else
      take(self, vm, request);
  }
}

static void
handle_ready(DacsaKeeper *self)
{
  if (!self->is_ready && self->ready)
    self->ready(self->ready_data);
  self->is_ready = true;
}

static gboolean
on_request(gint fd, GIOCondition condition, void *data)
{
  DacsaKeeper *self = data;
  g_autoptr(DacsaMessage) message = NULL;
  g_autoptr(GError) error = NULL;

  (void)condition;
  if (!dacsa_channel_receive(fd, &message, &error)) {
    if (g_error_matches(error, DACSA_ERROR, DACSA_ERROR_BAD_DATA))
      return G_SOURCE_CONTINUE;
    self->channel_source = 0;
    replace_viewer(self);
    return G_SOURCE_REMOVE;
  }
  if (strcmp(message->verb, "ready") == 0)
    handle_ready(self);
  else if (dacsa_message_viewer(message->sequence) == dacsa_lives_number(self->lives))
    handle_request(self, g_steal_pointer(&message));
  return G_SOURCE_CONTINUE;
}

/* -- the viewer's lives -- */

static bool
start_viewer(DacsaKeeper *self, GError **error)
{
  if (!dacsa_lives_start(self->lives, &self->channel, error))
    return false;
  dacsa_teller_listen(self->teller, self->channel, dacsa_lives_number(self->lives));
  self->channel_source = g_unix_fd_add(self->channel, G_IO_IN | G_IO_HUP, on_request, self);
  return true;
}

/* The viewer is gone. If it has crashed the next one is told all that this one knew; what it had
 * asked for is done, but nobody waits for it. */
static void
replace_viewer(DacsaKeeper *self)
{
  g_autofree char *how = NULL;
  g_autoptr(GError) error = NULL;

  dacsa_teller_listen(self->teller, -1, 0);
  close(self->channel);
  self->channel = -1;
  self->end = dacsa_lives_end(self->lives, &how);
  if (self->end == DACSA_LIFE_DONE || !self->is_ready) {
    g_main_loop_quit(self->loop);
    return;
  }
  dacsa_log(DACSA_LOG_VIEWER, G_LOG_LEVEL_WARNING, NULL, NULL, -1, "the viewer %s; %s", how,
            self->end == DACSA_LIFE_CRASHED ? "another one is started"
                                            : "it does so too often, so this is the end");
  if (self->end == DACSA_LIFE_CRASHED && start_viewer(self, &error)) {
    dacsa_teller_everything(self->teller, self->fleet);
    return;
  }
  if (error)
    g_warning("%s", error->message);
  self->end = DACSA_LIFE_HOPELESS;
  g_main_loop_quit(self->loop);
}

/* -- what the schedule wants: requests that nobody waits for -- */

static void
on_next_changed(DacsaVm *vm, void *data)
{
  DacsaKeeper *self = data;

  dacsa_teller_vm(self->teller, vm);
}

static void
on_due(DacsaVm *vm, const char *name, void *data)
{
  DacsaMessage *message = dacsa_message_new("take", 0);

  dacsa_message_set(message, "vm", vm->address->name);
  dacsa_message_set(message, "name", name);
  handle_request(data, message);
}

/* -- what the fleet tells -- */

static void
on_vm_changed(DacsaVm *vm, void *data)
{
  DacsaKeeper *self = data;

  dacsa_cost_vm_changed(self->cost, vm);
  dacsa_schedule_vm_changed(self->schedule, vm);
  dacsa_teller_vm(self->teller, vm);
}

static void
on_vm_gone(DacsaVm *vm, void *data)
{
  DacsaKeeper *self = data;

  dacsa_teller_vm_gone(self->teller, vm);
}

static void
on_vm_probed(DacsaVm *vm, uint64_t sequence, const GError *error, void *data)
{
  DacsaKeeper *self = data;

  dacsa_teller_reply(self->teller, sequence, error);
  handle_waiting(self, vm);
}

/* -- life -- */

/* The fleet is there; what watches over it and its snapshots. */
static void
begin(DacsaKeeper *self, const DacsaKeeperOptions *options)
{
  const DacsaShelfOptions shelf = {.fleet = self->fleet,
                                   .state_path = options->state_path,
                                   .kept = on_kept,
                                   .ended = on_ended,
                                   .buried = on_buried,
                                   .forgotten = on_forgotten,
                                   .data = self};
  self->shelf = dacsa_shelf_new(&shelf);
  if (!options->no_collapse)
    self->collapser = dacsa_collapser_new(self->fleet);
  const DacsaCostOptions cost = {self->fleet, self->shelf, options->policies,
                                 options->host_cow_limit};
  self->cost = dacsa_cost_new(&cost);
  const DacsaScheduleOptions schedule = {self->fleet, self->shelf,     options->policies,
                                         on_due,      on_next_changed, self};
  self->schedule = dacsa_schedule_new(&schedule);
}

bool
dacsa_keeper_new(const DacsaKeeperOptions *options, DacsaKeeper **ret, GError **error)
{
  DacsaKeeper *self = g_new0(DacsaKeeper, 1);
  const DacsaFleetOptions fleet = {.uri = options->uri,
                                   .qmp = options->qmp,
                                   .qmp_awaited = options->qmp_awaited,
                                   .policies = options->policies,
                                   .changed = on_vm_changed,
                                   .gone = on_vm_gone,
                                   .probed = on_vm_probed,
                                   .data = self};

  self->loop = g_main_loop_new(NULL, FALSE);
  self->channel = -1;
  self->drop_on_exit = options->drop_on_exit;
  self->teller = dacsa_teller_new(options->state_path);
  self->takes = dacsa_takes_new(options->state_path, on_take_over, self);
  dacsa_takes_rescue(self->takes);
  if (!dacsa_fleet_new(&fleet, &self->fleet, error)) {
    dacsa_keeper_free(self);
    return false;
  }
  begin(self, options);
  *ret = self;
  return true;
}

void
dacsa_keeper_on_ready(DacsaKeeper *keeper, void (*ready)(void *data), void *data)
{
  keeper->ready = ready;
  keeper->ready_data = data;
}

DacsaKeeperEnd
dacsa_keeper_run(DacsaKeeper *self, const DacsaLivesOptions *viewer)
{
  g_autoptr(GError) error = NULL;

  self->lives = dacsa_lives_new(viewer);
  if (!start_viewer(self, &error)) {
    g_warning("%s", error->message);
    return DACSA_KEEPER_NOT_READY;
  }
  dacsa_fleet_start(self->fleet);
  dacsa_takes_begin(self->takes, self->fleet, self->shelf, self->collapser);
  dacsa_shelf_take_up(self->shelf);
  dacsa_schedule_start(self->schedule);
  dacsa_teller_all_told(self->teller);
  g_main_loop_run(self->loop);
  dacsa_schedule_stop(self->schedule);
  dacsa_takes_end(self->takes, self->drop_on_exit);
  if (self->drop_on_exit)
    dacsa_shelf_drop_all(self->shelf);
  if (!self->is_ready)
    return DACSA_KEEPER_NOT_READY;
  return self->end == DACSA_LIFE_DONE ? DACSA_KEEPER_DONE : DACSA_KEEPER_LOST;
}

void
dacsa_keeper_free(DacsaKeeper *self)
{
  if (!self)
    return;
  if (self->channel_source)
    g_source_remove(self->channel_source);
  if (self->channel >= 0)
    close(self->channel);
  dacsa_takes_free(self->takes);
  dacsa_collapser_free(self->collapser);
  dacsa_schedule_free(self->schedule);
  dacsa_cost_free(self->cost);
  dacsa_shelf_free(self->shelf);
  dacsa_fleet_free(self->fleet);
  dacsa_lives_free(self->lives);
  dacsa_teller_free(self->teller);
  g_main_loop_unref(self->loop);
  g_free(self);
}
