/* What the rows without a name stand for inside a snapshot: processes by their pid, kernel modules
 * by their number + 1, mappings by the number that fs/regions gives them, cached files and
 * directories by their id. An object is never 0. */
#pragma once

#include "fs/place.h"

/* Whether a row's places have an object. */
bool dacsa_object_row(unsigned row);

/* Whether a directory's entries are objects: to list them is work. */
bool dacsa_object_holder(unsigned row);

/* Whether the place's object is there. */
bool dacsa_object_check(const DacsaPlace *place, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The entry of that name in the directory at a place: its row and object. NOT_FOUND: none. */
bool dacsa_object_find(const DacsaPlace *directory, const char *name, unsigned *ret_row,
                       uint32_t *ret_object, GError **error) G_GNUC_WARN_UNUSED_RESULT;

typedef void (*DacsaObjectFunc)(const char *name, unsigned row, uint32_t object, void *data);

/* Calls func for each entry without a row of its own in the directory at a place. */
bool dacsa_object_list(const DacsaPlace *directory, DacsaObjectFunc func, void *data,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The row and object of the directory that holds an object's place. */
void dacsa_object_parent(const DacsaPlace *place, unsigned *ret_row, uint32_t *ret_object);
