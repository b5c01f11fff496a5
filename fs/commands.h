/* The subcommands. Each gets its own arguments, argv[0] its name, and returns the exit status: 0
 * done, 1 failed (a line on standard error says why and what helps), 2 not understood. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define DACSA_DEFAULT_MOUNT "/dacsa"

int dacsa_cmd_mount(int argc, char **argv);
int dacsa_cmd_snapshot(int argc, char **argv);
int dacsa_cmd_list(int argc, char **argv);
int dacsa_cmd_drop(int argc, char **argv);
int dacsa_cmd_check(int argc, char **argv);
int dacsa_cmd_scan(int argc, char **argv);

/* Prints `dacsa: text` on standard error and returns 1, for `return dacsa_cmd_fail(...)`. */
int dacsa_cmd_fail(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* The same for a command line that makes no sense: 2, and a hint at --help. */
int dacsa_cmd_usage(const char *command, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Parses options; false: the exit status is in *ret_status (a usage error). */
bool dacsa_cmd_parse(const char *command, const char *parameters, const char *summary,
                     const GOptionEntry *entries, int *argc, char ***argv, int *ret_status);
