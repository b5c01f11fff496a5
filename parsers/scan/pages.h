/* The content of frames: what each holds, by its key, from the time it is read. Threads may share
 * it. */
#pragma once

#include "parsers/scan/salt.h"

typedef struct DacsaScanPages DacsaScanPages;

DacsaScanPages *dacsa_scan_pages_new(void);
void dacsa_scan_pages_free(DacsaScanPages *pages);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaScanPages, dacsa_scan_pages_free)

void dacsa_scan_pages_set(DacsaScanPages *pages, const uint64_t *frames, const DacsaScanKey *keys,
                          guint n);

/* false: nobody has read that frame. */
bool dacsa_scan_pages_get(DacsaScanPages *pages, uint64_t frame, DacsaScanKey *ret);
