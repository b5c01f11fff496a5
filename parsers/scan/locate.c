/* Where a signature shows. */
#include "parsers/scan/locate.h"

#define PARTS ((size_t)8) /* what does not show the signature is left out in so many */
#define LEAF 4            /* times the longest pattern: there the search goes to the byte */
#define FIRST_STEP (64)   /* bytes: most patterns are shorter */
#define STEP_FACTOR (4)
#define SPARE_LOOKS (4) /* at the whole buffer, to make scattered matches smaller */

typedef struct {
  const DacsaScanSearch *search;
  GArray *found;
  size_t behind; /* the end of the last one found */
  size_t spare;  /* bytes that may yet be looked at to make scattered matches smaller */
  bool more;
} Locate;

static bool
shows(const Locate *l, size_t start, size_t end)
{
  return start < end && l->search->shows(start, end, l->search->data);
}

static void
add(Locate *l, size_t start, size_t end)
{
  DacsaScanRange range = {start, end};

  g_array_append_val(l->found, range);
  l->behind = end;
}

static bool
is_full(const Locate *l)
{
  return l->found->len >= l->search->most;
}

/* The smallest end of those at which [start, end) shows; end is one. */
static size_t
smallest_end(const Locate *l, size_t start, size_t end)
{
  size_t low = start;
  size_t step = FIRST_STEP;

  while (step < end - start && !shows(l, start, start + step)) {
    low = start + step;
    step *= STEP_FACTOR;
  }
  size_t high = MIN(step, end - start) + start;
  while (high - low > 1) {
    size_t middle = low + (high - low) / 2;

    if (shows(l, start, middle))
      high = middle;
    else
      low = middle;
  }
  return high;
}

/* The largest start of those at which [start, end) shows; start is one. */
static size_t
largest_start(const Locate *l, size_t start, size_t end)
{
  size_t high = end;
  size_t step = FIRST_STEP;

  while (step < end - start && !shows(l, end - step, end)) {
    high = end - step;
    step *= STEP_FACTOR;
  }
  size_t low = end - MIN(step, end - start);
  while (high - low > 1) {
    size_t middle = low + (high - low) / 2;

    if (shows(l, middle, end))
      low = middle;
    else
      high = middle;
  }
  return low;
}

/* The next one in [start, end), if it is as the last one was. */
static bool
find_again(const Locate *l, size_t start, size_t end, DacsaScanRange *ret)
{
  if (l->found->len == 0 || !l->search->again)
    return false;
  const DacsaScanRange *last = &g_array_index(l->found, DacsaScanRange, l->found->len - 1);
  size_t len = last->end - last->start;
  size_t at = l->search->again(last, start, end, l->search->data);
  if (at >= end || end - at < len)
    return false;
  *ret = (DacsaScanRange){at, at + len};
  return shows(l, at, at + len) && !shows(l, at + 1, at + len) && !shows(l, start, at + len - 1);
}

static DacsaScanRange
find_exactly(const Locate *l, size_t start, size_t end)
{
  DacsaScanRange range;

  if (find_again(l, start, end, &range))
    return range;
  range.end = smallest_end(l, start, end);
  range.start = largest_start(l, start, range.end);
  return range;
}

/* All of a stretch that shows it. */
static void
to_the_byte(Locate *l, size_t start, size_t end)
{
  do {
    DacsaScanRange range = find_exactly(l, start, end);

    add(l, range.start, range.end);
    start = range.end;
  } while (!is_full(l) && shows(l, start, end));
}

/* One match in [start, end) of which no part of it shows alone. */
static void
scattered(Locate *l, size_t start, size_t end)
{
  size_t step = (end - start) / 4;

  while (step > 0) {
    size_t cost = 2 * (end - start - step);

    if (cost > l->spare)
      break;
    l->spare -= cost;
    if (shows(l, start, end - step))
      end -= step;
    else if (shows(l, start + step, end))
      start += step;
    else
      step /= 2;
    step = MIN(step, (end - start) / 2);
  }
  add(l, start, end);
}

static void find(Locate *l, size_t start, size_t end);

/* [start, end) shows it: which parts do? */
static void
find_in_parts(Locate *l, size_t start, size_t end)
{
  size_t part = (end - start + PARTS - 1) / PARTS;

  for (size_t at = start; at < end && !is_full(l); at += part) {
    size_t overlap = MIN(at - start, l->search->longest);

    find(l, at - overlap, MIN(at + part, end));
  }
}

static void
find(Locate *l, size_t start, size_t end)
{
  unsigned before = l->found->len;

  start = MAX(start, l->behind);
  if (!shows(l, start, end))
    return;
  if (end - start <= LEAF * l->search->longest) {
    to_the_byte(l, start, end);
    return;
  }
  find_in_parts(l, start, end);
  if (l->found->len > before)
    return;
  scattered(l, start, end);
  if (!is_full(l))
    find(l, l->behind, end);
}

GArray *
dacsa_scan_locate(const DacsaScanSearch *search, bool *ret_more)
{
  g_autoptr(GArray) found = g_array_new(false, false, sizeof(DacsaScanRange));
  Locate l = {.search = search, .found = found, .spare = SPARE_LOOKS * search->len};

  find(&l, 0, search->len);
  *ret_more = is_full(&l) && shows(&l, l.behind, search->len);
  return g_steal_pointer(&found);
}
