/*
 * YARA's half of the scan engine: libyara with its rules. The only file that knows libyara.
 *
 * A rule matches a buffer or file as a whole; its strings have places. One finding is a stretch in
 * which matches of the rule's strings follow each other with gaps of no more than
 * DACSA_SCAN_YARA_GAP; of the rule's other matches each such stretch is another finding. A rule of
 * which no string matches (it asks for a size, or for what is not there) is found in the whole.
 * Private rules and private strings are not told. Names are YARA.<namespace>.<rule>, or
 * YARA.<rule> where the rule has no namespace of its own.
 */
#pragma once

#include "parsers/scan/engine.h"

#define DACSA_SCAN_YARA_GAP ((size_t)4096)

typedef struct DacsaScanYara DacsaScanYara;

/* Errors as in dacsa_scan_engine_load. */
bool dacsa_scan_yara_load(const char *const *rules, DacsaScanYara **ret,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;
void dacsa_scan_yara_free(DacsaScanYara *yara);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaScanYara, dacsa_scan_yara_free)

/* How many rules there are. */
unsigned dacsa_scan_yara_rules(const DacsaScanYara *yara);

/* Of libyara itself. Static. */
const char *dacsa_scan_yara_version(void);

/* What dacsa_scan_engine_memory and _file say, appended to array of DacsaScanMatch and names. */
bool dacsa_scan_yara_memory(DacsaScanYara *yara, const void *data, size_t len, GArray *matches,
                            bool *ret_more, GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool dacsa_scan_yara_file(DacsaScanYara *yara, int fd, GPtrArray *names,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;
