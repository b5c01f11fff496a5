/* What is gathered, matched, and told: places in a buffer are pages of units. */
#include "fs/scan-gather.h"

#include <string.h>

#define PAGE DACSA_SCAN_PAGE
#define BUFFER_BYTES ((size_t)4 << 20) /* matched at once */
#define LITTLE ((size_t)256 << 10)     /* is not matched for itself */
#define SEAM 64u                       /* bytes between what does not belong together */

/* A stretch of the gathered bytes; from, to: where it is in the unit's memory. */
typedef struct {
  const DacsaScanUnit *unit;
  size_t start;
  uint64_t from, to;
  guint keys; /* index of the first page's key */
} Segment;

struct DacsaScanGather {
  DacsaScanJob *job;
  char *bytes;
  size_t used;
  GArray *segments;
  GArray *keys; /* DacsaScanKey of the segments' pages */
};

DacsaScanGather *
dacsa_scan_gather_new(DacsaScanJob *job)
{
  DacsaScanGather *g = g_new0(DacsaScanGather, 1);

  g->job = job;
  g->bytes = g_malloc(BUFFER_BYTES);
  g->segments = g_array_new(FALSE, FALSE, sizeof(Segment));
  g->keys = g_array_new(FALSE, FALSE, sizeof(DacsaScanKey));
  return g;
}

void
dacsa_scan_gather_free(DacsaScanGather *g)
{
  if (!g)
    return;
  g_free(g->bytes);
  g_array_unref(g->segments);
  g_array_unref(g->keys);
  g_free(g);
}

static void
forget(DacsaScanGather *g)
{
  g->used = 0;
  g_array_set_size(g->segments, 0);
  g_array_set_size(g->keys, 0);
}

/* -- places -- */

static const Segment *
segment_number(const DacsaScanGather *g, guint i)
{
  return &g_array_index(g->segments, Segment, i);
}

/* The last segment that begins at or before a gathered byte. */
static const Segment *
segment_at(const DacsaScanGather *g, size_t offset)
{
  const Segment *found = NULL;

  for (guint i = 0; i < g->segments->len && segment_number(g, i)->start <= offset; i++)
    found = segment_number(g, i);
  return found;
}

static size_t
segment_end(const Segment *segment)
{
  return segment->start + (size_t)(segment->to - segment->from);
}

/* Number of the page, among the segment's, that holds a gathered byte. */
static guint
page_of(const Segment *segment, size_t offset)
{
  return (guint)((segment->from + (offset - segment->start)) / PAGE - segment->from / PAGE);
}

/* -- matching -- */

/* Whether a signature that shows across seams shows without what we put there. */
static bool
shows_with_other_seams(const DacsaScanGather *g, DacsaScanEngine *engine,
                       const DacsaScanMatch *match)
{
  const size_t len = match->end - match->start;
  g_autofree char *copy = g_memdup2(g->bytes + match->start, len);
  g_autoptr(GArray) again = NULL;
  bool more;

  for (guint i = 0; i + 1 < g->segments->len; i++) {
    const size_t from = MAX(segment_end(segment_number(g, i)), match->start);
    const size_t to = MIN(segment_number(g, i + 1)->start, match->end);

    if (from < to)
      memset(copy + (from - match->start), 0xa5, to - from);
  }
  if (!dacsa_scan_engine_memory(engine, copy, len, &again, &more, NULL))
    return true;
  for (guint i = 0; i < again->len; i++)
    if (strcmp(g_array_index(again, DacsaScanMatch, i).signature, match->signature) == 0)
      return true;
  return false;
}

/* Adds what was found; false: it can be told here, but is not known by its content. */
static bool
add_finding(const DacsaScanGather *g, DacsaScanEngine *engine, const DacsaScanMatch *match)
{
  const Segment *segment = segment_at(g, match->start);

  if (!segment)
    return true;
  const bool within = match->start < segment_end(segment) && match->end <= segment_end(segment);
  if (!within && !shows_with_other_seams(g, engine, match))
    return true;
  const size_t start = MIN(match->start, segment_end(segment) - 1);
  const guint page = page_of(segment, start);
  const guint n = within ? page_of(segment, match->end - 1) - page + 1 : G_MAXUINT;
  const uint64_t offset = segment->from + (start - segment->start);
  if (n <= DACSA_FINDING_MAX_PAGES &&
      dacsa_scan_findings_add(dacsa_scan_clean_findings(dacsa_scan_job_clean(g->job)),
                              &g_array_index(g->keys, DacsaScanKey, segment->keys + page), n,
                              (guint)(offset % PAGE), match->signature))
    return true;
  dacsa_findings_add_memory(dacsa_scan_job_findings(g->job), segment->unit, (guint)(offset / PAGE),
                            (guint)(offset % PAGE), match->signature);
  return false;
}

/* Marks the segment's pages that a match touches. */
static void
mark_found(const Segment *segment, const DacsaScanMatch *match, bool *found)
{
  const size_t from = MAX(match->start, segment->start);
  const size_t to = MIN(match->end, segment_end(segment));

  if (from < to)
    for (guint page = page_of(segment, from); page <= page_of(segment, to - 1); page++)
      found[segment->keys + page] = true;
}

/* Notes what has been scanned. known: what was found is known by its content; else the pages where
 * it is are to be scanned again. */
static void
settle(const DacsaScanGather *g, const GArray *matches, bool known)
{
  DacsaScanWindows *content = dacsa_scan_job_content(g->job);
  g_autofree bool *found = g_new0(bool, g->keys->len);

  for (guint i = 0; i < g->segments->len; i++) {
    const Segment *segment = segment_number(g, i);
    const guint pages = page_of(segment, segment_end(segment) - 1) + 1;
    const DacsaScanKey *keys = &g_array_index(g->keys, DacsaScanKey, segment->keys);
    guint begin = 0;

    for (guint n = 0; n < matches->len; n++)
      mark_found(segment, &g_array_index(matches, DacsaScanMatch, n), found);
    for (guint page = 0; page <= pages; page++)
      if (page == pages || (found[segment->keys + page] && !known)) {
        if (page > begin)
          dacsa_scan_windows_settle(content, keys + begin, found + segment->keys + begin,
                                    page - begin);
        begin = page + 1;
      }
  }
}

static bool
is_of_one_unit(const DacsaScanGather *g)
{
  return segment_number(g, 0)->unit == segment_number(g, g->segments->len - 1)->unit;
}

/* Whether each match is in one piece: then it shows there whatever stands around. */
static bool
are_in_pieces(const DacsaScanGather *g, const GArray *matches)
{
  for (guint i = 0; i < matches->len; i++) {
    const DacsaScanMatch *match = &g_array_index(matches, DacsaScanMatch, i);
    const Segment *segment = segment_at(g, match->start);

    if (!segment || match->end > segment_end(segment))
      return false;
  }
  return true;
}

static void match(const DacsaScanGather *g, DacsaScanEngine *engine);

/* What several units have, each for itself. Their segments stand one unit behind the other. */
static void
match_each(const DacsaScanGather *g, DacsaScanEngine *engine)
{
  guint begin = 0;

  for (guint i = 1; i <= g->segments->len; i++) {
    if (i < g->segments->len && segment_number(g, i)->unit == segment_number(g, begin)->unit)
      continue;
    g_autoptr(DacsaScanGather) alone = dacsa_scan_gather_new(g->job);
    const Segment *first = segment_number(g, begin);
    const Segment *last = segment_number(g, i - 1);

    alone->used = segment_end(last) - first->start;
    memcpy(alone->bytes, g->bytes + first->start, alone->used);
    for (guint n = begin; n < i; n++) {
      Segment segment = *segment_number(g, n);

      segment.start -= first->start;
      segment.keys -= first->keys;
      g_array_append_val(alone->segments, segment);
    }
    g_array_append_vals(alone->keys, &g_array_index(g->keys, DacsaScanKey, first->keys),
                        (i < g->segments->len ? segment_number(g, i)->keys : g->keys->len) -
                            first->keys);
    match(alone, engine);
    begin = i;
  }
}

static void
match(const DacsaScanGather *g, DacsaScanEngine *engine)
{
  const char *where = segment_number(g, 0)->unit->path;
  const DacsaScanCounts counts = {.bytes = g->used};
  g_autoptr(GArray) matches = NULL;
  g_autoptr(GError) error = NULL;
  bool more = false, known = true;
  const bool ok = dacsa_scan_engine_memory(engine, g->bytes, g->used, &matches, &more, &error);

  dacsa_scan_job_count(g->job, &counts);
  if (!is_of_one_unit(g) && (!ok || more || !are_in_pieces(g, matches))) {
    match_each(g, engine);
    return;
  }
  if (!ok)
    dacsa_scan_job_fail(g->job, "%s: %s", where, error->message);
  for (guint i = 0; matches && i < matches->len; i++)
    known = add_finding(g, engine, &g_array_index(matches, DacsaScanMatch, i)) && known;
  if (more)
    dacsa_scan_job_fail(g->job, "%s: a signature shows in more places than are told", where);
  else if (ok)
    settle(g, matches, known);
}

void
dacsa_scan_gather_flush(DacsaScanGather *g)
{
  if (g->used > 0)
    match(g, dacsa_scan_job_engine(g->job));
  forget(g);
}

void
dacsa_scan_gather_end_unit(DacsaScanGather *g)
{
  if (g->used > LITTLE)
    dacsa_scan_gather_flush(g);
}

/* -- gathering -- */

static void
begin_segment(DacsaScanGather *g, const DacsaScanUnit *unit, uint64_t from)
{
  if (g->used > 0) {
    memset(g->bytes + g->used, 0, SEAM);
    g->used += SEAM;
  }
  const Segment segment = {unit, g->used, from, from, g->keys->len};
  g_array_append_val(g->segments, segment);
}

/* Appends what the piece has behind the end of the last segment, which begins no later. */
static void
continue_segment(DacsaScanGather *g, const DacsaScanPiece *piece)
{
  Segment *last = &g_array_index(g->segments, Segment, g->segments->len - 1);
  const uint64_t from = last->to, to = piece->to;

  if (to <= from)
    return;
  memcpy(g->bytes + g->used, piece->data + (from - piece->page * (uint64_t)PAGE), to - from);
  g->used += to - from;
  last->to = to;
  for (uint64_t page = last->from / PAGE + (g->keys->len - last->keys); page <= (to - 1) / PAGE;
       page++)
    g_array_append_val(g->keys, piece->keys[page - piece->page]);
}

/* What is gathered of a unit begins as its memory does, with the executable's header if that comes
 * first: it tells libclamav what this is the memory of, as it does where it is given the whole
 * file.
 */
static void
begin_unit(DacsaScanGather *g, const DacsaScanUnit *unit, guint page)
{
  char first[PAGE];
  DacsaScanKey key;
  const DacsaScanPiece piece = {0, PAGE, 0, first, &key};

  if (page == 0 || !dacsa_scan_unit_read(unit, 0, 1, first) || memcmp(first, "\177ELF", 4) != 0)
    return;
  dacsa_scan_key_content(dacsa_scan_windows_salt(dacsa_scan_job_content(g->job)), first, PAGE,
                         &key);
  begin_segment(g, unit, 0);
  continue_segment(g, &piece);
}

static const Segment *
last_segment(const DacsaScanGather *g)
{
  return g->segments->len > 0 ? segment_number(g, g->segments->len - 1) : NULL;
}

/* Whether a piece continues the last segment, also in the addresses. */
static bool
continues(const DacsaScanGather *g, const DacsaScanUnit *unit, const DacsaScanPiece *piece)
{
  const Segment *last = last_segment(g);

  return last && last->unit == unit && last->from <= piece->from && piece->from <= last->to &&
         dacsa_scan_unit_address(unit, piece->page) -
                 dacsa_scan_unit_address(unit, (guint)(last->from / PAGE)) ==
             (piece->page - last->from / PAGE) * PAGE;
}

void
dacsa_scan_gather_add(DacsaScanGather *g, const DacsaScanUnit *unit, const DacsaScanPiece *piece)
{
  if (g->used + 2 * SEAM + PAGE + (piece->to - piece->from) > BUFFER_BYTES)
    dacsa_scan_gather_flush(g);
  if (!last_segment(g) || last_segment(g)->unit != unit)
    begin_unit(g, unit, piece->page);
  if (!continues(g, unit, piece))
    begin_segment(g, unit, piece->from);
  continue_segment(g, piece);
}
