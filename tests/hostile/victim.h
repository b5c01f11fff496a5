/*
 * The memory of a real guest, copied out of a living snapshot, to be damaged round after round:
 * what is written is put back afterwards.
 */
#pragma once

#include "snap/mem.h"
#include "snap/record.h"

typedef struct {
  DacsaRecord *record; /* its layout's offsets are those of the copy: guest-physical addresses */
  int copy;            /* the copy, sparse */
  DacsaMem *phys;
  GArray *opening, *facts; /* uint64_t: the pages that the parsers read, as source.h tells them */
  GHashTable *kept;        /* gpa of a page -> its content */
} Victim;

Victim *victim_new(const char *record_path);
void victim_free(Victim *victim);

/* Overwrites guest-physical memory; what is no memory is left out. */
void victim_write(Victim *victim, uint64_t gpa, const void *data, size_t len);
void victim_restore(Victim *victim);
