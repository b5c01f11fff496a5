/* Which of a process's mappings are forked, from smaps text. */
#include "check.h"

#include "snap/forkmap.h"
#include "snap/procmaps.h"

#define RAM UINT64_C(0x7f0000000000)
#define RAM_LEN UINT64_C(0x10000000)
#define CODE "7f1000001000-7f1000002000 r-xp 00000000 08:01 7 /usr/lib/libc.so.6\nRss: 4 kB\n"

static const DacsaGadgets gadgets = {0x7f1000001010, 0x7f1000001020};

typedef struct {
  GString *smaps;
  DacsaLayout *layout;
  GArray *map;
} Fixture;

/* Guest memory, whole or as `ram` says, with the C library's code. */
static void
set_up(Fixture *f, const char *ram)
{
  const DacsaRange range = {0, RAM_LEN, RAM, true};
  g_autoptr(GError) error = NULL;

  *f = (Fixture){.smaps = g_string_new(ram), .layout = dacsa_layout_new()};
  g_string_append(f->smaps, CODE "VmFlags: rd ex\n");
  CHECK_OK(dacsa_layout_append(f->layout, range, &error), error);
}

static void
tear_down(Fixture *f)
{
  g_string_free(f->smaps, TRUE);
  dacsa_layout_free(f->layout);
  g_clear_pointer(&f->map, g_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Fixture, tear_down)

static void
add(Fixture *f, uint64_t start, uint64_t len, unsigned rss_kib, const char *flags, const char *path)
{
  g_string_append_printf(f->smaps,
                         "%" G_GINT64_MODIFIER "x-%" G_GINT64_MODIFIER
                         "x rw-p 00000000 00:00 0 %s\n"
                         "Rss: %u kB\nVmFlags: rd wr %s\n",
                         start, start + len, path, rss_kib, flags);
}

static bool
build(Fixture *f, GError **error)
{
  g_autoptr(GError) bad = NULL;
  g_autoptr(GArray) host = NULL;

  CHECK_OK(dacsa_procmaps_parse(f->smaps->str, &host, &bad), bad);
  return dacsa_forkmap_build(host, f->layout, &gadgets, &f->map, error);
}

static void
check_vma(const Fixture *f, guint i, uint64_t start, uint64_t len, bool withheld)
{
  const DacsaForkVma *vma = &g_array_index(f->map, DacsaForkVma, i);

  g_assert_cmpuint(i, <, f->map->len);
  g_assert_cmphex(vma->start, ==, start);
  g_assert_cmphex(vma->len, ==, len);
  g_assert_true(vma->withheld == withheld);
}

#define WHOLE_RAM                                                                                  \
  "7f0000000000-7f0010000000 rw-p 00000000 00:00 0\nRss: 1024 kB\nVmFlags: rd wr dc\n"

/* What follows each other is one stretch; what is resident most comes first. */
static void
test_stretches(void)
{
  g_auto(Fixture) f;
  g_autoptr(GError) error = NULL;

  set_up(&f, WHOLE_RAM);
  add(&f, 0x7f2000000000, 0x1000, 4, "", "");
  add(&f, 0x7f2000001000, 0x2000, 4, "", "/usr/lib/libz.so");
  add(&f, 0x7f2000004000, 0x1000, 100, "", ""); /* behind a gap */
  add(&f, 0x7f3000000000, 0x1000, 0, "", "");   /* nothing is there, but perhaps a device */
  CHECK_OK(build(&f, &error), error);
  g_assert_cmpuint(f.map->len, ==, 4);
  check_vma(&f, 0, RAM, RAM_LEN, false);
  check_vma(&f, 1, 0x7f2000004000, 0x1000, true);
  check_vma(&f, 2, 0x7f2000000000, 0x3000, true);
  check_vma(&f, 3, 0x7f3000000000, 0x1000, true);
}

/* What the child runs on, what could not be made to be forked again, what is kept out already, and
 * guest memory that is not: they are left as they are, and part what lies around them. */
static void
test_left_alone(void)
{
  g_auto(Fixture) f;
  g_autoptr(GError) error = NULL;

  set_up(&f, "7f0000000000-7f0008000000 rw-p 00000000 00:00 0\nRss: 1024 kB\nVmFlags: rd wr dc\n"
             "7f0008000000-7f0010000000 rw-p 00000000 00:00 0\nRss: 1024 kB\nVmFlags: rd wr\n");
  add(&f, 0x7f1000002000, 0x1000, 8, "", ""); /* follows the C library's code */
  add(&f, 0x7f1000003000, 0x1000, 4, "io pf de", "/dev/dri/card0");
  add(&f, 0x7f1000004000, 0x1000, 7, "", "");
  add(&f, 0x7f1000005000, 0x1000, 4, "dc", "");
  add(&f, 0x7f1000006000, 0x1000, 6, "", "");
  add(&f, 0x7ffc00000000, 0x21000, 64, "gd", "[stack]");
  add(&f, 0xffffffffff600000, 0x1000, 4, "", "[vsyscall]");
  CHECK_OK(build(&f, &error), error);
  g_assert_cmpuint(f.map->len, ==, 4);
  check_vma(&f, 0, RAM, RAM_LEN / 2, false);
  check_vma(&f, 1, 0x7f1000002000, 0x1000, true);
  check_vma(&f, 2, 0x7f1000004000, 0x1000, true);
  check_vma(&f, 3, 0x7f1000006000, 0x1000, true);
}

/* There is room for so many: guest memory first. */
static void
test_too_many(void)
{
  g_auto(Fixture) f;
  g_autoptr(GError) error = NULL;

  set_up(&f, WHOLE_RAM);
  for (unsigned i = 0; i < 2 * DACSA_CHAIN_VMAS; i++)
    add(&f, 0x7f2000000000 + i * 0x2000, 0x1000, i + 1, "", "");
  CHECK_OK(build(&f, &error), error);
  g_assert_cmpuint(f.map->len, ==, DACSA_CHAIN_VMAS);
  check_vma(&f, 0, RAM, RAM_LEN, false);
  check_vma(&f, 1, 0x7f2000000000 + (2 * DACSA_CHAIN_VMAS - 1) * 0x2000, 0x1000, true);
}

static void
test_too_much_guest_memory(void)
{
  g_auto(Fixture) f;
  g_autoptr(GError) error = NULL;
  g_autoptr(GString) ram = g_string_new(NULL);

  for (unsigned i = 0; i < 256; i++)
    g_string_append_printf(ram,
                           "%" G_GINT64_MODIFIER "x-%" G_GINT64_MODIFIER
                           "x rw-p 00000000 00:00 0\nRss: 4 kB\nVmFlags: rd dc\n",
                           RAM + i * RAM_LEN / 256, RAM + (i + 1) * RAM_LEN / 256);
  set_up(&f, ram->str);
  CHECK_FAILS(build(&f, &error), error, DACSA_ERROR_UNSUPPORTED);
}

/* Guest memory that is no longer where it was. */
static void
test_moved(void)
{
  g_auto(Fixture) f;
  g_autoptr(GError) error = NULL;

  set_up(&f, "7f0000000000-7f0008000000 rw-p 00000000 00:00 0\nRss: 1024 kB\nVmFlags: rd wr dc\n");
  CHECK_FAILS(build(&f, &error), error, DACSA_ERROR_BUSY);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/forkmap/stretches", test_stretches);
  g_test_add_func("/forkmap/left-alone", test_left_alone);
  g_test_add_func("/forkmap/too-many", test_too_many);
  g_test_add_func("/forkmap/too-much-guest-memory", test_too_much_guest_memory);
  g_test_add_func("/forkmap/moved", test_moved);
  return g_test_run();
}
