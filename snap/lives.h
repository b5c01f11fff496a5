/*
 * The viewer's lives. It may crash of what a guest made up, or hang; the mount goes on with another
 * one, as long as there is something to serve and they do not crash faster than that helps. It runs
 * in the default GMainContext, and never waits for a viewer but to reap one that has ended.
 */
#pragma once

#include "snap/watchdog.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* So many crashes within DACSA_LIVES_US, and no further viewer is tried. */
#define DACSA_LIVES_MAX 30u
#define DACSA_LIVES_US (60 * G_USEC_PER_SEC)

/*
 * A viewer hangs that has been at one thing for so long (snap/watchdog.h), and a tenth of it more
 * for each GiB, rounded up, of the RAM of the largest snapshot there has been, to 64 GiB. An honest
 * guest's answers take seconds. What a hostile guest's may read is bounded (parsers/work.h): 16 Mi
 * reads, and 16 Mi more for each GiB, at most 1 Gi, each time that a request turns to the guest,
 * and for each thing made once for all. Most reads cost 0.2 us of a processor's time, one of a page
 * that is not cached 1.6 us; here each of one such allowance has 4 us at least. A request that
 * spends several (a listing with attributes makes all that it lists) may be taken for one that
 * hangs, if the guest makes each cost all that it may.
 */
#ifndef DACSA_LIVES_HANG_US /* tests build a dacsa with less */
#define DACSA_LIVES_HANG_US (600 * G_USEC_PER_SEC)
#endif

typedef struct DacsaLives DacsaLives;

typedef struct {
  /* Whether there is something to serve: somebody may have unmounted it. Asked when a viewer has
   * ended. */
  bool (*is_wanted)(void *data);
  /* Starts the viewer with that number, 1 for the first, none twice. It takes channel, its end of a
   * pair (snap/channel.h). -1, with errno: it could not be started. */
  pid_t (*start)(int channel, uint32_t number, void *data);
  /* What the viewer says that it works on. */
  void (*tasks)(DacsaTask ret[DACSA_TASKS_MAX], void *data);
  int64_t hang_us; /* DACSA_LIVES_HANG_US */
  void *data;
} DacsaLivesOptions;

typedef enum {
  DACSA_LIFE_DONE,     /* nothing is left to serve */
  DACSA_LIFE_CRASHED,  /* another one may be started */
  DACSA_LIFE_HOPELESS, /* they crash too fast */
} DacsaLifeEnd;

DacsaLives *dacsa_lives_new(const DacsaLivesOptions *options);
void dacsa_lives_free(DacsaLives *lives);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaLives, dacsa_lives_free)

/* Starts a viewer. *ret_channel: the keeper's end; owned, close-on-exec. */
bool dacsa_lives_start(DacsaLives *lives, int *ret_channel,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The number of the one that was started last; 0: none was. */
uint32_t dacsa_lives_number(const DacsaLives *lives);

/* Whether one lives, or has ended and is not reaped yet. */
bool dacsa_lives_has_one(const DacsaLives *lives);

/* There is a snapshot with so much RAM: answers about it may take longer from now on. */
void dacsa_lives_allow(DacsaLives *lives, uint64_t ram_bytes);

/* For how long a viewer may be at one thing. */
int64_t dacsa_lives_limit_us(const DacsaLives *lives);

/* The viewer, there is one, has closed its channel or is to be rid of: it is killed, if it has not
 * ended yet. Returns what is readable when it has ended: borrowed, until dacsa_lives_end. One that
 * hangs is killed unasked, which closes its channel. */
int dacsa_lives_kill(DacsaLives *lives);

/* The viewer has ended: it is reaped. *ret_how: how it ended, in words; owned. */
DacsaLifeEnd dacsa_lives_end(DacsaLives *lives, char **ret_how);
