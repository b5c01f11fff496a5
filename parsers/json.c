/* JSON, written as it comes. */
#include "parsers/json.h"

#include <string.h>

/* Before whatever is next in an object, be it a key or a value after its key. */
static void
separate(DacsaJson *json)
{
  if (json->comma)
    g_string_append_c(json->out, ',');
}

void
dacsa_json_open(DacsaJson *json)
{
  g_string_append_c(json->out, '{');
  json->comma = false;
}

void
dacsa_json_close(DacsaJson *json)
{
  g_string_append_c(json->out, '}');
  json->comma = true;
}

static bool
is_plain(char c)
{
  return c >= ' ' && c < 0x7f && c != '"' && c != '\\';
}

static void
append_escaped(GString *out, unsigned char c)
{
  if (c == '"' || c == '\\') {
    g_string_append_c(out, '\\');
    g_string_append_c(out, (char)c);
  } else {
    g_string_append_printf(out, "\\u%04x", c);
  }
}

static void
append_text(GString *out, const char *text)
{
  g_string_append_c(out, '"');
  while (*text) {
    size_t plain = 0;

    while (is_plain(text[plain]))
      plain++;
    g_string_append_len(out, text, (gssize)plain);
    text += plain;
    if (*text)
      append_escaped(out, (unsigned char)*text++);
  }
  g_string_append_c(out, '"');
}

void
dacsa_json_key(DacsaJson *json, const char *name)
{
  separate(json);
  append_text(json->out, name);
  g_string_append_c(json->out, ':');
  json->comma = false;
}

void
dacsa_json_text(DacsaJson *json, const char *text)
{
  append_text(json->out, text);
  json->comma = true;
}

void
dacsa_json_number(DacsaJson *json, uint64_t number)
{
  char digits[20];
  unsigned at = sizeof(digits);

  do {
    digits[--at] = (char)('0' + number % 10);
    number /= 10;
  } while (number > 0);
  g_string_append_len(json->out, digits + at, (gssize)(sizeof(digits) - at));
  json->comma = true;
}

void
dacsa_json_signed(DacsaJson *json, int64_t number)
{
  if (number < 0)
    g_string_append_c(json->out, '-');
  dacsa_json_number(json, number < 0 ? -(uint64_t)number : (uint64_t)number);
}

void
dacsa_json_boolean(DacsaJson *json, bool yes)
{
  g_string_append(json->out, yes ? "true" : "false");
  json->comma = true;
}

void
dacsa_json_add_text(DacsaJson *json, const char *name, const char *text)
{
  dacsa_json_key(json, name);
  dacsa_json_text(json, text);
}

void
dacsa_json_add_number(DacsaJson *json, const char *name, uint64_t number)
{
  dacsa_json_key(json, name);
  dacsa_json_number(json, number);
}

void
dacsa_json_add_boolean(DacsaJson *json, const char *name, bool yes)
{
  dacsa_json_key(json, name);
  dacsa_json_boolean(json, yes);
}

bool
dacsa_json_is_full(const DacsaJson *json)
{
  return json->out->len >= json->limit;
}
