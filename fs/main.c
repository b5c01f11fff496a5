/* dacsa: live virtual machines as files. The table of subcommands. */
#include "fs/commands.h"
#include "snap/holder.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>

static const struct {
  const char *name;
  int (*run)(int argc, char **argv);
  const char *summary;
} commands[] = {
    {"mount", dacsa_cmd_mount, "serve the file system: VMs as directories, snapshots in them"},
    {"snapshot", dacsa_cmd_snapshot, "take a snapshot of a running VM"},
    {"list", dacsa_cmd_list, "show the VMs and their snapshots"},
    {"drop", dacsa_cmd_drop, "remove snapshots"},
    {"scan", dacsa_cmd_scan, "look for malware with ClamAV's signatures and YARA's rules"},
    {"check", dacsa_cmd_check, "say of each VM whether it can be snapshotted, and if not, why"},
};

static void
print_help(FILE *to)
{
  fprintf(to, "Usage: dacsa COMMAND [OPTION...] [ARGUMENT...]\n\n"
              "Live virtual machines as files.\n\nCommands:\n");
  for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
    fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].summary);
  fprintf(to, "\n`dacsa COMMAND --help` tells more. A first session:\n\n"
              "  dacsa mount /dacsa\n  dacsa snapshot VM now\n  clamscan -r /dacsa/VM/now\n"
              "  dacsa drop VM/now\n");
}

int
main(int argc, char **argv)
{
  /* Not a command: a snapshot of the method `copy` is this program under another name. */
  if (argc > 0 && strcmp(argv[0], DACSA_HOLDER_NAME) == 0)
    return dacsa_holder_main();
  setlocale(LC_ALL, "");
  if (argc < 2) {
    print_help(stderr);
    return 2;
  }
  if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
      strcmp(argv[1], "help") == 0) {
    print_help(stdout);
    return 0;
  }
  if (strcmp(argv[1], "--version") == 0) {
    printf("dacsa %s\n", DACSA_VERSION);
    return 0;
  }
  for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
    if (strcmp(argv[1], commands[i].name) == 0)
      return commands[i].run(argc - 1, argv + 1);
  fprintf(stderr, "dacsa: there is no command '%s'; see dacsa --help\n", argv[1]);
  return 2;
}
