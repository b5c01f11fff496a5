/* What dacsa scan was asked to look at: paths and names to snapshots and processes of a mount. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
  char *vm, *snapshot, *path; /* the snapshot's directory */
  GArray *pids;               /* uint32_t: these processes alone; NULL: all there is */
} DacsaScanTarget;

/*
 * Adds what a word means to an array of DacsaScanTarget: `VM` (its newest snapshot),
 * `VM/SNAPSHOT`, the path of either in the mount, `.../processes/PID`. Processes of a snapshot that
 * is there already join it. NOT_FOUND, BAD_DATA: the error says what to write.
 */
bool dacsa_scan_target_add(const char *mount, const char *word, GArray *targets,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The newest snapshot of every VM that has one. */
void dacsa_scan_target_add_newest(const char *mount, GArray *targets);

GArray *dacsa_scan_targets_new(void); /* clears its elements */
