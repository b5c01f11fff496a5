/* The loop over requests; linux/fuse.h has their form, fs/fuse/dev.c of the kernel their ways. */
#define FUSE_USE_VERSION 314

#include "fs/loop.h"

#include "snap/error.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_BUFFER (256u << 10) /* more than the kernel wants there to be for a greeting */
#define STEP 2u                  /* between request numbers */
#define GAP 8192u                /* numbers around the highest that was noted, answered at once */
#define MAX_GAP (2u << 20)       /* and at most, once it is known which is the next */

typedef struct {
  struct fuse_session *session;
  const DacsaLoopOptions *options;
  uint64_t answered; /* up to this number no request of an earlier viewer's is left */
  bool took_over;    /* nor any other; there is one thread until then, and then it stays */
  GMutex lock;       /* of what follows */
  GCond over_cond;
  unsigned n_threads, n_idle;
  GThread *threads[DACSA_INFLIGHT_THREADS];
  bool is_over;
  int error; /* errno; 0: it was unmounted */
} Loop;

typedef struct {
  Loop *loop;
  unsigned number;
} Thread;

static Loop *
loop_new(struct fuse_session *session, const DacsaLoopOptions *options)
{
  Loop *loop = g_new0(Loop, 1);

  loop->session = session;
  loop->options = options;
  loop->took_over = options->is_first;
  g_mutex_init(&loop->lock);
  g_cond_init(&loop->over_cond);
  return loop;
}

static void
loop_free(Loop *loop)
{
  g_mutex_clear(&loop->lock);
  g_cond_clear(&loop->over_cond);
  g_free(loop);
}

bool
dacsa_loop_read_init(int fd, GBytes **ret, GError **error)
{
  g_autofree char *buf = g_malloc(READ_BUFFER);
  struct fuse_in_header header;
  ssize_t n;

  do
    n = read(fd, buf, READ_BUFFER);
  while (n < 0 && errno == EINTR);
  if (n < 0)
    return dacsa_fail_errno(error, errno, "cannot read from /dev/fuse");
  if ((size_t)n < sizeof(header))
    return dacsa_fail(error, DACSA_ERROR_OS, "the kernel's greeting is cut short");
  memcpy(&header, buf, sizeof(header));
  if (header.opcode != FUSE_INIT)
    return dacsa_fail(error, DACSA_ERROR_OS, "the kernel does not begin with a greeting");
  *ret = g_bytes_new(buf, (gsize)n);
  return true;
}

/* -- what an earlier viewer has left -- */

/* The kernel refuses a number that nobody waits for, and one whose request is still to be read. 0
 * would be a notification, an odd number the answer to an interrupt. */
static void
answer_eio(const Loop *loop, uint64_t unique)
{
  const struct fuse_out_header answer = {
      .len = sizeof(answer), .error = -EIO, .unique = unique & ~UINT64_C(1)};

  if (answer.unique != 0 && write(loop->options->fd, &answer, sizeof(answer)) < 0 &&
      errno != ENOENT && errno != ENODEV)
    g_warning("cannot answer a request of an earlier viewer: %s", g_strerror(errno));
}

/* The number of the kernel's greeting, which is still to be answered where no viewer got so far. */
static uint64_t
greeting_number(const Loop *loop)
{
  struct fuse_in_header header;

  memcpy(&header, g_bytes_get_data(loop->options->init, NULL), sizeof(header));
  return header.unique;
}

/* What it had noted, and what it may have read and not noted: every thread of it one request, some
 * numbers further, or not so far if another thread was quicker to note a later one. */
static void
answer_noted(Loop *loop)
{
  uint64_t unanswered[DACSA_INFLIGHT_THREADS];
  const size_t n = dacsa_inflight_unanswered(loop->options->inflight, unanswered);
  const uint64_t highest = dacsa_inflight_highest(loop->options->inflight);
  const uint64_t lowest = greeting_number(loop) + STEP;
  const uint64_t from = highest > GAP ? MAX(highest - GAP, lowest) : lowest;

  for (size_t i = 0; i < n; i++)
    answer_eio(loop, unanswered[i]);
  loop->answered = highest + GAP;
  for (uint64_t unique = from; unique != loop->answered + STEP; unique += STEP)
    answer_eio(loop, unique);
}

/* The first request that this viewer reads has a number above those of all that were read before
 * and want an answer. There is a gap left where very many requests were given up by their callers
 * before anybody read them. */
static void
answer_gap(Loop *loop, uint64_t first)
{
  uint64_t from = loop->answered;

  /* No such number was ever noted by a viewer in its senses. */
  const bool is_made_up = from > first + GAP;
  if (is_made_up || (from < first && first - from > MAX_GAP))
    from = first > MAX_GAP ? first - MAX_GAP : 0;
  for (; from < first; from += STEP)
    answer_eio(loop, from);
  loop->took_over = true;
}

/* -- serving -- */

static void *serve_requests(void *data);

/* With the lock held. A thread that cannot be had is no harm: there are others. */
static void
add_thread(Loop *loop)
{
  Thread *thread = g_new(Thread, 1);

  *thread = (Thread){loop, loop->n_threads};
  GThread *started = g_thread_try_new("request", serve_requests, thread, NULL);
  if (!started) {
    g_free(thread);
    return;
  }
  loop->threads[loop->n_threads++] = started;
  loop->n_idle++;
}

/* Whoever takes the last free thread starts another: one always waits for the next request. */
static void
set_busy(Loop *loop, bool busy)
{
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&loop->lock);

  loop->n_idle += busy ? -1u : 1u;
  if (loop->n_idle == 0 && loop->n_threads < DACSA_INFLIGHT_THREADS)
    add_thread(loop);
}

static void
end_loop(Loop *loop, int error)
{
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&loop->lock);

  fuse_session_exit(loop->session);
  loop->is_over = true;
  if (loop->error == 0)
    loop->error = error;
  g_cond_signal(&loop->over_cond);
}

/* Nothing waits for forgets, and they come in crowds. An interrupt has the number of an earlier
 * request, which tells nothing of what was read before it: as long as that is not known, no thread
 * may be started that reads requests beside this one. */
static bool
is_aside(const Loop *loop, uint32_t opcode)
{
  return opcode == FUSE_FORGET || opcode == FUSE_BATCH_FORGET ||
         (opcode == FUSE_INTERRUPT && !loop->took_over);
}

/* A request is noted before anything of it is looked at, but for its number. */
static void
serve_request(const Thread *thread, const struct fuse_buf *buf)
{
  Loop *loop = thread->loop;
  DacsaInflight *inflight = loop->options->inflight;
  struct fuse_in_header header;

  memcpy(&header, buf->mem, sizeof(header));
  dacsa_inflight_begin(inflight, thread->number, header.unique);
  if (!loop->took_over && header.opcode != FUSE_INTERRUPT)
    answer_gap(loop, header.unique);
  const bool aside = is_aside(loop, header.opcode);
  if (!aside)
    set_busy(loop, true);
  fuse_session_process_buf(loop->session, buf);
  dacsa_inflight_end(inflight, thread->number);
  if (!aside)
    set_busy(loop, false);
}

static void *
serve_requests(void *data)
{
  g_autofree Thread *thread = data;
  Loop *loop = thread->loop;
  struct fuse_buf buf = {0};
  int n = 1;

  dacsa_inflight_attach(loop->options->inflight, thread->number);
  while (!fuse_session_exited(loop->session) && (n > 0 || n == -EINTR || n == -EAGAIN)) {
    n = fuse_session_receive_buf(loop->session, &buf);
    if (n >= (int)sizeof(struct fuse_in_header))
      serve_request(thread, &buf);
  }
  free(buf.mem); /* libfuse's */
  end_loop(loop, n < 0 && n != -EINTR && n != -EAGAIN ? -n : 0);
  return NULL;
}

/* libfuse answers it as any request; where it was answered by an earlier viewer the kernel refuses
 * that, which libfuse takes as it takes every request that was given up. */
static void
greet(const Loop *loop)
{
  gsize size;
  const void *init = g_bytes_get_data(loop->options->init, &size);
  g_autofree void *copy = g_memdup2(init, size);
  const struct fuse_buf buf = {.mem = copy, .size = size};

  fuse_session_process_buf(loop->session, &buf);
}

bool
dacsa_loop_run(struct fuse_session *session, const DacsaLoopOptions *options, GError **error)
{
  Loop *loop = loop_new(session, options);

  if (!options->is_first)
    answer_noted(loop);
  greet(loop);
  options->ready(options->data);
  g_mutex_lock(&loop->lock);
  add_thread(loop);
  if (loop->n_threads == 0) {
    loop->is_over = true;
    loop->error = EAGAIN;
  }
  while (!loop->is_over)
    g_cond_wait(&loop->over_cond, &loop->lock);
  g_mutex_unlock(&loop->lock);
  /* The other threads wait for requests, and may go on to: what they use stays. */
  if (loop->error != 0)
    return dacsa_fail_errno(error, loop->error, "cannot read from /dev/fuse");
  for (unsigned i = 0; i < loop->n_threads; i++)
    g_thread_join(loop->threads[i]);
  loop_free(loop);
  return true;
}
