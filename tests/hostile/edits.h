/* Lies that a guest may tell on purpose, made by hand. */
#pragma once

#include "victim.h"

struct DacsaLinux;

typedef struct Edit {
  const char *name;
  void (*apply)(Victim *victim, void *guest); /* guest: DacsaLinux, opened before the edit */
  unsigned least_processes;                   /* so many per cent of them are still shown */
  bool is_told;                               /* `errors` has something new */
} Edit;

extern const Edit edits[]; /* ends with a row without a name */

void edit_apply(const Edit *edit, Victim *victim);
