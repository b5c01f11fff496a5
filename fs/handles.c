/* Handles: the viewer's number in the upper bits, a count in the lower. */
#include "fs/handles.h"

#include <stdbool.h>

#define COUNT_BITS 40u /* opens of one viewer: a million a second for twelve days */

struct DacsaHandles {
  DacsaHandleOps ops;
  GMutex lock;       /* of what follows */
  uint64_t next;     /* handle */
  GHashTable *table; /* handle -> object; a reference each */
};

static void *
key_of(uint64_t handle)
{
  return GSIZE_TO_POINTER(handle);
}

DacsaHandles *
dacsa_handles_new(uint32_t viewer, const DacsaHandleOps *ops)
{
  DacsaHandles *handles = g_new0(DacsaHandles, 1);

  handles->ops = *ops;
  g_mutex_init(&handles->lock);
  handles->next = ((uint64_t)viewer << COUNT_BITS) + 1;
  handles->table = g_hash_table_new_full(NULL, NULL, NULL, ops->unref);
  return handles;
}

void
dacsa_handles_free(DacsaHandles *handles)
{
  if (!handles)
    return;
  g_hash_table_unref(handles->table);
  g_mutex_clear(&handles->lock);
  g_free(handles);
}

uint64_t
dacsa_handles_add(DacsaHandles *handles, void *object)
{
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&handles->lock);
  const uint64_t handle = handles->next++;

  g_hash_table_insert(handles->table, key_of(handle), object);
  return handle;
}

void *
dacsa_handles_get(DacsaHandles *handles, uint64_t handle)
{
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&handles->lock);
  void *object = g_hash_table_lookup(handles->table, key_of(handle));

  return object ? handles->ops.ref(object) : NULL;
}

void *
dacsa_handles_adopt(DacsaHandles *handles, uint64_t handle, void *object)
{
  void *kept;

  g_mutex_lock(&handles->lock);
  kept = g_hash_table_lookup(handles->table, key_of(handle));
  const bool late = kept != NULL;
  if (!late) {
    kept = object;
    g_hash_table_insert(handles->table, key_of(handle), object);
  }
  handles->ops.ref(kept);
  g_mutex_unlock(&handles->lock);
  if (late)
    handles->ops.unref(object);
  return kept;
}

/* Not under the lock: what is freed may be large. */
void
dacsa_handles_remove(DacsaHandles *handles, uint64_t handle)
{
  void *object = NULL;

  g_mutex_lock(&handles->lock);
  g_hash_table_steal_extended(handles->table, key_of(handle), NULL, &object);
  g_mutex_unlock(&handles->lock);
  if (object)
    handles->ops.unref(object);
}
