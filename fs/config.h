/*
 * What `dacsa mount` is told: by a configuration file (dacsa.conf(5): a GKeyFile whose one group is
 * [mount]) and by its command line, which wins. The keys of the file are the names of the options.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#define DACSA_CONFIG_PATH "/etc/dacsa.conf"

/* NULL and false: not told. The types are those of GOption. */
typedef struct {
  char *connect;
  char **qmp;       /* NAME=SOCKET, NULL-terminated */
  bool qmp_of_file; /* that list is the file's */
  char *group;
  char *options; /* of FUSE */
  /* Of snap/policy.h: [VM=]VALUE. */
  char **method, **cow_limit, **every, **keep;
  char *host_cow_limit; /* an amount */
  gboolean show_all, drop_on_exit, no_collapse;
} DacsaConfig;

void dacsa_config_clear(DacsaConfig *config);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(DacsaConfig, dacsa_config_clear)

/* Reads a file's text into *ret, which is empty before. An unknown key, one that is there twice, a
 * value that cannot be: BAD_DATA; the message is one line and begins with `name:LINE: `. */
bool dacsa_config_from_text(const char *text, size_t len, const char *name, DacsaConfig *ret,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Reads the file at path; NULL: DACSA_CONFIG_PATH, which need not be there; "none": no file. */
bool dacsa_config_load(const char *path, DacsaConfig *ret,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Takes from `file` what `config`, the command line, does not tell. A list is taken whole or not at
 * all; what a file switches on stays on. */
void dacsa_config_complete(DacsaConfig *config, DacsaConfig *file);

/* The values that can be wrong, wherever they come from. */
bool dacsa_config_check_qmp(const char *value, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Whether every value in config, wherever it comes from, can be; the message begins with the
 * option's name. */
bool dacsa_config_check(const DacsaConfig *config, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A group by name or number. */
bool dacsa_config_find_group(const char *value, gid_t *ret,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;
