/* pread(2), again and again. */
#include "snap/fd.h"

#include <errno.h>
#include <unistd.h>

bool
dacsa_fd_read(int fd, uint64_t offset, void *buf, size_t len, size_t *ret)
{
  *ret = 0;
  while (*ret < len) {
    /* /proc/PID/mem takes offsets over 2^63 too; pread's off_t is the same 64 bits. */
    const ssize_t n = pread(fd, (char *)buf + *ret, len - *ret, (off_t)(offset + *ret));

    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return n == 0;
    *ret += (size_t)n;
  }
  return true;
}

bool
dacsa_fd_read_all(int fd, uint64_t offset, void *buf, size_t len)
{
  size_t n;

  if (!dacsa_fd_read(fd, offset, buf, len, &n))
    return false;
  if (n == len)
    return true;
  errno = ENODATA;
  return false;
}
