/* Parses `info mtree -f`. */
#include "snap/mtree.h"

#include "snap/error.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void
range_clear(void *data)
{
  g_free(((DacsaMtreeRange *)data)->block);
}

/* `  START-END (prio P, KIND): NAME [@OFFSET] [KVM]`; false: another line, or not RAM or ROM. */
static bool
parse_range(const char *line, DacsaMtreeRange *ret)
{
  DacsaMtreeRange r = {0};
  char kind[8];
  int name_at = 0;

  if (sscanf(line, " %" SCNx64 "-%" SCNx64 " (prio %*d, %7[a-z/]): %n", &r.start, &r.end, kind,
             &name_at) != 3 ||
      name_at == 0 || r.end < r.start)
    return false;
  r.rom = strcmp(kind, "rom") == 0;
  if (!r.rom && strcmp(kind, "ram") != 0)
    return false;
  g_autofree char *name = g_strdup(line + name_at);
  g_strchomp(name);
  if (g_str_has_suffix(name, " KVM"))
    name[strlen(name) - strlen(" KVM")] = '\0';
  char *at = strrchr(name, '@');
  if (at && at > name && at[-1] == ' ') {
    if (sscanf(at + 1, "%" SCNx64, &r.block_offset) != 1)
      return false;
    at[-1] = '\0';
  }
  r.block = g_steal_pointer(&name);
  *ret = r;
  return true;
}

bool
dacsa_mtree_parse(const char *text, GArray **ret, GError **error)
{
  g_autoptr(GArray) ranges = g_array_new(FALSE, FALSE, sizeof(DacsaMtreeRange));
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  bool in_view = false;

  g_array_set_clear_func(ranges, range_clear);
  for (size_t i = 0; lines[i]; i++) {
    const char *line = lines[i];
    DacsaMtreeRange range;

    if (g_str_has_prefix(line, "FlatView #")) {
      if (ranges->len > 0)
        break;
      in_view = false;
    } else if (g_str_has_prefix(line, " AS \"memory\",")) {
      in_view = true;
    } else if (in_view && parse_range(line, &range)) {
      g_array_append_val(ranges, range);
    }
  }
  if (ranges->len == 0)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA,
                      "`info mtree -f` shows no RAM in address space \"memory\"");
  *ret = g_steal_pointer(&ranges);
  return true;
}
