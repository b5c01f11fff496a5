/*
 * A core of a process, as debuggers open it (include/linux/elfcore.h, fs/binfmt_elf.c): what its
 * files share; nobody else includes it but for the functions of DacsaGuestOs.
 */
#pragma once

#include "parsers/elfcore.h"
#include "parsers/linux/maps.h"

/* The process. */
typedef struct {
  DacsaLinux *l;
  char *where; /* its file, for the errors */
  uint64_t leader;
  uint64_t task;    /* a thread that still has an mm: the leader may have ended before the others */
  uint64_t mm;      /* 0: there is none, nor a task */
  GArray *mappings; /* DacsaLinuxMapping, ascending, disjoint, whole pages */
} DacsaLinuxCore;

/* Adds the notes, in the kernel's order. A thread whose registers cannot be told is left out; what
 * is absent is noted among the errors. */
void dacsa_linux_core_notes(const DacsaLinuxCore *core, DacsaElfcore *elf);

/*
 * Adds the segments: of each mapping those pages whose content is known. They are the resident
 * ones; those that a page fault would bring from the page cache; and zeros, holes of the file,
 * where anonymous memory was never touched. What is swapped out, or in a file that is not cached,
 * is in no segment and counted among the errors. Owned: the memory, with the offset 0 where it
 * begins in the file.
 */
DacsaRuns *dacsa_linux_core_memory(const DacsaLinuxCore *core, DacsaElfcore *elf);

bool dacsa_linux_has_core(DacsaGuest *guest, uint32_t pid);
bool dacsa_linux_core(DacsaGuest *guest, uint32_t pid, DacsaRuns **ret, GError **error);
