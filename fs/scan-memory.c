/* From a unit's pages to findings: claim, read, claim by content, gather, match. */
#include "fs/scan-memory.h"

#include <string.h>

#define PAGE DACSA_SCAN_PAGE
#define BLOCK_PAGES 256u               /* read at once */
#define BUFFER_BYTES ((size_t)8 << 20) /* matched at once */
#define SEAM 64u                       /* bytes between what does not belong together */

/* A thread's buffers, kept from unit to unit. */
typedef struct {
  char block[BLOCK_PAGES * PAGE];
  char gathered[BUFFER_BYTES];
} Buffers;

/* A piece of the gathered bytes; from, to: where it is in the memory's file. */
typedef struct {
  size_t start;
  uint64_t from, to;
  guint keys; /* index of the first page's key */
} Segment;

typedef struct {
  DacsaScanJob *job;
  const DacsaScanUnit *unit;
  DacsaScanWindows *frames;
  DacsaScanPages *pages;
  Buffers *buffers;
  size_t used; /* of gathered */
  GArray *segments;
  GArray *keys;        /* DacsaScanKey of the segments' pages */
  uint64_t unreadable; /* pages */
} Matcher;

static Buffers *
thread_buffers(void)
{
  static GPrivate buffers = G_PRIVATE_INIT(g_free);

  if (!g_private_get(&buffers))
    g_private_set(&buffers, g_malloc(sizeof(Buffers)));
  return g_private_get(&buffers);
}

/* -- matching -- */

static const Segment *
segment_at(const Matcher *m, size_t offset)
{
  const Segment *found = NULL;

  for (guint i = 0; i < m->segments->len; i++)
    if (g_array_index(m->segments, Segment, i).start <= offset)
      found = &g_array_index(m->segments, Segment, i);
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

/* Whether a signature that shows across seams shows without what we put there. */
static bool
shows_with_other_seams(const Matcher *m, DacsaScanEngine *engine, const DacsaScanMatch *match)
{
  const size_t len = match->end - match->start;
  g_autofree char *copy = g_memdup2(m->buffers->gathered + match->start, len);
  g_autoptr(GArray) again = NULL;
  bool more;

  for (guint i = 0; i + 1 < m->segments->len; i++) {
    const size_t start = segment_end(&g_array_index(m->segments, Segment, i));
    const size_t end = g_array_index(m->segments, Segment, i + 1).start;
    const size_t from = MAX(start, match->start), to = MIN(end, match->end);

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

static void
add_finding(const Matcher *m, DacsaScanEngine *engine, const DacsaScanMatch *match)
{
  const Segment *segment = segment_at(m, match->start);

  if (!segment)
    return;
  const bool within = match->start < segment_end(segment) && match->end <= segment_end(segment);
  if (!within && !shows_with_other_seams(m, engine, match))
    return;
  const size_t start = MIN(match->start, segment_end(segment) - 1);
  const guint page = page_of(segment, start);
  const guint n = within ? page_of(segment, match->end - 1) - page + 1 : 0;
  const uint64_t offset = segment->from + (start - segment->start);
  dacsa_findings_add_memory(dacsa_scan_job_findings(m->job), m->unit, (guint)(offset / PAGE),
                            (guint)(offset % PAGE),
                            &g_array_index(m->keys, DacsaScanKey, segment->keys + page),
                            n <= DACSA_FINDING_MAX_PAGES ? n : 0, match->signature);
}

/* Marks the segment's pages that a match touches. */
static void
mark_dirty(const Segment *segment, const DacsaScanMatch *match, bool *dirty)
{
  const size_t from = MAX(match->start, segment->start);
  const size_t to = MIN(match->end, segment_end(segment));

  if (from < to)
    for (guint page = page_of(segment, from); page <= page_of(segment, to - 1); page++)
      dirty[segment->keys + page] = true;
}

/* Notes what is clean: all pages that no match touches. */
static void
note_clean(const Matcher *m, const GArray *matches)
{
  DacsaScanWindows *content = dacsa_scan_job_content(m->job);
  g_autofree bool *dirty = g_new0(bool, m->keys->len);

  for (guint i = 0; i < m->segments->len; i++) {
    const Segment *segment = &g_array_index(m->segments, Segment, i);
    const guint pages = page_of(segment, segment_end(segment) - 1) + 1;
    guint begin = 0;

    for (guint n = 0; n < matches->len; n++)
      mark_dirty(segment, &g_array_index(matches, DacsaScanMatch, n), dirty);
    for (guint page = 0; page <= pages; page++)
      if (page == pages || dirty[segment->keys + page]) {
        if (page > begin)
          dacsa_scan_windows_clean(
              content, &g_array_index(m->keys, DacsaScanKey, segment->keys + begin), page - begin);
        begin = page + 1;
      }
  }
}

/* Matches what has been gathered, and forgets it. */
static void
flush(Matcher *m)
{
  g_autoptr(GArray) matches = NULL;
  g_autoptr(GError) error = NULL;
  DacsaScanEngine *engine = m->used > 0 ? dacsa_scan_job_engine(m->job, NULL) : NULL;
  const DacsaScanCounts counts = {.bytes = m->used};
  bool more = false;

  /* Without signatures the whole scan fails, once. */
  const bool ok = engine && dacsa_scan_engine_memory(engine, m->buffers->gathered, m->used,
                                                     &matches, &more, &error);
  if (error)
    dacsa_scan_job_fail(m->job, "%s: %s", m->unit->path, error->message);
  for (guint i = 0; matches && i < matches->len; i++)
    add_finding(m, engine, &g_array_index(matches, DacsaScanMatch, i));
  if (more)
    dacsa_scan_job_fail(m->job, "%s: a signature shows in more places than are told",
                        m->unit->path);
  else if (ok)
    note_clean(m, matches);
  dacsa_scan_job_count(m->job, &counts);
  m->used = 0;
  g_array_set_size(m->segments, 0);
  g_array_set_size(m->keys, 0);
}

/* -- gathering -- */

/* Bytes of the memory's file, [from, to), in whole pages that are read, the first of which is page.
 */
typedef struct {
  uint64_t from, to;
  guint page;
  const char *data;
  const DacsaScanKey *keys;
} Piece;

static void
begin_segment(Matcher *m, uint64_t from)
{
  if (m->used > 0) {
    memset(m->buffers->gathered + m->used, 0, SEAM);
    m->used += SEAM;
  }
  const Segment segment = {m->used, from, from, m->keys->len};
  g_array_append_val(m->segments, segment);
}

/* Appends what the piece has behind the end of the last segment, which begins no later. */
static void
continue_segment(Matcher *m, const Piece *piece)
{
  Segment *last = &g_array_index(m->segments, Segment, m->segments->len - 1);
  const uint64_t from = last->to, to = piece->to;

  if (to <= from)
    return;
  memcpy(m->buffers->gathered + m->used, piece->data + (from - piece->page * (uint64_t)PAGE),
         to - from);
  m->used += to - from;
  last->to = to;
  for (uint64_t page = last->from / PAGE + (m->keys->len - last->keys); page <= (to - 1) / PAGE;
       page++)
    g_array_append_val(m->keys, piece->keys[page - piece->page]);
}

/* What is gathered begins as the memory does, with the executable's header if that comes first: it
 * tells libclamav what this is the memory of, as it does where it is given the whole file. */
static void
begin_buffer(Matcher *m, guint page)
{
  char first[PAGE];
  DacsaScanKey key;
  const Piece piece = {0, PAGE, 0, first, &key};

  if (page == 0 || !dacsa_scan_unit_read(m->unit, 0, 1, first) || memcmp(first, "\177ELF", 4) != 0)
    return;
  dacsa_scan_key_content(dacsa_scan_windows_salt(dacsa_scan_job_content(m->job)), first, PAGE,
                         &key);
  begin_segment(m, 0);
  continue_segment(m, &piece);
}

/* Whether a piece continues the last segment, also in the addresses. */
static bool
continues(const Matcher *m, const Piece *piece)
{
  const Segment *last =
      m->segments->len > 0 ? &g_array_index(m->segments, Segment, m->segments->len - 1) : NULL;

  return last && last->from <= piece->from && piece->from <= last->to &&
         dacsa_scan_unit_address(m->unit, piece->page) -
                 dacsa_scan_unit_address(m->unit, (guint)(last->from / PAGE)) ==
             (piece->page - last->from / PAGE) * PAGE;
}

static void
gather(Matcher *m, const Piece *piece)
{
  if (m->used + 2 * SEAM + PAGE + (piece->to - piece->from) > BUFFER_BYTES)
    flush(m);
  if (m->used == 0)
    begin_buffer(m, piece->page);
  if (!continues(m, piece))
    begin_segment(m, piece->from);
  continue_segment(m, piece);
}

/* -- reading -- */

/* Pages that cannot be read are zeros here, counted, and told. */
static void
read_pages(Matcher *m, guint page, guint n, char *buf)
{
  if (dacsa_scan_unit_read(m->unit, page, n, buf))
    return;
  for (guint i = 0; i < n; i++)
    if (!dacsa_scan_unit_read(m->unit, page + i, 1, buf + i * PAGE)) {
      memset(buf + i * PAGE, 0, PAGE);
      m->unreadable++;
    }
}

/* Pages that follow each other, of these frames: what they hold, and what of that is not known.
 * known_before, known_after: as windows.h has it. */
static void
look_at_block(Matcher *m, guint page, guint n, const uint64_t *frames, bool known_before,
              bool known_after)
{
  DacsaScanWindows *content = dacsa_scan_job_content(m->job);
  g_autoptr(GArray) parts = g_array_new(FALSE, FALSE, sizeof(DacsaScanPart));
  g_autofree DacsaScanKey *keys = g_new(DacsaScanKey, n);
  char *block = m->buffers->block;

  read_pages(m, page, n, block);
  for (guint i = 0; i < n; i++)
    dacsa_scan_key_content(dacsa_scan_windows_salt(content), block + i * PAGE, PAGE, &keys[i]);
  dacsa_scan_pages_set(m->pages, frames, keys, n);
  dacsa_scan_windows_claim(content, keys, n, parts);
  for (guint i = 0; i < parts->len; i++) {
    Piece piece = {.page = page, .data = block, .keys = keys};

    dacsa_scan_windows_trim(content, &g_array_index(parts, DacsaScanPart, i), n, known_before,
                            known_after, &piece.from, &piece.to);
    piece.from += page * (uint64_t)PAGE;
    piece.to += page * (uint64_t)PAGE;
    gather(m, &piece);
  }
}

/* The parts of some pages that follow each other that no unit has shown: windows of frames.
 * is_first: no pages come before them. */
static void
look_at_pages(Matcher *m, guint page, guint n, bool is_first)
{
  g_autoptr(GArray) parts = g_array_new(FALSE, FALSE, sizeof(DacsaScanPart));
  DacsaScanKey keys[BLOCK_PAGES];
  uint64_t frames[BLOCK_PAGES];

  if (!dacsa_scan_unit_frames(m->unit, page, n, frames)) {
    m->unreadable += n;
    return;
  }
  for (guint i = 0; i < n; i++)
    keys[i] = dacsa_scan_key_frame(frames[i]);
  dacsa_scan_windows_claim(m->frames, keys, n, parts);
  for (guint i = 0; i < parts->len; i++) {
    const DacsaScanPart *part = &g_array_index(parts, DacsaScanPart, i);

    look_at_block(m, page + part->first, part->end - part->first, frames + part->first,
                  part->first > 0 || !is_first, part->end < n);
  }
}

/* Block by block; blocks overlap, so that each window is in one. Of the stretch only windows that
 * begin in pages [first, end). */
static void
look_at_stretch(Matcher *m, const DacsaScanStretch *stretch, guint first, guint end)
{
  const guint edge = dacsa_scan_windows_width(m->frames) - 1;
  const guint stretch_end = stretch->first + stretch->n;
  guint page = MAX(stretch->first, first);
  guint n = page < MIN(stretch_end, end) ? MIN(stretch_end, end + edge) - page : 0;

  while (n > BLOCK_PAGES) {
    look_at_pages(m, page, BLOCK_PAGES, page == stretch->first);
    page += BLOCK_PAGES - edge;
    n -= BLOCK_PAGES - edge;
  }
  if (n > 0)
    look_at_pages(m, page, n, page == stretch->first);
}

void
dacsa_scan_memory(DacsaScanJob *job, const DacsaScanUnit *unit, guint first, guint n,
                  DacsaScanWindows *frames, DacsaScanPages *pages)
{
  g_autoptr(GArray) segments = g_array_new(FALSE, FALSE, sizeof(Segment));
  g_autoptr(GArray) keys = g_array_new(FALSE, FALSE, sizeof(DacsaScanKey));
  const DacsaScanCounts counts = {.seen_bytes = (uint64_t)n * PAGE};
  Matcher m = {.job = job,
               .unit = unit,
               .frames = frames,
               .pages = pages,
               .buffers = thread_buffers(),
               .segments = segments,
               .keys = keys};

  for (guint i = 0; i < unit->stretches->len; i++)
    look_at_stretch(&m, &g_array_index(unit->stretches, DacsaScanStretch, i), first, first + n);
  flush(&m);
  if (m.unreadable > 0)
    dacsa_scan_job_fail(job, "%s: %" G_GUINT64_FORMAT " pages cannot be read", unit->path,
                        m.unreadable);
  dacsa_scan_job_count(job, &counts);
}
