/* From a unit's pages to what is to be matched: claim by frames, read, claim by content. */
#include "fs/scan-memory.h"

#include <string.h>

#define PAGE DACSA_SCAN_PAGE
#define BLOCK_PAGES 256u /* read at once */

typedef struct {
  DacsaScanJob *job;
  const DacsaScanUnit *unit;
  DacsaScanWindows *windows; /* of frames */
  DacsaScanPages *pages;
  DacsaScanGather *gather;
  const uint64_t *frames; /* of the pages from first_page on */
  guint first_page;
  char *block;         /* BLOCK_PAGES */
  uint64_t unreadable; /* pages */
} Reader;

/* Pages that cannot be read are zeros here, counted, and told. */
static void
read_pages(Reader *r, guint page, guint n, char *buf)
{
  if (dacsa_scan_unit_read(r->unit, page, n, buf))
    return;
  for (guint i = 0; i < n; i++)
    if (!dacsa_scan_unit_read(r->unit, page + i, 1, buf + i * PAGE)) {
      memset(buf + i * PAGE, 0, PAGE);
      r->unreadable++;
    }
}

/* Pages that follow each other, of these frames: what they hold, and what of that is not known.
 * known_before, known_after: as windows.h has it. */
static void
look_at_block(Reader *r, guint page, guint n, const uint64_t *frames, bool known_before,
              bool known_after)
{
  DacsaScanWindows *content = dacsa_scan_job_content(r->job);
  g_autoptr(GArray) parts = g_array_new(FALSE, FALSE, sizeof(DacsaScanPart));
  g_autofree DacsaScanKey *keys = g_new(DacsaScanKey, n);
  char *block = r->block;

  read_pages(r, page, n, block);
  for (guint i = 0; i < n; i++)
    dacsa_scan_key_content(dacsa_scan_windows_salt(content), block + i * PAGE, PAGE, &keys[i]);
  dacsa_scan_pages_set(r->pages, frames, keys, n);
  dacsa_scan_windows_claim(content, keys, n, parts);
  for (guint i = 0; i < parts->len; i++) {
    DacsaScanPiece piece = {.page = page, .data = block, .keys = keys};

    dacsa_scan_windows_trim(content, &g_array_index(parts, DacsaScanPart, i), n, known_before,
                            known_after, &piece.from, &piece.to);
    piece.from += page * (uint64_t)PAGE;
    piece.to += page * (uint64_t)PAGE;
    dacsa_scan_gather_add(r->gather, r->unit, &piece);
  }
}

/* The parts of some pages that follow each other that no unit has shown: windows of frames.
 * is_first: no pages come before them. */
static void
look_at_pages(Reader *r, guint page, guint n, bool is_first)
{
  g_autoptr(GArray) parts = g_array_new(FALSE, FALSE, sizeof(DacsaScanPart));
  const uint64_t *frames = r->frames + (page - r->first_page);
  DacsaScanKey keys[BLOCK_PAGES];

  for (guint i = 0; i < n; i++)
    keys[i] = dacsa_scan_key_frame(frames[i]);
  dacsa_scan_windows_claim(r->windows, keys, n, parts);
  for (guint i = 0; i < parts->len; i++) {
    const DacsaScanPart *part = &g_array_index(parts, DacsaScanPart, i);

    look_at_block(r, page + part->first, part->end - part->first, frames + part->first,
                  part->first > 0 || !is_first, part->end < n);
  }
}

/* Block by block; blocks overlap, so that each window is in one. Of the stretch only windows that
 * begin in pages [first, end). */
static void
look_at_stretch(Reader *r, const DacsaScanStretch *stretch, guint first, guint end)
{
  const guint edge = dacsa_scan_windows_width(r->windows) - 1;
  const guint stretch_end = stretch->first + stretch->n;
  guint page = MAX(stretch->first, first);
  guint n = page < MIN(stretch_end, end) ? MIN(stretch_end, end + edge) - page : 0;

  while (n > BLOCK_PAGES) {
    look_at_pages(r, page, BLOCK_PAGES, page == stretch->first);
    page += BLOCK_PAGES - edge;
    n -= BLOCK_PAGES - edge;
  }
  if (n > 0)
    look_at_pages(r, page, n, page == stretch->first);
}

void
dacsa_scan_memory(DacsaScanJob *job, const DacsaScanUnit *unit, guint first, guint n,
                  DacsaScanWindows *windows, DacsaScanPages *pages, DacsaScanGather *gather)
{
  const guint n_frames = MIN(n + dacsa_scan_windows_width(windows) - 1, unit->n_pages - first);
  g_autofree uint64_t *frames = g_new(uint64_t, n_frames);
  g_autofree char *block = g_malloc(BLOCK_PAGES * PAGE);
  const DacsaScanCounts counts = {.seen_bytes = (uint64_t)n * PAGE};
  Reader r = {.job = job,
              .unit = unit,
              .windows = windows,
              .pages = pages,
              .gather = gather,
              .frames = frames,
              .first_page = first,
              .block = block};

  if (!dacsa_scan_unit_frames(unit, first, n_frames, frames)) {
    dacsa_scan_job_fail(job, "%s: its pagemap cannot be read", unit->path);
    return;
  }
  for (guint i = 0; i < unit->stretches->len; i++)
    look_at_stretch(&r, &g_array_index(unit->stretches, DacsaScanStretch, i), first, first + n);
  dacsa_scan_gather_end_unit(gather);
  if (r.unreadable > 0)
    dacsa_scan_job_fail(job, "%s: %" G_GUINT64_FORMAT " pages cannot be read", unit->path,
                        r.unreadable);
  dacsa_scan_job_count(job, &counts);
}
