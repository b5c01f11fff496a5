/* The guest operating systems there are, and what is the same for all of them. */
#include "parsers/guest.h"

#include "parsers/linux/linux.h"
#include "snap/error.h"

#include <inttypes.h>

#define MAX_MAP (256u << 20)

static const DacsaGuestOs *const systems[] = {
    &dacsa_linux_os,
};

DacsaGuestMemo *
dacsa_guest_memo_new(void)
{
  DacsaGuestMemo *memo = g_new0(DacsaGuestMemo, 1);

  g_atomic_ref_count_init(&memo->refs);
  g_mutex_init(&memo->lock);
  return memo;
}

DacsaGuestMemo *
dacsa_guest_memo_ref(DacsaGuestMemo *memo)
{
  g_atomic_ref_count_inc(&memo->refs);
  return memo;
}

void
dacsa_guest_memo_unref(DacsaGuestMemo *memo)
{
  if (!memo || !g_atomic_ref_count_dec(&memo->refs))
    return;
  if (memo->value)
    memo->free_value(memo->value);
  g_mutex_clear(&memo->lock);
  g_free(memo);
}

bool
dacsa_guest_open(const DacsaGuestSource *source, DacsaGuest **ret, GError **error)
{
  for (size_t i = 0; i < G_N_ELEMENTS(systems); i++) {
    g_autoptr(GError) cause = NULL;

    if (systems[i]->open(source, ret, &cause))
      return true;
    if (!g_error_matches(cause, DACSA_ERROR, DACSA_ERROR_NOT_FOUND)) {
      g_propagate_error(error, g_steal_pointer(&cause));
      return false;
    }
  }
  return dacsa_fail(error, DACSA_ERROR_NOT_FOUND,
                    "no operating system that dacsa knows was found in the guest's memory");
}

void
dacsa_guest_free(DacsaGuest *guest)
{
  if (guest)
    guest->os->free(guest);
}

void
dacsa_guest_file_clear(DacsaGuestFile *file)
{
  g_clear_pointer(&file->name, g_free);
}

/* One line for the part of a run that lies in one mapping, or in none. */
static void
map_line(GString *out, uint64_t offset, uint64_t len, uint64_t gva, const DacsaRegion *region)
{
  g_string_append_printf(out, "%08" PRIx64 " %08" PRIx64 " %012" PRIx64 " %s", offset, len, gva,
                         region ? region->perms : "----");
  if (region && region->path)
    g_string_append_printf(out, " %s", region->path);
  g_string_append_c(out, '\n');
}

bool
dacsa_guest_memory_map(DacsaGuest *guest, uint32_t pid, const DacsaRuns *runs, GString *out,
                       GError **error)
{
  g_autoptr(GArray) regions = NULL;
  uint64_t begin = 0, len = 0, begin_gva = 0; /* the line being gathered */
  const DacsaRegion *region = NULL;
  guint at = 0;

  if (!guest->os->regions(guest, pid, &regions, error))
    return false;
  for (guint i = 0; i < runs->runs->len; i++) {
    const DacsaRun *run = &g_array_index(runs->runs, DacsaRun, i);

    for (uint64_t done = 0; done < run->len;) {
      uint64_t gva = run->gva + done;
      uint64_t n = run->len - done;

      while (at < regions->len && g_array_index(regions, DacsaRegion, at).end <= gva)
        at++;
      const DacsaRegion *next = at < regions->len ? &g_array_index(regions, DacsaRegion, at) : NULL;
      const DacsaRegion *here = next && next->start <= gva ? next : NULL;
      if (here)
        n = MIN(n, here->end - gva);
      else if (next)
        n = MIN(n, next->start - gva);
      if (len > 0 && here == region && gva == begin_gva + len) {
        len += n;
      } else {
        if (len > 0)
          map_line(out, begin, len, begin_gva, region);
        if (out->len > MAX_MAP)
          return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "the map is larger than %u bytes",
                            MAX_MAP);
        begin = run->offset + done;
        begin_gva = gva;
        len = n;
        region = here;
      }
      done += n;
    }
  }
  if (len > 0)
    map_line(out, begin, len, begin_gva, region);
  return true;
}
