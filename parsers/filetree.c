/* Entries in an array, names in one string; sorted by directory and name once all are there. */
#include "parsers/filetree.h"

#include "snap/error.h"

#include <string.h>

#define MAX_ENTRIES (1u << 20)
#define MAX_NAMES (32u << 20) /* bytes of all names; twice that with what tells doubles apart */
#define MAX_PASSES 4u         /* over the doubles: a guest can make names for us to run into */
#define MAX_DEPTH 4096u
#define MAX_PATH 65536u /* bytes, where a path is only to be read */
#define NOWHERE UINT32_MAX

typedef struct {
  uint64_t object;
  uint64_t number;
  uint32_t parent; /* id; NOWHERE: left out */
  uint32_t name;   /* where in names */
  uint32_t first;  /* of a directory: where its entries begin in order, and how many */
  uint32_t n;
  bool is_directory;
} Entry;

struct DacsaFiletree {
  GArray *entries; /* Entry; [0] is the top, any other's index its id */
  GArray *order;   /* ids, by parent, name and id */
  GString *names;  /* zero-terminated each */
};

DacsaFiletree *
dacsa_filetree_new(void)
{
  DacsaFiletree *tree = g_new0(DacsaFiletree, 1);
  const Entry top = {.parent = NOWHERE, .is_directory = true};

  tree->entries = g_array_new(FALSE, FALSE, sizeof(Entry));
  tree->order = g_array_new(FALSE, FALSE, sizeof(uint32_t));
  tree->names = g_string_new(NULL);
  g_string_append_c(tree->names, '\0');
  g_array_append_val(tree->entries, top);
  return tree;
}

void
dacsa_filetree_free(DacsaFiletree *tree)
{
  if (!tree)
    return;
  g_array_unref(tree->entries);
  g_array_unref(tree->order);
  g_string_free(tree->names, TRUE);
  g_free(tree);
}

static Entry *
entry_of(const DacsaFiletree *tree, uint32_t id)
{
  return &g_array_index(tree->entries, Entry, id);
}

static const char *
name_of(const DacsaFiletree *tree, uint32_t id)
{
  return tree->names->str + entry_of(tree, id)->name;
}

static uint32_t
keep_name(DacsaFiletree *tree, const char *name, size_t max)
{
  const uint32_t at = (uint32_t)tree->names->len;

  g_string_append_len(tree->names, name, (gssize)strnlen(name, max));
  g_string_append_c(tree->names, '\0');
  return at;
}

uint32_t
dacsa_filetree_add(DacsaFiletree *tree, uint32_t parent, bool is_directory, const char *name,
                   uint64_t object, uint64_t number)
{
  const uint32_t id = tree->entries->len;

  if (id > MAX_ENTRIES || tree->names->len > MAX_NAMES)
    return 0;
  const Entry entry = {.object = object,
                       .number = number,
                       .parent = parent,
                       .name = keep_name(tree, name, DACSA_FILETREE_MAX_NAME),
                       .is_directory = is_directory};
  g_array_append_val(tree->entries, entry);
  g_array_append_val(tree->order, id);
  return id;
}

/* -- finishing -- */

static gint
compare(gconstpointer a, gconstpointer b, gpointer data)
{
  const DacsaFiletree *tree = data;
  const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  const uint32_t of_x = entry_of(tree, x)->parent, of_y = entry_of(tree, y)->parent;

  if (of_x != of_y)
    return of_x < of_y ? -1 : 1;
  int order = strcmp(name_of(tree, x), name_of(tree, y));
  return order ? order : x < y ? -1 : x > y;
}

/* Calls func for each but the first of those in order that have the same name in one directory:
 * how many. */
static uint32_t
each_double(DacsaFiletree *tree, void (*func)(DacsaFiletree *tree, uint32_t id, unsigned pass),
            unsigned pass)
{
  uint32_t doubles = 0;
  uint32_t kept = 0; /* the last that keeps its name */

  for (guint i = 0; i < tree->order->len; i++) {
    const uint32_t id = g_array_index(tree->order, uint32_t, i);

    if (entry_of(tree, id)->parent == NOWHERE)
      break;
    if (kept != 0 && entry_of(tree, kept)->parent == entry_of(tree, id)->parent &&
        strcmp(name_of(tree, kept), name_of(tree, id)) == 0) {
      func(tree, id, pass);
      doubles++;
    } else {
      kept = id;
    }
  }
  return doubles;
}

/* What lies below goes with it: nobody can walk there. */
static void
leave_out(DacsaFiletree *tree, uint32_t id, unsigned pass)
{
  (void)pass;
  entry_of(tree, id)->parent = NOWHERE;
}

static void
rename_double(DacsaFiletree *tree, uint32_t id, unsigned pass)
{
  Entry *entry = entry_of(tree, id);
  g_autofree char *name =
      g_strdup_printf("%s#%" PRIu64, name_of(tree, id), pass == 0 ? entry->number : (uint64_t)id);

  if (tree->names->len > 2 * MAX_NAMES)
    leave_out(tree, id, pass);
  else
    entry->name = keep_name(tree, name, SIZE_MAX);
}

/* Notes for each directory where its entries stand in the order, which ends where those begin that
 * are left out. */
static void
index_directories(DacsaFiletree *tree)
{
  for (guint i = 0; i < tree->order->len; i++) {
    const uint32_t parent = entry_of(tree, g_array_index(tree->order, uint32_t, i))->parent;

    if (parent == NOWHERE)
      break;
    Entry *directory = entry_of(tree, parent);
    if (directory->n++ == 0)
      directory->first = i;
  }
}

uint32_t
dacsa_filetree_finish(DacsaFiletree *tree)
{
  uint32_t doubles = 1;
  uint32_t left_out = 0;

  for (unsigned pass = 0; pass <= MAX_PASSES && doubles > 0; pass++) {
    g_array_sort_with_data(tree->order, compare, tree);
    doubles = each_double(tree, pass < MAX_PASSES ? rename_double : leave_out, pass);
  }
  g_array_sort_with_data(tree->order, compare, tree);
  index_directories(tree);
  for (guint id = 1; id < tree->entries->len; id++)
    left_out += entry_of(tree, id)->parent == NOWHERE;
  return left_out;
}

/* -- reading -- */

static bool
fail_gone(GError **error)
{
  return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "there is no such cached file");
}

/* The entry of an id that is in the tree; 0 is the top. */
static const Entry *
find(const DacsaFiletree *tree, uint32_t id)
{
  const Entry *entry = id < tree->entries->len ? entry_of(tree, id) : NULL;

  return entry && (id == 0 || entry->parent != NOWHERE) ? entry : NULL;
}

static DacsaGuestFile
describe(const DacsaFiletree *tree, uint32_t id)
{
  const Entry *entry = entry_of(tree, id);

  return (DacsaGuestFile){id, entry->parent, entry->is_directory, g_strdup(name_of(tree, id))};
}

static const Entry *
find_directory(const DacsaFiletree *tree, uint32_t id, GError **error)
{
  const Entry *entry = find(tree, id);

  if (entry && entry->is_directory)
    return entry;
  fail_gone(error);
  return NULL;
}

bool
dacsa_filetree_list(const DacsaFiletree *tree, uint32_t directory, GArray **ret, GError **error)
{
  const Entry *entry = find_directory(tree, directory, error);

  if (!entry)
    return false;
  *ret = g_array_sized_new(FALSE, FALSE, sizeof(DacsaGuestFile), entry->n);
  g_array_set_clear_func(*ret, (GDestroyNotify)dacsa_guest_file_clear);
  for (uint32_t i = 0; i < entry->n; i++) {
    const DacsaGuestFile file =
        describe(tree, g_array_index(tree->order, uint32_t, entry->first + i));

    g_array_append_val(*ret, file);
  }
  return true;
}

bool
dacsa_filetree_lookup(const DacsaFiletree *tree, uint32_t directory, const char *name,
                      DacsaGuestFile *ret, GError **error)
{
  const Entry *entry = find_directory(tree, directory, error);
  uint32_t low = 0;

  if (!entry)
    return false;
  for (uint32_t high = entry->n; low < high;) {
    const uint32_t mid = low + (high - low) / 2;
    const uint32_t id = g_array_index(tree->order, uint32_t, entry->first + mid);
    const int order = strcmp(name_of(tree, id), name);

    if (order == 0) {
      *ret = describe(tree, id);
      return true;
    }
    if (order < 0)
      low = mid + 1;
    else
      high = mid;
  }
  return fail_gone(error);
}

bool
dacsa_filetree_get(const DacsaFiletree *tree, uint32_t id, DacsaGuestFile *ret, GError **error)
{
  if (id == 0 || !find(tree, id))
    return fail_gone(error);
  *ret = describe(tree, id);
  return true;
}

bool
dacsa_filetree_object(const DacsaFiletree *tree, uint32_t id, uint64_t *ret, GError **error)
{
  const Entry *entry = find(tree, id);

  if (!entry || entry->is_directory)
    return fail_gone(error);
  *ret = entry->object;
  return true;
}

char *
dacsa_filetree_path(const DacsaFiletree *tree, uint32_t id)
{
  g_autoptr(GString) path = g_string_new(NULL);

  for (unsigned depth = 0; id != 0 && id != NOWHERE && depth < MAX_DEPTH && path->len < MAX_PATH;
       depth++) {
    g_string_prepend(path, name_of(tree, id));
    id = entry_of(tree, id)->parent;
    if (id != 0)
      g_string_prepend_c(path, '/');
  }
  return g_string_free(g_steal_pointer(&path), FALSE);
}
