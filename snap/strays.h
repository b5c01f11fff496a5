/*
 * Copies that nobody knows: of a worker that was killed in the moment between telling its holder
 * (snap/holder.h) to stay and writing down that it is there. They would keep a VM's memory for
 * good.
 */
#pragma once

#include <glib.h>

/* Kills them. state_path: of the mount whose they were (snap/state.h); records: DacsaRecord, all of
 * those that are known. */
void dacsa_strays_end(const char *state_path, const GPtrArray *records);

/* Kills the copy of one snapshot, parked or not, whose worker is dead. label: as its take gave it
 * (snap/method.h). */
void dacsa_strays_end_one(const char *label);
