/* What the mount's clients share. */
#include "fs/client.h"

#include "fs/commands.h"
#include "snap/mountpoint.h"
#include "snap/state.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

/* Where the kernel does not tell, it is believed. */
static bool
is_mount_root(const char *path)
{
  struct statx st;

  return statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, 0, &st) < 0 ||
         !(st.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) ||
         st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

bool
dacsa_client_is_end(int errsv)
{
  return errsv == ENOTCONN || errsv == ECONNABORTED;
}

/* Not if there is an answer to what is always asked of the daemon, never answered by the kernel
 * from what it knows, and there is one who answers requests, not only a viewer that was left
 * behind. */
static bool
has_ended(const char *mount)
{
  g_autofree char *path = g_canonicalize_filename(mount, NULL);
  g_autofree char *state_path = dacsa_state_path(path);
  struct statfs fs;

  return !dacsa_state_is_locked(state_path) ||
         (statfs(mount, &fs) < 0 && dacsa_client_is_end(errno));
}

int
dacsa_client_tell_end(const char *mount)
{
  if (!has_ended(mount))
    return dacsa_cmd_fail("the viewer of %s was ended before it could answer; look at `dacsa list "
                          "--mount %s`, and try again",
                          mount, mount);
  return dacsa_cmd_fail("the daemon of %s has ended; start `dacsa mount %s` again: its snapshots "
                        "wait for that",
                        mount, mount);
}

int
dacsa_client_check_mount(const char *mount)
{
  struct statfs fs;

  if (!dacsa_mountpoint_is_ours(mount))
    return dacsa_cmd_fail("dacsa is not mounted on %s; start `dacsa mount %s`, or name another "
                          "mount with --mount",
                          mount, mount);
  if (!is_mount_root(mount))
    return dacsa_cmd_fail("%s is in a mount of dacsa; name the mount point with --mount", mount);
  /* This is always asked of the daemon, never answered by the kernel from what it knows. */
  if (statfs(mount, &fs) == 0)
    return 0;
  return dacsa_client_is_end(errno) ? dacsa_client_tell_end(mount)
                                    : dacsa_cmd_fail("%s: %s", mount, g_strerror(errno));
}

bool
dacsa_client_begin(const DacsaClientCommand *command, int *argc, char ***argv, char **ret_mount,
                   int *ret_status)
{
  g_autofree char *mount = NULL;
  const GOptionEntry entries[] = {
      {"mount", 0, 0, G_OPTION_ARG_FILENAME, &mount, "where dacsa is mounted [/dacsa]", "DIR"},
      {NULL, 0, 0, 0, NULL, NULL, NULL}};

  if (!dacsa_cmd_parse(command->name, command->parameters, command->summary, entries, argc, argv,
                       ret_status))
    return false;
  if (*argc - 1 < command->min || *argc - 1 > command->max) {
    *ret_status = dacsa_cmd_usage(command->name, "%s", command->usage);
    return false;
  }
  if (!mount)
    mount = g_strdup(DACSA_DEFAULT_MOUNT);
  *ret_status = dacsa_client_check_mount(mount);
  if (*ret_status != 0)
    return false;
  *ret_mount = g_steal_pointer(&mount);
  return true;
}

static gint
compare_names(gconstpointer a, gconstpointer b)
{
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

GPtrArray *
dacsa_client_directories(const char *path)
{
  GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
  g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
  const char *name;

  while (dir && (name = g_dir_read_name(dir))) {
    g_autofree char *full = g_build_filename(path, name, NULL);
    struct stat st;

    if (lstat(full, &st) == 0 && S_ISDIR(st.st_mode))
      g_ptr_array_add(names, g_strdup(name));
  }
  g_ptr_array_sort(names, compare_names);
  return names;
}

char *
dacsa_client_read(const char *path)
{
  char *text = NULL;

  return g_file_get_contents(path, &text, NULL, NULL) ? text : g_strdup("");
}

GPtrArray *
dacsa_client_values(const char *text, const char *key)
{
  GPtrArray *values = g_ptr_array_new_with_free_func(g_free);
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  size_t n = strlen(key);

  for (size_t i = 0; lines[i]; i++)
    if (strncmp(lines[i], key, n) == 0 && strncmp(lines[i] + n, ": ", 2) == 0)
      g_ptr_array_add(values, g_strdup(g_strstrip(lines[i] + n + 2)));
  return values;
}

char *
dacsa_client_value(const char *text, const char *key)
{
  g_autoptr(GPtrArray) values = dacsa_client_values(text, key);

  return values->len > 0 ? g_strdup(g_ptr_array_index(values, 0)) : NULL;
}

void
dacsa_client_each_row(const char *path, const char *with, DacsaClientRowFunc func, void *data)
{
  g_autofree char *text = dacsa_client_read(path);
  g_autoptr(JsonParser) parser = json_parser_new_immutable();

  for (char *rest = text; rest && *rest;) {
    const char *line = strsep(&rest, "\n");

    if ((!with || strstr(line, with)) && json_parser_load_from_data(parser, line, -1, NULL) &&
        JSON_NODE_HOLDS_OBJECT(json_parser_get_root(parser)))
      func(json_node_get_object(json_parser_get_root(parser)), data);
  }
}
