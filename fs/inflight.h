/*
 * Which requests are being worked on: a page of memory that all viewers of a mount share, one after
 * the other. When one has crashed, the next one knows by it whose callers still wait. A viewer that
 * was taken over can have written anything there; so it is good for numbers to be answered with an
 * error, and for nothing else.
 *
 * Request numbers are the kernel's `unique`: even, and ascending in the order in which requests are
 * queued (fs/fuse/dev.c, fuse_get_unique), which is also that in which they are read. Only forgets,
 * which nobody waits for, get theirs when they are read, so numbers are skipped and come later. Nor
 * are they noted in that order: a thread that has read one may be overtaken by another, or die,
 * before it notes it. So what was read and not noted is somewhere around the highest number.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DACSA_INFLIGHT_THREADS 64u /* what a page has slots for, each a cache line */

typedef struct DacsaInflight DacsaInflight;

/* To be made before the first viewer is forked. */
bool dacsa_inflight_new(DacsaInflight **ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void dacsa_inflight_free(DacsaInflight *inflight);

/* A thread, from 0, has read a request; has answered it. */
void dacsa_inflight_begin(DacsaInflight *inflight, unsigned thread, uint64_t unique);
void dacsa_inflight_end(DacsaInflight *inflight, unsigned thread);

/* The numbers of the requests that were begun and not ended: how many; ret has room for one a
 * thread. */
size_t dacsa_inflight_unanswered(const DacsaInflight *inflight,
                                 uint64_t ret[DACSA_INFLIGHT_THREADS]);

/* The highest number that was begun; 0: none was. */
uint64_t dacsa_inflight_highest(const DacsaInflight *inflight);
