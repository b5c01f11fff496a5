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

/* Pages in a window: pages that lie on both sides of a cut are one less. */
guint dacsa_scan_windows_width(const DacsaScanWindows *windows);

/*
 * n pages follow each other. Appends to ret the parts (DacsaScanPart, ascending, apart) that are to
 * be scanned: what lies in windows that nobody has claimed. They are claimed now.
 */
void dacsa_scan_windows_claim(DacsaScanWindows *windows, const DacsaScanKey *pages, guint n,
                              GArray *ret);

/* These n pages that follow each other, a part or within one, are clean: their windows may be kept
 * for the next scan. */
void dacsa_scan_windows_clean(DacsaScanWindows *windows, const DacsaScanKey *pages, guint n);

/*
 * What is kept: the keys of clean windows, each with the number of the scan that saw it last.
 * Numbers begin at 1; the present scan's is one above the largest that was added.
 */
typedef void (*DacsaScanWindowFunc)(const DacsaScanKey *key, uint32_t scan, void *data);
void dacsa_scan_windows_each_clean(DacsaScanWindows *windows, DacsaScanWindowFunc func, void *data);
void dacsa_scan_windows_add_clean(DacsaScanWindows *windows, const DacsaScanKey *key,
                                  uint32_t scan);
