/* Copies of this process's own memory of each kind: every byte, no page more than there were, and
 * none made in what is copied. */
#include "check.h"

#include "snap/copier.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096u
#define PAGES 5000u /* more than one piece */
#define SIZE ((size_t)PAGES * PAGE)
#define HUGE ((size_t)2 << 20)

/* What a page is filled with; 0: it never was. */
static char
filling(size_t page)
{
  if (page < 1024)
    return (char)(page % 200 + 1); /* two huge pages' worth at the least, dense */
  return page % 7 == 3 || page == PAGES - 1 ? (char)(page % 100 + 1) : 0;
}

/* At an address that is equal to `like` modulo a huge page. Never unmapped: the process ends soon.
 */
static char *
map_like(const char *like)
{
  char *memory = mmap(NULL, SIZE + 2 * HUGE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

  g_assert_true(memory != MAP_FAILED);
  madvise(memory, SIZE + 2 * HUGE, MADV_NOHUGEPAGE);
  return memory + ((uintptr_t)like - (uintptr_t)memory) % HUGE;
}

/* How many of its pages are there. */
static size_t
count_present(const char *memory)
{
  g_autofree uint64_t *entries = g_new0(uint64_t, PAGES);
  const int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  size_t n = 0;

  g_assert_cmpint(fd, >=, 0);
  g_assert_cmpint(pread(fd, entries, SIZE / PAGE * 8, (off_t)((uintptr_t)memory / PAGE * 8)), ==,
                  PAGES * 8);
  close(fd);
  for (size_t i = 0; i < PAGES; i++)
    n += entries[i] >> 62 != 0;
  return n;
}

static size_t
count_filled(void)
{
  size_t n = 0;

  for (size_t i = 0; i < PAGES; i++)
    n += filling(i) != 0;
  return n;
}

static void
check_content(const char *copy)
{
  char page[PAGE];

  for (size_t i = 0; i < PAGES; i++) {
    memset(page, filling(i), PAGE);
    if (memcmp(copy + i * PAGE, page, PAGE) != 0)
      g_error("page %zu is 0x%x, not 0x%x", i, copy[i * PAGE], filling(i));
  }
}

static char *
copy(const char *memory, bool populate)
{
  g_autoptr(DacsaLayout) layout = dacsa_layout_new();
  g_autoptr(DacsaCopier) copier = NULL;
  g_autoptr(GError) error = NULL;
  char *to = map_like(memory);
  const uint64_t address = (uintptr_t)to;
  const DacsaRange range = {0, SIZE, (uintptr_t)memory, true};

  CHECK_OK(dacsa_layout_append(layout, range, &error), error);
  CHECK_OK(dacsa_copier_new(getpid(), layout, &address, &copier, &error), error);
  g_assert_cmpuint(dacsa_copier_count(copier), >, 1);
  for (size_t i = 0; populate && i < dacsa_copier_count(copier); i++)
    CHECK_OK(dacsa_copier_populate(copier, i, &error), error);
  for (size_t i = 0; i < dacsa_copier_count(copier); i++)
    CHECK_OK(dacsa_copier_copy(copier, i, &error), error);
  return to;
}

/* fd: of the file that backs memory, or -1. exact: its file system counts every page, and writes
 * none to a disk meanwhile. */
static void
check_copy(const char *memory, int fd, bool exact)
{
  const size_t present = count_present(memory);
  struct stat before, after;

  g_assert_true(fd < 0 || fstat(fd, &before) == 0);
  for (int populate = 0; populate <= 1; populate++) {
    const char *copied = copy(memory, populate);

    g_assert_cmpuint(count_present(copied), >=, count_filled());
    g_assert_true(!exact || count_present(copied) == count_filled());
    g_assert_cmpuint(count_present(memory), ==, present);
    check_content(copied);
  }
  g_assert_true(fd < 0 || fstat(fd, &after) == 0);
  g_assert_true(fd < 0 || !exact || before.st_blocks == after.st_blocks);
}

static char *
map(int flags, int fd)
{
  char *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, flags, fd, 0);

  g_assert_true(memory != MAP_FAILED);
  madvise(memory, SIZE, MADV_NOHUGEPAGE);
  return memory;
}

static void
fill(char *memory, size_t step)
{
  for (size_t i = 0; i < PAGES; i += step)
    if (filling(i))
      memset(memory + i * PAGE, filling(i), PAGE);
}

/* Pages that the file has and that no page table knows of. */
static void
fill_file(int fd)
{
  char page[PAGE];

  for (size_t i = 0; i < PAGES; i++) {
    memset(page, filling(i), PAGE);
    if (filling(i))
      g_assert_cmpint(pwrite(fd, page, PAGE, (off_t)(i * PAGE)), ==, PAGE);
  }
}

static int
new_memfd(void)
{
  const int fd = memfd_create("copied", MFD_CLOEXEC);

  g_assert_cmpint(ftruncate(fd, SIZE), ==, 0);
  return fd;
}

/* Only who may look at /proc/PID/map_files can copy what is mapped from a file. */
static bool
may_copy_files(void)
{
  if (geteuid() == 0)
    return true;
  g_test_skip("/proc/PID/map_files needs CAP_SYS_ADMIN");
  return false;
}

static void
test_anonymous(void)
{
  char *memory = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);

  fill(memory, 1);
  check_copy(memory, -1, true);
}

static void
test_shared(void)
{
  const int fd = new_memfd();
  char *memory = map(MAP_SHARED, fd);

  if (!may_copy_files())
    return;
  fill_file(fd);
  fill(memory, 2); /* half of it is mapped, too */
  check_copy(memory, fd, true);
  char *anonymous = map(MAP_SHARED | MAP_ANONYMOUS, -1);
  fill(anonymous, 1);
  check_copy(anonymous, -1, true);
}

/* The file has other bytes below the pages that the process made its own. */
static void
test_private(void)
{
  const int fd = new_memfd();
  char *memory = map(MAP_PRIVATE, fd);
  char other[PAGE];

  if (!may_copy_files())
    return;
  fill_file(fd);
  memset(other, 0x7e, PAGE);
  for (size_t i = 0; i < PAGES; i += 3)
    if (filling(i))
      g_assert_cmpint(pwrite(fd, other, PAGE, (off_t)(i * PAGE)), ==, PAGE);
  fill(memory, 3);
  check_copy(memory, fd, true);
}

static void
test_disk(void)
{
  g_autofree char *path = NULL;
  g_autoptr(GError) error = NULL;
  const int fd = g_file_open_tmp("dacsa-copier-XXXXXX", &path, &error);

  g_assert_no_error(error);
  unlink(path);
  if (!may_copy_files())
    return;
  g_assert_cmpint(ftruncate(fd, SIZE), ==, 0);
  char *memory = map(MAP_SHARED, fd);
  fill(memory, 1);
  check_copy(memory, fd, false);
  close(fd);
}

static void
test_refused(void)
{
  g_autoptr(DacsaLayout) layout = dacsa_layout_new();
  g_autoptr(DacsaCopier) copier = NULL;
  g_autoptr(GError) error = NULL;
  char *memory = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
  const uint64_t to = (uintptr_t)map_like(memory);

  munmap(memory + SIZE / 2, PAGE);
  CHECK_OK(dacsa_layout_append(layout, (DacsaRange){0, SIZE, (uintptr_t)memory, true}, &error),
           error);
  CHECK_FAILS(dacsa_copier_new(getpid(), layout, &to, &copier, &error), error, DACSA_ERROR_FAULT);
}

/* What is gone when it comes to copying is an error, not zeros. */
static void
test_gone(void)
{
  g_autoptr(DacsaLayout) layout = dacsa_layout_new();
  g_autoptr(DacsaCopier) copier = NULL;
  g_autoptr(GError) error = NULL;
  char *memory = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
  const uint64_t to = (uintptr_t)map_like(memory);

  fill(memory, 1);
  CHECK_OK(dacsa_layout_append(layout, (DacsaRange){0, SIZE, (uintptr_t)memory, true}, &error),
           error);
  CHECK_OK(dacsa_copier_new(getpid(), layout, &to, &copier, &error), error);
  mprotect(memory, PAGE, PROT_NONE);
  CHECK_FAILS(dacsa_copier_copy(copier, 0, &error), error, DACSA_ERROR_FAULT);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/copier/anonymous", test_anonymous);
  g_test_add_func("/copier/shared", test_shared);
  g_test_add_func("/copier/private", test_private);
  g_test_add_func("/copier/disk", test_disk);
  g_test_add_func("/copier/refused", test_refused);
  g_test_add_func("/copier/gone", test_gone);
  return g_test_run();
}
