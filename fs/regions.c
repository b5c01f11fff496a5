/* Mappings as files: their names, numbers and content. */
#include "fs/regions.h"

#include "fs/names.h"
#include "snap/error.h"

#include <inttypes.h>
#include <string.h>

#define MAX_FILES                                                                                  \
  ((1u << 22) - 1) /* of all processes; times the tables, they fill fs/place.h's bits */
#define MAX_OF_PROCESS (1u << 18) /* sysctl vm.max_map_count is 65530 unless raised */
#define MAX_LABELS (64u << 20)    /* bytes of labels, each different one once */
#define MAX_LABEL 200u            /* bytes: with two addresses it must be a file name */
#define MAX_NAME (MAX_LABEL + 2u * 17 + 1)

typedef struct {
  uint64_t start, end;
  const char *label; /* in the table's chunk */
} Piece;

/* Never changed once it is in the table. */
typedef struct {
  uint32_t pid;
  uint32_t first; /* the number of its first piece */
  GArray *pieces; /* Piece, ascending by start, then end; no range twice */
} Process;

struct DacsaRegions {
  DacsaErrors *errors;
  GMutex lock; /* of what follows */
  GHashTable *by_pid;
  GPtrArray *by_number; /* Process, owned, ascending by first */
  uint32_t next, end;   /* numbers: the next one, and the first that is not this table's */
  GHashTable *labels;   /* char *, owned: a set */
  size_t label_bytes;
};

static void
process_free(void *data)
{
  Process *process = data;

  g_array_unref(process->pieces);
  g_free(process);
}

DacsaRegions *
dacsa_regions_new(DacsaErrors *errors, uint32_t time)
{
  DacsaRegions *regions = g_new0(DacsaRegions, 1);

  regions->errors = errors;
  g_mutex_init(&regions->lock);
  regions->by_pid = g_hash_table_new(NULL, NULL);
  regions->by_number = g_ptr_array_new_with_free_func(process_free);
  regions->labels = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  regions->next = MIN(time, DACSA_REGION_TABLES) * (MAX_FILES + 1) + 1;
  regions->end = time < DACSA_REGION_TABLES ? regions->next + MAX_FILES : regions->next;
  return regions;
}

void
dacsa_regions_free(DacsaRegions *regions)
{
  if (!regions)
    return;
  g_hash_table_unref(regions->by_pid);
  g_ptr_array_unref(regions->by_number);
  g_hash_table_unref(regions->labels);
  g_mutex_clear(&regions->lock);
  g_free(regions);
}

/* -- labels -- */

/* What a mapping is called in a file name: the last component of its path, or its name. Owned. */
static char *
label_of(const char *path)
{
  const char *slash = path && path[0] != '[' ? strrchr(path, '/') : NULL;
  char *label = dacsa_name_escape(!path ? "anon" : slash ? slash + 1 : path);
  size_t len = strlen(label);

  if (len <= MAX_LABEL)
    return label;
  for (len = MAX_LABEL; label[len - 1] == '%' || label[len - 2] == '%';)
    len--; /* no half of an escape */
  label[len] = '\0';
  return label;
}

/* The table's own copy; NULL: there is no room for more. */
static const char *
keep_label(DacsaRegions *regions, const char *path)
{
  g_autofree char *label = label_of(path);
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&regions->lock);
  const char *kept = g_hash_table_lookup(regions->labels, label);

  if (kept)
    return kept;
  if (regions->label_bytes + strlen(label) > MAX_LABELS)
    return NULL;
  regions->label_bytes += strlen(label);
  kept = label;
  g_hash_table_add(regions->labels, g_steal_pointer(&label));
  return kept;
}

static void
piece_name(const Piece *piece, char ret[MAX_NAME])
{
  g_snprintf(ret, MAX_NAME, "%08" PRIx64 "-%08" PRIx64 "-%s", piece->start, piece->end,
             piece->label);
}

/* -- what a process has -- */

/* Adds the pieces of a large mapping that have something in them. */
static bool
add_pieces(GArray *pieces, const DacsaRegion *region, const char *label, const DacsaRuns *memory)
{
  for (uint64_t at = region->start; at < region->end;) {
    const size_t i = dacsa_runs_find_gva(memory, at);
    const DacsaRun *run = i < memory->runs->len ? &g_array_index(memory->runs, DacsaRun, i) : NULL;

    if (!run || run->gva >= region->end)
      return true;
    if (run->gva > at)
      at += (run->gva - at) / DACSA_REGION_MAX * DACSA_REGION_MAX;
    const Piece piece = {at, at + MIN(region->end - at, DACSA_REGION_MAX), label};
    if (pieces->len >= MAX_OF_PROCESS)
      return false;
    g_array_append_val(pieces, piece);
    at = piece.end;
  }
  return true;
}

/* The process's memory is looked at for large mappings alone. */
static bool
add_region(DacsaRegions *regions, DacsaGuest *guest, uint32_t pid, const DacsaRegion *region,
           DacsaRuns **memory, GArray *pieces, GError **error)
{
  const char *label = keep_label(regions, region->path);
  const Piece whole = {region->start, region->end, label};

  if (!label || pieces->len >= MAX_OF_PROCESS)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "cut short: too many mappings");
  if (region->end - region->start <= DACSA_REGION_MAX) {
    g_array_append_val(pieces, whole);
    return true;
  }
  if (!*memory && !guest->os->memory(guest, pid, memory, error))
    return false;
  return add_pieces(pieces, region, label, *memory) ||
         dacsa_fail(error, DACSA_ERROR_BAD_DATA, "cut short: too many mappings");
}

static gint
compare_pieces(gconstpointer a, gconstpointer b)
{
  const Piece *x = a, *y = b;

  if (x->start != y->start)
    return x->start < y->start ? -1 : 1;
  return x->end < y->end ? -1 : x->end > y->end;
}

/* Ascending; of those that have the same range, which only a damaged guest has, one. */
static void
sort_pieces(GArray *pieces)
{
  guint kept = 0;

  g_array_sort(pieces, compare_pieces);
  for (guint i = 0; i < pieces->len; i++) {
    const Piece piece = g_array_index(pieces, Piece, i);

    if (kept > 0 && compare_pieces(&piece, &g_array_index(pieces, Piece, kept - 1)) == 0)
      continue;
    g_array_index(pieces, Piece, kept++) = piece;
  }
  g_array_set_size(pieces, kept);
}

/* What cannot be had is noted; the rest is shown. */
static bool
make_pieces(DacsaRegions *regions, DacsaGuest *guest, uint32_t pid, GArray **ret, GError **error)
{
  g_autofree char *where = g_strdup_printf("processes/%u/regions", pid);
  g_autoptr(GArray) pieces = g_array_new(FALSE, FALSE, sizeof(Piece));
  g_autoptr(GArray) mappings = NULL;
  g_autoptr(DacsaRuns) memory = NULL;

  if (!guest->os->regions(guest, pid, &mappings, error))
    return false;
  for (guint i = 0; i < mappings->len; i++) {
    const DacsaRegion *region = &g_array_index(mappings, DacsaRegion, i);
    g_autoptr(GError) cause = NULL;

    if (!add_region(regions, guest, pid, region, &memory, pieces, &cause)) {
      dacsa_errors_add(regions->errors, where, cause->message);
      break;
    }
  }
  sort_pieces(pieces);
  *ret = g_steal_pointer(&pieces);
  return true;
}

/* Gives the pieces their numbers, unless another thread was faster. */
static const Process *
add_process(DacsaRegions *regions, uint32_t pid, GArray *pieces)
{
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&regions->lock);
  Process *process = g_hash_table_lookup(regions->by_pid, GUINT_TO_POINTER(pid));
  const guint room = regions->end - regions->next;

  if (process)
    return process;
  if (pieces->len > room) {
    g_autofree char *where = g_strdup_printf("processes/%u/regions", pid);

    dacsa_errors_add(regions->errors, where, "cut short: too many mappings of all processes");
    g_array_set_size(pieces, room);
  }
  process = g_new0(Process, 1);
  *process = (Process){pid, regions->next, g_array_ref(pieces)};
  regions->next += pieces->len;
  g_ptr_array_add(regions->by_number, process);
  g_hash_table_insert(regions->by_pid, GUINT_TO_POINTER(pid), process);
  return process;
}

/* Made once: a process that is listed again has the same numbers. Not under the lock, for it may
 * take long. */
static bool
get_process(DacsaRegions *regions, DacsaGuest *guest, uint32_t pid, const Process **ret,
            GError **error)
{
  g_autoptr(GArray) pieces = NULL;

  g_mutex_lock(&regions->lock);
  *ret = g_hash_table_lookup(regions->by_pid, GUINT_TO_POINTER(pid));
  g_mutex_unlock(&regions->lock);
  if (*ret)
    return true;
  if (!make_pieces(regions, guest, pid, &pieces, error))
    return false;
  *ret = add_process(regions, pid, pieces);
  return true;
}

bool
dacsa_regions_list(DacsaRegions *regions, DacsaGuest *guest, uint32_t pid, DacsaRegionFunc func,
                   void *data, GError **error)
{
  const Process *process;

  if (!get_process(regions, guest, pid, &process, error))
    return false;
  for (guint i = 0; i < process->pieces->len; i++) {
    char name[MAX_NAME];

    piece_name(&g_array_index(process->pieces, Piece, i), name);
    func(name, process->first + i, data);
  }
  return true;
}

/* -- by name, by number -- */

/* The range that a name begins with. */
static bool
parse_range(const char *name, Piece *ret)
{
  char *end;

  *ret = (Piece){0};
  ret->start = g_ascii_strtoull(name, &end, 16);
  if (*end != '-')
    return false;
  ret->end = g_ascii_strtoull(end + 1, &end, 16);
  return *end == '-';
}

bool
dacsa_regions_find(DacsaRegions *regions, DacsaGuest *guest, uint32_t pid, const char *name,
                   uint32_t *ret, GError **error)
{
  const Process *process;
  char its_name[MAX_NAME];
  Piece wanted;
  guint i;

  if (!parse_range(name, &wanted))
    return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "no mapping has such a name");
  if (!get_process(regions, guest, pid, &process, error))
    return false;
  if (!g_array_binary_search(process->pieces, &wanted, compare_pieces, &i))
    return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "no mapping lies there");
  piece_name(&g_array_index(process->pieces, Piece, i), its_name);
  if (strcmp(its_name, name) != 0)
    return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "the mapping has another name");
  *ret = process->first + i;
  return true;
}

/* The last process whose numbers begin at or before number; NULL: none. Those without pieces begin
 * where the next one does. */
static const Process *
process_of(const DacsaRegions *regions, uint32_t number)
{
  guint low = 0;
  guint high = regions->by_number->len;

  while (low < high) {
    guint mid = low + (high - low) / 2;
    const Process *process = g_ptr_array_index(regions->by_number, mid);

    if (process->first <= number)
      low = mid + 1;
    else
      high = mid;
  }
  return low > 0 ? g_ptr_array_index(regions->by_number, low - 1) : NULL;
}

bool
dacsa_regions_get(DacsaRegions *regions, uint32_t number, DacsaRegionRange *ret, GError **error)
{
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&regions->lock);
  const Process *process = process_of(regions, number);

  if (!process || number - process->first >= process->pieces->len)
    return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "no mapping has the number %u", number);
  const Piece *piece = &g_array_index(process->pieces, Piece, number - process->first);
  *ret = (DacsaRegionRange){process->pid, piece->start, piece->end};
  return true;
}

/* -- content -- */

DacsaRuns *
dacsa_regions_content(const DacsaRuns *memory, uint64_t start, uint64_t end)
{
  DacsaRuns *runs = dacsa_runs_new();

  for (size_t i = dacsa_runs_find_gva(memory, start); i < memory->runs->len; i++) {
    const DacsaRun *run = &g_array_index(memory->runs, DacsaRun, i);
    const uint64_t from = MAX(run->gva, start);
    const uint64_t to = MIN(run->gva + run->len, end);

    /* It cannot be more runs than memory has. */
    if (from >= end ||
        !dacsa_runs_append_at(runs, from - start, from, run->gpa + (from - run->gva), to - from))
      break;
  }
  dacsa_runs_set_size(runs, end - start);
  return runs;
}
