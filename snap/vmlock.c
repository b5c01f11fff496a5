/* A lock on a VM that ends with its holder and leaves nothing behind: an abstract socket. */
#include "snap/vmlock.h"

#include "snap/error.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_NAP_US 20000

bool
dacsa_vmlock_take(pid_t pid, int64_t deadline, int *ret, GError **error)
{
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  int n = snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "dacsa-take-%d", (int)pid);
  socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

  if (fd < 0)
    return dacsa_fail_errno(error, errno, "cannot make a socket");
  for (useconds_t nap = 2000; bind(fd, (struct sockaddr *)&name, len) < 0;
       nap = MIN(nap * 2, MAX_NAP_US)) {
    if (errno != EADDRINUSE || g_get_monotonic_time() > deadline) {
      close(fd);
      return dacsa_fail(error, DACSA_ERROR_BUSY,
                        "another dacsa takes a snapshot of this VM; try again");
    }
    usleep(nap);
  }
  *ret = fd;
  return true;
}
