/*
 * Where in a buffer a signature shows, when all one can ask is whether it shows in a part of it.
 * Knows nothing of signatures: pure search. Parts of an eighth, overlapping by the longest pattern,
 * lead to stretches of some KiB; in those the smallest end and then the largest start are found to
 * the byte. One occurrence costs about as much as 1.5 looks at the whole buffer, many cost a look
 * at it more for each eightfold.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

/* Does the signature show in [start, end), and nothing but that matched? */
typedef bool (*DacsaScanShows)(size_t start, size_t end, void *data);

typedef struct {
  size_t start, end;
} DacsaScanRange;

/* A guess that saves looks: where in [start, end) are the bytes of that range again? end: nowhere.
 */
typedef size_t (*DacsaScanAgain)(const DacsaScanRange *range, size_t start, size_t end, void *data);

typedef struct {
  size_t len;     /* of the buffer; the signature shows in [0, len) */
  size_t longest; /* no pattern is longer */
  unsigned most;  /* occurrences to find, at least 1 */
  DacsaScanShows shows;
  DacsaScanAgain again; /* NULL: cannot tell */
  void *data;
} DacsaScanSearch;

/*
 * Owned array of DacsaScanRange, ascending, none overlapping another, at least one. Each has been
 * shown to match, as it stands. A match whose parts lie so far apart that no part of the buffer
 * shows it alone is one range, made as small as some looks more can make it. *ret_more: the
 * signature shows behind the last one, too.
 */
GArray *dacsa_scan_locate(const DacsaScanSearch *search, bool *ret_more);
