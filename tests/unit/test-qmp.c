/* The QMP client against a server in a thread, which plays a script and may misbehave. */
#include "check.h"

#include "snap/qmp.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define GREETING "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n"
#define CAPABILITIES "<{\"execute\":\"qmp_capabilities\"}"
#define EVENT "{\"event\": \"STOP\", \"timestamp\": {\"seconds\": 1, \"microseconds\": 2}}\r\n"
#define OK_REPLY "{\"return\": {}}\r\n"
#define PATIENCE (10 * G_USEC_PER_SEC)

/* What the server does: each step is text to send, or `<` and a line that it must receive. When the
 * script is over it waits for the client to go, unless close is set. */
typedef struct {
  const char *const *steps;
  bool close;
  char *id; /* of the latest command */
  char *directory, *path;
  int listener;
  GThread *thread;
} Server;

/* The command's id is taken out of it. */
static void
expect_line(Server *s, int fd, const char *expected)
{
  g_autoptr(GString) line = g_string_new(NULL);
  char c;

  while (read(fd, &c, 1) == 1 && c != '\n')
    g_string_append_c(line, c);
  char *start = strstr(line->str, ",\"id\":\"");
  g_assert_nonnull(start);
  char *end = strchr(start + 7, '"');
  g_assert_nonnull(end);
  g_free(s->id);
  s->id = g_strndup(start + 7, (gsize)(end - start - 7));
  g_string_erase(line, start - line->str, end + 1 - start);
  g_assert_cmpstr(line->str, ==, expected);
}

/* A reply that has no id gets that of the latest command. */
static void
send_text(const Server *s, int fd, const char *text)
{
  g_autoptr(GString) out = g_string_new(text);
  g_autofree char *reply = g_strdup_printf("{\"id\": \"%s\", \"return\"", s->id);

  g_string_replace(out, "{\"return\"", reply, 0);
  g_assert_cmpint((int)send(fd, out->str, out->len, MSG_NOSIGNAL), ==, (int)out->len);
}

static void *
serve(void *data)
{
  Server *s = data;
  int fd = accept(s->listener, NULL, NULL);
  char c;

  g_assert_cmpint(fd, >=, 0);
  for (size_t i = 0; s->steps[i]; i++) {
    if (s->steps[i][0] == '<')
      expect_line(s, fd, s->steps[i] + 1);
    else
      send_text(s, fd, s->steps[i]);
  }
  while (!s->close && read(fd, &c, 1) > 0)
    continue;
  close(fd);
  return NULL;
}

static void
set_up(Server *s, const char *const *steps)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  g_autoptr(GError) error = NULL;

  *s = (Server){.steps = steps};
  s->directory = g_dir_make_tmp("dacsa-test-XXXXXX", &error);
  g_assert_no_error(error);
  s->path = g_build_filename(s->directory, "qmp", NULL);
  g_strlcpy(address.sun_path, s->path, sizeof(address.sun_path));
  s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_assert_cmpint(bind(s->listener, (struct sockaddr *)&address, sizeof(address)), ==, 0);
  g_assert_cmpint(listen(s->listener, 4), ==, 0);
  s->thread = g_thread_new("qmp-server", serve, s);
}

static void
tear_down(Server *s)
{
  g_thread_join(s->thread);
  close(s->listener);
  g_unlink(s->path);
  g_rmdir(s->directory);
  g_free(s->path);
  g_free(s->directory);
  g_free(s->id);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Server, tear_down)

static int64_t
in(int64_t us)
{
  return g_get_monotonic_time() + us;
}

/* Connects; QMP's command mode has been asked for, and granted. */
static DacsaQmp *
connect_ok(Server *s)
{
  g_autoptr(GError) error = NULL;
  DacsaQmp *qmp = NULL;

  CHECK_OK(dacsa_qmp_connect(s->path, in(PATIENCE), &qmp, &error), error);
  CHECK_OK(dacsa_qmp_receive(qmp, in(PATIENCE), NULL, &error), error);
  return qmp;
}

static void
test_conversation(void)
{
  static const char *const steps[] = {GREETING,
                                      CAPABILITIES,
                                      EVENT OK_REPLY,
                                      "<{\"execute\":\"stop\"}",
                                      EVENT,
                                      EVENT,
                                      "{\"return\": {\"sta",
                                      "tus\": \"paused\"}}\r\n" EVENT,
                                      "<{\"execute\":\"query-status\",\"arguments\":{\"a\":1}}",
                                      "{\"return\": [1, 2]}\r\n",
                                      NULL};
  g_auto(Server) s;
  g_autoptr(GError) error = NULL;
  g_autoptr(JsonNode) first = NULL;
  g_autoptr(JsonNode) second = NULL;

  set_up(&s, steps);
  g_autoptr(DacsaQmp) qmp = connect_ok(&s);
  g_assert_cmpint(dacsa_qmp_peer(qmp), ==, getpid());
  CHECK_OK(dacsa_qmp_send(qmp, "stop", NULL, &error), error);
  CHECK_OK(dacsa_qmp_receive(qmp, in(PATIENCE), &first, &error), error);
  g_assert_cmpstr(json_object_get_string_member(json_node_get_object(first), "status"), ==,
                  "paused");
  CHECK_OK(dacsa_qmp_send(qmp, "query-status", "{\"a\":1}", &error), error);
  CHECK_OK(dacsa_qmp_receive(qmp, -1, &second, &error), error);
  g_assert_cmpint((int)json_array_get_length(json_node_get_array(second)), ==, 2);
  g_assert_cmpuint(dacsa_qmp_stops(qmp), ==, 4); /* every event among them */
}

/* Two commands in flight: the replies come in order. */
static void
test_in_flight(void)
{
  static const char *const steps[] = {GREETING,
                                      CAPABILITIES,
                                      OK_REPLY,
                                      "<{\"execute\":\"stop\"}",
                                      "<{\"execute\":\"cont\"}",
                                      "{\"return\": 1}\r\n" EVENT "{\"return\": 2}\r\n",
                                      NULL};
  g_auto(Server) s;
  g_autoptr(GError) error = NULL;

  set_up(&s, steps);
  g_autoptr(DacsaQmp) qmp = connect_ok(&s);
  CHECK_OK(dacsa_qmp_send(qmp, "stop", NULL, &error), error);
  CHECK_OK(dacsa_qmp_send(qmp, "cont", NULL, &error), error);
  for (int i = 1; i <= 2; i++) {
    g_autoptr(JsonNode) node = NULL;

    CHECK_OK(dacsa_qmp_receive(qmp, in(PATIENCE), &node, &error), error);
    g_assert_cmpint((int)json_node_get_int(node), ==, i);
  }
}

static void
test_errors(void)
{
  static const char *const steps[] = {
      GREETING, CAPABILITIES, OK_REPLY,
      "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no such device\"}}\r\n"
      "{\"error\": {}}\r\n{\"error\": 5}\r\n{\"id\": 1}\r\n[1]\r\nnonsense\r\n" OK_REPLY,
      NULL};
  static const DacsaError codes[] = {DACSA_ERROR_UNSUPPORTED, DACSA_ERROR_UNSUPPORTED,
                                     DACSA_ERROR_BAD_DATA,    DACSA_ERROR_BAD_DATA,
                                     DACSA_ERROR_BAD_DATA,    DACSA_ERROR_BAD_DATA};
  g_auto(Server) s;
  g_autoptr(GError) error = NULL;

  set_up(&s, steps);
  g_autoptr(DacsaQmp) qmp = connect_ok(&s);
  g_assert_false(dacsa_qmp_receive(qmp, in(PATIENCE), NULL, &error));
  g_assert_error(error, DACSA_ERROR, (int)codes[0]);
  g_assert_cmpstr(error->message, ==, "QEMU: no such device");
  g_clear_error(&error);
  for (size_t i = 1; i < G_N_ELEMENTS(codes); i++)
    CHECK_FAILS(dacsa_qmp_receive(qmp, in(PATIENCE), NULL, &error), error, codes[i]);
  CHECK_OK(dacsa_qmp_receive(qmp, in(PATIENCE), NULL, &error), error);
}

/* A reply that is late is still due. */
static void
test_deadline(void)
{
  static const char *const steps[] = {GREETING,        CAPABILITIES,
                                      OK_REPLY,        "<{\"execute\":\"stop\"}",
                                      "{\"return\": ", "<{\"execute\":\"go on\"}",
                                      "7}\r\n",        NULL};
  g_auto(Server) s;
  g_autoptr(GError) error = NULL;
  g_autoptr(JsonNode) node = NULL;

  set_up(&s, steps);
  g_autoptr(DacsaQmp) qmp = connect_ok(&s);
  CHECK_OK(dacsa_qmp_send(qmp, "stop", NULL, &error), error);
  CHECK_FAILS(dacsa_qmp_receive(qmp, in(20000), NULL, &error), error, DACSA_ERROR_BUSY);
  CHECK_FAILS(dacsa_qmp_receive(qmp, in(-1000), NULL, &error), error, DACSA_ERROR_BUSY);
  CHECK_OK(dacsa_qmp_send(qmp, "go on", NULL, &error), error);
  CHECK_OK(dacsa_qmp_receive(qmp, in(PATIENCE), &node, &error), error);
  g_assert_cmpint((int)json_node_get_int(node), ==, 7);
}

static void
check_no_connection(const char *const *steps, bool close_early, DacsaError code)
{
  g_auto(Server) s;
  g_autoptr(GError) error = NULL;
  DacsaQmp *qmp = NULL;

  set_up(&s, steps);
  s.close = close_early;
  CHECK_FAILS(
      dacsa_qmp_connect(s.path, in(code == DACSA_ERROR_BUSY ? 30000 : PATIENCE), &qmp, &error),
      error, code);
  g_assert_null(qmp);
}

static void
test_no_connection(void)
{
  static const char *const nothing[] = {NULL};
  static const char *const half[] = {"{\"QMP\":", NULL};
  static const char *const garbage[] = {"220 mail.example.org ESMTP\r\n", NULL};
  static const char *const other[] = {"{\"hello\": 1}\r\n", NULL};

  check_no_connection(nothing, false, DACSA_ERROR_BUSY); /* another client holds it */
  check_no_connection(half, false, DACSA_ERROR_BUSY);
  /* Somebody was there: nobody may say that nothing listens. */
  check_no_connection(nothing, true, DACSA_ERROR_BUSY);
  check_no_connection(half, true, DACSA_ERROR_BUSY);
  check_no_connection(garbage, false, DACSA_ERROR_BAD_DATA);
  check_no_connection(other, false, DACSA_ERROR_BAD_DATA);
}

static void
test_closed_in_between(void)
{
  static const char *const steps[] = {
      GREETING, CAPABILITIES, OK_REPLY, "<{\"execute\":\"stop\"}", EVENT "{\"return\"", NULL};
  g_auto(Server) s;
  g_autoptr(GError) error = NULL;

  set_up(&s, steps);
  s.close = true;
  g_autoptr(DacsaQmp) qmp = connect_ok(&s);
  CHECK_OK(dacsa_qmp_send(qmp, "stop", NULL, &error), error);
  CHECK_FAILS(dacsa_qmp_receive(qmp, in(PATIENCE), NULL, &error), error, DACSA_ERROR_NOT_FOUND);
}

static void
test_no_socket(void)
{
  g_autofree char *longest = g_strnfill(200, 'x');
  g_autoptr(GError) error = NULL;
  DacsaQmp *qmp = NULL;

  CHECK_FAILS(dacsa_qmp_connect("/nonexistent/qmp", in(PATIENCE), &qmp, &error), error,
              DACSA_ERROR_NOT_FOUND);
  CHECK_FAILS(dacsa_qmp_connect(longest, in(PATIENCE), &qmp, &error), error, DACSA_ERROR_BAD_DATA);
}

/* Nobody accepts, and as many wait for that as can: one more fails in time, too. */
static void
test_full(void)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  g_autofree char *directory = g_dir_make_tmp("dacsa-test-XXXXXX", NULL);
  g_autofree char *path = g_build_filename(directory, "qmp", NULL);
  g_autoptr(GError) error = NULL;
  DacsaQmp *qmp = NULL;
  int fds[3];

  g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
  for (size_t i = 0; i < G_N_ELEMENTS(fds); i++)
    fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | (i > 0 ? SOCK_NONBLOCK : 0), 0);
  g_assert_cmpint(bind(fds[0], (struct sockaddr *)&address, sizeof(address)), ==, 0);
  g_assert_cmpint(listen(fds[0], 0), ==, 0);
  g_assert_cmpint(connect(fds[1], (struct sockaddr *)&address, sizeof(address)), ==, 0);
  g_assert_cmpint(connect(fds[2], (struct sockaddr *)&address, sizeof(address)), ==, -1);
  g_assert_cmpint(errno, ==, EAGAIN);
  CHECK_FAILS(dacsa_qmp_connect(path, in(30000), &qmp, &error), error, DACSA_ERROR_BUSY);
  for (size_t i = 0; i < G_N_ELEMENTS(fds); i++)
    close(fds[i]);
  g_unlink(path);
  g_rmdir(directory);
}

/* What an earlier client had asked for is answered to the next one. */
static void
test_foreign_replies(void)
{
  static const char *const steps[] = {
      GREETING,
      CAPABILITIES,
      "{\"id\": \"dacsa-1-1\", \"return\": 1}\r\n" OK_REPLY,
      "<{\"execute\":\"query-status\"}",
      "{\"id\": 7, \"error\": {\"desc\": \"no\"}}\r\n{\"return\": 2}\r\n",
      NULL};
  g_auto(Server) server;
  g_autoptr(JsonNode) node = NULL;
  g_autoptr(GError) error = NULL;

  set_up(&server, steps);
  g_autoptr(DacsaQmp) qmp = connect_ok(&server);
  CHECK_OK(dacsa_qmp_send(qmp, "query-status", NULL, &error), error);
  CHECK_OK(dacsa_qmp_receive(qmp, in(PATIENCE), &node, &error), error);
  g_assert_cmpint(json_node_get_int(node), ==, 2);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/qmp/conversation", test_conversation);
  g_test_add_func("/qmp/in-flight", test_in_flight);
  g_test_add_func("/qmp/errors", test_errors);
  g_test_add_func("/qmp/deadline", test_deadline);
  g_test_add_func("/qmp/no-connection", test_no_connection);
  g_test_add_func("/qmp/closed-in-between", test_closed_in_between);
  g_test_add_func("/qmp/no-socket", test_no_socket);
  g_test_add_func("/qmp/full", test_full);
  g_test_add_func("/qmp/foreign-replies", test_foreign_replies);
  return g_test_run();
}
