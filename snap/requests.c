/* Requests: at once, or when the VM has been looked at. */
#include "snap/requests.h"

#include "snap/error.h"
#include "snap/log.h"

#include <string.h>

#define MAX_WAITING 128u /* requests for a probe; the viewer has fewer threads */
#define MANY_WAIT "too many requests wait for this VM"

static void
refuse_take(const DacsaRequests *self, DacsaVm *vm, const DacsaTakeRequest *request,
            GLogLevelFlags level, const GError *error)
{
  if (request->scheduled && vm)
    dacsa_schedule_tried(self->schedule, vm, error);
  else
    dacsa_log(DACSA_LOG_REFUSED, level, request->vm, request->name, -1, "%s", error->message);
  if (vm && vm->running)
    dacsa_teller_vm(self->teller, vm);
  dacsa_teller_reply(self->teller, request->sequence, error);
}

void
dacsa_requests_taken(const DacsaRequests *self, DacsaVm *vm, const DacsaTakeRequest *request,
                     const GError *error)
{
  if (error) {
    refuse_take(self, vm, request, G_LOG_LEVEL_WARNING, error);
    return;
  }
  if (request->scheduled)
    dacsa_schedule_tried(self->schedule, vm, NULL);
  dacsa_teller_reply(self->teller, request->sequence, NULL);
}

/* Whether what waits for the probe under way is more than an honest viewer asks for. */
static bool
is_crowded(const DacsaVm *vm)
{
  return vm && vm->waiting->len >= MAX_WAITING;
}

static void
take(const DacsaRequests *self, DacsaVm *vm, const DacsaMessage *message)
{
  g_autofree char *name = g_strdup(dacsa_message_get(message, "vm"));
  g_autofree char *snapshot = g_strdup(dacsa_message_get(message, "name"));
  const DacsaTakeRequest request = {name, snapshot, message->sequence, message->sequence == 0};
  g_autoptr(GError) error = NULL;

  if (is_crowded(vm) ? dacsa_fail(&error, DACSA_ERROR_BUSY, MANY_WAIT)
                     : dacsa_takes_start(self->takes, vm, &request, &error))
    return;
  if (vm && vm->running) {
    g_free(vm->last_error);
    vm->last_error = g_strdup(error->message);
  }
  refuse_take(self, vm, &request, G_LOG_LEVEL_MESSAGE, error);
}

static bool
start_drop(const DacsaRequests *self, DacsaVm *vm, const char *name, uint64_t sequence,
           GError **error)
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
drop(const DacsaRequests *self, DacsaVm *vm, const DacsaMessage *message)
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

/* Whether the probe under way may tell of a VM whose snapshot cannot be taken now that it can. One
 * that is not there is refused at once, unless nothing is known of it yet. */
static bool
may_wait(const DacsaVm *vm)
{
  return vm->probing && !may_be_taken(vm) && (vm->running || !vm->unreachable);
}

void
dacsa_requests_handle(const DacsaRequests *self, DacsaMessage *message)
{
  g_autoptr(DacsaMessage) request = message;
  DacsaVm *vm = dacsa_fleet_find(self->fleet, dacsa_message_get(request, "vm"));
  const bool is_refresh = strcmp(request->verb, "refresh") == 0;
  const bool is_take = strcmp(request->verb, "take") == 0;
  g_autoptr(GError) crowded = NULL;

  if (is_crowded(vm) && !is_take) {
    dacsa_fail(&crowded, DACSA_ERROR_BUSY, MANY_WAIT);
    dacsa_teller_reply(self->teller, request->sequence, crowded);
  } else if (is_crowded(vm)) {
    take(self, vm, request); /* is refused, and its schedule hears of it */
  } else if (vm && ((is_refresh && vm->probing) || (is_take && may_wait(vm)))) {
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

void
dacsa_requests_probed(const DacsaRequests *self, DacsaVm *vm)
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
