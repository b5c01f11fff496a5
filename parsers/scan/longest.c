/* The longest part of any signature. */
#include "parsers/scan/longest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_OF_RULES ((size_t)8192) /* libyara/lexer.h, YR_LEX_BUF_SIZE; expressions reach 4096   \
                                      */

/* Adds the longest gap of `{n-m}` or `[n-m]`, at its bracket; true: it is of any length. */
static bool
add_gap(const char **at, size_t *length)
{
  const char *text = *at + 1;
  const size_t len = strcspn(text, "}]");
  const char *dash = memchr(text, '-', len);
  const char *most = dash ? dash + 1 : text;

  *at = text[len] ? text + len : text + len - 1;
  if (!g_ascii_isdigit(*most))
    return true;
  *length += MIN(g_ascii_strtoull(most, NULL, 10), DACSA_SCAN_LONGEST);
  return false;
}

/* Of a pattern in hexadecimal: two characters a byte; alternatives count all, which is too much and
 * does no harm. It ends with the text, or at a colon. */
static size_t
of_pattern(const char *pattern)
{
  size_t longest = 0, gaps = 0, characters = 0;

  for (const char *at = pattern;; at++) {
    const bool ends = *at == '\0' || *at == ':' || *at == '\n';

    if (ends || *at == '*' || ((*at == '{' || *at == '[') && add_gap(&at, &gaps))) {
      longest = MAX(longest, (characters + 1) / 2 + gaps);
      gaps = characters = 0;
    } else if (*at != '}' && *at != ']') {
      characters++;
    }
    if (ends)
      return longest;
  }
}

/* `[Offset:]Pattern[::Modifiers]`, or an expression or something newer, which may reach anywhere.
 */
static size_t
of_subsignature(const char *text)
{
  const char *modifiers = strstr(text, "::");
  const char *colon = strchr(text, ':');
  const char *pattern = colon && colon != modifiers ? colon + 1 : text;
  const size_t longest = of_pattern(pattern);

  if (strpbrk(text, "/#$\"") || g_str_has_prefix(text, "fuzzy_img"))
    return DACSA_SCAN_LONGEST;
  return modifiers && strchr(modifiers, 'w') ? 2 * longest : longest;
}

static size_t
of_logical(const char *line)
{
  g_auto(GStrv) fields = g_strsplit(line, ";", -1);
  size_t longest = 0;

  for (size_t i = 0; fields[i]; i++)
    if (i >= 3)
      longest = MAX(longest, of_subsignature(fields[i]));
  return longest;
}

static size_t
of_extended(const char *line)
{
  const char *at = line;

  for (int i = 0; i < 3 && at; i++) {
    at = strchr(at, ':');
    at = at ? at + 1 : NULL;
  }
  return at ? of_pattern(at) : 0;
}

static size_t
of_plain(const char *line)
{
  const char *equals = strchr(line, '=');

  return equals ? of_pattern(equals + 1) : 0;
}

/* Whole files' hashes, names that are ignored, certificates: no part of memory. */
static size_t
of_none(const char *line)
{
  (void)line;
  return 0;
}

static const struct {
  const char *type;
  size_t (*of)(const char *line);
} types[] = {
    {"ndb", of_extended}, {"ndu", of_extended}, {"ldb", of_logical}, {"ldu", of_logical},
    {"db", of_plain},     {"hdb", of_none},     {"hdu", of_none},    {"hsb", of_none},
    {"hsu", of_none},     {"mdb", of_none},     {"mdu", of_none},    {"msb", of_none},
    {"msu", of_none},     {"imp", of_none},     {"fp", of_none},     {"sfp", of_none},
    {"ign", of_none},     {"ign2", of_none},    {"crb", of_none},    {"cfg", of_none},
    {"info", of_none},    {"dat", of_none},     {"cdb", of_none},
};

size_t
dacsa_scan_longest_in_line(const char *type, const char *line)
{
  for (size_t i = 0; i < G_N_ELEMENTS(types); i++)
    if (g_ascii_strcasecmp(type, types[i].type) == 0)
      return MIN(types[i].of(line), DACSA_SCAN_LONGEST);
  return DACSA_SCAN_LONGEST;
}

static bool
has_lines(const char *type)
{
  for (size_t i = 0; i < G_N_ELEMENTS(types); i++)
    if (g_ascii_strcasecmp(type, types[i].type) == 0)
      return types[i].of != of_none;
  return false;
}

static size_t
in_file(const char *path)
{
  const char *dot = strrchr(path, '.');
  const char *type = dot ? dot + 1 : "";
  FILE *file = has_lines(type) ? fopen(path, "re") : NULL;
  size_t longest = 0, capacity = 0;
  char *line = NULL;

  if (!file)
    return dacsa_scan_longest_in_line(type, "");
  while (getline(&line, &capacity, file) >= 0)
    longest = MAX(longest, dacsa_scan_longest_in_line(type, line));
  free(line);
  fclose(file);
  return longest;
}

static size_t
in_database(const char *path)
{
  g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
  size_t longest = 0;
  const char *name;

  if (!dir)
    return in_file(path);
  while ((name = g_dir_read_name(dir))) {
    g_autofree char *file = g_build_filename(path, name, NULL);

    longest = MAX(longest, in_file(file));
  }
  return longest;
}

size_t
dacsa_scan_longest(const DacsaScanOptions *options)
{
  size_t longest = options->rules && options->rules[0] ? MOST_OF_RULES : 0;

  for (size_t i = 0; options->databases && options->databases[i]; i++)
    longest = MAX(longest, in_database(options->databases[i]));
  return MIN(longest, DACSA_SCAN_LONGEST);
}
