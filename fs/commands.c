/* What the subcommands share. */
#include "fs/commands.h"

#include <stdio.h>

static void
print_error(const char *format, va_list args)
{
  g_autofree char *text = g_strdup_vprintf(format, args);

  fprintf(stderr, "dacsa: %s\n", g_strdelimit(text, "\n", ' '));
}

int
dacsa_cmd_fail(const char *format, ...)
{
  va_list args;

  va_start(args, format);
  print_error(format, args);
  va_end(args);
  return 1;
}

int
dacsa_cmd_usage(const char *command, const char *format, ...)
{
  g_autofree char *hint = g_strdup_printf("%s; see dacsa %s --help", format, command);
  va_list args;

  va_start(args, format);
  G_GNUC_BEGIN_IGNORE_DEPRECATIONS
  print_error(hint, args);
  G_GNUC_END_IGNORE_DEPRECATIONS
  va_end(args);
  return 2;
}

bool
dacsa_cmd_parse(const char *command, const char *parameters, const char *summary,
                const GOptionEntry *entries, int *argc, char ***argv, int *ret_status)
{
  g_autoptr(GOptionContext) context = g_option_context_new(parameters);
  g_autoptr(GError) error = NULL;
  g_autofree char *program = g_strconcat("dacsa ", command, NULL);

  g_set_prgname(program);
  g_option_context_set_summary(context, summary);
  g_option_context_add_main_entries(context, entries, NULL);
  if (g_option_context_parse(context, argc, argv, &error))
    return true;
  *ret_status = dacsa_cmd_usage(command, "%s", error->message);
  return false;
}
