/* The state directory of a mount, /run/dacsa/<mount point>/: the records of its living snapshots,
 * so that they outlive the daemon, and its log. */
#pragma once

#include "snap/record.h"

#define DACSA_STATE_ROOT "/run/dacsa" /* of all mounts */

/* What is added to the name of a file there that is not complete yet. */
#define DACSA_STATE_UNFINISHED ".new"

/* The end of the name of a journal there (snap/journal.h): of a take under way, which may outlive
 * the daemon. */
#define DACSA_STATE_TAKING ".taking"

/* The path for a mount point (an absolute path); owned. */
char *dacsa_state_path(const char *mountpoint);

/* Makes the directory, for root alone, and locks it. *ret_lock is owned; the lock ends when it is
 * closed. It is waited for, a second at most. BUSY: another daemon serves that mount point. */
bool dacsa_state_open(const char *path, int *ret_lock, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Ends what dacsa_state_open began. Without snapshots, and takes under way, there is nothing to
 * keep: the directory goes. */
void dacsa_state_close(const char *path, int lock);

/* Whether somebody has the lock. Who may not look, which takes root, is told so. */
bool dacsa_state_is_locked(const char *path);

/* The path of a file about one snapshot there; owned. */
char *dacsa_state_file(const char *path, const char *vm, const char *name, const char *suffix);

/* What load makes of each file there whose name ends in suffix: owned array. NULL: that file is
 * left out. destroy frees one. */
GPtrArray *dacsa_state_load_files(const char *path, const char *suffix,
                                  void *(*load)(const char *file), GDestroyNotify destroy);

/* Whether a snapshot of that VM can be called so: a name that a directory can have, which is none
 * of those that are there already, without control characters, and not too long for any of the
 * files here. Names come from the viewer, which is not believed. */
bool dacsa_state_is_name(const char *vm, const char *name);

/* Writes a record, whole or not at all. */
bool dacsa_state_save(const char *path, const DacsaRecord *record,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;
void dacsa_state_remove(const char *path, const char *vm, const char *name);

/* The record's file, opened for reading: owned, or -1. */
int dacsa_state_open_record(const char *path, const char *vm, const char *name);

/* The record, owned; NULL: there is none. */
DacsaRecord *dacsa_state_load_record(const char *path, const char *vm, const char *name);

/* All records there: owned array of owned DacsaRecord. Damaged files are left out. */
GPtrArray *dacsa_state_load(const char *path);

/* The same of the state directories of all mounts. */
GPtrArray *dacsa_state_load_all(void);
