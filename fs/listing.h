/* A directory's listing as it was at one moment, `.` and `..` first. It does not change; shared by
 * reference, usable from several threads. */
#pragma once

#include "fs/tree.h"

typedef struct DacsaListing DacsaListing;

/* Of the directory at place. */
bool dacsa_listing_new(DacsaTree *tree, const DacsaPlace *place, DacsaListing **ret,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;
DacsaListing *dacsa_listing_ref(DacsaListing *listing);
void dacsa_listing_unref(DacsaListing *listing);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaListing, dacsa_listing_unref)

guint dacsa_listing_len(const DacsaListing *listing);
const char *dacsa_listing_name(const DacsaListing *listing, guint i);
const struct stat *dacsa_listing_stat(const DacsaListing *listing,
                                      guint i); /* st_ino and type alone */
