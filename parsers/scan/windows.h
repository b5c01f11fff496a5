/*
 * Which stretches of pages have been scanned. Pages that follow each other are covered window by
 * window: each so many of them, at every page's start, that no pattern hides on a
 * boundary. A page is whatever its key says: a frame, or some content. Threads may share it.
 */
#pragma once

#include "parsers/scan/salt.h"

typedef struct DacsaScanWindows DacsaScanWindows;

/* Pages [first, end) of a sequence. */
typedef struct {
  guint first, end;
} DacsaScanPart;

/* salt is copied. longest: bytes of the longest pattern, <= DACSA_SCAN_LONGEST (engine.h). */
DacsaScanWindows *dacsa_scan_windows_new(const DacsaScanSalt *salt, size_t longest);
/* An empty one of the same width, with a secret of its own. */
DacsaScanWindows *dacsa_scan_windows_new_like(const DacsaScanWindows *other);
void dacsa_scan_windows_free(DacsaScanWindows *windows);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaScanWindows, dacsa_scan_windows_free)

const DacsaScanSalt *dacsa_scan_windows_salt(const DacsaScanWindows *windows);

/* Pages in a window; and bytes of the longest pattern, less one. */
guint dacsa_scan_windows_width(const DacsaScanWindows *windows);
size_t dacsa_scan_windows_overlap(const DacsaScanWindows *windows);

/*
 * The bytes of a part, counted from page 0, that are to be scanned: where the window before the
 * part is claimed, or that behind it, of the pages at that edge only what a pattern can reach that
 * they do not hold alone. known_before, known_after: that it is so beyond the sequence's own ends.
 */
void dacsa_scan_windows_trim(const DacsaScanWindows *windows, const DacsaScanPart *part, guint n,
                             bool known_before, bool known_after, uint64_t *ret_start,
                             uint64_t *ret_end);

/*
 * n pages follow each other. Appends to ret the parts (DacsaScanPart, ascending, apart) that are to
 * be scanned: what lies in windows that nobody has claimed. They are claimed now.
 */
void dacsa_scan_windows_claim(DacsaScanWindows *windows, const DacsaScanKey *pages, guint n,
                              GArray *ret);

/*
 * These n pages that follow each other, a part or within one, have been scanned: their windows may
 * be kept for the next scan. found: those in which something was found, which is kept too
 * (finding.h).
 */
void dacsa_scan_windows_settle(DacsaScanWindows *windows, const DacsaScanKey *pages,
                               const bool *found, guint n);

/*
 * What is kept: the keys of windows that are settled, each with the number of the scan that saw it
 * last. Numbers begin at 1; the present scan's is one above the largest that was added.
 */
typedef struct {
  DacsaScanKey key;
  uint32_t scan;
  uint32_t found; /* 1: something was found there */
} DacsaScanSettled;

/* Appends all to an array of DacsaScanSettled. */
void dacsa_scan_windows_settled(DacsaScanWindows *windows, GArray *ret);
void dacsa_scan_windows_add_settled(DacsaScanWindows *windows, const DacsaScanSettled *settled);
