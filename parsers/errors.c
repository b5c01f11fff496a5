/* The errors of one snapshot. */
#include "parsers/errors.h"

#define MAX_LINES 4096u
#define MAX_LINE 512u

struct DacsaErrors {
  GMutex lock;
  GPtrArray *lines;
  GHashTable *known; /* lines, borrowed */
  guint64 left_out;
};

DacsaErrors *
dacsa_errors_new(void)
{
  DacsaErrors *errors = g_new0(DacsaErrors, 1);

  g_mutex_init(&errors->lock);
  errors->lines = g_ptr_array_new_with_free_func(g_free);
  errors->known = g_hash_table_new(g_str_hash, g_str_equal);
  return errors;
}

void
dacsa_errors_free(DacsaErrors *errors)
{
  if (!errors)
    return;
  g_hash_table_unref(errors->known);
  g_ptr_array_unref(errors->lines);
  g_mutex_clear(&errors->lock);
  g_free(errors);
}

void
dacsa_errors_add(DacsaErrors *errors, const char *where, const char *text)
{
  g_autofree char *raw = g_strdup_printf("%s: %.*s", where, (int)MAX_LINE, text);
  /* The guest may have put anything there: what does not print is escaped. */
  g_autofree char *line = g_strescape(raw, "\"\\");
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&errors->lock);

  if (g_hash_table_contains(errors->known, line))
    return;
  if (errors->lines->len >= MAX_LINES) {
    errors->left_out++;
    return;
  }
  g_hash_table_add(errors->known, line);
  g_ptr_array_add(errors->lines, g_steal_pointer(&line));
}

char *
dacsa_errors_text(DacsaErrors *errors)
{
  GString *text = g_string_new(NULL);
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&errors->lock);

  for (guint i = 0; i < errors->lines->len; i++)
    g_string_append_printf(text, "%s\n", (char *)g_ptr_array_index(errors->lines, i));
  if (errors->left_out > 0)
    g_string_append_printf(text, "errors: %" G_GUINT64_FORMAT " more were left out\n",
                           errors->left_out);
  return g_string_free(text, FALSE);
}
