/*
 * Requests, the viewer's and the schedule's: to take a snapshot, to drop one, to look at a VM
 * again. Each is answered by the teller, at once or when what it asks for is done. A request is a
 * message with the verb `take`, `drop` or `refresh`, a `vm`, and a `name` of a snapshot
 * (snap/channel.h); the schedule's has the sequence 0.
 */
#pragma once

#include "snap/channel.h"
#include "snap/schedule.h"
#include "snap/takes.h"
#include "snap/teller.h"

/* All borrowed. */
typedef struct {
  DacsaFleet *fleet;
  DacsaShelf *shelf;
  DacsaTakes *takes;
  DacsaSchedule *schedule;
  DacsaTeller *teller;
} DacsaRequests;

/* Takes message. It may wait, in its VM's `waiting`, until that has been looked at. */
void dacsa_requests_handle(const DacsaRequests *requests, DacsaMessage *message);

/* That VM has been: refreshes are answered, snapshots are taken. */
void dacsa_requests_probed(const DacsaRequests *requests, DacsaVm *vm);

/* A take is over: see DacsaTakesOver. */
void dacsa_requests_taken(const DacsaRequests *requests, DacsaVm *vm,
                          const DacsaTakeRequest *request, const GError *error);
