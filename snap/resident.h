/*
 * Which pages of guest-physical memory a snapshot's child really has, from its /proc/PID/pagemap
 * (Documentation/admin-guide/mm/pagemap.rst). A page the guest never touched is a hole: it reads as
 * zeros, and reading it through the child would only make the host spend time and memory on it.
 */
#pragma once

#include "snap/layout.h"
#include "snap/mem.h"

typedef struct DacsaResident DacsaResident;

/*
 * Takes the descriptor of the pagemap and a copy of the layout, whose offsets are the child's
 * addresses. Nothing is read until it is asked for.
 *
 * phys, referenced, is the child's memory: a byte of a page that the pagemap tells as missing is
 * read through it before that is believed. The kernel may empty the memory of a process that it
 * kills for lack of memory while somebody still reads it; the pagemap then has holes everywhere,
 * but no page can be faulted in any more (MMF_UNSTABLE, Linux 4.9). NULL: the pagemap is believed.
 */
DacsaResident *dacsa_resident_new(int pagemap, const DacsaLayout *layout, DacsaMem *phys);
DacsaResident *dacsa_resident_ref(DacsaResident *resident);
void dacsa_resident_unref(DacsaResident *resident);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaResident, dacsa_resident_unref)

/* The first run of guest-physical memory at or after gpa that the child has: [*ret_start,
 * *ret_end). What the pagemap does not tell counts as there. false: none is left. May be called by
 * several threads at once. */
bool dacsa_resident_next(DacsaResident *resident, uint64_t gpa, uint64_t *ret_start,
                         uint64_t *ret_end);
