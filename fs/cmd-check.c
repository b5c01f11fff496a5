/* `dacsa check`: what the VMs' status files say of whether they can be snapshotted. */
#include "fs/client.h"
#include "fs/commands.h"

#include <stdio.h>
#include <string.h>

/* Prints a line for each that refuses, `reason` and the `remedy` after it in status. */
static void
print_reasons(const char *vm, const char *status)
{
  g_autoptr(GPtrArray) reasons = dacsa_client_values(status, "reason");
  g_autoptr(GPtrArray) remedies = dacsa_client_values(status, "remedy");

  for (guint i = 0; i < reasons->len; i++)
    printf("%s: cannot be snapshotted: %s; %s\n", vm, (char *)reasons->pdata[i],
           i < remedies->len ? (char *)remedies->pdata[i] : "ask again");
  if (reasons->len == 0)
    printf("%s: cannot be snapshotted: its state is not known yet; ask again\n", vm);
}

/* Prints one VM's lines: whether it can, and if so, what speaks against it. */
static bool
check_vm(const char *mount, const char *vm)
{
  g_autofree char *status_path = g_build_filename(mount, vm, "status", NULL);
  g_autofree char *status = dacsa_client_read(status_path);
  g_autofree char *verdict = dacsa_client_value(status, "snapshot");
  g_autofree char *method = dacsa_client_value(status, "method");
  g_autoptr(GPtrArray) warnings = dacsa_client_values(status, "warning");

  if (verdict && strcmp(verdict, "possible") == 0) {
    printf("%s: can be snapshotted%s\n", vm,
           g_strcmp0(method, "copy") == 0 ? ", by a copy: it stands still for that" : "");
    for (guint i = 0; i < warnings->len; i++)
      printf("%s: warning: %s\n", vm, (char *)warnings->pdata[i]);
    return true;
  }
  print_reasons(vm, status);
  return false;
}

int
dacsa_cmd_check(int argc, char **argv)
{
  static const DacsaClientCommand command = {
      .name = "check",
      .parameters = "[VM...]",
      .summary =
          "Says of each VM, without touching it, whether it can be snapshotted; if not, why, "
          "and what\nhelps. Exit status 1 if one cannot.",
      .min = 0,
      .max = G_MAXINT,
  };
  g_autofree char *mount = NULL;
  bool all = true;
  int status;

  if (!dacsa_client_begin(&command, &argc, &argv, &mount, &status))
    return status;
  g_autoptr(GPtrArray) vms = dacsa_client_directories(mount);
  for (int i = 1; i < argc; i++)
    if (!g_ptr_array_find_with_equal_func(vms, argv[i], g_str_equal, NULL))
      return dacsa_cmd_fail("there is no VM %s; see dacsa list", argv[i]);
  for (guint i = 0; i < vms->len; i++) {
    const char *vm = g_ptr_array_index(vms, i);

    if (argc == 1 || g_strv_contains((const char *const *)argv + 1, vm))
      all = check_vm(mount, vm) && all;
  }
  return all ? 0 : 1;
}
