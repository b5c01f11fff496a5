/* smaps_rollup, what several of them make together, and what a host says of its memory. */
#include "check.h"
#include "fake-host.h"

#include "snap/pressure.h"
#include "snap/rollup.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)

static const char text[] = "55d0c3a00000-7ffe9c5f0000 ---p 00000000 00:00 0    [rollup]\n"
                           "Rss:               10000 kB\nPss:                5000 kB\n"
                           "Pss_Dirty:          4000 kB\nPss_Anon:           4500 kB\n"
                           "Pss_File:            500 kB\nPss_Shmem:             0 kB\n"
                           "Shared_Clean:       1000 kB\nShared_Dirty:       6000 kB\n"
                           "Private_Clean:        16 kB\nPrivate_Dirty:      2984 kB\n"
                           "Referenced:         9000 kB\nAnonymous:          8000 kB\n"
                           "Swap:                  0 kB\n";

static void
test_parse(void)
{
  g_autofree char *old = g_strdup(text);
  DacsaRollup rollup;

  g_assert_true(dacsa_rollup_parse(text, &rollup));
  g_assert_cmpuint(rollup.private_bytes, ==, 3000 * 1024);
  g_assert_cmpuint(rollup.anon_bytes, ==, 8000 * 1024);
  g_assert_cmpuint(rollup.anon_pss, ==, 4500 * 1024);
  memcpy(strstr(old, "Pss_Anon"), "Pss_None", 8);
  g_assert_false(dacsa_rollup_parse(old, &rollup));
  g_assert_false(dacsa_rollup_parse("", &rollup));
}

/* Pages as who has them sees them. */
typedef struct {
  bool qemu, a, b;
  uint64_t bytes;
} Pages;

static void
add(DacsaRollup *rollup, bool has, uint64_t bytes, unsigned sharers)
{
  if (!has)
    return;
  rollup->anon_bytes += bytes;
  rollup->anon_pss += bytes / sharers;
  rollup->private_bytes += sharers == 1 ? bytes : 0;
}

static void
test_cost(void)
{
  static const Pages pages[] = {
      {true, true, true, 600 * MIB},  /* never written to */
      {false, true, true, 60 * MIB},  /* written to after both: nobody's private pages */
      {false, true, false, 30 * MIB}, /* written to between them, */
      {true, false, true, 30 * MIB},  /* and no more */
      {false, false, true, 6 * MIB},  /* written to between them, and after */
      {true, false, false, 66 * MIB}, /* QEMU's copies */
  };
  DacsaRollup qemu = {0}, both[2] = {{0}, {0}};
  uint64_t cost = 0;

  for (size_t i = 0; i < G_N_ELEMENTS(pages); i++) {
    const unsigned n = (unsigned)pages[i].qemu + pages[i].a + pages[i].b;

    add(&qemu, pages[i].qemu, pages[i].bytes, n);
    add(&both[0], pages[i].a, pages[i].bytes, n);
    add(&both[1], pages[i].b, pages[i].bytes, n);
    cost += pages[i].qemu ? 0 : pages[i].bytes;
  }
  g_assert_cmpuint(dacsa_rollup_cost(both, 2, &qemu), ==, cost);
  g_assert_cmpuint(both[0].private_bytes + both[1].private_bytes, <, cost);
  g_assert_cmpuint(dacsa_rollup_cost(both, 1, NULL), ==, both[0].private_bytes);
  g_assert_cmpuint(dacsa_rollup_cost(NULL, 0, NULL), ==, 0);
  /* Readings that do not go together. */
  qemu.anon_bytes = UINT64_MAX;
  g_assert_cmpuint(dacsa_rollup_cost(both, 2, &qemu), ==,
                   both[0].private_bytes + both[1].private_bytes);
  qemu = (DacsaRollup){0, 0, UINT64_MAX / 2};
  g_assert_cmpuint(dacsa_rollup_cost(both, 2, &qemu), ==, both[0].anon_bytes + both[1].anon_bytes);
}

static pid_t
fork_child(void)
{
  const pid_t pid = fork();

  if (pid == 0)
    for (;;)
      pause();
  return pid;
}

/* The same with processes: two forks of this one, which writes between and after them. */
static void
test_real(void)
{
  const size_t size = 32 * MIB;
  char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  DacsaRollup qemu, both[2];
  pid_t children[2];

  g_assert_true(memory != MAP_FAILED);
  memset(memory, 1, size);
  children[0] = fork_child();
  memset(memory, 2, size / 2);
  children[1] = fork_child();
  memset(memory, 3, size);
  bool ok = dacsa_rollup_read("", getpid(), &qemu);
  for (size_t i = 0; i < 2; i++)
    ok = ok && dacsa_rollup_read("", children[i], &both[i]);
  for (size_t i = 0; i < 2; i++) {
    kill(children[i], SIGKILL);
    waitpid(children[i], NULL, 0);
  }
  munmap(memory, size);
  g_assert_true(ok);
  /* The first half is there in three versions, the second in two; and little else. */
  const uint64_t cost = dacsa_rollup_cost(both, 2, &qemu);
  g_assert_cmpuint(cost, >=, size / 2 * 3);
  g_assert_cmpuint(cost, <, size / 2 * 3 + 8 * MIB);
  g_assert_cmpuint(both[0].private_bytes + both[1].private_bytes, <, size / 2 * 2 + 8 * MIB);
}

static void
test_memory(void)
{
  char *root = fake_host_new();
  uint64_t total, available;

  g_assert_false(dacsa_pressure_memory(root, &total, &available));
  fake_host_put(root, "/proc/meminfo",
                "MemTotal:       24684000 kB\nMemFree:   100 kB\nMemAvailable:   23690000 kB\n");
  g_assert_true(dacsa_pressure_memory(root, &total, &available));
  g_assert_cmpuint(total, ==, UINT64_C(24684000) * 1024);
  g_assert_cmpuint(available, ==, UINT64_C(23690000) * 1024);
  fake_host_free(root);
}

static void
ignore_stall(void *data)
{
  (void)data;
}

static void
test_watch(void)
{
  if (access("/proc/pressure/memory", W_OK) < 0) {
    g_test_skip("this kernel has no PSI, or not for us");
    return;
  }
  DacsaPressure *pressure = dacsa_pressure_new(ignore_stall, NULL);
  g_assert_true(dacsa_pressure_is_watched(pressure));
  dacsa_pressure_free(pressure);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/rollup/parse", test_parse);
  g_test_add_func("/rollup/cost", test_cost);
  g_test_add_func("/rollup/real", test_real);
  g_test_add_func("/pressure/memory", test_memory);
  g_test_add_func("/pressure/watch", test_watch);
  return g_test_run();
}
