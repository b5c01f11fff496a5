/*
 * Gives up, for good, what a process that works on guest bytes does not need: Landlock for files,
 * seccomp for system calls. All threads that are started later are confined too; there is to be one
 * when it is called.
 */
#pragma once

#include "fs/filter.h"

#include <glib.h>
#include <stdbool.h>

typedef struct {
  const char *const *readable; /* paths below which files may be opened to read, and libraries
                                  loaded: iconv's modules need /usr/lib; NULL: none */
  const char *writable;        /* a directory below which anything goes; NULL: none */
  DacsaFilter filter;          /* with DESCRIPTORS no path helps: nothing can be opened */
} DacsaConfinement;

/*
 * To be called when all is loaded that needs more than that. Afterwards: no new file but below
 * those paths, no socket, no process, no signal to others, no program, no new privileges.
 * Descriptors that are open stay usable. *ret_missing (owned; NULL: nothing is) names what this
 * host's kernel cannot do; the rest is in force. UNSUPPORTED: there are other threads. NOT_FOUND,
 * OS: a path is missing or cannot be reached.
 */
bool dacsa_confine(const DacsaConfinement *what, char **ret_missing,
                   GError **error) G_GNUC_WARN_UNUSED_RESULT;
