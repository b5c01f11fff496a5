/* Events as GLib's structured log; its writer knows whether standard error is the journal. */
#include "snap/log.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const message_ids[] = {
    [DACSA_LOG_TAKEN] = "2fc17a151fd04f03840bf45b3668ad9c",
    [DACSA_LOG_REFUSED] = "bfc069a6fce0445cae5f6ca3516a7af8",
    [DACSA_LOG_DROPPED] = "613f776f348b4f7185c842dc283f9986",
    [DACSA_LOG_LOST] = "e8cc8d93f2d0485da37acf3d3428ba24",
    [DACSA_LOG_GIVEN_UP] = "74a4a45e4d95400e9d09039446a65186",
    [DACSA_LOG_TAKEN_UP] = "0aeb3f75bb3442bba69cf14cbd20925d",
    [DACSA_LOG_RECOVERED] = "18b521a3cb4544828dd05a4f3ef3f050",
    [DACSA_LOG_COLLAPSED] = "4a1a6f04e02544a6a81926754d85292a",
    [DACSA_LOG_VIEWER] = "2b8a0249fa354d5c8e76a3f660801175",
};

/* As syslog(3) counts. */
static const char *
priority(GLogLevelFlags level)
{
  if (level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING))
    return "4";
  return level & G_LOG_LEVEL_MESSAGE ? "5" : "6";
}

/* number: of the field key, or NULL. */
static void
log_event(DacsaLogEvent event, GLogLevelFlags level, const char *vm, const char *snapshot,
          const char *key, const char *number, const char *text)
{
  g_autofree char *about =
      vm ? g_strdup_printf("%s%s%s: ", vm, snapshot ? "/" : "", snapshot ? snapshot : "")
         : g_strdup("");
  g_autofree char *message = g_strconcat(about, text, NULL);
  /* What may be missing comes last, to be left out. */
  const GLogField fields[] = {{"MESSAGE", message, -1},
                              {"PRIORITY", priority(level), -1},
                              {"SYSLOG_IDENTIFIER", "dacsa", -1},
                              {"MESSAGE_ID", message_ids[event], -1},
                              {"DACSA_VM", vm, -1},
                              {"DACSA_SNAPSHOT", snapshot, -1},
                              {key, number, -1}};

  g_log_structured_array(level, fields,
                         G_N_ELEMENTS(fields) - (!vm         ? 3
                                                 : !snapshot ? 2
                                                 : !number   ? 1
                                                             : 0));
}

void
dacsa_log(DacsaLogEvent event, GLogLevelFlags level, const char *vm, const char *snapshot,
          int64_t pause_us, const char *format, ...)
{
  g_autofree char *pause = pause_us < 0 ? NULL : g_strdup_printf("%" G_GINT64_FORMAT, pause_us);
  va_list args;

  va_start(args, format);
  g_autofree char *text = g_strdup_vprintf(format, args);
  va_end(args);
  log_event(event, level, vm, snapshot, "DACSA_PAUSE_US", pause, text);
}

void
dacsa_log_given_up(const char *vm, const char *snapshot, uint64_t private_bytes, const char *why)
{
  g_autofree char *bytes = g_strdup_printf("%" G_GUINT64_FORMAT, private_bytes);

  log_event(DACSA_LOG_GIVEN_UP, G_LOG_LEVEL_WARNING, vm, snapshot, "DACSA_PRIVATE_BYTES", bytes,
            why);
}

static GLogWriterOutput
write_line(GLogLevelFlags level, const GLogField *fields, gsize n_fields, void *data)
{
  const bool is_journal = GPOINTER_TO_INT(data);

  if (!is_journal)
    return g_log_writer_standard_streams(level, fields, n_fields, NULL);
  g_autofree char *text = g_log_writer_format_fields(level, fields, n_fields, FALSE);
  /* Formatted text begins with an empty line where it is a warning. */
  fprintf(stderr, "<%s>%s\n", priority(level), text + strspn(text, "\n"));
  return G_LOG_WRITER_HANDLED;
}

/* Where standard error leads is asked now: later the process may not be allowed to. */
void
dacsa_log_use_stderr(void)
{
  const bool is_journal = g_log_writer_is_journald(STDERR_FILENO);

  g_log_set_writer_func(write_line, GINT_TO_POINTER(is_journal), NULL);
}
