/* A QMP client: QEMU writes one JSON object a line, so lines are what is read. */
#include "snap/qmp.h"

#include "snap/error.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* The longest reply is `info registers -a`: about 4 KiB a vCPU. */
#define MAX_LINE (64u << 20)

struct DacsaQmp {
  int fd;
  pid_t peer;
  char *id; /* of all commands of this connection, and of none of another's */
  guint stops, resumes;
  GString *input; /* bytes received and not yet consumed */
};

/* Milliseconds until the deadline for poll(2). */
static int
remaining_ms(int64_t deadline)
{
  if (deadline < 0)
    return -1;
  int64_t left = deadline - g_get_monotonic_time();
  return left <= 0 ? 0 : (int)MIN(left / 1000 + 1, G_MAXINT);
}

static bool
wait_for(const DacsaQmp *qmp, short events, int64_t deadline, GError **error)
{
  struct pollfd p = {.fd = qmp->fd, .events = events};

  for (;;) {
    int n = poll(&p, 1, remaining_ms(deadline));

    if (n > 0)
      return true;
    if (n == 0)
      return dacsa_fail(error, DACSA_ERROR_BUSY, "the monitor did not answer in time");
    if (errno != EINTR)
      return dacsa_fail_errno(error, errno, "cannot wait for the monitor");
  }
}

/* One line of input, without its end. */
static bool
read_line(DacsaQmp *qmp, int64_t deadline, char **ret, GError **error)
{
  size_t searched = 0;

  for (;;) {
    char *end = memchr(qmp->input->str + searched, '\n', qmp->input->len - searched);

    if (end) {
      size_t n = (size_t)(end - qmp->input->str);

      *ret = g_strndup(qmp->input->str, n);
      g_string_erase(qmp->input, 0, (gssize)n + 1);
      return true;
    }
    searched = qmp->input->len;
    if (searched > MAX_LINE)
      return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "the monitor's reply has no end");
    if (!wait_for(qmp, POLLIN, deadline, error))
      return false;
    char buf[16384];
    ssize_t n = recv(qmp->fd, buf, sizeof(buf), MSG_DONTWAIT);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
      continue;
    if (n <= 0)
      return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "the monitor closed the connection%s",
                        n < 0 ? " with an error" : "");
    g_string_append_len(qmp->input, buf, n);
  }
}

/* The next JSON object. */
static bool
read_object(DacsaQmp *qmp, int64_t deadline, JsonNode **ret, GError **error)
{
  g_autofree char *line = NULL;

  if (!read_line(qmp, deadline, &line, error))
    return false;
  g_autoptr(JsonNode) node = json_from_string(line, NULL);
  if (!node || !JSON_NODE_HOLDS_OBJECT(node))
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "it does not speak QMP");
  *ret = g_steal_pointer(&node);
  return true;
}

bool
dacsa_qmp_send(DacsaQmp *qmp, const char *command, const char *arguments, GError **error)
{
  g_autofree char *line =
      arguments ? g_strdup_printf("{\"execute\":\"%s\",\"id\":\"%s\",\"arguments\":%s}\n", command,
                                  qmp->id, arguments)
                : g_strdup_printf("{\"execute\":\"%s\",\"id\":\"%s\"}\n", command, qmp->id);
  size_t len = strlen(line);

  for (size_t done = 0; done < len;) {
    ssize_t n = send(qmp->fd, line + done, len - done, MSG_NOSIGNAL);

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "the monitor closed the connection");
    done += (size_t)n;
  }
  return true;
}

/* QEMU sends the answer to a command whose client has gone meanwhile to the next one. What it could
 * not even parse has no id. */
static bool
is_ours(const DacsaQmp *qmp, JsonObject *object)
{
  const bool is_return = json_object_has_member(object, "return");

  if (!json_object_has_member(object, "id") ||
      !(is_return || json_object_has_member(object, "error")))
    return !is_return;
  return g_strcmp0(json_object_get_string_member_with_default(object, "id", NULL), qmp->id) == 0;
}

bool
dacsa_qmp_receive(DacsaQmp *qmp, int64_t deadline, JsonNode **ret, GError **error)
{
  for (;;) {
    g_autoptr(JsonNode) node = NULL;

    if (!read_object(qmp, deadline, &node, error))
      return false;
    JsonObject *object = json_node_get_object(node);
    const char *event = json_object_get_string_member_with_default(object, "event", NULL);
    if (event) {
      qmp->stops += strcmp(event, "STOP") == 0;
      qmp->resumes += strcmp(event, "RESUME") == 0;
      continue;
    }
    if (!is_ours(qmp, object))
      continue;
    if (json_object_has_member(object, "return")) {
      if (ret)
        *ret = json_object_dup_member(object, "return");
      return true;
    }
    JsonNode *failure = json_object_get_member(object, "error");
    if (!failure || !JSON_NODE_HOLDS_OBJECT(failure))
      return dacsa_fail(error, DACSA_ERROR_BAD_DATA,
                        "the monitor's reply is neither return nor "
                        "error");
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "QEMU: %s",
                      json_object_get_string_member_with_default(json_node_get_object(failure),
                                                                 "desc", "an error"));
  }
}

/* Somebody listened, so that it is not NOT_FOUND. */
static bool
fail_connected(GError **error, const char *path, const GError *cause)
{
  if (g_error_matches(cause, DACSA_ERROR, DACSA_ERROR_BUSY))
    return dacsa_fail(error, DACSA_ERROR_BUSY,
                      "%s: no QMP greeting: it is not a QMP socket, or another client holds it",
                      path);
  if (g_error_matches(cause, DACSA_ERROR, DACSA_ERROR_NOT_FOUND))
    return dacsa_fail(error, DACSA_ERROR_BUSY,
                      "%s: %s at once: QEMU has just ended, or it is not a QMP socket", path,
                      cause->message);
  return dacsa_fail(error, (DacsaError)cause->code, "%s: %s", path, cause->message);
}

/* One that nobody serves has room for a client or two: who comes then waits for it in connect(2).
 */
static bool
connect_in_time(int fd, const struct sockaddr_un *address, int64_t deadline, GError **error)
{
  const int ms = MAX(1, remaining_ms(deadline)); /* 0 is for ever */
  const struct timeval patience = {ms / 1000, ms % 1000 * 1000}, endless = {0, 0};

  if (deadline >= 0)
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  const bool ok = connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;
  const int errsv = errno;
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &endless, sizeof(endless));
  if (ok)
    return true;
  if (errsv == EAGAIN)
    return dacsa_fail(error, DACSA_ERROR_BUSY, "%s: others wait for it, and nobody serves it",
                      address->sun_path);
  return dacsa_fail(
      error, errsv == ENOENT || errsv == ECONNREFUSED ? DACSA_ERROR_NOT_FOUND : DACSA_ERROR_OS,
      "%s: %s", address->sun_path, g_strerror(errsv));
}

static bool
socket_connect(DacsaQmp *qmp, const char *path, int64_t deadline, GError **error)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  struct ucred peer;
  socklen_t len = sizeof(peer);

  if (strlen(path) >= sizeof(address.sun_path))
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "%s: a socket's path has at most %zu bytes",
                      path, sizeof(address.sun_path) - 1);
  strcpy(address.sun_path, path);
  qmp->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (qmp->fd < 0)
    return dacsa_fail_errno(error, errno, "cannot make a socket");
  if (!connect_in_time(qmp->fd, &address, deadline, error))
    return false;
  if (getsockopt(qmp->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
    return dacsa_fail_errno(error, errno, "%s: cannot tell whose socket it is", path);
  qmp->peer = peer.pid;
  /* socket(7): the kernel knows a process only where it has a number. */
  if (peer.pid <= 0)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED,
                      "%s: QEMU is in another PID namespace; run dacsa in the host's, where QEMU "
                      "can be seen",
                      path);
  return true;
}

bool
dacsa_qmp_connect(const char *path, int64_t deadline, DacsaQmp **ret, GError **error)
{
  g_autoptr(DacsaQmp) qmp = g_new0(DacsaQmp, 1);
  g_autoptr(JsonNode) greeting = NULL;
  g_autoptr(GError) cause = NULL;

  qmp->fd = -1;
  qmp->input = g_string_new(NULL);
  qmp->id = g_strdup_printf("dacsa-%d-%" PRIx64, (int)getpid(), (uint64_t)g_get_monotonic_time());
  if (!socket_connect(qmp, path, deadline, error))
    return false;
  /* QEMU accepts a second client only when the first is gone, and greets at once. */
  if (!read_object(qmp, deadline, &greeting, &cause))
    return fail_connected(error, path, cause);
  if (!json_object_has_member(json_node_get_object(greeting), "QMP"))
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "%s: it does not speak QMP", path);
  if (!dacsa_qmp_send(qmp, "qmp_capabilities", NULL, &cause))
    return fail_connected(error, path, cause);
  *ret = g_steal_pointer(&qmp);
  return true;
}

void
dacsa_qmp_free(DacsaQmp *qmp)
{
  if (!qmp)
    return;
  if (qmp->fd >= 0)
    close(qmp->fd);
  g_string_free(qmp->input, TRUE);
  g_free(qmp->id);
  g_free(qmp);
}

pid_t
dacsa_qmp_peer(const DacsaQmp *qmp)
{
  return qmp->peer;
}

guint
dacsa_qmp_stops(const DacsaQmp *qmp)
{
  return qmp->stops;
}

guint
dacsa_qmp_resumes(const DacsaQmp *qmp)
{
  return qmp->resumes;
}
