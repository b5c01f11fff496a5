/* `dacsa list`: the VMs and their snapshots. */
#include "fs/client.h"
#include "fs/commands.h"

#include <stdio.h>
#include <string.h>

#define ROW "%-20s %-24s %-28s %10s %12s"

/* Why the snapshot is no more. Owned, to be appended to its line. */
static char *
note_of(const char *info)
{
  g_autofree char *state = dacsa_client_value(info, "state");
  g_autofree char *why = dacsa_client_value(info, "why");

  return state ? g_strdup_printf("  %s: %s", state, why ? why : "?") : g_strdup("");
}

static void
list_snapshot(const char *vm_path, const char *vm, const char *name)
{
  g_autofree char *info_path = g_build_filename(vm_path, name, "info", NULL);
  g_autofree char *info = dacsa_client_read(info_path);
  g_autofree char *taken = dacsa_client_value(info, "taken");
  g_autofree char *pause = dacsa_client_value(info, "pause_us");
  g_autofree char *note = note_of(info);
  g_autofree char *bytes = note[0] ? NULL : dacsa_client_value(info, "private_bytes");
  g_autofree char *pause_ms =
      pause ? g_strdup_printf("%.1f ms", g_ascii_strtod(pause, NULL) / 1000) : g_strdup("-");
  g_autofree char *cost =
      bytes ? g_format_size_full(g_ascii_strtoull(bytes, NULL, 10), G_FORMAT_SIZE_IEC_UNITS)
            : g_strdup("-");

  printf(ROW "%s\n", vm, name, taken ? taken : "-", pause_ms, cost, note);
}

static void
list_vm(const char *mount, const char *vm)
{
  g_autofree char *path = g_build_filename(mount, vm, NULL);
  g_autofree char *status_path = g_build_filename(path, "status", NULL);
  g_autofree char *status = dacsa_client_read(status_path);
  g_autofree char *state = dacsa_client_value(status, "state");
  g_autoptr(GPtrArray) names = dacsa_client_directories(path);
  g_autofree char *note = g_strdup_printf("(%s)", state ? state : "unknown");

  if (names->len == 0)
    printf(ROW "\n", vm, "-", note, "-", "-");
  for (guint i = 0; i < names->len; i++)
    list_snapshot(path, vm, g_ptr_array_index(names, i));
}

int
dacsa_cmd_list(int argc, char **argv)
{
  static const DacsaClientCommand command = {
      .name = "list",
      .parameters = "[VM]",
      .summary = "Shows the VMs and their snapshots: when each was taken, how long the VM was "
                 "paused,\nand what copy-on-write costs the host now.",
      .min = 0,
      .max = 1,
      .usage = "name one VM at the most",
  };
  g_autofree char *mount = NULL;
  int status;

  if (!dacsa_client_begin(&command, &argc, &argv, &mount, &status))
    return status;
  g_autoptr(GPtrArray) vms = dacsa_client_directories(mount);
  if (argc == 2 && !g_ptr_array_find_with_equal_func(vms, argv[1], g_str_equal, NULL))
    return dacsa_cmd_fail("there is no VM %s; see dacsa list", argv[1]);
  printf(ROW "\n", "VM", "SNAPSHOT", "TAKEN", "PAUSE", "COST");
  for (guint i = 0; i < vms->len; i++)
    if (argc == 1 || strcmp(argv[1], g_ptr_array_index(vms, i)) == 0)
      list_vm(mount, g_ptr_array_index(vms, i));
  return 0;
}
