/*
 * Memory that is scanned in one piece, a process's, a module's, or the guest's physical memory: its
 * pages, which of them follow each other, and what they are mapped from. Read from the files of the
 * mount, whose content comes from a guest and is checked.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Pages that follow each other in virtual memory. */
typedef struct {
  uint64_t address;
  guint first, n; /* pages of the unit's file */
} DacsaScanStretch;

typedef struct {
  uint64_t start, end; /* of what is resident of it, in one piece */
  guint page;          /* the first */
  bool executable;
  char *path; /* or [heap]; NULL: anonymous */
} DacsaScanMapping;

typedef enum {
  DACSA_UNIT_PROCESS,
  DACSA_UNIT_MODULE,
  DACSA_UNIT_PHYSMEM,
} DacsaScanUnitKind;

typedef struct {
  DacsaScanUnitKind kind;
  uint32_t pid;        /* of a process, else 0 */
  char *name;          /* the command; the module's name */
  char *exe;           /* its path; NULL: not known, or none */
  char *path;          /* of the directory (a process's) or file */
  guint n_pages;       /* of its memory */
  GArray *stretches;   /* DacsaScanStretch, ascending */
  GArray *mappings;    /* DacsaScanMapping, ascending */
  int memory, pagemap; /* descriptors while it is open, else -1 */
} DacsaScanUnit;

/* A process, in its directory. NOT_FOUND: it has no memory (a kernel thread). */
bool dacsa_scan_unit_process(const char *directory, uint32_t pid, DacsaScanUnit **ret,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A module, by its file; parts: where its memory lies, `0xADDRESS+SIZE` for each part of the file,
 * separated by blanks. */
bool dacsa_scan_unit_module(const char *file, const char *name, const char *parts,
                            DacsaScanUnit **ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* All of a guest's memory, by the file physmem: what is no hole. */
bool dacsa_scan_unit_physmem(const char *file, DacsaScanUnit **ret,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;

void dacsa_scan_unit_free(DacsaScanUnit *unit);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaScanUnit, dacsa_scan_unit_free)

/* Opens what the next two read, and closes it again. */
bool dacsa_scan_unit_open(DacsaScanUnit *unit, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void dacsa_scan_unit_close(DacsaScanUnit *unit);

/* The bytes, and the frames, of n pages. A module's frames stand for its addresses: no two places
 * in a guest's kernel have the same, and no frame has such a number. false: errno says why not. */
bool dacsa_scan_unit_read(const DacsaScanUnit *unit, guint page, guint n, void *ret);
bool dacsa_scan_unit_frames(const DacsaScanUnit *unit, guint page, guint n, uint64_t *ret);

/* The address of a page; the mapping at an address, NULL: none. */
uint64_t dacsa_scan_unit_address(const DacsaScanUnit *unit, guint page);
const DacsaScanMapping *dacsa_scan_unit_mapping(const DacsaScanUnit *unit, uint64_t address);
