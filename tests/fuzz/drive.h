/*
 * Asks a guest for everything that its ops table offers: every text, every object, by the enums of
 * parsers/guest.h, so that a parser is driven from the day its row is filled. What it answers must
 * keep the contract of parsers/guest.h; whether it answers is the guest's business.
 */
#pragma once

#include "parsers/guest.h"

/* Which part of it: an input that asks for less is done sooner. */
typedef enum {
  DRIVE_ALL,
  DRIVE_PROCESSES,
  DRIVE_SYSTEM, /* texts, types, modules */
  DRIVE_FILES,
} DrivePart;

/* How much of a guest is asked for: of a hostile one there may be millions. */
typedef struct {
  DrivePart part;
  guint processes; /* at most so many: the first and the last ones */
  guint modules;
  guint files;         /* directories and files of the page cache, in all */
  uint64_t work;       /* that one answer may cost (parsers/work.h); 0: not limited */
  uint64_t read_bytes; /* of each file of guest memory, at its start and at its end */
  bool isf;            /* the symbol table too: slow, and the same while the types are */
  DacsaMem *phys;      /* where that is read; borrowed */
} DriveLimits;

void drive_guest(DacsaGuest *guest, const DriveLimits *limits);
