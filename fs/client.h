/* The commands that work through the mount: the file system is their API. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Checks that there is a dacsa mount there: 0, or the exit status after telling what is amiss. */
int dacsa_client_check_mount(const char *mount);

/* Names in a directory, sorted, without those that are no directories (VMs, snapshots). Owned. */
GPtrArray *dacsa_client_directories(const char *path);

/* The value of a `key: value` line of a file; NULL: none. Owned. */
char *dacsa_client_value(const char *path, const char *key);
