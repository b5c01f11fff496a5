/* Percent-escaping. */
#include "fs/names.h"

#include <glib.h>
#include <stdbool.h>
#include <string.h>

#define NO_NAME "%" /* stands for the empty one */

char *
dacsa_name_escape(const char *name)
{
  GString *out = g_string_new(name[0] ? NULL : NO_NAME);
  bool dots = strcmp(name, ".") == 0 || strcmp(name, "..") == 0;

  for (const char *c = name; *c; c++) {
    if (*c == '/' || *c == '%' || (unsigned char)*c < 0x20 || *c == 0x7f || dots)
      g_string_append_printf(out, "%%%02X", (unsigned char)*c);
    else
      g_string_append_c(out, *c);
  }
  return g_string_free(out, FALSE);
}

char *
dacsa_name_unescape(const char *name)
{
  g_autoptr(GString) raw = g_string_new(NULL);

  for (const char *c = name; *c && strcmp(name, NO_NAME) != 0; c++) {
    if (*c != '%') {
      g_string_append_c(raw, *c);
      continue;
    }
    if (!g_ascii_isxdigit(c[1]) || !g_ascii_isxdigit(c[2]))
      return NULL;
    g_string_append_c(raw, (char)(g_ascii_xdigit_value(c[1]) << 4 | g_ascii_xdigit_value(c[2])));
    c += 2;
  }
  /* One name, one file: %41 is not another way to say A. */
  g_autofree char *again = dacsa_name_escape(raw->str);
  return strcmp(again, name) == 0 ? g_strdup(raw->str) : NULL;
}
