/* Jobs in processes of their own: replies, errors, deaths, and deadlines. */
#include "check.h"

#include "snap/worker.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct {
  GMainLoop *loop;
  unsigned calls;
  char *payload;
  GError *error;
} Result;

static void
done(GVariant *payload, const GError *error, void *data)
{
  Result *r = data;

  r->calls++;
  g_assert_true((payload == NULL) != (error == NULL));
  if (payload)
    r->payload = g_variant_print(payload, TRUE);
  else
    r->error = g_error_copy(error);
  g_main_loop_quit(r->loop);
}

static void
result_clear(Result *r)
{
  g_free(r->payload);
  g_clear_error(&r->error);
  g_main_loop_unref(r->loop);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Result, result_clear)

/* Runs the loop until all workers are reaped. */
static void
finish(void)
{
  while (waitpid(-1, NULL, WNOHANG | WNOWAIT) >= 0)
    g_main_context_iteration(NULL, FALSE);
}

static void
run(DacsaWorkerJob job, void *data, gint64 deadline_us, Result *r)
{
  g_autoptr(GError) error = NULL;

  *r = (Result){.loop = g_main_loop_new(NULL, FALSE)};
  CHECK_OK(dacsa_worker_start(job, data, deadline_us, done, r, &error), error);
  g_main_loop_run(r->loop);
}

static void
job_replies(int reply_fd, void *data)
{
  dacsa_worker_reply(reply_fd, g_variant_new("(si)", (const char *)data, 42), NULL);
}

static void
test_reply(void)
{
  g_auto(Result) r;
  char text[] = "hello";

  run(job_replies, text, 10 * G_USEC_PER_SEC, &r);
  g_assert_cmpstr(r.payload, ==, "('hello', 42)");
  finish();
  g_assert_cmpuint(r.calls, ==, 1);
}

static void
job_replies_much(int reply_fd, void *data)
{
  g_autofree char *text = g_strnfill(5000000, 'x');

  (void)data;
  dacsa_worker_reply(reply_fd, g_variant_new_string(text), NULL);
}

static void
test_long_reply(void)
{
  g_auto(Result) r;

  run(job_replies_much, NULL, 10 * G_USEC_PER_SEC, &r);
  g_assert_cmpuint(strlen(r.payload), ==, 5000002);
  finish();
}

static void
job_fails(int reply_fd, void *data)
{
  g_autoptr(GError) error = NULL;

  (void)data;
  dacsa_fail(&error, DACSA_ERROR_UNSUPPORTED, "it cannot be done");
  dacsa_worker_reply(reply_fd, NULL, error);
}

static void
test_error(void)
{
  g_auto(Result) r;

  run(job_fails, NULL, 10 * G_USEC_PER_SEC, &r);
  g_assert_error(r.error, DACSA_ERROR, DACSA_ERROR_UNSUPPORTED);
  g_assert_cmpstr(r.error->message, ==, "it cannot be done");
  finish();
  g_assert_cmpuint(r.calls, ==, 1);
}

static void
job_dies(int reply_fd, void *data)
{
  (void)reply_fd;
  (void)data;
  raise(SIGKILL);
}

static void
job_dies_while_replying(int reply_fd, void *data)
{
  (void)data;
  if (write(reply_fd, "\1\2\3\4\5\6\7", 7) == 7)
    raise(SIGKILL);
}

static void
job_forgets(int reply_fd, void *data)
{
  (void)reply_fd;
  (void)data;
}

static void
test_no_reply(void)
{
  static const DacsaWorkerJob jobs[] = {job_dies, job_dies_while_replying, job_forgets};

  for (size_t i = 0; i < G_N_ELEMENTS(jobs); i++) {
    g_auto(Result) r;

    g_test_message("job %zu", i);
    run(jobs[i], NULL, 10 * G_USEC_PER_SEC, &r);
    g_assert_error(r.error, DACSA_ERROR, DACSA_ERROR_OS);
    finish();
    g_assert_cmpuint(r.calls, ==, 1);
  }
}

typedef struct {
  Result result;
  unsigned ended;
  bool replied;
  pid_t worker;
} Watched;

static void
ended(pid_t worker, bool replied, void *data)
{
  Watched *w = (Watched *)data;

  w->ended++;
  w->replied = replied;
  w->worker = worker;
  g_main_loop_quit(w->result.loop);
}

/* Who watches hears of the end last; of a death without a reply nothing else. */
static void
test_watched(void)
{
  static const struct {
    DacsaWorkerJob job;
    bool replies;
  } cases[] = {
      {job_replies, true}, {job_fails, true}, {job_dies, false}, {job_dies_while_replying, false}};
  char text[] = "hello";

  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
    Watched w = {.result = {.loop = g_main_loop_new(NULL, FALSE)}};
    g_autoptr(GError) error = NULL;

    g_test_message("case %zu", i);
    CHECK_OK(dacsa_worker_start_watched(cases[i].job, text, 10 * G_USEC_PER_SEC, done, ended, &w,
                                        &error),
             error);
    while (!w.ended)
      g_main_loop_run(w.result.loop);
    g_assert_cmpuint(w.ended, ==, 1);
    g_assert_cmpuint(w.result.calls, ==, w.replied ? 1 : 0);
    g_assert_cmpint(w.worker, >, 0);
    g_assert_cmpint(waitpid(w.worker, NULL, WNOHANG), ==, -1); /* reaped */
    g_assert_true(w.replied == cases[i].replies);
    result_clear(&w.result);
  }
}

/* Replies only when it is let: by a byte on standard input, all else being closed in a worker. */
static void
job_is_late(int reply_fd, void *data)
{
  char c;

  (void)data;
  if (read(0, &c, 1) == 1)
    dacsa_worker_reply(reply_fd, g_variant_new_int32(1), NULL);
}

static void
test_deadline(void)
{
  g_auto(Result) r;
  int gate[2];
  int stdin_fd = dup(0);

  g_assert_cmpint(pipe(gate), ==, 0);
  g_assert_cmpint(dup2(gate[0], 0), ==, 0);
  run(job_is_late, NULL, 30000, &r);
  g_assert_error(r.error, DACSA_ERROR, DACSA_ERROR_BUSY);
  g_assert_cmpint((int)write(gate[1], "g", 1), ==, 1); /* it goes on all the same */
  finish();
  g_assert_cmpuint(r.calls, ==, 1);
  g_assert_null(r.payload);
  dup2(stdin_fd, 0);
  close(stdin_fd);
  close(gate[0]);
  close(gate[1]);
}

/* Whether the descriptor is open, and on something other than /dev/null. */
static bool
is_open(int fd)
{
  g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
  g_autofree char *target = g_file_read_link(path, NULL);

  return target && strcmp(target, "/dev/null") != 0;
}

/* A worker blocks all signals, leads a session of its own, and has nothing open but its reply. */
static void
job_looks_around(int reply_fd, void *data)
{
  const char *marker = data;
  sigset_t mask;
  int open_fds = 0;

  sigprocmask(SIG_SETMASK, NULL, &mask);
  for (int fd = 3; fd < 256; fd++)
    open_fds += fd != reply_fd && is_open(fd);
  dacsa_worker_reply(reply_fd,
                     g_variant_new("(sbbi)", marker, sigismember(&mask, SIGTERM) == 1,
                                   getsid(0) == getpid(), open_fds),
                     NULL);
}

static void
test_surroundings(void)
{
  g_auto(Result) r;
  char marker[] = "m";
  int fds[2];

  g_assert_cmpint(pipe(fds), ==, 0);
  run(job_looks_around, marker, 10 * G_USEC_PER_SEC, &r);
  g_assert_cmpstr(r.payload, ==, "('m', true, true, 0)");
  finish();
  close(fds[0]);
  close(fds[1]);
}

/* The first to go, and gone with its starter: unlike others. */
static void
job_tells_its_score(int reply_fd, void *data)
{
  g_autofree char *score = NULL;

  (void)data;
  g_file_get_contents("/proc/self/oom_score_adj", &score, NULL, NULL);
  dacsa_worker_reply(reply_fd, g_variant_new_string(g_strchomp(score)), NULL);
}

static void
test_expendable(void)
{
  g_autoptr(GError) error = NULL;
  g_auto(Result) r = {.loop = g_main_loop_new(NULL, FALSE)};
  DacsaWorker *worker;

  CHECK_OK(
      dacsa_worker_start_expendable(job_tells_its_score, NULL, done, NULL, &r, &worker, &error),
      error);
  g_main_loop_run(r.loop);
  g_assert_cmpstr(r.payload, ==, "'1000'");
  finish();
  g_assert_cmpuint(r.calls, ==, 1);
}

static void
job_waits(int reply_fd, void *data)
{
  (void)reply_fd;
  (void)data;
  for (;;)
    pause();
}

static void
test_end(void)
{
  g_autoptr(GError) error = NULL;
  g_auto(Result) r = {.loop = g_main_loop_new(NULL, FALSE)};
  DacsaWorker *worker;

  CHECK_OK(dacsa_worker_start_expendable(job_waits, NULL, done, NULL, &r, &worker, &error), error);
  g_assert_false(dacsa_worker_await(getpid(), 0));
  const pid_t pid = dacsa_worker_end(worker);
  g_assert_true(dacsa_worker_await(pid, 10000));
  finish();
  g_assert_cmpuint(r.calls, ==, 0);
  g_assert_true(dacsa_worker_await(pid, 0)); /* it is reaped */
}

/* Both hold the pipe's other end: it is at its end when both are gone. */
static void
test_ends_with_its_starter(void)
{
  int fds[2];
  char byte;

  g_assert_cmpint(pipe(fds), ==, 0);
  pid_t starter = fork();
  if (starter == 0) {
    DacsaWorker *worker;

    dup2(fds[1], STDIN_FILENO);
    close(fds[0]);
    close(fds[1]);
    _exit(dacsa_worker_start_expendable(job_waits, NULL, done, NULL, NULL, &worker, NULL) ? 0 : 1);
  }
  int status;

  close(fds[1]);
  g_assert_cmpint(waitpid(starter, &status, 0), ==, starter);
  g_assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  g_assert_cmpint(read(fds[0], &byte, 1), ==, 0);
  close(fds[0]);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/worker/reply", test_reply);
  g_test_add_func("/worker/long-reply", test_long_reply);
  g_test_add_func("/worker/error", test_error);
  g_test_add_func("/worker/no-reply", test_no_reply);
  g_test_add_func("/worker/deadline", test_deadline);
  g_test_add_func("/worker/surroundings", test_surroundings);
  g_test_add_func("/worker/watched", test_watched);
  g_test_add_func("/worker/expendable", test_expendable);
  g_test_add_func("/worker/end", test_end);
  g_test_add_func("/worker/ends-with-its-starter", test_ends_with_its_starter);
  return g_test_run();
}
