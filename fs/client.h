/* The commands that work through the mount: the file system is their API. */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>
#include <stdbool.h>

/* Checks that there is a dacsa mount there: 0, or the exit status after telling what is amiss. */
int dacsa_client_check_mount(const char *mount);

/* A command with one option, --mount. */
typedef struct {
  const char *name, *parameters, *summary; /* as dacsa_cmd_parse has them */
  int min, max;                            /* arguments that it takes */
  const char *usage;                       /* what is said where it gets fewer or more */
} DacsaClientCommand;

/* Parses its command line, and checks that there is a mount: *ret_mount (owned). false: the exit
 * status is in *ret_status, and what is amiss has been told. */
bool dacsa_client_begin(const DacsaClientCommand *command, int *argc, char ***argv,
                        char **ret_mount, int *ret_status) G_GNUC_WARN_UNUSED_RESULT;

/* Whether the error is that of a mount whose daemon has ended, or whose viewer was cut off from it.
 * Tells which, and what helps: the exit status. */
bool dacsa_client_is_end(int errsv);
int dacsa_client_tell_end(const char *mount);

/* Names in a directory, sorted, without those that are no directories (VMs, snapshots). Owned. */
GPtrArray *dacsa_client_directories(const char *path);

/* A file's text, "" where it cannot be read: a look at a VM's status may take a while, so one is
 * enough. Owned. */
char *dacsa_client_read(const char *path);

/* The values of all `key: value` lines of such a text. Owned. */
GPtrArray *dacsa_client_values(const char *text, const char *key);

/* The first of them; NULL: none. Owned. */
char *dacsa_client_value(const char *text, const char *key);

/* Calls func for each object of a file of JSON lines, of those lines alone that have `with` in them
 * (NULL: of all). A file that is not there has none. */
typedef void (*DacsaClientRowFunc)(JsonObject *row, void *data);
void dacsa_client_each_row(const char *path, const char *with, DacsaClientRowFunc func, void *data);
