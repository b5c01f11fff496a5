/* A viewer's loop over requests, with a socket in the kernel's place; and what it makes of those
 * that an earlier viewer had read. */
#define FUSE_USE_VERSION 314

#include "check.h"

#include "fs/loop.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_ANSWER 65536
#define GREETING 2u /* its number */
#define GAP 8192u   /* what is answered on either side of the highest number that was noted */

/* A viewer, and the kernel's end of its connection. */
typedef struct {
  int ends[2];
  GBytes *init;
  DacsaInflight *inflight;
  bool is_first;
  GThread *thread;
  struct fuse_session *session;
  gint n_ready, n_statfs, is_ending;
  GMutex lock; /* of what follows */
  GCond came;
  unsigned n_together, n_inside; /* requests that are answered when so many are being worked on */
  bool ok;
} Viewer;

static void
meet(Viewer *v)
{
  g_mutex_lock(&v->lock);
  v->n_inside++;
  g_cond_broadcast(&v->came);
  while (v->n_inside < v->n_together)
    g_cond_wait(&v->came, &v->lock);
  g_mutex_unlock(&v->lock);
}

static void
statfs_op(fuse_req_t req, fuse_ino_t ino)
{
  const struct statvfs st = {.f_namemax = 77};
  Viewer *v = fuse_req_userdata(req);

  (void)ino;
  g_atomic_int_inc(&v->n_statfs);
  meet(v);
  if (g_atomic_int_get(&v->is_ending))
    fuse_session_exit(v->session);
  fuse_reply_statfs(req, &st);
}

static void
on_ready(void *data)
{
  Viewer *v = data;

  g_atomic_int_inc(&v->n_ready);
}

static void *
run(void *data)
{
  static const struct fuse_lowlevel_ops ops = {.statfs = statfs_op};
  Viewer *v = data;
  char *argv[] = {(char *)(uintptr_t) "test", NULL};
  struct fuse_args args = FUSE_ARGS_INIT(1, argv);
  g_autofree char *mountpoint = g_strdup_printf("/dev/fd/%d", v->ends[1]);
  v->session = fuse_session_new(&args, &ops, sizeof(ops), v);
  const DacsaLoopOptions options = {v->ends[1], v->init, v->inflight, v->is_first, on_ready, v};
  g_autoptr(GError) error = NULL;

  g_assert_cmpint(fuse_session_mount(v->session, mountpoint), ==, 0);
  v->ok = dacsa_loop_run(v->session, &options, &error);
  g_assert_no_error(error);
  fuse_session_destroy(v->session); /* closes the viewer's end */
  fuse_opt_free_args(&args);
  return NULL;
}

static GBytes *
greeting(void)
{
  struct {
    struct fuse_in_header header;
    struct fuse_init_in init;
  } request = {{.len = sizeof(request), .opcode = FUSE_INIT, .unique = GREETING},
               {.major = FUSE_KERNEL_VERSION, .minor = 31, .max_readahead = 131072}};

  return g_bytes_new(&request, sizeof(request));
}

static void
viewer_start(Viewer *v, bool is_first)
{
  v->init = greeting();
  v->is_first = is_first;
  g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, v->ends), ==, 0);
  v->thread = g_thread_new("viewer", run, v);
}

static bool
try_request(Viewer *v, uint32_t opcode, uint64_t unique)
{
  const struct fuse_in_header header = {
      .len = sizeof(header), .opcode = opcode, .unique = unique, .nodeid = 1};

  return send(v->ends[0], &header, sizeof(header), 0) == sizeof(header);
}

static void
request(Viewer *v, uint32_t opcode, uint64_t unique)
{
  g_assert_true(try_request(v, opcode, unique));
}

/* A socket cannot say that it is unmounted. The session is told to end in a request, and every
 * thread gets one, to see it, until the viewer has hung up. */
static void
viewer_end(Viewer *v)
{
  g_atomic_int_set(&v->is_ending, 1);
  for (uint64_t i = 0; i < DACSA_INFLIGHT_THREADS; i++)
    if (!try_request(v, FUSE_STATFS, 1000000 + 2 * i))
      break;
  g_thread_join(v->thread);
  close(v->ends[0]);
  g_bytes_unref(v->init);
  g_assert_true(v->ok);
}

static struct fuse_out_header
receive(Viewer *v)
{
  g_autofree char *buf = g_malloc(MAX_ANSWER);
  struct fuse_out_header answer;
  const ssize_t n = recv(v->ends[0], buf, MAX_ANSWER, 0);

  g_assert_cmpint(n, >=, (gssize)sizeof(answer));
  memcpy(&answer, buf, sizeof(answer));
  g_assert_cmpuint(answer.len, ==, (guint)n);
  return answer;
}

static void
expect_answer(Viewer *v, uint64_t unique, int error)
{
  const struct fuse_out_header answer = receive(v);

  g_assert_cmpuint(answer.unique, ==, unique);
  g_assert_cmpint(answer.error, ==, -error);
}

static void
expect_eio(Viewer *v, uint64_t from, uint64_t to)
{
  for (; from < to; from += 2)
    expect_answer(v, from, EIO);
}

static void
interrupt(Viewer *v, uint64_t of)
{
  const struct {
    struct fuse_in_header header;
    struct fuse_interrupt_in interrupt;
  } message = {{.len = sizeof(message), .opcode = FUSE_INTERRUPT, .unique = of | 1}, {of}};

  g_assert_cmpint(send(v->ends[0], &message, sizeof(message), 0), ==, sizeof(message));
}

static void
test_first(void)
{
  Viewer v = {0};
  uint64_t unanswered[DACSA_INFLIGHT_THREADS];
  g_autoptr(GError) error = NULL;

  CHECK_OK(dacsa_inflight_new(&v.inflight, &error), error);
  viewer_start(&v, true);
  expect_answer(&v, GREETING, 0);
  for (uint64_t unique = 4; unique < 400; unique += 2) {
    request(&v, FUSE_STATFS, unique);
    expect_answer(&v, unique, 0);
  }
  request(&v, FUSE_LINK, 400); /* what libfuse itself refuses is answered too */
  g_assert_cmpuint(receive(&v).unique, ==, 400);
  g_assert_cmpint(g_atomic_int_get(&v.n_statfs), ==, 198);
  viewer_end(&v);
  g_assert_cmpint(v.n_ready, ==, 1);
  g_assert_cmpuint(dacsa_inflight_highest(v.inflight), >=, 1000000);
  g_assert_cmpuint(dacsa_inflight_unanswered(v.inflight, unanswered), ==, 0);
  dacsa_inflight_free(v.inflight);
}

/* Slow requests do not keep others waiting, as long as there are threads. */
static void
test_slow(void)
{
  Viewer v = {.n_together = DACSA_INFLIGHT_THREADS};
  g_autoptr(GError) error = NULL;

  CHECK_OK(dacsa_inflight_new(&v.inflight, &error), error);
  viewer_start(&v, true);
  expect_answer(&v, GREETING, 0);
  for (uint64_t i = 0; i < DACSA_INFLIGHT_THREADS; i++)
    request(&v, FUSE_STATFS, 4 + 2 * i);
  for (unsigned i = 0; i < DACSA_INFLIGHT_THREADS; i++)
    g_assert_cmpint(receive(&v).error, ==, 0);
  viewer_end(&v);
  dacsa_inflight_free(v.inflight);
}

/* What is noted as unanswered fails, and what may have been read unnoted; what comes after is
 * served. */
static void
test_successor(void)
{
  Viewer v = {0};
  g_autoptr(GError) error = NULL;

  CHECK_OK(dacsa_inflight_new(&v.inflight, &error), error);
  dacsa_inflight_begin(v.inflight, 0, 1000);
  dacsa_inflight_begin(v.inflight, 1, 1004);
  dacsa_inflight_end(v.inflight, 1);
  dacsa_inflight_begin(v.inflight, 15, 900);
  viewer_start(&v, false);
  expect_answer(&v, 1000, EIO);
  expect_answer(&v, 900, EIO);
  expect_eio(&v, GREETING + 2, 1004 + GAP + 2);
  expect_answer(&v, GREETING, 0); /* which the kernel would refuse */
  request(&v, FUSE_STATFS, 1008);
  expect_answer(&v, 1008, 0);
  request(&v, FUSE_STATFS, 1010);
  expect_answer(&v, 1010, 0);
  viewer_end(&v);
  dacsa_inflight_free(v.inflight);
}

/* A thread has read 19998 and was stopped before it noted it; another noted 20000, which it read
 * later. What is answered is no more than is needed. */
static void
test_overtaken(void)
{
  Viewer v = {0};
  g_autoptr(GError) error = NULL;

  CHECK_OK(dacsa_inflight_new(&v.inflight, &error), error);
  dacsa_inflight_begin(v.inflight, 63, 20000);
  dacsa_inflight_end(v.inflight, 63);
  viewer_start(&v, false);
  expect_eio(&v, 20000 - GAP, 20000 + GAP + 2);
  expect_answer(&v, GREETING, 0);
  request(&v, FUSE_STATFS, 20002);
  expect_answer(&v, 20002, 0);
  viewer_end(&v);
  dacsa_inflight_free(v.inflight);
}

/* No viewer got so far as to answer the greeting: it is not refused. */
static void
test_greeting_unanswered(void)
{
  Viewer v = {0};
  g_autoptr(GError) error = NULL;

  CHECK_OK(dacsa_inflight_new(&v.inflight, &error), error);
  viewer_start(&v, false);
  expect_eio(&v, GREETING + 2, GAP + 2);
  expect_answer(&v, GREETING, 0);
  request(&v, FUSE_STATFS, GREETING + 2);
  expect_answer(&v, GREETING + 2, 0);
  viewer_end(&v);
  dacsa_inflight_free(v.inflight);
}

/* An interrupt is read first and starts no thread that would read a request beside the first one:
 * the gap is answered before any request is served, and none that this viewer has read is in it. */
static void
test_interrupt_first(void)
{
  for (int round = 0; round < 8; round++) {
    Viewer v = {0};
    g_autoptr(GError) error = NULL;

    CHECK_OK(dacsa_inflight_new(&v.inflight, &error), error);
    dacsa_inflight_begin(v.inflight, 0, 20000);
    dacsa_inflight_end(v.inflight, 0);
    viewer_start(&v, false);
    expect_eio(&v, 20000 - GAP, 20000 + GAP + 2);
    expect_answer(&v, GREETING, 0);
    interrupt(&v, 20000);
    request(&v, FUSE_STATFS, 30000);
    request(&v, FUSE_STATFS, 30002);
    expect_eio(&v, 20000 + GAP, 30000);
    for (int i = 0; i < 3; i++) { /* the interrupt of nothing is answered with a request */
      const struct fuse_out_header answer = receive(&v);

      g_assert_cmpint(answer.error, ==, answer.unique == (20000 | 1) ? -EAGAIN : 0);
    }
    viewer_end(&v);
    dacsa_inflight_free(v.inflight);
  }
}

/* Thousands of numbers were given up unread: the first that is read ends them all, unless it is an
 * interrupt, which has an old number. */
static void
test_wide_gap(void)
{
  Viewer v = {0};
  g_autoptr(GError) error = NULL;

  CHECK_OK(dacsa_inflight_new(&v.inflight, &error), error);
  dacsa_inflight_begin(v.inflight, 0, 100);
  dacsa_inflight_end(v.inflight, 0);
  viewer_start(&v, false);
  expect_eio(&v, GREETING + 2, 100 + GAP + 2);
  expect_answer(&v, GREETING, 0);
  interrupt(&v, 100);
  request(&v, FUSE_STATFS, 50000);
  expect_eio(&v, 100 + GAP, 50000);
  for (int i = 0; i < 2; i++) { /* the interrupt of nothing is answered with the next request */
    const struct fuse_out_header answer = receive(&v);

    g_assert_true((answer.unique == 50000 && answer.error == 0) ||
                  (answer.unique == (100 | 1) && answer.error == -EAGAIN));
  }
  request(&v, FUSE_STATFS, 90000);
  expect_answer(&v, 90000, 0); /* no gap after that */
  viewer_end(&v);
  dacsa_inflight_free(v.inflight);
}

/* Whatever stands in the page, it is an end, and no request is answered that is yet to come. */
static void
test_made_up(void)
{
  static const uint64_t odd[] = {UINT64_MAX, UINT64_MAX - 1, UINT64_MAX / 2 + 1, 3};

  for (size_t i = 0; i < G_N_ELEMENTS(odd); i++) {
    Viewer v = {0};
    g_autoptr(GError) error = NULL;
    struct fuse_out_header answer;

    CHECK_OK(dacsa_inflight_new(&v.inflight, &error), error);
    dacsa_inflight_begin(v.inflight, 3, odd[i]);
    viewer_start(&v, false);
    while ((answer = receive(&v)).error != 0) {
      g_assert_cmpint(answer.error, ==, -EIO);
      g_assert_cmpuint(answer.unique, !=, 0); /* that would be a notification */
      g_assert_cmpuint(answer.unique & 1, ==, 0);
    }
    g_assert_cmpuint(answer.unique, ==, GREETING);
    request(&v, FUSE_STATFS, 20000);
    while ((answer = receive(&v)).error != 0)
      g_assert_cmpuint(answer.unique, <, 20000);
    g_assert_cmpuint(answer.unique, ==, 20000);
    viewer_end(&v);
    dacsa_inflight_free(v.inflight);
  }
}

static void
test_greeting(void)
{
  g_autoptr(GBytes) sent = greeting();
  g_autoptr(GBytes) got = NULL;
  g_autoptr(GError) error = NULL;
  const struct fuse_in_header other = {.len = sizeof(other), .opcode = FUSE_STATFS, .unique = 2};
  int ends[2];

  g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), ==, 0);
  g_assert_cmpint(write(ends[0], g_bytes_get_data(sent, NULL), g_bytes_get_size(sent)), ==,
                  (gssize)g_bytes_get_size(sent));
  CHECK_OK(dacsa_loop_read_init(ends[1], &got, &error), error);
  g_assert_true(g_bytes_equal(sent, got));
  g_assert_cmpint(write(ends[0], &other, sizeof(other)), ==, sizeof(other));
  CHECK_FAILS(dacsa_loop_read_init(ends[1], &got, &error), error, DACSA_ERROR_OS);
  g_assert_cmpint(write(ends[0], &other, 7), ==, 7);
  CHECK_FAILS(dacsa_loop_read_init(ends[1], &got, &error), error, DACSA_ERROR_OS);
  close(ends[0]);
  close(ends[1]);
}

int
main(int argc, char **argv)
{
  signal(SIGPIPE, SIG_IGN);
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/loop/first", test_first);
  g_test_add_func("/loop/slow", test_slow);
  g_test_add_func("/loop/successor", test_successor);
  g_test_add_func("/loop/overtaken", test_overtaken);
  g_test_add_func("/loop/greeting-unanswered", test_greeting_unanswered);
  g_test_add_func("/loop/interrupt-first", test_interrupt_first);
  g_test_add_func("/loop/wide-gap", test_wide_gap);
  g_test_add_func("/loop/made-up", test_made_up);
  g_test_add_func("/loop/greeting", test_greeting);
  return g_test_run();
}
