/* A process that holds a copy of a VM's memory. */
#include "snap/holder.h"

#include "snap/channel.h"
#include "snap/copier.h"
#include "snap/error.h"
#include "snap/hostfile.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHANNEL_FD 3
#define MAX_THREADS 4
#define POPULATE_NICE 10 /* the VM runs meanwhile */
#define HUGE (UINT64_C(2) << 20)
#define MAX_LAYOUT_TEXT (1u << 20)

/* -- starting -- */

/* In the child of a fork: nothing but system calls. */
static void
become_holder(int channel, char *const argv[])
{
  char *const environment[] = {NULL};
  const pid_t pid = fork();

  if (pid != 0)
    _exit(pid < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
  setsid();
  int adj = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (adj < 0 || write(adj, "1000", 4) != 4)
    _exit(EXIT_FAILURE);
  if (channel == CHANNEL_FD)
    fcntl(channel, F_SETFD, 0);
  else
    dup2(channel, CHANNEL_FD);
  close_range(CHANNEL_FD + 1, ~0u, 0);
  execve("/proc/self/exe", argv, environment);
  _exit(EXIT_FAILURE);
}

bool
dacsa_holder_start(const char *label, int *ret_channel, GError **error)
{
  char *const argv[] = {(char *)DACSA_HOLDER_NAME, (char *)label, NULL};
  int pair[2];
  int status;

  if (!dacsa_channel_pair(pair, error))
    return false;
  const pid_t pid = fork();
  const int errsv = errno;
  if (pid == 0)
    become_holder(pair[1], argv);
  close(pair[1]);
  if (pid > 0 && waitpid(pid, &status, 0) == pid && status == 0) {
    *ret_channel = pair[0];
    return true;
  }
  close(pair[0]);
  return dacsa_fail_errno(error, pid < 0 ? errsv : EAGAIN,
                          "cannot start a process for the copy of the VM's memory");
}

/* -- layout -- */

/* Distances from the base, a range each: equal to its offset modulo a huge page. Owned. */
static uint64_t *
place(const DacsaLayout *layout, uint64_t base, uint64_t *ret_size)
{
  uint64_t *places = g_new0(uint64_t, layout->ranges->len + 1);
  uint64_t at = base;

  for (guint i = 0; i < layout->ranges->len; i++) {
    const DacsaRange *range = &g_array_index(layout->ranges, DacsaRange, i);

    at += (range->offset - at) % HUGE;
    places[i] = at;
    at += range->size;
  }
  *ret_size = at - base;
  return places;
}

DacsaLayout *
dacsa_holder_layout(const DacsaLayout *layout, uint64_t base)
{
  uint64_t size;
  g_autofree uint64_t *places = place(layout, base, &size);
  DacsaLayout *copy = dacsa_layout_copy(layout);

  for (guint i = 0; i < copy->ranges->len; i++)
    g_array_index(copy->ranges, DacsaRange, i).offset = places[i];
  return copy;
}

/* -- the work -- */

typedef struct {
  DacsaLayout *layout;
  DacsaCopier *copier;
  uint64_t base;
} Holder;

typedef bool (*PieceFunc)(DacsaCopier *copier, size_t piece, GError **error);

/* What the threads of one task share. */
typedef struct {
  DacsaCopier *copier;
  PieceFunc func;
  int nice;     /* of the threads; 0: as they are */
  gint next;    /* piece */
  gint threads; /* that are not done */
  int done;     /* an eventfd: none is left */
  GMutex lock;  /* of error */
  GError *error;
} Task;

static void *
task_thread(void *data)
{
  Task *task = data;
  const gint count = (gint)dacsa_copier_count(task->copier);
  const uint64_t one = 1;
  gint piece;

  if (task->nice)
    setpriority(PRIO_PROCESS, 0, task->nice); /* of this thread alone */
  while ((piece = g_atomic_int_add(&task->next, 1)) < count) {
    g_autoptr(GError) error = NULL;

    if (task->func(task->copier, (size_t)piece, &error))
      continue;
    g_mutex_lock(&task->lock);
    if (!task->error)
      task->error = g_steal_pointer(&error);
    g_mutex_unlock(&task->lock);
    g_atomic_int_set(&task->next, count);
  }
  if (g_atomic_int_dec_and_test(&task->threads) && write(task->done, &one, sizeof(one)) < 0)
    abort();
  return NULL;
}

/* Nobody writes to the channel now: if it stirs, who began this process has ended. */
static void
await_task(const Task *task)
{
  struct pollfd polls[] = {{.fd = task->done, .events = POLLIN},
                           {.fd = CHANNEL_FD, .events = POLLIN}};

  while (polls[0].revents == 0) {
    if (poll(polls, G_N_ELEMENTS(polls), -1) < 0 && errno != EINTR)
      _exit(EXIT_FAILURE);
    if (polls[1].revents != 0)
      _exit(EXIT_SUCCESS);
  }
}

static bool
run_task(const Holder *self, PieceFunc func, int nice, GError **error)
{
  Task task = {.copier = self->copier, .func = func, .nice = nice, .done = eventfd(0, EFD_CLOEXEC)};
  const gint n = (gint)MIN(g_get_num_processors(), MAX_THREADS);
  GThread *threads[MAX_THREADS];

  if (task.done < 0)
    return dacsa_fail_errno(error, errno, "cannot make an event descriptor");
  g_mutex_init(&task.lock);
  task.threads = n;
  for (gint i = 0; i < n; i++)
    threads[i] = g_thread_new("copier", task_thread, &task);
  await_task(&task);
  for (gint i = 0; i < n; i++)
    g_thread_join(threads[i]);
  close(task.done);
  g_mutex_clear(&task.lock);
  if (task.error)
    g_propagate_error(error, task.error);
  return task.error == NULL;
}

/* Small pages, unless the copier says otherwise: a huge one would make a hole's zeros resident. */
static bool
map_memory(Holder *self, GError **error)
{
  uint64_t size;
  g_autofree uint64_t *places = place(self->layout, 0, &size);
  char *memory = mmap(NULL, size + HUGE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

  if (memory == MAP_FAILED)
    return dacsa_fail_errno(error, errno, "cannot map %" G_GUINT64_FORMAT " bytes for the copy",
                            size);
  madvise(memory, size + HUGE, MADV_NOHUGEPAGE);
  self->base = ((uint64_t)(uintptr_t)memory + HUGE - 1) / HUGE * HUGE;
  return true;
}

static bool
receive_layout(DacsaMessage *message, DacsaLayout **ret, GError **error)
{
  g_autofree char *text = g_malloc0(MAX_LAYOUT_TEXT + 1);
  const int fd = dacsa_message_steal_fd(message, 0);
  const ssize_t n = pread(fd, text, MAX_LAYOUT_TEXT, 0);

  close(fd);
  return n >= 0 ? dacsa_layout_from_text(text, ret, error)
                : dacsa_fail(error, DACSA_ERROR_BAD_DATA, "no layout was given");
}

static bool
prepare(Holder *self, DacsaMessage *message, GError **error)
{
  const pid_t pid = (pid_t)g_ascii_strtoll(dacsa_message_get(message, "pid"), NULL, 10);
  uint64_t size;

  if (!receive_layout(message, &self->layout, error) || !map_memory(self, error))
    return false;
  g_autofree uint64_t *places = place(self->layout, self->base, &size);
  return dacsa_copier_new(pid, self->layout, places, &self->copier, error) &&
         run_task(self, dacsa_copier_populate, POPULATE_NICE, error);
}

/* -- the channel -- */

static bool
send_prepared(const Holder *self, GError **error)
{
  g_autoptr(DacsaMessage) message = dacsa_message_new("prepared", 0);
  g_autofree char *pid = g_strdup_printf("%d", (int)getpid());
  g_autofree char *base = g_strdup_printf("%" G_GUINT64_FORMAT, self->base);

  dacsa_message_set(message, "pid", pid);
  dacsa_message_set(message, "base", base);
  return dacsa_channel_send(CHANNEL_FD, message, error);
}

static bool
send_copied(GError **error)
{
  g_autoptr(DacsaMessage) message = dacsa_message_new("copied", 0);

  return dacsa_channel_send(CHANNEL_FD, message, error);
}

/* A VM stands still now. The worker's nice value, which this process has too, counts within its
 * session alone where the kernel groups processes by session (sched(7), autogroup). */
static void
hurry(void)
{
  g_autoptr(GError) error = NULL;

  if (!dacsa_hostfile_write(getpid(), "autogroup", "-20", &error))
    g_debug("%s", error->message); /* then it takes its turn */
}

static void
send_failed(const GError *failure)
{
  g_autoptr(DacsaMessage) message = dacsa_message_new("failed", 0);
  g_autofree char *code = g_strdup_printf("%d", failure->code);

  dacsa_message_set(message, "code", code);
  dacsa_message_set(message, "message", failure->message);
  if (!dacsa_channel_send(CHANNEL_FD, message, NULL)) {
    /* Then nobody is there to be told. */
  }
}

/* Nothing is left that could hold a file, a socket, or another process's memory. */
static G_NORETURN void
park(Holder *self)
{
  g_clear_pointer(&self->copier, dacsa_copier_free);
  g_clear_pointer(&self->layout, dacsa_layout_free);
  close_range(0, ~0u, 0);
  for (;;)
    pause();
}

static bool
serve(Holder *self, DacsaMessage *message, GError **error)
{
  if (strcmp(message->verb, "prepare") == 0)
    return prepare(self, message, error) && send_prepared(self, error);
  if (strcmp(message->verb, "copy") == 0 && self->copier) {
    hurry();
    return run_task(self, dacsa_copier_copy, 0, error) && send_copied(error);
  }
  if (strcmp(message->verb, "keep") == 0)
    park(self);
  return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "%s: unknown", message->verb);
}

int
dacsa_holder_main(void)
{
  Holder self = {0};
  g_autoptr(GError) error = NULL;
  sigset_t all;
  bool ok = true;

  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
  prctl(PR_SET_NAME, DACSA_HOLDER_NAME);
  prctl(PR_SET_DUMPABLE, 0); /* no core file has a guest's memory in it */
  if (chdir("/") < 0)
    return EXIT_FAILURE;
  while (ok) {
    g_autoptr(DacsaMessage) message = NULL;

    ok = dacsa_channel_receive(CHANNEL_FD, &message, &error) && serve(&self, message, &error);
  }
  send_failed(error);
  return EXIT_FAILURE;
}
