/*
 * How far one part of a signature can reach: what is matched in pieces overlaps by so much. Read
 * from the databases' text (docs.clamav.net, "Signatures"): a part ends where a gap of any length
 * follows, gaps of bounded length count.
 */
#pragma once

#include "parsers/scan/engine.h"

/* In bytes, at most DACSA_SCAN_LONGEST. Of what is not plain text (containers, YARA's rules,
 * regular expressions) it is taken to be the most that the library allows. */
size_t dacsa_scan_longest(const DacsaScanOptions *options);

/* The same for one line of a database; type: the file's suffix. */
size_t dacsa_scan_longest_in_line(const char *type, const char *line);
