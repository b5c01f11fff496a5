/* Guest-physical ranges and where each lies. */
#include "snap/layout.h"

#include "snap/error.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* QEMU's own limit is 256 memory slots and some firmware; a layout larger than this is nonsense. */
#define MAX_RANGES 4096u

DacsaLayout *
dacsa_layout_new(void)
{
  DacsaLayout *layout = g_new0(DacsaLayout, 1);

  layout->ranges = g_array_new(FALSE, FALSE, sizeof(DacsaRange));
  return layout;
}

DacsaLayout *
dacsa_layout_copy(const DacsaLayout *layout)
{
  DacsaLayout *copy = g_new0(DacsaLayout, 1);

  copy->ranges = g_array_copy(layout->ranges);
  return copy;
}

void
dacsa_layout_free(DacsaLayout *layout)
{
  if (!layout)
    return;
  g_array_unref(layout->ranges);
  g_free(layout);
}

bool
dacsa_layout_append(DacsaLayout *layout, DacsaRange range, GError **error)
{
  /* The end, one past the last byte, must be a number too. */
  if (range.size == 0 || range.gpa + range.size < range.gpa ||
      range.offset + (range.size - 1) < range.offset)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA,
                      "memory range at 0x%" PRIx64 " of 0x%" PRIx64 " bytes is empty or wraps",
                      range.gpa, range.size);
  if (range.gpa < dacsa_layout_end(layout))
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA,
                      "memory range at 0x%" PRIx64 " overlaps or precedes another", range.gpa);
  if (layout->ranges->len > 0) {
    DacsaRange *last = &g_array_index(layout->ranges, DacsaRange, layout->ranges->len - 1);

    if (last->gpa + last->size == range.gpa && last->offset + last->size == range.offset &&
        last->ram == range.ram) {
      last->size += range.size;
      return true;
    }
  }
  if (layout->ranges->len >= MAX_RANGES)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "more than %u memory ranges", MAX_RANGES);
  g_array_append_val(layout->ranges, range);
  return true;
}

const DacsaRange *
dacsa_layout_find(const DacsaLayout *layout, uint64_t gpa)
{
  const DacsaRange *ranges = (const DacsaRange *)(void *)layout->ranges->data;
  size_t low = 0;
  size_t high = layout->ranges->len;

  while (low < high) {
    size_t mid = low + (high - low) / 2;

    if (ranges[mid].gpa + (ranges[mid].size - 1) < gpa)
      low = mid + 1;
    else
      high = mid;
  }
  return low < layout->ranges->len ? &ranges[low] : NULL;
}

uint64_t
dacsa_layout_end(const DacsaLayout *layout)
{
  if (layout->ranges->len == 0)
    return 0;
  const DacsaRange *last = &g_array_index(layout->ranges, DacsaRange, layout->ranges->len - 1);
  return last->gpa + last->size;
}

uint64_t
dacsa_layout_ram_bytes(const DacsaLayout *layout)
{
  uint64_t sum = 0;

  for (guint i = 0; i < layout->ranges->len; i++) {
    const DacsaRange *r = &g_array_index(layout->ranges, DacsaRange, i);

    if (r->ram)
      sum += r->size;
  }
  return sum;
}

char *
dacsa_layout_to_text(const DacsaLayout *layout)
{
  GString *text = g_string_new(NULL);

  for (guint i = 0; i < layout->ranges->len; i++) {
    const DacsaRange *r = &g_array_index(layout->ranges, DacsaRange, i);

    g_string_append_printf(text, "%" PRIx64 " %" PRIx64 " %" PRIx64 " %s\n", r->gpa, r->size,
                           r->offset, r->ram ? "ram" : "rom");
  }
  return g_string_free(text, FALSE);
}

bool
dacsa_layout_from_text(const char *text, DacsaLayout **ret, GError **error)
{
  g_autoptr(DacsaLayout) layout = dacsa_layout_new();
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

  for (size_t i = 0; lines[i]; i++) {
    DacsaRange r;
    char kind[5]; /* one more than is needed, so that what is too long shows */

    if (lines[i][0] == '\0')
      continue;
    if (sscanf(lines[i], "%" SCNx64 " %" SCNx64 " %" SCNx64 " %4s", &r.gpa, &r.size, &r.offset,
               kind) != 4)
      return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "layout line %zu is not a range", i + 1);
    if (strcmp(kind, "ram") != 0 && strcmp(kind, "rom") != 0)
      return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "layout line %zu is neither ram nor rom",
                        i + 1);
    r.ram = strcmp(kind, "ram") == 0;
    if (!dacsa_layout_append(layout, r, error))
      return false;
  }
  *ret = g_steal_pointer(&layout);
  return true;
}
