/* A hash table of windows: open addressing, as there are millions of them. */
#include "parsers/scan/windows.h"

#include <string.h>

#define FIRST_SLOTS 4096u

typedef struct {
  DacsaScanKey key;
  uint32_t scan; /* that saw it last; 0: claimed, but not settled */
  bool found, used;
} Slot;

struct DacsaScanWindows {
  DacsaScanSalt salt;
  guint width;    /* pages in a window */
  size_t overlap; /* bytes of the longest pattern, less one */
  GMutex lock;    /* of what follows */
  Slot *slots;
  size_t n_slots, used; /* n_slots is a power of two */
  uint32_t scan;
};

DacsaScanWindows *
dacsa_scan_windows_new(const DacsaScanSalt *salt, size_t longest)
{
  DacsaScanWindows *w = g_new0(DacsaScanWindows, 1);

  w->salt = *salt;
  /* A pattern that begins with a page's last byte ends so many pages on. */
  w->overlap = MAX(longest, 1) - 1;
  w->width = 1 + (guint)((w->overlap + DACSA_SCAN_PAGE - 1) / DACSA_SCAN_PAGE);
  w->n_slots = FIRST_SLOTS;
  w->slots = g_new0(Slot, w->n_slots);
  w->scan = 1;
  g_mutex_init(&w->lock);
  return w;
}

DacsaScanWindows *
dacsa_scan_windows_new_like(const DacsaScanWindows *other)
{
  DacsaScanSalt salt;

  dacsa_scan_salt_init(&salt);
  return dacsa_scan_windows_new(&salt, other->overlap + 1);
}

void
dacsa_scan_windows_free(DacsaScanWindows *w)
{
  if (!w)
    return;
  g_free(w->slots);
  g_mutex_clear(&w->lock);
  g_free(w);
}

const DacsaScanSalt *
dacsa_scan_windows_salt(const DacsaScanWindows *w)
{
  return &w->salt;
}

guint
dacsa_scan_windows_width(const DacsaScanWindows *w)
{
  return w->width;
}

size_t
dacsa_scan_windows_overlap(const DacsaScanWindows *w)
{
  return w->overlap;
}

void
dacsa_scan_windows_trim(const DacsaScanWindows *w, const DacsaScanPart *part, guint n,
                        bool known_before, bool known_after, uint64_t *ret_start, uint64_t *ret_end)
{
  const uint64_t edge = w->width - 1; /* pages */

  /* What begins before this is in the window before, unless it reaches the part's page `edge`. */
  *ret_start = part->first > 0 || known_before ? (part->first + edge) * DACSA_SCAN_PAGE - w->overlap
                                               : part->first * (uint64_t)DACSA_SCAN_PAGE;
  *ret_end = part->end < n || known_after ? (part->end - edge) * DACSA_SCAN_PAGE + w->overlap
                                          : part->end * (uint64_t)DACSA_SCAN_PAGE;
}

/* Where the key is, or is to be put. */
static Slot *
find(const DacsaScanWindows *w, const DacsaScanKey *key)
{
  size_t i = (size_t)(key->a ^ key->b) & (w->n_slots - 1);

  while (w->slots[i].used && (w->slots[i].key.a != key->a || w->slots[i].key.b != key->b))
    i = (i + 1) & (w->n_slots - 1);
  return &w->slots[i];
}

static void
grow(DacsaScanWindows *w)
{
  g_autofree Slot *old = w->slots;
  const size_t n_old = w->n_slots;

  w->n_slots *= 2;
  w->slots = g_new0(Slot, w->n_slots);
  for (size_t i = 0; i < n_old; i++)
    if (old[i].used)
      *find(w, &old[i].key) = old[i];
}

/* The key's slot; *ret_added: it was not there. */
static Slot *
add(DacsaScanWindows *w, const DacsaScanKey *key, bool *ret_added)
{
  if (w->used >= w->n_slots / 4 * 3)
    grow(w);
  Slot *slot = find(w, key);
  *ret_added = !slot->used;
  if (*ret_added) {
    *slot = (Slot){.key = *key, .used = true};
    w->used++;
  }
  return slot;
}

/* Number of windows in a sequence: a short one is a window of its own. */
static guint
count_windows(const DacsaScanWindows *w, guint n)
{
  return n > w->width ? n - w->width + 1 : n > 0;
}

void
dacsa_scan_windows_claim(DacsaScanWindows *w, const DacsaScanKey *pages, guint n, GArray *ret)
{
  const guint width = MIN(n, w->width);
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&w->lock);
  DacsaScanPart part = {0, 0};

  for (guint i = 0; i < count_windows(w, n); i++) {
    DacsaScanKey key;
    bool is_new;

    dacsa_scan_key_sequence(&w->salt, pages + i, width, &key);
    Slot *slot = add(w, &key, &is_new);
    if (slot->scan > 0)
      slot->scan = w->scan;
    if (!is_new)
      continue;
    if (part.end < i || part.end == 0) {
      if (part.end > 0)
        g_array_append_val(ret, part);
      part.first = i;
    }
    part.end = i + width;
  }
  if (part.end > 0)
    g_array_append_val(ret, part);
}

void
dacsa_scan_windows_settle(DacsaScanWindows *w, const DacsaScanKey *pages, const bool *found,
                          guint n)
{
  const guint width = MIN(n, w->width);
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&w->lock);

  for (guint i = 0; i < count_windows(w, n); i++) {
    DacsaScanKey key;
    bool is_new;

    dacsa_scan_key_sequence(&w->salt, pages + i, width, &key);
    Slot *slot = add(w, &key, &is_new);
    slot->scan = w->scan;
    for (guint k = i; k < i + width; k++)
      slot->found = slot->found || found[k];
  }
}

void
dacsa_scan_windows_settled(DacsaScanWindows *w, GArray *ret)
{
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&w->lock);

  for (size_t i = 0; i < w->n_slots; i++) {
    const Slot *slot = &w->slots[i];
    const DacsaScanSettled settled = {slot->key, slot->scan, slot->found};

    if (slot->used && slot->scan > 0)
      g_array_append_val(ret, settled);
  }
}

void
dacsa_scan_windows_add_settled(DacsaScanWindows *w, const DacsaScanSettled *settled)
{
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&w->lock);
  bool is_new;
  Slot *slot = add(w, &settled->key, &is_new);

  slot->scan = MAX(slot->scan, settled->scan);
  slot->found = slot->found || settled->found;
  w->scan = MAX(w->scan, settled->scan + 1);
}
