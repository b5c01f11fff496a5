/*
 * What guest bytes are matched against: ClamAV's signatures (libclamav) and YARA's rules (libyara),
 * loaded once. Threads may share a loaded engine. Everything found is told by its place: libclamav
 * names only the signature, so its place is found by matching ever smaller parts
 * (parsers/scan/locate.h).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

/* The longest that one pattern can be, in bytes: libclamav reads lines of up to 32 KiB of
 * hexadecimal (libclamav/readdb.c, CLI_DEFAULT_LSIG_BUFSIZE), YARA matches expressions of up to
 * 4096 (yara/limits.h, YR_RE_SCAN_LIMIT). What is matched in parts overlaps by so much. Parts of
 * one signature with a gap of any length between them are found where they are matched together. */
#define DACSA_SCAN_LONGEST ((size_t)16 << 10)

typedef struct DacsaScanEngine DacsaScanEngine;

typedef struct {
  const char *const *databases; /* files and directories for libclamav; NULL: none */
  const char *const *rules;     /* files of YARA rules, source or compiled; NULL: none */
  const char *tmpdir; /* where libclamav may unpack what it finds; exists. Each match makes
                         a directory there and removes it: best a tmpfs */
} DacsaScanOptions;

/* Libraries are set up too, so before dacsa_confine. BAD_DATA, NOT_FOUND, OS: one of the files is
 * broken, missing, unreadable; the error names it and says what to do. No signature at all is an
 * error too. */
bool dacsa_scan_engine_load(const DacsaScanOptions *options, DacsaScanEngine **ret,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;
void dacsa_scan_engine_free(DacsaScanEngine *engine);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaScanEngine, dacsa_scan_engine_free)

/* How many signatures and rules are loaded. */
unsigned dacsa_scan_engine_signatures(const DacsaScanEngine *engine);

/*
 * What tells one set of signatures from another without loading it, a SHA-256 in hexadecimal: the
 * libraries' versions and each file's name, size and times. What was clean under it stays so.
 * Owned. Fails as loading does where a file is missing.
 */
bool dacsa_scan_version(const DacsaScanOptions *options, char **ret,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A match: the bytes [start, end) of what was matched show it. */
typedef struct {
  size_t start, end;
  char *signature; /* as clamscan prints it; a YARA rule as YARA.<namespace>.<rule>; owned */
} DacsaScanMatch;

/*
 * Matches memory as a raw file. Owned array of DacsaScanMatch, which it clears, ascending by start;
 * every signature at every place, up to a cap that is told in *ret_more (there were more). However
 * much matches, each signature that does is named: at the worst with all of the buffer for its
 * place. UNSUPPORTED: more than about 2 GiB, or too hard for an expression of YARA's. What was
 * found all the same is in *ret then: what one library cannot do hides nothing from the other.
 */
bool dacsa_scan_engine_memory(DacsaScanEngine *engine, const void *data, size_t len, GArray **ret,
                              bool *ret_more, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Matches a whole file as what it is (ELF, PE, script, archive ...), with signatures of whole
 * files' hashes. Owned array of names (char *), none twice. OS: it cannot be read to its end;
 * UNSUPPORTED: as above. Then, too, *ret has what was found all the same. */
bool dacsa_scan_engine_file(DacsaScanEngine *engine, int fd, GPtrArray **ret,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;
