/*
 * Which requests are being worked on: memory that the keeper and all viewers of a mount share, one
 * after the other. When one has crashed, the next one knows by it whose callers still wait; and the
 * keeper sees by it what a viewer does not come to an end with. A viewer that was taken over can
 * have written anything there; so it is good for numbers to be answered with an error, and for
 * threads to be looked at (snap/watchdog.h), and for nothing else.
 *
 * Request numbers are the kernel's `unique`: even, and ascending in the order in which requests are
 * queued (fs/fuse/dev.c, fuse_get_unique), which is also that in which they are read. Only forgets,
 * which nobody waits for, get theirs when they are read, so numbers are skipped and come later. Nor
 * are they noted in that order: a thread that has read one may be overtaken by another, or die,
 * before it notes it. So what was read and not noted is somewhere around the highest number.
 */
#pragma once

#include "snap/watchdog.h"

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DACSA_INFLIGHT_THREADS 64u /* that read requests */
/* One more, which reads the keeper's messages; its numbers are its own, even as the kernel's are,
 * and no requests'. */
#define DACSA_INFLIGHT_CHANNEL DACSA_INFLIGHT_THREADS

typedef struct DacsaInflight DacsaInflight;

/* To be made before the first viewer is forked. */
bool dacsa_inflight_new(DacsaInflight **ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void dacsa_inflight_free(DacsaInflight *inflight);

/* To be called by the keeper before it forks another: what that finds there is nobody's task. */
void dacsa_inflight_renew(DacsaInflight *inflight);

/* The calling thread is that one from now on, from 0, and works on nothing. */
void dacsa_inflight_attach(DacsaInflight *inflight, unsigned thread);

/* A thread has read a request; has answered it. */
void dacsa_inflight_begin(DacsaInflight *inflight, unsigned thread, uint64_t unique);
void dacsa_inflight_end(DacsaInflight *inflight, unsigned thread);

/* Whether what the calling thread works on waits for the keeper: as long as it takes. */
void dacsa_inflight_wait(DacsaInflight *inflight, bool waits);

/* What is being worked on and waits for nobody but the viewer itself; a place a thread. */
void dacsa_inflight_tasks(const DacsaInflight *inflight, DacsaTask ret[DACSA_TASKS_MAX]);

/* The numbers of the requests that were begun and not ended: how many; ret has room for one a
 * thread. */
size_t dacsa_inflight_unanswered(const DacsaInflight *inflight,
                                 uint64_t ret[DACSA_INFLIGHT_THREADS]);

/* The highest number that was begun; 0: none was. */
uint64_t dacsa_inflight_highest(const DacsaInflight *inflight);
