/* A walk over the whole tree. */
#include "walk-tree.h"

#include "fs/nodes.h"

#include <string.h>
#include <unistd.h>

#define BUFFER (256u << 10)
#define WHOLE (16u << 20) /* files of guest memory larger than this are read at both ends only */

typedef struct {
  DacsaTree *tree;
  GArray *todo; /* uint64_t, inodes of directories */
  uint8_t *buf;
  TreeWalk result;
} Walker;

typedef struct {
  char *name;
  uint64_t ino;
  mode_t type;
} Entry;

static void
entry_clear(void *data)
{
  g_free(((Entry *)data)->name);
}

static void
add_entry(const char *name, uint64_t ino, mode_t type, void *data)
{
  const Entry entry = {g_strdup(name), ino, type};

  g_array_append_val((GArray *)data, entry);
}

static bool
read_part(Walker *w, DacsaFile *file, uint64_t start, uint64_t end)
{
  while (start < end) {
    size_t n;

    if (!dacsa_file_read(file, start, w->buf, (size_t)MIN(end - start, (uint64_t)BUFFER), &n, NULL))
      return false;
    g_assert_cmpuint(n, >, 0);
    w->result.bytes += n;
    start += n;
  }
  return true;
}

static bool
read_file(Walker *w, const DacsaPlace *place)
{
  g_autoptr(DacsaFile) file = NULL;
  uint64_t data;

  if (!dacsa_tree_open(w->tree, place, &file, NULL))
    return false;
  uint64_t size = dacsa_file_size(file);
  dacsa_file_seek(file, 0, false, &data);
  dacsa_file_seek(file, size / 2, true, &data);
  if (size <= WHOLE)
    return read_part(w, file, 0, size);
  return read_part(w, file, 0, BUFFER) && read_part(w, file, size - BUFFER, size);
}

static void
visit_entry(Walker *w, const DacsaPlace *directory, const Entry *entry)
{
  g_auto(DacsaPlace) place = {0};
  g_auto(DacsaPlace) by_ino = {0};
  struct stat st;

  if (!dacsa_tree_lookup(w->tree, directory, entry->name, &place, NULL)) {
    w->result.failed++;
    return;
  }
  g_assert_cmphex(place.ino, ==, entry->ino);
  g_assert_true(dacsa_tree_place(w->tree, entry->ino, &by_ino, NULL));
  if (dacsa_tree_stat(w->tree, &place, &st, NULL))
    g_assert_true(st.st_ino == entry->ino && (st.st_mode & S_IFMT) == entry->type);
  w->result.processes += place.row == DACSA_ROW_PROCESS;
  if (dacsa_tree_is_directory(&place)) {
    g_array_append_val(w->todo, entry->ino);
    w->result.directories++;
  } else if (S_ISREG(entry->type)) {
    w->result.files++;
    w->result.failed += !read_file(w, &place);
  }
}

static void
visit_directory(Walker *w, uint64_t ino)
{
  g_auto(DacsaPlace) place = {0};
  g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(Entry));
  g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);

  g_array_set_clear_func(entries, entry_clear);
  if (!dacsa_tree_place(w->tree, ino, &place, NULL) ||
      !dacsa_tree_list(w->tree, &place, add_entry, entries, NULL)) {
    w->result.failed++;
    return;
  }
  for (guint i = 0; i < entries->len; i++) {
    const Entry *entry = &g_array_index(entries, Entry, i);

    /* What a front end hands on as a file's name must be one. */
    g_assert_true(entry->name[0] != '\0' && !strchr(entry->name, '/'));
    g_hash_table_add(names, entry->name);
    if (i >= 2)
      visit_entry(w, &place, entry);
  }
}

static int
empty_file(void)
{
  g_autofree char *name = NULL;
  int fd = g_file_open_tmp("dacsa-test-XXXXXX", &name, NULL);

  g_assert_cmpint(fd, >=, 0);
  unlink(name);
  return fd;
}

TreeWalk
walk_tree(DacsaRecord *record, int mem)
{
  DacsaRegistry *registry = dacsa_registry_new();
  Walker w = {.todo = g_array_new(FALSE, FALSE, sizeof(uint64_t)), .buf = g_malloc(BUFFER)};
  g_autoptr(GPtrArray) vms = NULL;

  dacsa_registry_set_vm(registry, &(DacsaVmNews){1, record->vm, "state: running\n", "1@1", 1});
  dacsa_registry_add_snapshot(registry, (DacsaSnapshotNumber){2, 0}, record,
                              (DacsaSnapshotFds){mem, empty_file(), empty_file()});
  w.tree = dacsa_tree_new(&(DacsaTreeOptions){registry, 0, true, 64u << 20, 1});
  g_array_append_val(w.todo, (uint64_t){DACSA_ROOT_INO});
  for (guint i = 0; i < w.todo->len; i++)
    visit_directory(&w, g_array_index(w.todo, uint64_t, i));
  vms = dacsa_registry_vms(registry);
  const DacsaVmView *vm = g_ptr_array_index(vms, 0);
  w.result.errors = dacsa_errors_text(dacsa_snapshot_errors(g_ptr_array_index(vm->snapshots, 0)));
  g_array_unref(w.todo);
  g_free(w.buf);
  return w.result;
}
