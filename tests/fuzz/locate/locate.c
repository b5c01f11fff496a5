/*
 * Where a signature shows: the input says how large the buffer is and where the signature stands in
 * it, and how the matcher misbehaves. Whatever it says, what is told was shown, in order; and if it
 * is sane, each place is told.
 */
#include "tests/fuzz/fuzz.h"

#include "parsers/scan/locate.h"

#define MOST_PLACES 64u
#define MOST_LOOKS 100000u

enum { SANE, SHORT_BLIND, ALL_PARTS, ERRATIC, HOW };

typedef struct {
  DacsaScanRange places[MOST_PLACES];
  unsigned count;
  unsigned how;
  size_t len;
  uint32_t salt;
  unsigned looks;
  GHashTable *shown; /* of the ranges that showed it: start << 32 | end */
} Matcher;

static gpointer
key(size_t start, size_t end)
{
  return GSIZE_TO_POINTER((gsize)start << 32 | end);
}

static bool
decide(const Matcher *m, size_t start, size_t end)
{
  unsigned inside = 0;

  for (unsigned i = 0; i < m->count; i++)
    inside += m->places[i].start >= start && m->places[i].end <= end;
  if (start == 0 && end == m->len)
    return true;
  if (m->how == SHORT_BLIND && end - start < 6)
    return false;
  if (m->how == ALL_PARTS)
    return inside == m->count;
  if (m->how == ERRATIC && (((start * 2654435761u) ^ (end * 40503u) ^ m->salt) >> 7) % 3 == 0)
    return inside == 0;
  return inside > 0;
}

static bool
shows(size_t start, size_t end, void *data)
{
  Matcher *m = (Matcher *)data;

  g_assert_cmpuint(start, <, end);
  g_assert_cmpuint(end, <=, m->len);
  g_assert_cmpuint(m->looks++, <, MOST_LOOKS);
  if (!decide(m, start, end))
    return false;
  g_hash_table_add(m->shown, key(start, end));
  return true;
}

/* Anything from start to end. */
static size_t
again(const DacsaScanRange *range, size_t start, size_t end, void *data)
{
  const Matcher *m = (const Matcher *)data;

  for (unsigned i = 0; i < m->count; i++)
    if (m->places[i].start >= start && m->places[i].start < end && m->salt % 2)
      return m->places[i].start;
  return start + (range->start ^ m->salt) % (end - start + 1);
}

/* Places, ascending, none overlapping another. */
static void
take_places(FuzzInput *in, Matcher *m, size_t longest)
{
  size_t at = 0;

  while (m->count < MOST_PLACES && in->size > 0) {
    size_t start = at + (size_t)fuzz_take(in, 3) % (m->len / 4 + 1);
    size_t len = 1 + (size_t)fuzz_take(in, 2) % longest;

    if (start + len > m->len)
      return;
    m->places[m->count++] = (DacsaScanRange){start, start + len};
    at = start + len;
  }
}

static void
check_order(const GArray *found, const Matcher *m, unsigned most)
{
  size_t behind = 0;

  g_assert_cmpuint(found->len, >=, 1);
  g_assert_cmpuint(found->len, <=, most);
  for (guint i = 0; i < found->len; i++) {
    const DacsaScanRange *r = &g_array_index(found, DacsaScanRange, i);

    g_assert_cmpuint(r->start, >=, behind);
    g_assert_true(g_hash_table_contains(m->shown, key(r->start, r->end)));
    behind = r->end;
  }
}

/* A sane matcher's places are found, to the byte. */
static void
check_all(const GArray *found, const Matcher *m, unsigned most, bool more)
{
  if (m->how != SANE || m->count == 0)
    return;
  g_assert_cmpint(more, ==, m->count > most);
  g_assert_cmpmem(found->data, found->len * sizeof(DacsaScanRange), m->places,
                  MIN(most, m->count) * sizeof(DacsaScanRange));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  FuzzInput in = {data, size};
  g_autoptr(GHashTable) shown = g_hash_table_new(NULL, NULL);
  Matcher m = {.shown = shown};
  bool more = false;

  m.len = 1 + (size_t)fuzz_take(&in, 3) % ((size_t)4 << 20);
  m.how = (unsigned)fuzz_take(&in, 1) % HOW;
  m.salt = (uint32_t)fuzz_take(&in, 4);
  size_t longest = 1 + (size_t)fuzz_take(&in, 2) % ((size_t)16 << 10);
  unsigned most = 1 + (unsigned)fuzz_take(&in, 1) % (MOST_PLACES + 1);
  bool guesses = fuzz_take(&in, 1) % 2;
  take_places(&in, &m, longest);

  DacsaScanSearch search = {m.len, longest, most, shows, guesses ? again : NULL, &m};
  g_autoptr(GArray) found = dacsa_scan_locate(&search, &more);
  check_order(found, &m, most);
  check_all(found, &m, most, more);
  return 0;
}
