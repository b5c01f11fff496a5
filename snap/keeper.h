/*
 * The keeper: knows which VMs run, keeps the snapshots, and does what the viewer asks. It runs in
 * the default GMainContext of a process with one thread, and never waits for a VM.
 */
#pragma once

#include "snap/lives.h"
#include "snap/policy.h"

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

typedef struct DacsaKeeper DacsaKeeper;

typedef struct {
  const char *uri;            /* libvirt; NULL: none */
  const char *const *qmp;     /* NAME=SOCKET, NULL-terminated; may be NULL */
  bool qmp_awaited;           /* those need not be there yet */
  const char *state_path;     /* see snap/state.h */
  DacsaPolicies policies;     /* its lists outlive the keeper */
  DacsaAmount host_cow_limit; /* of all snapshots together; of the host's memory */
  bool no_collapse;           /* huge pages are not put together again */
  bool drop_on_exit;          /* else snapshots stay for the next daemon */
} DacsaKeeperOptions;

/* Connects to libvirt and looks at every --qmp VM once, unless they are awaited, so that what is
 * mistyped fails here. */
bool dacsa_keeper_new(const DacsaKeeperOptions *options, DacsaKeeper **ret,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

typedef enum {
  DACSA_KEEPER_DONE,      /* the file system was unmounted */
  DACSA_KEEPER_NOT_READY, /* the viewer ended before it served anything; why has been told */
  DACSA_KEEPER_LOST,      /* viewers crash, or are killed, too fast, or none can be started */
} DacsaKeeperEnd;

/* Starts a viewer, and another one whenever it crashes or hangs, and serves them until there is
 * nothing to serve, or they crash too fast. */
DacsaKeeperEnd dacsa_keeper_run(DacsaKeeper *keeper, const DacsaLivesOptions *viewer);

/* false: none lives, or its end has been noticed. */
bool dacsa_keeper_kill_viewer(DacsaKeeper *keeper);

/* ready is called when the first viewer serves requests. */
void dacsa_keeper_on_ready(DacsaKeeper *keeper, void (*ready)(void *data), void *data);
void dacsa_keeper_free(DacsaKeeper *keeper);
