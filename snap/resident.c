/* Residency, read from pagemap a chunk at a time and kept as one bit a page. */
#include "snap/resident.h"

#include <string.h>
#include <unistd.h>

#define PAGE 4096u
#define CHUNK_PAGES 32768u /* 128 MiB: 256 KiB of pagemap, a bitmap of 4 KiB */
#define CHUNK ((uint64_t)CHUNK_PAGES * PAGE)
#define PRESENT_OR_SWAPPED (UINT64_C(3) << 62)

struct DacsaResident {
  gatomicrefcount refs;
  int pagemap;
  DacsaLayout *layout;
  DacsaMem *phys;     /* or NULL */
  GMutex lock;        /* of chunks */
  GHashTable *chunks; /* (hva / CHUNK) -> bitmap: CHUNK_PAGES bits */
};

DacsaResident *
dacsa_resident_new(int pagemap, const DacsaLayout *layout, DacsaMem *phys)
{
  DacsaResident *r = g_new0(DacsaResident, 1);

  g_atomic_ref_count_init(&r->refs);
  r->pagemap = pagemap;
  r->layout = dacsa_layout_copy(layout);
  r->phys = phys ? dacsa_mem_ref(phys) : NULL;
  g_mutex_init(&r->lock);
  r->chunks = g_hash_table_new_full(NULL, NULL, NULL, g_free);
  return r;
}

DacsaResident *
dacsa_resident_ref(DacsaResident *r)
{
  g_atomic_ref_count_inc(&r->refs);
  return r;
}

void
dacsa_resident_unref(DacsaResident *r)
{
  if (!r || !g_atomic_ref_count_dec(&r->refs))
    return;
  close(r->pagemap);
  dacsa_layout_free(r->layout);
  dacsa_mem_unref(r->phys);
  g_hash_table_unref(r->chunks);
  g_mutex_clear(&r->lock);
  g_free(r);
}

/* The address of a page in [hva, end) whose bit is not set; false: all are. */
static bool
find_hole(const uint64_t *bits, uint64_t hva, uint64_t end, uint64_t *ret)
{
  for (; hva < end; hva += PAGE) {
    const size_t page = hva % CHUNK / PAGE;

    if (!(bits[page / 64] >> page % 64 & 1)) {
      *ret = hva;
      return true;
    }
  }
  return false;
}

/* Whether the holes are true: one of them can be faulted in. A chunk without holes tells no lies.
 */
static bool
holes_are_true(const DacsaResident *r, uint64_t number, const uint64_t *bits)
{
  for (guint i = 0; r->phys && i < r->layout->ranges->len; i++) {
    const DacsaRange *range = &g_array_index(r->layout->ranges, DacsaRange, i);
    const uint64_t start = MAX(range->offset, number * CHUNK);
    const uint64_t end = MIN(range->offset + range->size, (number + 1) * CHUNK);
    uint64_t hole;
    char byte;

    if (start < end && find_hole(bits, start, end, &hole))
      return dacsa_mem_read(r->phys, range->gpa + (hole - range->offset), &byte, 1, NULL);
  }
  return true;
}

static uint64_t *
load_chunk(const DacsaResident *r, uint64_t number)
{
  uint64_t *bits = g_malloc0(CHUNK_PAGES / 8);
  g_autofree uint64_t *entries = g_new(uint64_t, CHUNK_PAGES);
  ssize_t n = pread(r->pagemap, entries, CHUNK_PAGES * sizeof(uint64_t),
                    (off_t)(number * CHUNK_PAGES * sizeof(uint64_t)));
  size_t known = n > 0 ? (size_t)n / sizeof(uint64_t) : 0;

  for (size_t i = 0; i < CHUNK_PAGES; i++)
    if (i >= known || entries[i] & PRESENT_OR_SWAPPED)
      bits[i / 64] |= UINT64_C(1) << i % 64;
  if (!holes_are_true(r, number, bits))
    memset(bits, 0xff, CHUNK_PAGES / 8); /* who reads them gets the error */
  return bits;
}

/* The bitmap of the chunk; it stays where it is, and as it is, for good. */
static const uint64_t *
chunk(DacsaResident *r, uint64_t number)
{
  void *key = GSIZE_TO_POINTER(number);
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&r->lock);
  uint64_t *bits = g_hash_table_lookup(r->chunks, key);

  if (!bits) {
    bits = load_chunk(r, number);
    g_hash_table_insert(r->chunks, key, bits);
  }
  return bits;
}

/* How far from hva on, up to end, the pages are all there (want), or all not. */
static uint64_t
scan(DacsaResident *r, uint64_t hva, uint64_t end, bool want)
{
  while (hva < end) {
    const uint64_t *bits = chunk(r, hva / CHUNK);
    uint64_t stop = MIN(end, (hva / CHUNK + 1) * CHUNK);

    while (hva < stop) {
      size_t page = hva % CHUNK / PAGE;
      uint64_t word = bits[page / 64];

      /* A word that is all alike is passed in one step. */
      if (page % 64 == 0 && word == (want ? ~UINT64_C(0) : 0))
        hva += 64 * PAGE;
      else if ((word >> page % 64 & 1) == want)
        hva = (hva / PAGE + 1) * PAGE;
      else
        return MIN(hva, end);
    }
  }
  return end;
}

bool
dacsa_resident_next(DacsaResident *r, uint64_t gpa, uint64_t *ret_start, uint64_t *ret_end)
{
  for (const DacsaRange *range = dacsa_layout_find(r->layout, gpa); range;
       range = dacsa_layout_find(r->layout, range->gpa + range->size)) {
    uint64_t delta = range->offset - range->gpa; /* from gpa to hva */
    uint64_t end = range->offset + range->size;
    uint64_t start = scan(r, MAX(gpa, range->gpa) + delta, end, false);

    if (start < end) {
      *ret_start = start - delta;
      *ret_end = scan(r, start, end, true) - delta;
      return true;
    }
  }
  return false;
}
