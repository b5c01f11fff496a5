/*
 * Copies what a process that stands still has in its memory into the memory of this one. Pages that
 * were never there stay holes, and the process gets none by being read: where a file backs its
 * memory, the file is asked which pages there are (SEEK_DATA) and read, for a page that is read
 * through a mapping is made (mm/shmem.c, shmem_fault); elsewhere /proc/PID/pagemap is asked.
 */
#pragma once

#include "snap/layout.h"

#include <stddef.h>
#include <sys/types.h>

typedef struct DacsaCopier DacsaCopier;

/* from: ranges whose offsets are addresses in pid, made of whole pages; to: for each of them an
 * address here, in private anonymous memory, equal to the offset modulo 2 MiB. UNSUPPORTED: memory
 * of a kind that is not known; OS. */
bool dacsa_copier_new(pid_t pid, const DacsaLayout *from, const uint64_t *to, DacsaCopier **ret,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;
void dacsa_copier_free(DacsaCopier *copier);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaCopier, dacsa_copier_free)

/* The work is so many pieces; several threads may do different ones at once. */
size_t dacsa_copier_count(const DacsaCopier *copier);

/* Makes the pages here that copying will most likely need, in huge pages where that makes none more
 * than they are. The process may run meanwhile. */
bool dacsa_copier_populate(DacsaCopier *copier, size_t piece,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* FAULT: it cannot be read. */
bool dacsa_copier_copy(DacsaCopier *copier, size_t piece, GError **error) G_GNUC_WARN_UNUSED_RESULT;
