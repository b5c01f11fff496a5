/* One pass over QEMU's memory: look at ranges, collapse those in a row that are split, rest. */
#include "snap/collapse.h"

#include "snap/cgroup.h"
#include "snap/error.h"
#include "snap/hostfile.h"
#include "snap/inject.h"
#include "snap/procmaps.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define CPU_SHARE 10               /* one part of so many of a processor's time */
#define REST_AFTER_US 1000         /* of that */
#define LOOK_US (100 * 1000)       /* at the host's memory, so often */
#define MAX_RUN 16u                /* ranges a call, so many times half a millisecond */
#define MAX_REFUSED 3              /* calls in a row for which the kernel has too few */
#define PSI_MAX 1.0                /* % of the last 10 s in which somebody waited for memory */
#define RESERVE_SHARE 16           /* of the host's memory, one part of so many */
#define CGROUP_RESERVE (64u << 20) /* below the tightest limit of QEMU's */
#define COLLAPSED_TYPE "(atttts)"

#define PRESENT (UINT64_C(1) << 63)
#define SWAPPED (UINT64_C(1) << 62)
#define EXCLUSIVE (UINT64_C(1) << 56)
#define FRAME ((UINT64_C(1) << 55) - 1)

/* -- what is to be done -- */

static bool
is_huge(const uint64_t *words)
{
  const uint64_t first = words[0] & FRAME;

  if (first == 0 || first % DACSA_HUGE_PAGE_WORDS != 0)
    return false;
  for (unsigned i = 0; i < DACSA_HUGE_PAGE_WORDS; i++)
    if (!(words[i] & PRESENT) || (words[i] & FRAME) != first + i)
      return false;
  return true;
}

DacsaRangeKind
dacsa_collapse_judge(const uint64_t words[DACSA_HUGE_PAGE_WORDS])
{
  unsigned present = 0, own = 0;

  if (is_huge(words))
    return DACSA_RANGE_HUGE;
  for (unsigned i = 0; i < DACSA_HUGE_PAGE_WORDS; i++) {
    if (words[i] & SWAPPED)
      return DACSA_RANGE_SWAPPED;
    if (words[i] & PRESENT) {
      present++;
      own += (words[i] & EXCLUSIVE) != 0;
    }
  }
  if (present + DACSA_COLLAPSE_MAX_ABSENT < DACSA_HUGE_PAGE_WORDS)
    return DACSA_RANGE_ABSENT;
  return own + DACSA_COLLAPSE_MAX_SHARED < present ? DACSA_RANGE_SHARED : DACSA_RANGE_SPLIT;
}

/* -- whether there is memory for it -- */

static bool
has_pressure(const char *root)
{
  g_autofree char *psi = dacsa_hostfile_read(root, "/proc/pressure/memory");
  const char *average = psi ? strstr(psi, "avg10=") : NULL;

  return average && g_ascii_strtod(average + strlen("avg10="), NULL) > PSI_MAX;
}

const char *
dacsa_collapse_shortage(const char *root, pid_t pid)
{
  g_autofree char *meminfo = dacsa_hostfile_read(root, "/proc/meminfo");
  g_autoptr(DacsaCgroupLimit) limit = dacsa_cgroup_tightest(root, pid, DACSA_CGROUP_MEMORY);
  uint64_t total, available;

  if (has_pressure(root))
    return "processes of the host wait for memory";
  if (dacsa_hostfile_number(meminfo, "MemTotal", &total) &&
      dacsa_hostfile_number(meminfo, "MemAvailable", &available) &&
      available < total / RESERVE_SHARE)
    return "the host has little memory left";
  if (limit && dacsa_cgroup_room(limit) < CGROUP_RESERVE)
    return "QEMU's control group has little memory left";
  return NULL;
}

/* -- a pass -- */

typedef struct {
  pid_t pid;
  int pidfd, pagemap;
  DacsaCollapsed *result;
  int64_t looked_at; /* the host's memory */
  int64_t rested_at; /* in processor time */
  unsigned refused;  /* in a row */
  uint64_t run;      /* the first of the split ranges that are collapsed next */
  unsigned n_run;    /* how many they are */
} Pass;

static void
pass_clear(Pass *pass)
{
  if (pass->pidfd >= 0)
    close(pass->pidfd);
  if (pass->pagemap >= 0)
    close(pass->pagemap);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Pass, pass_clear)

static bool
gone(const Pass *pass, GError **error)
{
  return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "QEMU (%d) has ended", (int)pass->pid);
}

/* With no range at all the call says only whether it is known and permitted. */
static bool
check_call(const Pass *pass, GError **error)
{
  struct iovec none = {0};

  if (syscall(SYS_process_madvise, pass->pidfd, &none, 0, MADV_COLLAPSE, 0) == 0)
    return true;
  if (errno == ESRCH)
    return gone(pass, error);
  return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "%s",
                    errno == EPERM ? "it takes CAP_SYS_NICE"
                                   : "it takes Linux 6.1 with transparent huge pages");
}

/* The pidfd is opened first: what is opened after it, and is of the process that was probed, is of
 * that one for good. */
static bool
pass_open(const DacsaProbe *probe, Pass *pass, GError **error)
{
  g_autofree char *path = g_strdup_printf("/proc/%d/pagemap", (int)probe->pid);
  uint64_t start_time;

  pass->pid = probe->pid;
  pass->pidfd = (int)syscall(SYS_pidfd_open, probe->pid, 0);
  if (pass->pidfd >= 0)
    pass->pagemap = open(path, O_RDONLY | O_CLOEXEC);
  if (pass->pidfd < 0 || pass->pagemap < 0)
    return dacsa_fail_errno(error, errno, "%s", path);
  if (!dacsa_procmaps_start_time(probe->pid, &start_time, error))
    return false;
  return start_time == probe->start_time ? check_call(pass, error) : gone(pass, error);
}

/* Whether there is a reason to stop; it is kept in the result. */
static bool
must_stop(Pass *pass)
{
  const int64_t now = g_get_monotonic_time();
  const char *why = NULL;

  if (pass->refused >= MAX_REFUSED)
    why = "the kernel has no huge pages left";
  else if (now - pass->looked_at >= LOOK_US) {
    pass->looked_at = now;
    why = dacsa_collapse_shortage("", pass->pid);
  }
  pass->result->stopped = g_strdup(why);
  return why != NULL;
}

static bool
judge_at(const Pass *pass, uint64_t hva, DacsaRangeKind *ret)
{
  uint64_t words[DACSA_HUGE_PAGE_WORDS];
  const off_t at = (off_t)(hva / (DACSA_HUGE_PAGE / DACSA_HUGE_PAGE_WORDS) * sizeof(*words));

  if (pread(pass->pagemap, words, sizeof(words), at) != (ssize_t)sizeof(words))
    return false;
  *ret = dacsa_collapse_judge(words);
  return true;
}

/* A call that failed for one range may have collapsed the others. */
static void
collapse_run(Pass *pass)
{
  struct iovec run = {(void *)(uintptr_t)pass->run, pass->n_run * DACSA_HUGE_PAGE};
  const bool ok =
      syscall(SYS_process_madvise, pass->pidfd, &run, 1, MADV_COLLAPSE, 0) == (ssize_t)run.iov_len;
  const bool none_left = !ok && (errno == ENOMEM || errno == EBUSY);

  /* Else it is a range's: a page of it is pinned, or it was unmapped meanwhile. */
  pass->refused = ok ? 0 : pass->refused + none_left;
  for (unsigned i = 0; i < pass->n_run; i++) {
    DacsaRangeKind kind = DACSA_RANGE_SPLIT;
    const bool is_huge_now =
        ok || (judge_at(pass, pass->run + i * DACSA_HUGE_PAGE, &kind) && kind == DACSA_RANGE_HUGE);

    pass->result->collapsed += is_huge_now;
    pass->result->refused += !is_huge_now;
  }
}

static int64_t
processor_us(void)
{
  struct timespec t;

  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return t.tv_sec * G_USEC_PER_SEC + t.tv_nsec / 1000;
}

/* Rests for as long as keeps to the share. What a call waits for does not count: before it takes
 * the lock it waits for other processors' lists of pages, which on a busy host takes its time. */
static void
rest(Pass *pass)
{
  const int64_t busy_us = processor_us() - pass->rested_at;

  if (busy_us < REST_AFTER_US)
    return;
  g_usleep((gulong)busy_us * (CPU_SHARE - 1));
  pass->rested_at += busy_us;
}

/* Collapses what has been put together for that, and rests. */
static void
flush(Pass *pass)
{
  if (pass->n_run > 0 && !must_stop(pass))
    collapse_run(pass);
  pass->n_run = 0;
  rest(pass);
}

static bool
visit(Pass *pass, uint64_t hva, GError **error)
{
  DacsaRangeKind kind;

  if (!judge_at(pass, hva, &kind))
    return gone(pass, error);
  pass->result->seen[kind]++;
  const bool goes_on = kind == DACSA_RANGE_SPLIT && pass->n_run < MAX_RUN &&
                       hva == pass->run + pass->n_run * DACSA_HUGE_PAGE;
  if (!goes_on)
    flush(pass);
  if (kind != DACSA_RANGE_SPLIT)
    return true;
  if (pass->n_run == 0)
    pass->run = hva;
  pass->n_run++;
  return true;
}

/* The aligned ranges within the mappings. Owned: uint64_t. */
static GArray *
ranges_of(const GArray *vmas)
{
  GArray *ranges = g_array_new(FALSE, FALSE, sizeof(uint64_t));

  for (guint i = 0; i < vmas->len; i++) {
    const DacsaForkVma *vma = &g_array_index(vmas, DacsaForkVma, i);
    const uint64_t end = vma->start + vma->len;
    uint64_t hva = (vma->start + DACSA_HUGE_PAGE - 1) & ~(DACSA_HUGE_PAGE - 1);

    for (; hva + DACSA_HUGE_PAGE <= end; hva += DACSA_HUGE_PAGE)
      g_array_append_val(ranges, hva);
  }
  return ranges;
}

/* It begins anywhere: a pass may be ended by the next snapshot, time and again. */
bool
dacsa_collapse_run(const DacsaProbe *probe, DacsaCollapsed *ret, GError **error)
{
  g_auto(Pass) pass = {.pidfd = -1, .pagemap = -1, .result = ret};
  g_autoptr(GArray) ranges = ranges_of(probe->huge_vmas);
  const guint first = ranges->len > 0 ? (guint)g_random_int_range(0, (gint32)ranges->len) : 0;
  const int64_t begin = processor_us();

  pass.rested_at = begin;
  *ret = (DacsaCollapsed){0};
  if (!pass_open(probe, &pass, error))
    return false;
  for (guint i = 0; i < ranges->len && !ret->stopped; i++)
    if (!visit(&pass, g_array_index(ranges, uint64_t, (first + i) % ranges->len), error))
      return false;
  if (!ret->stopped)
    flush(&pass);
  ret->busy_us = (uint64_t)(processor_us() - begin);
  return true;
}

/* -- its result -- */

void
dacsa_collapsed_clear(DacsaCollapsed *collapsed)
{
  g_clear_pointer(&collapsed->stopped, g_free);
}

GVariant *
dacsa_collapsed_to_variant(const DacsaCollapsed *collapsed)
{
  GVariantBuilder seen;

  g_variant_builder_init(&seen, G_VARIANT_TYPE("at"));
  for (size_t i = 0; i < DACSA_N_RANGES; i++)
    g_variant_builder_add(&seen, "t", collapsed->seen[i]);
  return g_variant_new(COLLAPSED_TYPE, &seen, collapsed->collapsed, collapsed->refused,
                       collapsed->busy_us, collapsed->stopped ? collapsed->stopped : "");
}

bool
dacsa_collapsed_from_variant(GVariant *variant, DacsaCollapsed *ret, GError **error)
{
  g_autoptr(GVariantIter) seen = NULL;

  *ret = (DacsaCollapsed){0};
  if (!g_variant_is_of_type(variant, G_VARIANT_TYPE(COLLAPSED_TYPE)))
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "a worker's result has a foreign shape");
  g_variant_get(variant, COLLAPSED_TYPE, &seen, &ret->collapsed, &ret->refused, &ret->busy_us,
                &ret->stopped);
  for (size_t i = 0; i < DACSA_N_RANGES; i++)
    if (!g_variant_iter_next(seen, "t", &ret->seen[i]))
      break;
  if (ret->stopped[0] == '\0')
    g_clear_pointer(&ret->stopped, g_free);
  return true;
}
