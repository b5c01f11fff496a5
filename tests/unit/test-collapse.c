/* Which ranges are collapsed, when the host has memory for it, and a process whose huge pages are.
 */
#include "check.h"
#include "fake-host.h"

#include "snap/collapse.h"
#include "snap/hugepages.h"
#include "snap/inject.h"
#include "snap/procmaps.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define N DACSA_HUGE_PAGE_WORDS
#define PAGE 4096u
#define PRESENT (UINT64_C(1) << 63)
#define SWAPPED (UINT64_C(1) << 62)
#define EXCLUSIVE (UINT64_C(1) << 56)
#define SOFT_DIRTY (UINT64_C(1) << 55)

/* -- the decision -- */

/* frame 0: frames cannot be seen; else each is two after the one before. */
static void
fill(uint64_t *words, uint64_t bits, uint64_t frame, unsigned step)
{
  for (unsigned i = 0; i < N; i++)
    words[i] = bits | (frame ? frame + (uint64_t)i * step : 0);
}

static void
test_huge(void)
{
  uint64_t words[N];

  fill(words, PRESENT | EXCLUSIVE | SOFT_DIRTY, 512 * 7, 1);
  g_assert_cmpint(dacsa_collapse_judge(words), ==, DACSA_RANGE_HUGE);
  fill(words, PRESENT, 512 * 7, 1); /* a snapshot has it, too */
  g_assert_cmpint(dacsa_collapse_judge(words), ==, DACSA_RANGE_HUGE);
  words[300] = PRESENT | EXCLUSIVE | 99; /* one page of it was copied */
  g_assert_cmpint(dacsa_collapse_judge(words), ==, DACSA_RANGE_SHARED);
  fill(words, PRESENT | EXCLUSIVE, 512 * 7, 1);
  words[0] = PRESENT | EXCLUSIVE | 99;
  g_assert_cmpint(dacsa_collapse_judge(words), ==, DACSA_RANGE_SPLIT);
  fill(words, PRESENT | EXCLUSIVE, 512 * 7 + 1, 1); /* in a row, but not aligned */
  g_assert_cmpint(dacsa_collapse_judge(words), ==, DACSA_RANGE_SPLIT);
  fill(words, PRESENT | EXCLUSIVE, 0, 0);
  g_assert_cmpint(dacsa_collapse_judge(words), ==, DACSA_RANGE_SPLIT);
}

static void
test_absent(void)
{
  uint64_t words[N] = {0};

  g_assert_cmpint(dacsa_collapse_judge(words), ==, DACSA_RANGE_ABSENT);
  fill(words, PRESENT | EXCLUSIVE, 1000, 2);
  for (unsigned i = 0; i < DACSA_COLLAPSE_MAX_ABSENT; i++)
    words[i * 3] = 0;
  g_assert_cmpint(dacsa_collapse_judge(words), ==, DACSA_RANGE_SPLIT);
  words[N - 1] = 0;
  g_assert_cmpint(dacsa_collapse_judge(words), ==, DACSA_RANGE_ABSENT);
}

static void
test_shared(void)
{
  uint64_t words[N];

  fill(words, PRESENT | EXCLUSIVE, 1000, 2);
  for (unsigned i = 0; i < DACSA_COLLAPSE_MAX_SHARED; i++)
    words[i * 2] &= ~EXCLUSIVE;
  g_assert_cmpint(dacsa_collapse_judge(words), ==, DACSA_RANGE_SPLIT);
  words[1] &= ~EXCLUSIVE;
  g_assert_cmpint(dacsa_collapse_judge(words), ==, DACSA_RANGE_SHARED);
}

static void
test_swapped(void)
{
  uint64_t words[N];

  fill(words, PRESENT | EXCLUSIVE, 1000, 2);
  words[N - 1] = SWAPPED | 77;
  g_assert_cmpint(dacsa_collapse_judge(words), ==, DACSA_RANGE_SWAPPED);
}

/* -- the host -- */

static void
test_allowed(void)
{
  static const char enabled[] = "/sys/kernel/mm/transparent_hugepage/enabled";
  static const char sized[] = "/sys/kernel/mm/transparent_hugepage/hugepages-2048kB/enabled";
  static char file[] = "/var/ram", name[] = "[anon:ram]";
  DacsaHostVma plain = {0}, advised = {.huge_pages = true};
  char *root = fake_host_new();

  g_assert_false(dacsa_hugepages_allowed(root, &advised)); /* a kernel without */
  fake_host_put(root, enabled, "always [madvise] never\n");
  g_assert_true(dacsa_hugepages_allowed(root, &advised));
  g_assert_false(dacsa_hugepages_allowed(root, &plain));
  fake_host_put(root, enabled, "[always] madvise never\n");
  g_assert_true(dacsa_hugepages_allowed(root, &plain));
  fake_host_put(root, sized, "always inherit madvise [never]\n");
  g_assert_false(dacsa_hugepages_allowed(root, &advised));
  fake_host_put(root, sized, "always [inherit] madvise never\n");
  g_assert_true(dacsa_hugepages_allowed(root, &plain));

  const DacsaHostVma not_so[] = {{.shared = true},        {.hugetlb = true}, {.userfaultfd = true},
                                 {.no_huge_pages = true}, {.device = true},  {.path = file}};
  for (size_t i = 0; i < G_N_ELEMENTS(not_so); i++)
    g_assert_false(dacsa_hugepages_allowed(root, &not_so[i]));
  plain.path = name;
  g_assert_true(dacsa_hugepages_allowed(root, &plain));
  fake_host_put(root, enabled, "always madvise [never]\n");
  g_assert_false(dacsa_hugepages_allowed(root, &advised));
  fake_host_free(root);
}

static void
test_shortage(void)
{
  char *root = fake_host_new();

  g_assert_null(dacsa_collapse_shortage(root, 4242)); /* nothing is known */
  fake_host_put(root, "/proc/meminfo", "MemTotal:  16000 kB\nMemAvailable:  1000 kB\n");
  fake_host_put(root, "/proc/pressure/memory",
                "some avg10=0.99 avg60=3.00 avg300=0.00 total=1\nfull avg10=0.90 avg60=0.00 "
                "avg300=0.00 total=1\n");
  g_assert_null(dacsa_collapse_shortage(root, 4242));
  fake_host_put(root, "/proc/meminfo", "MemTotal:  16000 kB\nMemAvailable:  999 kB\n");
  g_assert_cmpstr(dacsa_collapse_shortage(root, 4242), ==, "the host has little memory left");
  fake_host_put(root, "/proc/meminfo", "MemTotal:  16000 kB\nMemAvailable:  9999 kB\n");
  fake_host_put(root, "/proc/pressure/memory", "some avg10=1.01 avg60=0.00 avg300=0.00 total=1\n");
  g_assert_cmpstr(dacsa_collapse_shortage(root, 4242), ==, "processes of the host wait for memory");
  fake_host_put(root, "/proc/pressure/memory", "some avg10=0.00 avg60=0.00 avg300=0.00 total=1\n");
  g_assert_null(dacsa_collapse_shortage(root, 4242));

  fake_host_put(root, "/proc/self/mountinfo",
                "30 1 0:25 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
  fake_host_put(root, "/proc/4242/cgroup", "0::/vm\n");
  fake_host_put(root, "/sys/fs/cgroup/vm/memory.max", "1073741824\n");
  fake_host_put(root, "/sys/fs/cgroup/vm/memory.current", "1000000000\n");
  g_assert_null(dacsa_collapse_shortage(root, 4242));
  fake_host_put(root, "/sys/fs/cgroup/vm/memory.current", "1010000000\n");
  g_assert_cmpstr(dacsa_collapse_shortage(root, 4242), ==,
                  "QEMU's control group has little memory left");
  fake_host_free(root);
}

/* -- the result -- */

static void
test_variant(void)
{
  static char why[] = "no more";
  const DacsaCollapsed before = {{1, 2, 3, 4, 5}, 6, 7, 8, why};
  g_auto(DacsaCollapsed) after = {0};
  g_autoptr(GError) error = NULL;
  g_autoptr(GVariant) variant = g_variant_ref_sink(dacsa_collapsed_to_variant(&before));
  g_autoptr(GVariant) foreign = g_variant_ref_sink(g_variant_new_string("6"));
  DacsaCollapsed none;

  CHECK_OK(dacsa_collapsed_from_variant(variant, &after, &error), error);
  g_assert_cmpmem(after.seen, sizeof(after.seen), before.seen, sizeof(before.seen));
  g_assert_cmpuint(after.collapsed, ==, 6);
  g_assert_cmpuint(after.refused, ==, 7);
  g_assert_cmpuint(after.busy_us, ==, 8);
  g_assert_cmpstr(after.stopped, ==, why);
  CHECK_FAILS(dacsa_collapsed_from_variant(foreign, &none, &error), error, DACSA_ERROR_BAD_DATA);
}

/* -- a process -- */

#define RANGES 8u
#define HALF (RANGES / 2)

/* What stands for QEMU: memory in huge pages, of which a fork, over now, has split half. */
typedef struct {
  pid_t pid;
  uint8_t *ram; /* here and there at the same address */
  DacsaProbe probe;
} Victim;

static _Noreturn void
be_victim(uint8_t *ram, int ready)
{
  madvise(ram, RANGES * DACSA_HUGE_PAGE, MADV_HUGEPAGE);
  for (size_t i = 0; i < RANGES * DACSA_HUGE_PAGE; i += PAGE)
    memset(ram + i, (int)(1 + i / PAGE % 251), 64);
  pid_t snapshot = fork();
  if (snapshot == 0) {
    pause();
    _exit(0);
  }
  for (size_t i = 0; i < HALF; i++)
    ram[i * DACSA_HUGE_PAGE + 5 * PAGE + 1000] = 77;
  kill(snapshot, SIGKILL);
  waitpid(snapshot, NULL, 0);
  if (write(ready, "", 1) != 1)
    _exit(1);
  for (;;)
    pause();
}

static void
victim_start(Victim *v)
{
  g_autoptr(GError) error = NULL;
  int ready[2];
  char byte;
  uint8_t *p = mmap(NULL, (RANGES + 1) * DACSA_HUGE_PAGE, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

  g_assert_true(p != MAP_FAILED && pipe2(ready, O_CLOEXEC) == 0);
  v->ram = p + -(uintptr_t)p % DACSA_HUGE_PAGE;
  v->pid = fork();
  g_assert_cmpint(v->pid, >=, 0);
  if (v->pid == 0)
    be_victim(v->ram, ready[1]);
  close(ready[1]);
  g_assert_cmpint(read(ready[0], &byte, 1), ==, 1);
  close(ready[0]);
  const DacsaForkVma vma = {.start = (uintptr_t)v->ram, .len = RANGES * DACSA_HUGE_PAGE};
  v->probe =
      (DacsaProbe){.pid = v->pid, .huge_vmas = g_array_new(FALSE, FALSE, sizeof(DacsaForkVma))};
  g_array_append_val(v->probe.huge_vmas, vma);
  CHECK_OK(dacsa_procmaps_start_time(v->pid, &v->probe.start_time, &error), error);
}

static void
victim_end(Victim *v)
{
  kill(v->pid, SIGKILL);
  waitpid(v->pid, NULL, 0);
  g_array_unref(v->probe.huge_vmas);
}

/* Its memory is as it was written, which only it can tell. */
static void
check_content(const Victim *v)
{
  g_autofree char *path = g_strdup_printf("/proc/%d/mem", (int)v->pid);
  int mem = open(path, O_RDONLY | O_CLOEXEC);

  for (size_t i = 0; i < RANGES * DACSA_HUGE_PAGE; i += PAGE) {
    const size_t in_range = i % DACSA_HUGE_PAGE / PAGE;
    const bool written = in_range == 5 && i / DACSA_HUGE_PAGE < HALF;
    uint8_t page[PAGE];

    g_assert_cmpint(pread(mem, page, PAGE, (off_t)((uintptr_t)v->ram + i)), ==, PAGE);
    g_assert_cmpuint(page[63], ==, 1 + i / PAGE % 251);
    g_assert_cmpuint(page[64], ==, 0);
    g_assert_cmpuint(page[1000], ==, written ? 77 : 0);
  }
  close(mem);
}

static void
test_process(void)
{
  g_autoptr(GError) error = NULL;
  g_auto(DacsaCollapsed) first = {0};
  g_auto(DacsaCollapsed) second = {0};
  Victim v;

  victim_start(&v);
  const bool ok = dacsa_collapse_run(&v.probe, &first, &error);
  if (!ok && g_error_matches(error, DACSA_ERROR, DACSA_ERROR_UNSUPPORTED)) {
    g_test_skip(error->message);
  } else if (ok && (first.stopped || first.seen[DACSA_RANGE_HUGE] != HALF)) {
    g_test_skip(first.stopped ? first.stopped : "the kernel gives no huge pages now");
  } else {
    g_assert_no_error(error);
    g_assert_cmpuint(first.seen[DACSA_RANGE_SPLIT], ==, HALF);
    g_assert_cmpuint(first.collapsed + first.refused, ==, HALF);
    CHECK_OK(dacsa_collapse_run(&v.probe, &second, &error), error);
    g_assert_cmpuint(second.seen[DACSA_RANGE_HUGE], ==, HALF + first.collapsed);
    check_content(&v);
  }
  victim_end(&v);
}

static void
test_other_process(void)
{
  g_autoptr(GError) error = NULL;
  DacsaCollapsed none;
  Victim v;

  victim_start(&v);
  v.probe.start_time++;
  CHECK_FAILS(dacsa_collapse_run(&v.probe, &none, &error), error, DACSA_ERROR_NOT_FOUND);
  victim_end(&v);
  v.probe.huge_vmas = g_array_new(FALSE, FALSE, sizeof(DacsaForkVma));
  CHECK_FAILS(dacsa_collapse_run(&v.probe, &none, &error), error, DACSA_ERROR_NOT_FOUND);
  g_array_unref(v.probe.huge_vmas);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/collapse/huge", test_huge);
  g_test_add_func("/collapse/absent", test_absent);
  g_test_add_func("/collapse/shared", test_shared);
  g_test_add_func("/collapse/swapped", test_swapped);
  g_test_add_func("/collapse/allowed", test_allowed);
  g_test_add_func("/collapse/shortage", test_shortage);
  g_test_add_func("/collapse/variant", test_variant);
  g_test_add_func("/collapse/process", test_process);
  g_test_add_func("/collapse/other-process", test_other_process);
  return g_test_run();
}
