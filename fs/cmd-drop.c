/* `dacsa drop`: one rmdir a snapshot. */
#include "fs/client.h"
#include "fs/commands.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* VM/NAME, or the same with the mount point in front, as `dacsa snapshot` prints it. */
static int
drop(const char *mount, const char *what)
{
  g_autofree char *prefix = g_strconcat(mount, "/", NULL);
  const char *name = g_str_has_prefix(what, prefix) ? what + strlen(prefix) : what;
  const char *slash = strchr(name, '/');
  g_autofree char *path = g_build_filename(mount, name, NULL);

  if (!slash || slash == name || slash[1] == '\0' || strchr(slash + 1, '/'))
    return dacsa_cmd_usage("drop", "%s: write VM/NAME", what);
  if (rmdir(path) == 0)
    return 0;
  if (errno == ENOENT)
    return dacsa_cmd_fail("there is no snapshot %s; see dacsa list", name);
  if (errno == ENOTDIR || errno == EROFS)
    return dacsa_cmd_fail("%s is not a snapshot; see dacsa list", name);
  if (errno == EACCES || errno == EPERM)
    return dacsa_cmd_fail("dropping a snapshot needs root; try again with sudo");
  if (dacsa_client_is_end(errno))
    return dacsa_client_tell_end(mount);
  return dacsa_cmd_fail("%s: %s; see the log of dacsa mount", name, g_strerror(errno));
}

int
dacsa_cmd_drop(int argc, char **argv)
{
  static const DacsaClientCommand command = {
      .name = "drop",
      .parameters = "VM/NAME...",
      .summary = "Removes snapshots and frees what they hold.",
      .min = 1,
      .max = G_MAXINT,
      .usage = "name a snapshot as VM/NAME",
  };
  g_autofree char *mount = NULL;
  int status;

  if (!dacsa_client_begin(&command, &argc, &argv, &mount, &status))
    return status;
  for (int i = 1; i < argc && status != 2; i++) {
    int one = drop(mount, argv[i]);

    status = MAX(status, one);
  }
  return status;
}
