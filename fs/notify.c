/* One datagram to the service manager. */
#include "fs/notify.h"

#include "snap/error.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A path, or with a @ in front a name in the abstract space: unix(7). */
static bool
fill_address(const char *name, struct sockaddr_un *ret, socklen_t *ret_len, GError **error)
{
  const size_t len = strlen(name);

  if ((name[0] != '/' && name[0] != '@') || len < 2 || len >= sizeof(ret->sun_path))
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "NOTIFY_SOCKET: %s is no socket's name", name);
  *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
  memcpy(ret->sun_path, name, len);
  if (name[0] == '@')
    ret->sun_path[0] = '\0';
  *ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
  return true;
}

bool
dacsa_notify(const char *text, GError **error)
{
  const char *name = g_getenv("NOTIFY_SOCKET");
  struct sockaddr_un address;
  socklen_t len = 0;

  if (!name)
    return true;
  if (!fill_address(name, &address, &len, error))
    return false;
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return dacsa_fail_errno(error, errno, "cannot make a socket to tell %s", name);
  const ssize_t sent =
      sendto(fd, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *)&address, len);
  const int errsv = errno;
  close(fd);
  return sent >= 0 || dacsa_fail_errno(error, errsv, "cannot tell %s", name);
}
