/* The tree over a registry with snapshots: places, numbers, listings, links, content. */
#include "check.h"
#include "fake-snapshot.h"

#include "fs/nodes.h"

#include "fs/tree.h"

#include <string.h>
#include <unistd.h>

#define TAKEN_US (INT64_C(1700000000) * G_USEC_PER_SEC + 123456)

/* Both live as long as their process. */
static DacsaRegistry *registry;
static DacsaTree *tree, *group_tree;

static void
make_tree(void)
{
  registry = dacsa_registry_new();
  fake_vm_set(registry, "web", "state: running\n");
  fake_vm_set(registry, "a/b", "state: paused\n");
  fake_snapshot_add(registry, "web", "early", TAKEN_US, 'e');
  fake_snapshot_add(registry, "web", "late", TAKEN_US + 5, 'l');
  tree = dacsa_tree_new(&(DacsaTreeOptions){registry, 0, false, 1u << 20, 1});
  group_tree = dacsa_tree_new(&(DacsaTreeOptions){registry, 100, true, 1u << 20, 1});
}

/* The place of a path, each step by name and then by number again. */
static bool
walk(const char *path, DacsaPlace *ret, GError **error)
{
  g_auto(GStrv) names = g_strsplit(path, "/", -1);
  g_auto(DacsaPlace) at = {0};

  if (!dacsa_tree_place(tree, DACSA_ROOT_INO, &at, error))
    return false;
  for (size_t i = 0; names[i]; i++) {
    g_auto(DacsaPlace) next = {0};

    if (names[i][0] == '\0')
      continue;
    if (!dacsa_tree_lookup(tree, &at, names[i], &next, error))
      return false;
    dacsa_place_clear(&at);
    at = (DacsaPlace){0};
    if (!dacsa_tree_place(tree, next.ino, &at, error))
      return false;
    g_assert_cmphex(at.ino, ==, next.ino);
    g_assert_cmpuint(at.row, ==, next.row);
    g_assert_cmpuint(at.object, ==, next.object);
  }
  *ret = at;
  at = (DacsaPlace){0};
  return true;
}

static DacsaPlace
place_of(const char *path)
{
  g_autoptr(GError) error = NULL;
  DacsaPlace place = {0};

  CHECK_OK(walk(path, &place, &error), error);
  return place;
}

static void
test_missing(void)
{
  static const char *const cases[] = {"nobody",
                                      "a/b",
                                      "web/nothing",
                                      "web/status/x",
                                      "a%2Fb/latest",
                                      "a%2Fb/early",
                                      "web/Early",
                                      "web/early/none",
                                      "web/late/physmem/x",
                                      "web/early/web",
                                      "web/early/processes/1",
                                      "web/early/processes/01",
                                      "web/early/processes/-1",
                                      "web/early/processes/0",
                                      "web/early/processes/comm",
                                      "status",
                                      "web/latest/info"};
  g_autoptr(GError) error = NULL;
  DacsaPlace place;

  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_test_message("%s", cases[i]);
    CHECK_FAILS(walk(cases[i], &place, &error), error, DACSA_ERROR_NOT_FOUND);
  }
}

/* Numbers that nobody was ever given. */
static void
test_wrong_numbers(void)
{
  g_auto(DacsaPlace) status = place_of("web/status");
  g_auto(DacsaPlace) physmem = place_of("web/early/physmem");
  const uint32_t vm = status.vm->serial;
  const uint32_t snapshot = dacsa_snapshot_serial(physmem.snapshot);
  const uint64_t cases[] = {
      0,
      UINT64_MAX,
      status.ino + 1,              /* an object where there is none */
      physmem.ino + 77,            /* likewise */
      DACSA_ROOT_INO + 1,          /* the root of something */
      dacsa_place_ino(vm, 0, 0),   /* likewise */
      dacsa_place_ino(vm, 100, 0), /* no such row */
      dacsa_place_ino(vm, (1u << DACSA_ROW_BITS) - 1, 0),
      dacsa_place_ino(snapshot, status.row, 0), /* a VM's row, a snapshot's number */
      dacsa_place_ino(vm, physmem.row, 0),      /* and the reverse */
      dacsa_place_ino(999, status.row, 0),      /* no such VM */
      dacsa_place_ino(999, physmem.row, 0),
      dacsa_place_ino(snapshot, DACSA_ROW_COMM, 0) /* a process without a pid */
  };
  g_autoptr(GError) error = NULL;
  DacsaPlace place;

  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_test_message("case %zu", i);
    CHECK_FAILS(dacsa_tree_place(tree, cases[i], &place, &error), error, DACSA_ERROR_NOT_FOUND);
  }
}

/* -- listings -- */

typedef struct {
  const DacsaPlace *directory;
  GHashTable *inos; /* of the whole tree: ino -> GUINT_TO_POINTER(1) */
  GPtrArray *names;
  nlink_t directories;
} Listing;

static void
check_entry(const char *name, uint64_t ino, mode_t type, void *data)
{
  Listing *l = data;
  g_auto(DacsaPlace) place = {0};
  g_autoptr(GError) error = NULL;
  struct stat st;

  l->directories += type == S_IFDIR;
  g_ptr_array_add(l->names, g_strdup(name));
  if (name[0] == '.' && (name[1] == '\0' || strcmp(name, "..") == 0)) {
    CHECK_OK(dacsa_tree_place(tree, ino, &place, &error), error);
    g_assert_true(dacsa_tree_is_directory(&place));
    return;
  }
  /* What is listed can be looked up, under the same number, and is what it was said to be. */
  CHECK_OK(dacsa_tree_lookup(tree, l->directory, name, &place, &error), error);
  g_assert_cmphex(place.ino, ==, ino);
  CHECK_OK(dacsa_tree_stat(tree, &place, &st, &error), error);
  g_assert_cmphex(st.st_ino, ==, ino);
  g_assert_cmphex(st.st_mode & S_IFMT, ==, type);
  g_assert_true(g_hash_table_add(l->inos, GSIZE_TO_POINTER(ino))); /* no number twice */
}

static char *
list(const char *path, GHashTable *inos)
{
  g_auto(DacsaPlace) place = place_of(path);
  g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
  Listing l = {&place, inos, names, 0};
  g_autoptr(GError) error = NULL;
  struct stat st;

  CHECK_OK(dacsa_tree_list(tree, &place, check_entry, &l, &error), error);
  CHECK_OK(dacsa_tree_stat(tree, &place, &st, &error), error);
  g_assert_cmpuint(st.st_nlink, ==, l.directories);
  g_ptr_array_add(names, NULL);
  return g_strjoinv(" ", (char **)names->pdata);
}

static void
test_listings(void)
{
  static const char *const cases[][2] = {
      {"", ". .. web a%2Fb"},
      {"web", ". .. status latest early late"},
      {"a%2Fb", ". .. status"},
      {"web/early", ". .. info physmem cpus processes kernel json errors"},
      {"web/late", ". .. info physmem cpus processes kernel json errors"},
      {"web/late/processes", ". .."}, /* the guest is not known */
      {"web/late/kernel", ". .. modules"},
      {"web/late/kernel/modules", ". .."},
      {"web/late/json", ". .."},
  };
  g_autoptr(GHashTable) inos = g_hash_table_new(NULL, NULL);

  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *names = list(cases[i][0], inos);
    g_assert_cmpstr(names, ==, cases[i][1]);
  }
  g_assert_cmpuint(g_hash_table_size(inos), ==, 2 + 4 + 1 + 7 + 7 + 1);
}

static void
remember_dotdot(const char *name, uint64_t ino, mode_t type, void *data)
{
  (void)type;
  if (strcmp(name, "..") == 0)
    *(uint64_t *)data = ino;
}

static void
test_dotdot(void)
{
  static const char *const cases[][2] = {
      {"", ""}, {"web", ""}, {"web/early", "web"}, {"web/early/processes", "web/early"}};
  g_autoptr(GError) error = NULL;

  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_auto(DacsaPlace) place = place_of(cases[i][0]);
    g_auto(DacsaPlace) parent = place_of(cases[i][1]);
    uint64_t ino = 0;

    CHECK_OK(dacsa_tree_list(tree, &place, remember_dotdot, &ino, &error), error);
    g_assert_cmphex(ino, ==, parent.ino);
  }
}

/* -- attributes and content -- */

static void
check_mode(DacsaTree *of, const char *path, mode_t expected)
{
  g_auto(DacsaPlace) place = place_of(path);
  g_autoptr(GError) error = NULL;
  struct stat st;

  CHECK_OK(dacsa_tree_stat(of, &place, &st, &error), error);
  g_assert_cmphex(st.st_mode, ==, expected);
  g_assert_cmpuint(st.st_gid, ==, of == tree ? 0 : 100);
}

static void
test_modes(void)
{
  check_mode(tree, "", S_IFDIR | 0500);
  check_mode(tree, "web", S_IFDIR | 0700);
  check_mode(tree, "web/early/physmem", S_IFREG | 0400);
  check_mode(tree, "web/latest", S_IFLNK | 0777);
  check_mode(group_tree, "web", S_IFDIR | 0750);
  check_mode(group_tree, "web/early/physmem", S_IFREG | 0440);
}

static char *
content(const char *path)
{
  g_auto(DacsaPlace) place = place_of(path);
  g_autoptr(DacsaFile) file = NULL;
  g_autoptr(GError) error = NULL;
  struct stat st;
  size_t got;

  CHECK_OK(dacsa_tree_open(tree, &place, &file, &error), error);
  CHECK_OK(dacsa_tree_stat(tree, &place, &st, &error), error);
  g_assert_cmpuint((uint64_t)st.st_size, ==, dacsa_file_size(file));
  char *text = g_malloc0(dacsa_file_size(file) + 1);
  CHECK_OK(dacsa_file_read(file, 0, text, dacsa_file_size(file), &got, &error), error);
  g_assert_cmpuint(got, ==, dacsa_file_size(file));
  return text;
}

static void
test_content(void)
{
  g_autofree char *status = content("a%2Fb/status");
  g_autofree char *cpus = content("web/early/cpus");
  g_autofree char *info = content("web/early/info");
  g_autofree char *errors = content("web/early/errors");
  g_autofree char *memory = content("web/late/physmem");
  g_auto(DacsaPlace) place = place_of("web/late/physmem");
  g_autoptr(GError) error = NULL;
  struct stat st;

  g_assert_cmpstr(status, ==, "state: paused\n");
  g_assert_cmpstr(cpus, ==, "CPU#0\nRIP=1\n");
  g_assert_true(g_str_has_prefix(info, "vm: web\nuuid: 6c2f3c1e-0000-4000-8000-000000000001\n"
                                       "snapshot: early\ntaken: 2023-11-14T22:13:20.123456Z\n"));
  g_assert_nonnull(strstr(info, "\nram_bytes: 65536\n"));
  g_assert_nonnull(strstr(info, "\nprivate_bytes: 12288  "));
  g_assert_true(g_str_has_prefix(errors, "guest: no operating system"));
  g_assert_cmpint(memory[0x7fff], ==, 'l');
  g_assert_cmpint(memory[0x8000], ==, 0); /* the hole */
  g_assert_cmpint(memory[0x10000], ==, 'l');
  CHECK_OK(dacsa_tree_stat(tree, &place, &st, &error), error);
  g_assert_cmpint(st.st_size, ==, 0x18000);
  g_assert_cmpint(st.st_blocks, <=, 0x10000 / 512);
  g_assert_cmpint(st.st_mtim.tv_sec, ==, 1700000000);
}

static void
test_latest(void)
{
  g_auto(DacsaPlace) latest = place_of("web/latest");
  g_auto(DacsaPlace) status = place_of("web/status");
  g_autoptr(GError) error = NULL;
  g_autoptr(DacsaFile) file = NULL;
  g_autofree char *target = NULL;
  char *none = NULL;
  struct stat st;

  CHECK_OK(dacsa_tree_readlink(tree, &latest, &target, &error), error);
  g_assert_cmpstr(target, ==, "late");
  CHECK_OK(dacsa_tree_stat(tree, &latest, &st, &error), error);
  g_assert_cmpint(st.st_size, ==, 4);
  CHECK_FAILS(dacsa_tree_readlink(tree, &status, &none, &error), error, DACSA_ERROR_UNSUPPORTED);
  CHECK_FAILS(dacsa_tree_open(tree, &latest, &file, &error), error, DACSA_ERROR_UNSUPPORTED);
}

static void
test_live(void)
{
  static const struct {
    const char *path;
    bool live;
  } cases[] = {{"web", true},
               {"web/status", true},
               {"web/latest", true},
               {"web/early", false},
               {"web/early/info", true},
               {"web/early/errors", true},
               {"web/early/physmem", false},
               {"web/early/cpus", false}};

  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_auto(DacsaPlace) place = place_of(cases[i].path);

    g_test_message("%s", cases[i].path);
    g_assert_cmpint(dacsa_tree_is_live(&place), ==, cases[i].live);
  }
}

static void
ignore_entry(const char *name, uint64_t ino, mode_t type, void *data)
{
  (void)name;
  (void)ino;
  (void)type;
  (void)data;
}

/* One that ended unasked: its directory and info are left. */
static void
test_buried(void)
{
  g_autoptr(GHashTable) inos = g_hash_table_new(NULL, NULL);
  g_autoptr(GError) error = NULL;
  g_autoptr(DacsaFile) info = NULL;
  DacsaRecord *record = dacsa_record_new();
  DacsaPlace again;
  size_t len;
  char text[4096] = "";

  fake_snapshot_add(registry, "web", "gone", TAKEN_US + 50, 'g');
  g_auto(DacsaPlace) physmem = place_of("web/gone/physmem");
  record->vm = g_strdup("web");
  record->name = g_strdup("gone");
  const DacsaGraveNews news = {dacsa_snapshot_serial(physmem.snapshot), "it cost\ntoo much",
                               TAKEN_US, 4096};
  g_assert_true(dacsa_registry_bury_snapshot(registry, &news, record));
  dacsa_tree_forget(tree, news.serial);
  g_autofree char *names = list("web/gone", inos);
  g_assert_cmpstr(names, ==, ". .. info");
  CHECK_FAILS(dacsa_tree_place(tree, physmem.ino, &again, &error), error, DACSA_ERROR_STALE);
  CHECK_FAILS(walk("web/gone/physmem", &again, &error), error, DACSA_ERROR_STALE);
  CHECK_FAILS(walk("web/gone/nothing", &again, &error), error, DACSA_ERROR_STALE);
  g_auto(DacsaPlace) place = place_of("web/gone/info");
  CHECK_OK(dacsa_tree_open(tree, &place, &info, &error), error);
  CHECK_OK(dacsa_file_read(info, 0, text, sizeof(text) - 1, &len, &error), error);
  g_assert_nonnull(strstr(text, "\nsnapshot: gone\n"));
  g_assert_nonnull(strstr(text, "\nprivate_bytes: 4096\nstate: dropped\n"
                                "dropped: 2023-11-14T22:13:20.123456Z\nwhy: it cost too much\n"));
  g_auto(DacsaPlace) latest = place_of("web/latest");
  g_autofree char *target = NULL;
  CHECK_OK(dacsa_tree_readlink(tree, &latest, &target, &error), error);
  g_assert_cmpstr(target, ==, "late");
}

/* A snapshot of which something cannot be read any more, though nobody has told yet: what is made
 * of it then is not whole. */
static void
check_unreadable(off_t left)
{
  const int memory = fake_snapshot_memory('x');
  g_autoptr(GError) error = NULL;
  g_autoptr(DacsaFile) file = NULL;
  DacsaPlace none;
  uint32_t serial;

  fake_snapshot_add_memory(registry, "web", "ends", TAKEN_US + 1, dup(memory));
  g_auto(DacsaPlace) snapshot = place_of("web/ends");
  g_auto(DacsaPlace) physmem = place_of("web/ends/physmem");
  CHECK_OK(dacsa_tree_list(tree, &snapshot, ignore_entry, NULL, &error), error);
  g_assert_cmpint(ftruncate(memory, left), ==, 0);
  close(memory);
  CHECK_FAILS(dacsa_tree_open(tree, &physmem, &file, &error), error, DACSA_ERROR_STALE);
  CHECK_FAILS(dacsa_tree_lookup(tree, &snapshot, "nothing", &none, &error), error,
              DACSA_ERROR_STALE);
  CHECK_FAILS(dacsa_tree_list(tree, &snapshot, ignore_entry, NULL, &error), error,
              DACSA_ERROR_STALE);
  g_assert_true(dacsa_registry_remove_snapshot(registry, "web", "ends", &serial));
}

/* The kernel may begin at either end, or with any mapping. */
static void
test_unreadable(void)
{
  check_unreadable(0);
  check_unreadable(0x8000);
  check_unreadable(0xffff);
}

static void
add_aged(const char *name, int64_t taken_us, uint64_t child_start)
{
  DacsaRecord *record = fake_record("steps", name, taken_us);

  record->child_start = child_start;
  fake_snapshot_add_record(registry, record, fake_snapshot_memory('s'));
}

static void
check_latest(const char *name)
{
  g_auto(DacsaPlace) latest = place_of("steps/latest");
  g_autoptr(GError) error = NULL;
  g_autofree char *target = NULL;

  CHECK_OK(dacsa_tree_readlink(tree, &latest, &target, &error), error);
  g_assert_cmpstr(target, ==, name);
}

/* The newest is the one whose child was started last, whatever the host's clock said then; it tells
 * which of two was of one tick. */
static void
test_clock_steps(void)
{
  fake_vm_set(registry, "steps", "");
  add_aged("before", TAKEN_US + INT64_C(3600) * G_USEC_PER_SEC, 1000);
  add_aged("after", TAKEN_US, 1001);
  check_latest("after");
  add_aged("same-tick", TAKEN_US - 1, 1001);
  check_latest("after");
  add_aged("later", TAKEN_US + 1, 1001);
  add_aged("earlier", TAKEN_US + INT64_C(7200) * G_USEC_PER_SEC, 999);
  check_latest("later");
  dacsa_registry_remove_vm(registry, "steps");
}

/* A snapshot that is dropped while someone reads it. Last: it changes the registry. */
static void
test_dropped(void)
{
  g_auto(DacsaPlace) physmem = place_of("web/early/physmem");
  g_autoptr(GError) error = NULL;
  g_autoptr(DacsaFile) file = NULL;
  DacsaPlace again;
  uint32_t serial;
  size_t got;
  char byte = 0;

  CHECK_OK(dacsa_tree_open(tree, &physmem, &file, &error), error);
  g_assert_true(dacsa_registry_remove_snapshot(registry, "web", "early", &serial));
  dacsa_tree_forget(tree, serial);
  CHECK_OK(dacsa_file_read(file, 5, &byte, 1, &got, &error), error);
  g_assert_cmpint(byte, ==, 'e');
  CHECK_FAILS(dacsa_tree_place(tree, physmem.ino, &again, &error), error, DACSA_ERROR_NOT_FOUND);
  CHECK_FAILS(walk("web/early", &again, &error), error, DACSA_ERROR_NOT_FOUND);
  dacsa_registry_remove_vm(registry, "web");
  CHECK_FAILS(walk("web", &again, &error), error, DACSA_ERROR_NOT_FOUND);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  make_tree();
  g_test_add_func("/tree/missing", test_missing);
  g_test_add_func("/tree/wrong-numbers", test_wrong_numbers);
  g_test_add_func("/tree/listings", test_listings);
  g_test_add_func("/tree/dotdot", test_dotdot);
  g_test_add_func("/tree/modes", test_modes);
  g_test_add_func("/tree/content", test_content);
  g_test_add_func("/tree/latest", test_latest);
  g_test_add_func("/tree/live", test_live);
  g_test_add_func("/tree/buried", test_buried);
  g_test_add_func("/tree/unreadable", test_unreadable);
  g_test_add_func("/tree/clock-steps", test_clock_steps);
  g_test_add_func("/tree/dropped", test_dropped);
  return g_test_run();
}
