/* Messages between keeper and viewer, and bytes that are none. */
#include "check.h"

#include "snap/channel.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct {
  int ends[2];
} Pair;

static void
set_up(Pair *p)
{
  g_autoptr(GError) error = NULL;

  CHECK_OK(dacsa_channel_pair(p->ends, &error), error);
}

static void
tear_down(Pair *p)
{
  for (int i = 0; i < 2; i++)
    if (p->ends[i] >= 0)
      close(p->ends[i]);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Pair, tear_down)

static void
test_numbers(void)
{
  g_autoptr(DacsaMessage) message = dacsa_message_new("snapshot", 0);
  int64_t got = 0;

  dacsa_message_set_number(message, "serial", INT64_MIN);
  g_assert_true(dacsa_message_get_number(message, "serial", INT64_MIN, 0, &got));
  g_assert_cmpint(got, ==, INT64_MIN);
  dacsa_message_set_number(message, "serial", 17);
  g_assert_true(dacsa_message_get_number(message, "serial", 17, 17, &got));
  g_assert_false(dacsa_message_get_number(message, "serial", 1, 16, &got));
  g_assert_false(dacsa_message_get_number(message, "serial", 18, 99, &got));
  g_assert_false(dacsa_message_get_number(message, "absent", 0, 99, &got));
  dacsa_message_set(message, "serial", "17 ");
  g_assert_false(dacsa_message_get_number(message, "serial", 1, 99, &got));
  g_assert_cmphex(dacsa_message_sequence(2, UINT32_MAX), ==, 0x2ffffffff);
  g_assert_cmpuint(dacsa_message_viewer(0x2ffffffff), ==, 2);
  g_assert_cmpuint(dacsa_message_viewer(dacsa_message_sequence(UINT32_MAX, 0)), ==, UINT32_MAX);
}

static void
test_fields(void)
{
  g_auto(Pair) p;
  g_autoptr(GError) error = NULL;
  g_autoptr(DacsaMessage) sent = dacsa_message_new("take", UINT64_MAX);
  g_autoptr(DacsaMessage) got = NULL;

  set_up(&p);
  dacsa_message_set(sent, "vm", "a/b");
  dacsa_message_set(sent, "name", "first");
  dacsa_message_set(sent, "name", "");
  dacsa_message_set(sent, "odd", "not \xff utf-8");
  CHECK_OK(dacsa_channel_send(p.ends[0], sent, &error), error);
  CHECK_OK(dacsa_channel_receive(p.ends[1], &got, &error), error);
  g_assert_cmpstr(got->verb, ==, "take");
  g_assert_cmpuint(got->sequence, ==, UINT64_MAX);
  g_assert_cmpuint(g_hash_table_size(got->fields), ==, 3);
  g_assert_cmpstr(dacsa_message_get(got, "vm"), ==, "a/b");
  g_assert_cmpstr(dacsa_message_get(got, "name"), ==, "");
  g_assert_cmpstr(dacsa_message_get(got, "absent"), ==, "");
  g_assert_cmpstr(dacsa_message_get(got, "odd"), ==, "not \xef\xbf\xbd utf-8");
  g_assert_cmpuint(got->n_fds, ==, 0);
  g_assert_cmpint(dacsa_message_steal_fd(got, 0), ==, -1);
}

static void
test_descriptors(void)
{
  g_auto(Pair) p;
  g_autoptr(GError) error = NULL;
  int before = check_next_descriptor();
  char buf[4] = "";
  int fds[2], other;

  set_up(&p);
  {
    g_autoptr(DacsaMessage) sent = dacsa_message_new("snapshot", 1);
    g_autoptr(DacsaMessage) got = NULL;

    g_assert_cmpint(pipe(fds), ==, 0);
    dacsa_message_add_fd(sent, fds[0]);
    dacsa_message_add_fd(sent, fds[1]);
    while (sent->n_fds < DACSA_CHANNEL_MAX_FDS)
      dacsa_message_add_fd(sent, dup(0));
    CHECK_OK(dacsa_channel_send(p.ends[0], sent, &error), error);
    CHECK_OK(dacsa_channel_receive(p.ends[1], &got, &error), error);
    g_assert_cmpuint(got->n_fds, ==, DACSA_CHANNEL_MAX_FDS);
    g_assert_cmpint((int)write(got->fds[1], "abc", 3), ==, 3); /* in the order they were given */
    other = dacsa_message_steal_fd(got, 0);
    g_assert_cmpint(dacsa_message_steal_fd(got, 0), ==, -1);
    g_assert_cmpint(dacsa_message_steal_fd(got, DACSA_CHANNEL_MAX_FDS), ==, -1);
  }
  g_assert_cmpint((int)read(other, buf, 4), ==, 3);
  g_assert_cmpstr(buf, ==, "abc");
  g_assert_cmpint((int)read(other, buf, 4), ==, 0); /* both ends that wrote are closed */
  close(other);
  tear_down(&p);
  p.ends[0] = p.ends[1] = -1;
  g_assert_cmpint(check_next_descriptor(), ==, before);
}

/* Bytes that are no message, with a descriptor that must not stay. */
static void
test_foreign_bytes(void)
{
  static const struct {
    const char *bytes;
    size_t len;
  } cases[] = {{"hello", 5},
               {"\0", 1},
               {"take\0\1\1\1\1\1\1\1\1\xff\xff", 15},
               {"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 17}};

  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_auto(Pair) p;
    g_autoptr(GError) error = NULL;
    DacsaMessage *got = NULL;
    struct iovec iov = {(void *)(uintptr_t)cases[i].bytes, cases[i].len};
    union {
      struct cmsghdr header;
      char space[CMSG_SPACE(sizeof(int))];
    } control = {.header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.space,
                         .msg_controllen = sizeof(control.space)};
    const int stdin_fd = 0;

    g_test_message("case %zu", i);
    set_up(&p);
    memcpy(CMSG_DATA(&control.header), &stdin_fd, sizeof(int));
    int before = check_next_descriptor();
    g_assert_cmpint((int)sendmsg(p.ends[0], &msg, 0), ==, (int)cases[i].len);
    CHECK_FAILS(dacsa_channel_receive(p.ends[1], &got, &error), error, DACSA_ERROR_BAD_DATA);
    g_assert_null(got);
    g_assert_cmpint(check_next_descriptor(), ==, before);
  }
}

static void
test_too_long(void)
{
  g_auto(Pair) p;
  g_autoptr(GError) error = NULL;
  g_autoptr(DacsaMessage) sent = dacsa_message_new("vm", 0);
  g_autofree char *text = g_strnfill(70000, 'x');

  set_up(&p);
  dacsa_message_set(sent, "status", text);
  CHECK_FAILS(dacsa_channel_send(p.ends[0], sent, &error), error, DACSA_ERROR_BAD_DATA);
}

static void
test_closed(void)
{
  g_auto(Pair) p;
  g_autoptr(GError) error = NULL;
  g_autoptr(DacsaMessage) sent = dacsa_message_new("ready", 0);
  DacsaMessage *got = NULL;

  set_up(&p);
  close(p.ends[0]);
  p.ends[0] = -1;
  CHECK_FAILS(dacsa_channel_receive(p.ends[1], &got, &error), error, DACSA_ERROR_NOT_FOUND);
  CHECK_FAILS(dacsa_channel_send(p.ends[1], sent, &error), error, DACSA_ERROR_NOT_FOUND);
}

/* One that does not read keeps nobody waiting who does not want to. */
static void
test_try(void)
{
  g_autoptr(DacsaMessage) message = dacsa_message_new("vm", 0);
  g_autofree char *long_text = g_strnfill(60000, 'x');
  g_autoptr(GError) error = NULL;
  int pair[2];
  unsigned sent = 0;

  CHECK_OK(dacsa_channel_pair(pair, &error), error);
  dacsa_message_set(message, "status", long_text);
  while (sent < 10000 && dacsa_channel_try_send(pair[0], message, &error))
    sent++;
  g_assert_cmpuint(sent, >, 0);
  g_assert_error(error, DACSA_ERROR, DACSA_ERROR_BUSY);
  close(pair[0]);
  close(pair[1]);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/channel/numbers", test_numbers);
  g_test_add_func("/channel/fields", test_fields);
  g_test_add_func("/channel/descriptors", test_descriptors);
  g_test_add_func("/channel/foreign-bytes", test_foreign_bytes);
  g_test_add_func("/channel/too-long", test_too_long);
  g_test_add_func("/channel/closed", test_closed);
  g_test_add_func("/channel/try", test_try);
  return g_test_run();
}
