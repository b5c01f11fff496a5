/*
 * Handles of open files and directories: numbers that stand for objects, a table of each kind. The
 * kernel keeps handles longer than a viewer may live, so one that another viewer gave out is looked
 * up like any other, found to be unknown, and never taken for anything else: a viewer's handles
 * have its number in them. Usable from several threads.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

typedef struct DacsaHandles DacsaHandles;

typedef struct {
  void *(*ref)(void *object);
  void (*unref)(void *object);
} DacsaHandleOps;

/* viewer: its number; of this the lowest 24 bits tell viewers apart. */
DacsaHandles *dacsa_handles_new(uint32_t viewer, const DacsaHandleOps *ops);
void dacsa_handles_free(DacsaHandles *handles);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaHandles, dacsa_handles_free)

/* A new handle, never 0. Takes object. */
uint64_t dacsa_handles_add(DacsaHandles *handles, void *object);

/* A reference; NULL: it is not known here. */
void *dacsa_handles_get(DacsaHandles *handles, uint64_t handle);

/* What was opened again for a handle that was not known: from now on it is. Takes object; returns a
 * reference to it, or to what another thread was faster with. */
void *dacsa_handles_adopt(DacsaHandles *handles, uint64_t handle, void *object);

/* The handle may be unknown. */
void dacsa_handles_remove(DacsaHandles *handles, uint64_t handle);
