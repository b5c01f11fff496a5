/*
 * The viewer's lives. It may crash of what a guest made up; the mount goes on with another one, as
 * long as there is something to serve and they do not crash faster than that helps.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* So many crashes within DACSA_LIVES_US, and no further viewer is tried. */
#define DACSA_LIVES_MAX 30u
#define DACSA_LIVES_US (60 * G_USEC_PER_SEC)

typedef struct DacsaLives DacsaLives;

typedef struct {
  /* Whether there is something to serve: somebody may have unmounted it. */
  bool (*is_wanted)(void *data);
  /* Starts the viewer with that number, 1 for the first, none twice. It takes channel, its end of a
   * pair (snap/channel.h). -1, with errno: it could not be started. */
  pid_t (*start)(int channel, uint32_t number, void *data);
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

/* The viewer has closed its channel: it is ended, if it has not ended yet, and reaped. *ret_how:
 * how it ended, in words; owned. */
DacsaLifeEnd dacsa_lives_end(DacsaLives *lives, char **ret_how);
