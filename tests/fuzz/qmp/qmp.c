/* What a monitor says: a socket of its own, where a thread sends the input to whoever connects. */
#include "tests/fuzz/fuzz.h"

#include "snap/qmp.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_REPLIES 8u

typedef struct {
  int listener;
  const uint8_t *data;
  size_t size;
} Monitor;

static struct sockaddr_un address = {.sun_family = AF_UNIX};

static void
remove_socket(void)
{
  unlink(address.sun_path);
}

static int
make_listener(void)
{
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_snprintf(address.sun_path, sizeof(address.sun_path), "%s/dacsa-fuzz-%d.qmp", g_get_tmp_dir(),
             (int)getpid());
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1) < 0)
    g_error("cannot listen at %s", address.sun_path);
  atexit(remove_socket);
  return fd;
}

static void *
speak(void *data)
{
  const Monitor *m = data;
  int fd = accept(m->listener, NULL, NULL);

  for (size_t done = 0; fd >= 0 && done < m->size;) {
    ssize_t n = send(fd, m->data + done, m->size - done, MSG_NOSIGNAL);

    if (n <= 0)
      break;
    done += (size_t)n;
  }
  close(fd);
  return NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static int listener = -1;
  g_autoptr(DacsaQmp) qmp = NULL;
  g_autoptr(GError) error = NULL;

  if (listener < 0)
    listener = make_listener();
  Monitor monitor = {listener, data, size};
  GThread *thread = g_thread_new("monitor", speak, &monitor);
  bool ok = dacsa_qmp_connect(address.sun_path, -1, &qmp, &error);
  FUZZ_CHECK(ok, error);
  for (unsigned i = 0; ok && i < MAX_REPLIES; i++) {
    g_autoptr(JsonNode) node = NULL;

    ok = dacsa_qmp_receive(qmp, -1, &node, &error);
    FUZZ_CHECK(ok, error);
  }
  g_thread_join(thread);
  return 0;
}
