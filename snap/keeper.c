/* The keeper's main loop: the viewer's requests, and what all the others have to be told. */
#include "snap/keeper.h"

#include "snap/channel.h"
#include "snap/collapser.h"
#include "snap/cost.h"
#include "snap/error.h"
#include "snap/lives.h"
#include "snap/log.h"
#include "snap/requests.h"

#include <glib-unix.h>
#include <string.h>
#include <unistd.h>

static void lose_viewer(DacsaKeeper *self);

struct DacsaKeeper {
  GMainLoop *loop;
  DacsaFleet *fleet;
  DacsaShelf *shelf;
  DacsaTakes *takes;
  DacsaCollapser *collapser; /* NULL: --no-collapse */
  DacsaCost *cost;
  DacsaSchedule *schedule;
  DacsaTeller *teller;
  DacsaRequests requests;
  bool drop_on_exit;
  DacsaLives *lives; /* of the viewer */
  DacsaLifeEnd end;  /* of the last of them */
  int channel;
  guint channel_source, end_source;
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

  dacsa_lives_allow(self->lives, dacsa_layout_ram_bytes(kept->record->layout));
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
on_take_over(DacsaVm *vm, const DacsaTakeRequest *request, const GError *error, void *data)
{
  const DacsaKeeper *self = data;

  dacsa_requests_taken(&self->requests, vm, request, error);
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
    lose_viewer(self);
    return G_SOURCE_REMOVE;
  }
  if (strcmp(message->verb, "ready") == 0)
    handle_ready(self);
  else if (dacsa_message_viewer(message->sequence) == dacsa_lives_number(self->lives))
    dacsa_requests_handle(&self->requests, g_steal_pointer(&message));
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

/* One that ends before anything was served would end so again. */
static DacsaLifeEnd
end_viewer(DacsaKeeper *self)
{
  g_autofree char *how = NULL;
  DacsaLifeEnd end = dacsa_lives_end(self->lives, &how);
  const char *what = "another one is started";

  if (end == DACSA_LIFE_DONE)
    return end;
  if (end == DACSA_LIFE_HOPELESS)
    what = "it does so too often, so this is the end";
  if (!self->is_ready) {
    what = "it has not served anything yet, so this is the end";
    end = DACSA_LIFE_HOPELESS;
  }
  dacsa_log(DACSA_LOG_VIEWER, G_LOG_LEVEL_WARNING, NULL, NULL, -1, "the viewer %s; %s", how, what);
  return end;
}

/* If it has crashed the next one is told all that this one knew; what it had asked for is done, but
 * nobody waits for it. */
static gboolean
on_viewer_ended(gint fd, GIOCondition condition, void *data)
{
  DacsaKeeper *self = data;
  g_autoptr(GError) error = NULL;

  (void)fd;
  (void)condition;
  self->end_source = 0;
  self->end = end_viewer(self);
  if (self->end == DACSA_LIFE_CRASHED && start_viewer(self, &error)) {
    dacsa_teller_everything(self->teller, self->fleet);
    return G_SOURCE_REMOVE;
  }
  if (error) {
    g_warning("%s", error->message);
    self->end = DACSA_LIFE_HOPELESS;
  }
  g_main_loop_quit(self->loop);
  return G_SOURCE_REMOVE;
}

/* It has closed its channel; its end comes when it has let go of all else, which may take a disk's
 * time. */
static void
lose_viewer(DacsaKeeper *self)
{
  dacsa_teller_listen(self->teller, -1, 0);
  close(self->channel);
  self->channel = -1;
  self->end_source = g_unix_fd_add(dacsa_lives_kill(self->lives), G_IO_IN, on_viewer_ended, self);
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
  const DacsaKeeper *self = data;
  DacsaMessage *message = dacsa_message_new("take", 0);

  dacsa_message_set(message, "vm", vm->address->name);
  dacsa_message_set(message, "name", name);
  dacsa_requests_handle(&self->requests, message);
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
  dacsa_requests_probed(&self->requests, vm);
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
  self->requests =
      (DacsaRequests){self->fleet, self->shelf, self->takes, self->schedule, self->teller};
}

/* All that can fail. */
static bool
start(DacsaKeeper *self, const DacsaKeeperOptions *options, const DacsaFleetOptions *fleet,
      GError **error)
{
  if (!dacsa_takes_new(options->state_path, on_take_over, self, &self->takes, error))
    return false;
  dacsa_takes_rescue(self->takes);
  return dacsa_fleet_new(fleet, &self->fleet, error);
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
  if (!start(self, options, &fleet, error)) {
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

bool
dacsa_keeper_kill_viewer(DacsaKeeper *self)
{
  if (!self->lives || !dacsa_lives_has_one(self->lives))
    return false;
  dacsa_lives_kill(self->lives);
  return true;
}

void
dacsa_keeper_free(DacsaKeeper *self)
{
  if (!self)
    return;
  g_clear_handle_id(&self->channel_source, g_source_remove);
  g_clear_handle_id(&self->end_source, g_source_remove);
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
