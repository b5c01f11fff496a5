/*
 * Schedules: a snapshot of a VM each time that --every has passed, of which the newest --keep stay.
 * Only snapshots that a schedule took are counted and removed. It runs in the default GMainContext,
 * by the monotonic clock: setting the host's clock neither brings snapshots forward nor holds them
 * up.
 */
#pragma once

#include "snap/policy.h"
#include "snap/shelf.h"

typedef struct DacsaSchedule DacsaSchedule;

typedef struct {
  DacsaFleet *fleet;      /* borrowed */
  DacsaShelf *shelf;      /* borrowed */
  DacsaPolicies policies; /* the strings are borrowed */
  /* A snapshot of that name is to be taken now. dacsa_schedule_tried follows, at once or later. */
  void (*due)(DacsaVm *vm, const char *name, void *data);
  void (*changed)(DacsaVm *vm, void *data); /* what vm's status says of its next snapshot */
  void *data;
} DacsaScheduleOptions;

DacsaSchedule *dacsa_schedule_new(const DacsaScheduleOptions *options);
void dacsa_schedule_free(DacsaSchedule *schedule); /* may be NULL */

/* Every VM that runs gets its schedule now: to be called when the shelf has taken up what there is,
 * since a schedule goes on from the latest snapshot. */
void dacsa_schedule_start(DacsaSchedule *schedule);

/* From now on nothing is due any more. */
void dacsa_schedule_stop(DacsaSchedule *schedule);

/* To be called when something of a VM has changed: one that is new gets its schedule, one that has
 * ended loses it. */
void dacsa_schedule_vm_changed(DacsaSchedule *schedule, DacsaVm *vm);

/* What came of a snapshot that was due; error: NULL where it was taken. Then too many go. A reason
 * is logged once, until another follows or a snapshot is taken. */
void dacsa_schedule_tried(DacsaSchedule *schedule, DacsaVm *vm, const GError *error);

/*
 * When the next snapshot is due, by the clock that says now_us. last_us: the latest attempt, in the
 * same clock; -1: there was none. Every VM has its own moments every_us apart, by its name, so that
 * not all are paused together; the next one is the first of them more than half of every_us after
 * the latest. If that has passed already, or there was no attempt yet, it is due soon: within
 * DACSA_SCHEDULE_SOON_US, and that once, however many were missed.
 */
#define DACSA_SCHEDULE_SOON_US (5 * G_USEC_PER_SEC)
int64_t dacsa_schedule_next(int64_t every_us, const char *name, int64_t last_us, int64_t now_us);
