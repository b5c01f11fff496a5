/* What a service manager is told, at real sockets: one with a path, one in the abstract space. */
#include "check.h"

#include "fs/notify.h"

#include <glib/gstdio.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A socket that listens under the name that NOTIFY_SOCKET has from now on. */
static int
listen_at(const char *name)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  const socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
  const struct timeval patience = {.tv_sec = 5};
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

  g_assert_cmpint(fd, >=, 0);
  g_assert_cmpuint(strlen(name), <, sizeof(address.sun_path));
  memcpy(address.sun_path, name, strlen(name));
  if (name[0] == '@')
    address.sun_path[0] = '\0';
  g_assert_cmpint(bind(fd, (struct sockaddr *)&address, len), ==, 0);
  g_assert_cmpint(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), ==, 0);
  g_setenv("NOTIFY_SOCKET", name, TRUE);
  return fd;
}

static void
check_told(const char *name)
{
  g_autoptr(GError) error = NULL;
  char buf[64] = "";
  int fd = listen_at(name);

  CHECK_OK(dacsa_notify("READY=1\n", &error), error);
  g_assert_cmpint(recv(fd, buf, sizeof(buf) - 1, 0), ==, 8);
  g_assert_cmpstr(buf, ==, "READY=1\n");
  close(fd);
}

static void
test_path(void)
{
  g_autofree char *dir = g_dir_make_tmp("test-notify-XXXXXX", NULL);
  g_autofree char *path = g_build_filename(dir, "socket", NULL);
  g_autoptr(GError) error = NULL;

  check_told(path);
  /* Nobody listens any more. */
  CHECK_FAILS(dacsa_notify("READY=1\n", &error), error, DACSA_ERROR_OS);
  g_unlink(path);
  CHECK_FAILS(dacsa_notify("READY=1\n", &error), error, DACSA_ERROR_NOT_FOUND);
  g_rmdir(dir);
}

static void
test_abstract(void)
{
  g_autofree char *name = g_strdup_printf("@test-notify-%d", (int)getpid());

  check_told(name);
}

static void
test_no_socket(void)
{
  g_autofree char *too_long = g_strnfill(200, '/');
  const char *const names[] = {"", "/", "@", "relative", too_long};
  g_autoptr(GError) error = NULL;

  g_unsetenv("NOTIFY_SOCKET");
  CHECK_OK(dacsa_notify("READY=1\n", &error), error);
  for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
    g_setenv("NOTIFY_SOCKET", names[i], TRUE);
    CHECK_FAILS(dacsa_notify("READY=1\n", &error), error, DACSA_ERROR_BAD_DATA);
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/notify/path", test_path);
  g_test_add_func("/notify/abstract", test_abstract);
  g_test_add_func("/notify/no-socket", test_no_socket);
  return g_test_run();
}
