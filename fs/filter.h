/*
 * Which system calls a process that works on guest bytes may still make: seccomp, by libseccomp.
 * All that is not named is refused with EPERM; what nobody here has a use for kills the process.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum {
  DACSA_FILTER_FILES,       /* opens files and libraries: dacsa scan, its engines */
  DACSA_FILTER_DESCRIPTORS, /* reads and writes what is open, and what it is passed: the viewer */
} DacsaFilter;

/*
 * Holds for the calling thread and all it starts, for good. Both kinds may start threads; neither
 * may make a process, a socket, executable memory that is no file's, nor signal another process.
 * DESCRIPTORS opens, looks at, makes and duplicates nothing, and maps no code. The caller has set
 * no new privileges, or is root.
 */
bool dacsa_filter_load(DacsaFilter kind, GError **error) G_GNUC_WARN_UNUSED_RESULT;
