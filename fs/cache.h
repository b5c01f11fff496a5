/* Carved files, kept by inode number within a budget of memory; the least recently used go first,
 * but for the last two. */
#pragma once

#include "fs/file.h"

typedef struct DacsaCache DacsaCache;

DacsaCache *dacsa_cache_new(size_t budget);
void dacsa_cache_free(DacsaCache *cache);

/* A new reference, or NULL. */
DacsaFile *dacsa_cache_get(DacsaCache *cache, uint64_t ino);

/* Keeps a reference of its own. If another thread was faster, what it put is kept, and returned
 * (a new reference); else file is. */
DacsaFile *dacsa_cache_put(DacsaCache *cache, uint64_t ino, DacsaFile *file);

/* Forgets all files whose number lies in [first, last]. */
void dacsa_cache_forget(DacsaCache *cache, uint64_t first, uint64_t last);
