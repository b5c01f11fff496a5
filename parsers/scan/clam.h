/*
 * ClamAV's half of the scan engine: libclamav with its databases. The only file that knows
 * libclamav. Nothing is printed: what libclamav complains of is in the errors.
 */
#pragma once

#include "parsers/scan/engine.h"

typedef struct DacsaScanClam DacsaScanClam;

/* Errors as in dacsa_scan_engine_load. */
bool dacsa_scan_clam_load(const char *const *databases, const char *tmpdir, DacsaScanClam **ret,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;
void dacsa_scan_clam_free(DacsaScanClam *clam);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaScanClam, dacsa_scan_clam_free)

unsigned dacsa_scan_clam_signatures(const DacsaScanClam *clam);

/* Of libclamav itself. Static. */
const char *dacsa_scan_clam_version(void);

/* What dacsa_scan_engine_memory and _file say, appended to array of DacsaScanMatch and names. */
bool dacsa_scan_clam_memory(DacsaScanClam *clam, const void *data, size_t len, GArray *matches,
                            bool *ret_more, GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool dacsa_scan_clam_file(DacsaScanClam *clam, int fd, size_t len, GPtrArray *names,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;
