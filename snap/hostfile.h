/*
 * The small files in which the host tells of itself and of a process, below /proc and /sys. `root`
 * stands before every path: "" on a host, in tests a directory with files made up. What cannot be
 * read is NULL or false, without an error: it tells nothing then.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The content without the white space at its end, owned. */
char *dacsa_hostfile_read(const char *root, const char *path);

/* The same of /proc/PID/name. */
char *dacsa_hostfile_process(const char *root, pid_t pid, const char *name);

/* The rest of the line `key: rest`, or `key rest`, in such a file's text; text may be NULL. Owned,
 * without white space around it. */
char *dacsa_hostfile_line(const char *text, const char *key);

/* The decimal number at the start of that rest. */
bool dacsa_hostfile_number(const char *text, const char *key, uint64_t *ret);

/* A file that holds one number, or `max`, which is UINT64_MAX. */
bool dacsa_hostfile_limit(const char *root, const char *path, uint64_t *ret);

/* Writes a value to /proc/PID/name, of the host. */
bool dacsa_hostfile_write(pid_t pid, const char *name, const char *value,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;
