/* Frames' content: blocks of keys, made where there is something. */
#include "parsers/scan/pages.h"

#define BLOCK_FRAMES 1024u

struct DacsaScanPages {
  GMutex lock;
  GHashTable *blocks; /* frame / BLOCK_FRAMES -> DacsaScanKey[BLOCK_FRAMES]; zeros: not read */
};

DacsaScanPages *
dacsa_scan_pages_new(void)
{
  DacsaScanPages *pages = g_new0(DacsaScanPages, 1);

  g_mutex_init(&pages->lock);
  pages->blocks = g_hash_table_new_full(NULL, NULL, NULL, g_free);
  return pages;
}

void
dacsa_scan_pages_free(DacsaScanPages *pages)
{
  if (!pages)
    return;
  g_hash_table_unref(pages->blocks);
  g_mutex_clear(&pages->lock);
  g_free(pages);
}

void
dacsa_scan_pages_set(DacsaScanPages *pages, const uint64_t *frames, const DacsaScanKey *keys,
                     guint n)
{
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&pages->lock);

  for (guint i = 0; i < n; i++) {
    void *number = GSIZE_TO_POINTER(frames[i] / BLOCK_FRAMES);
    DacsaScanKey *block = g_hash_table_lookup(pages->blocks, number);

    if (!block) {
      block = g_new0(DacsaScanKey, BLOCK_FRAMES);
      g_hash_table_insert(pages->blocks, number, block);
    }
    block[frames[i] % BLOCK_FRAMES] = keys[i];
  }
}

bool
dacsa_scan_pages_get(DacsaScanPages *pages, uint64_t frame, DacsaScanKey *ret)
{
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&pages->lock);
  const DacsaScanKey *block =
      g_hash_table_lookup(pages->blocks, GSIZE_TO_POINTER(frame / BLOCK_FRAMES));

  if (!block || (block[frame % BLOCK_FRAMES].a | block[frame % BLOCK_FRAMES].b) == 0)
    return false;
  *ret = block[frame % BLOCK_FRAMES];
  return true;
}
