/* What could not be shown of a snapshot, or was cut short: the lines of its `errors` file. */
#pragma once

#include <glib.h>

typedef struct DacsaErrors DacsaErrors;

DacsaErrors *dacsa_errors_new(void);
void dacsa_errors_free(DacsaErrors *errors);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaErrors, dacsa_errors_free)

/* Adds `where: text`, once however often it is said. The list is bounded: a guest can cause any
 * number of them. May be called from any thread. */
void dacsa_errors_add(DacsaErrors *errors, const char *where, const char *text);

/* All lines so far; owned. */
char *dacsa_errors_text(DacsaErrors *errors);
