/* Reads at an offset: whole, to the end, and where nothing can be read. */
#include "check.h"

#include "snap/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096

static int
file_of(const char *text)
{
  int fd = memfd_create("test", MFD_CLOEXEC);

  g_assert_cmpint(write(fd, text, strlen(text)), ==, (ssize_t)strlen(text));
  return fd;
}

static void
test_file(void)
{
  const int fd = file_of("0123456789");
  char buf[16] = {0};
  size_t n;

  g_assert_true(dacsa_fd_read(fd, 2, buf, 3, &n));
  g_assert_cmpuint(n, ==, 3);
  g_assert_cmpmem(buf, n, "234", 3);
  g_assert_true(dacsa_fd_read(fd, 7, buf, sizeof(buf), &n));
  g_assert_cmpmem(buf, n, "789", 3);
  g_assert_true(dacsa_fd_read(fd, 100, buf, sizeof(buf), &n));
  g_assert_cmpuint(n, ==, 0);
  g_assert_true(dacsa_fd_read_all(fd, 0, buf, 10));
  g_assert_true(dacsa_fd_read_all(fd, 100, buf, 0));
  g_assert_false(dacsa_fd_read_all(fd, 1, buf, 10));
  g_assert_cmpint(errno, ==, ENODATA);
  close(fd);
  g_assert_false(dacsa_fd_read(-1, 0, buf, 1, &n));
  g_assert_cmpint(errno, ==, EBADF);
  g_assert_false(dacsa_fd_read_all(-1, 0, buf, 1));
  g_assert_cmpint(errno, ==, EBADF);
}

/* A process's memory is cut short where a page is missing, and the next read fails there. */
static void
test_memory(void)
{
  char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  g_autofree char *buf = g_malloc(2 * PAGE);
  const int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  size_t n;

  g_assert_true(p != MAP_FAILED && fd >= 0);
  memset(p, 'm', 2 * PAGE);
  g_assert_cmpint(munmap(p + PAGE, PAGE), ==, 0);
  g_assert_false(dacsa_fd_read(fd, (uintptr_t)p + 16, buf, 2 * PAGE - 16, &n));
  g_assert_cmpint(errno, ==, EIO);
  g_assert_cmpuint(n, ==, PAGE - 16);
  g_assert_cmpmem(buf, n, p + 16, n);
  munmap(p, PAGE);
  close(fd);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/fd/file", test_file);
  g_test_add_func("/fd/memory", test_memory);
  return g_test_run();
}
