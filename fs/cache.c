/* The cache of carved files. */
#include "fs/cache.h"

typedef struct {
  uint64_t ino;
  DacsaFile *file;
  size_t cost;
  GList link; /* in the queue */
} Entry;

struct DacsaCache {
  GMutex lock;
  size_t budget, used;
  GHashTable *entries; /* &Entry.ino -> Entry, owned */
  GQueue queue;        /* most recently used first */
};

static void
entry_free(void *data)
{
  Entry *entry = data;

  dacsa_file_unref(entry->file);
  g_free(entry);
}

DacsaCache *
dacsa_cache_new(size_t budget)
{
  DacsaCache *cache = g_new0(DacsaCache, 1);

  g_mutex_init(&cache->lock);
  g_queue_init(&cache->queue);
  cache->budget = budget;
  cache->entries = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, entry_free);
  return cache;
}

void
dacsa_cache_free(DacsaCache *cache)
{
  if (!cache)
    return;
  g_hash_table_unref(cache->entries);
  g_mutex_clear(&cache->lock);
  g_free(cache);
}

static void
remove_entry(DacsaCache *cache, Entry *entry)
{
  cache->used -= entry->cost;
  g_queue_unlink(&cache->queue, &entry->link);
  g_hash_table_remove(cache->entries, &entry->ino);
}

DacsaFile *
dacsa_cache_get(DacsaCache *cache, uint64_t ino)
{
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&cache->lock);
  Entry *entry = g_hash_table_lookup(cache->entries, &ino);

  if (!entry)
    return NULL;
  g_queue_unlink(&cache->queue, &entry->link);
  g_queue_push_head_link(&cache->queue, &entry->link);
  return dacsa_file_ref(entry->file);
}

DacsaFile *
dacsa_cache_put(DacsaCache *cache, uint64_t ino, DacsaFile *file)
{
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&cache->lock);
  Entry *entry = g_hash_table_lookup(cache->entries, &ino);

  if (entry)
    return dacsa_file_ref(entry->file);
  entry = g_new0(Entry, 1);
  entry->ino = ino;
  entry->file = dacsa_file_ref(file);
  entry->cost = dacsa_file_cost(file) + sizeof(*entry);
  entry->link.data = entry;
  g_hash_table_insert(cache->entries, &entry->ino, entry);
  g_queue_push_head_link(&cache->queue, &entry->link);
  cache->used += entry->cost;
  /* The newest two stay even if they alone are over the budget: one is about to be used, and what
   * it was made of, just before, may be what the next one is made of. */
  while (cache->used > cache->budget && cache->queue.length > 2)
    remove_entry(cache, cache->queue.tail->data);
  return dacsa_file_ref(file);
}

void
dacsa_cache_forget(DacsaCache *cache, uint64_t first, uint64_t last)
{
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&cache->lock);
  GList *next;

  for (GList *link = cache->queue.head; link; link = next) {
    Entry *entry = link->data;

    next = link->next;
    if (entry->ino >= first && entry->ino <= last)
      remove_entry(cache, entry);
  }
}
