/*
 * A process for a debugger to look at: threads in known functions with known registers, one asleep
 * in a system call, one that runs for ever in user mode, and memory of each kind at known
 * addresses.
 */
#include "guest.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

/* Pages that are touched, never touched, swapped out if there is swap; and one of a file, never
 * touched. */
#define ANONYMOUS ((char *)0x10000000)
#define MAPPED ((char *)0x20000000)

const char debuggee_text[] = "what a debugger reads";
volatile int debuggee_done;
volatile pid_t debuggee_asleep_tid, debuggee_runs;

const uint64_t debuggee_vectors[8] = {
    0x0123456789abcdef, 0x1032547698badcfe, 0x2301674523016745, 0x3210765432107654, /* asleep */
    0x0f1e2d3c4b5a6978, 0x1e0f3c2d5a4b7869, 0x2d3c0f1e69784b5a, 0x3c2d1e0f78695a4b, /* running */
};

/* Loads registers that neither a system call nor the loop changes. */
#define LOAD(byte)                                                                                 \
  "movabs $0xb0" byte "b0" byte "b0" byte "b0" byte ", %%rbx\n"                                    \
  "movabs $0xc0" byte "c0" byte "c0" byte "c0" byte ", %%r12\n"                                    \
  "movabs $0xd0" byte "d0" byte "d0" byte "d0" byte ", %%r13\n"                                    \
  "movabs $0xe0" byte "e0" byte "e0" byte "e0" byte ", %%r14\n"                                    \
  "movabs $0xf0" byte "f0" byte "f0" byte "f0" byte ", %%r15\n"                                    \
  "movups (%[vectors]), %%xmm5\n"                                                                  \
  "test %[avx], %[avx]\n"                                                                          \
  "jz 1f\n"                                                                                        \
  "vmovups (%[vectors]), %%ymm6\n"                                                                 \
  "1: fldpi\n"

#define CLOBBERED                                                                                  \
  "rax", "rbx", "rcx", "r11", "r12", "r13", "r14", "r15", "xmm5", "xmm6", "st", "memory"

__attribute__((noinline)) int
debuggee_sleeps(int avx)
{
  __asm__ volatile(LOAD("aa") "2: mov %[pause], %%eax\n"
                              "syscall\n"
                              "cmpl $0, %[done]\n"
                              "je 2b\n"
                              "fstp %%st(0)\n"
                   :
                   : [vectors] "S"(debuggee_vectors), [avx] "D"(avx), [pause] "i"(SYS_pause),
                     [done] "m"(debuggee_done)
                   : CLOBBERED);
  return debuggee_done;
}

__attribute__((noinline)) int
debuggee_spins(int avx)
{
  debuggee_runs = 1;
  __asm__ volatile(LOAD("55") "2: cmpl $0, %[done]\n"
                              "je 2b\n"
                              "fstp %%st(0)\n"
                   :
                   : [vectors] "S"(debuggee_vectors + 4), [avx] "D"(avx), [done] "m"(debuggee_done)
                   : CLOBBERED);
  return debuggee_done;
}

static void *
sleeper(void *unused)
{
  (void)unused;
  debuggee_asleep_tid = syscall(SYS_gettid);
  return (void *)(uintptr_t)(debuggee_sleeps(__builtin_cpu_supports("avx") != 0) + 1);
}

static void *
runner(void *unused)
{
  (void)unused;
  return (void *)(uintptr_t)(debuggee_spins(__builtin_cpu_supports("avx") != 0) + 1);
}

static int
is_asleep(pid_t tid)
{
  char path[64], text[256];
  snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
  int fd = open(path, O_RDONLY);
  ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  text[n > 0 ? n : 0] = 0;
  close(fd);
  return strstr(text, ") S") != NULL;
}

static void
start(void *(*what)(void *))
{
  pthread_t thread;
  if (pthread_create(&thread, NULL, what, NULL))
    die("thread");
}

static void
map_known(void)
{
  char *p = mmap(ANONYMOUS, 3 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  if (p != ANONYMOUS)
    die("mmap");
  strcpy(p, "a touched page");
  strcpy(p + 2 * PAGE, "a page that goes");
  madvise(p + 2 * PAGE, PAGE, MADV_PAGEOUT);
  write_file("/run/debuggee", "a page of the cache");
  int fd = open("/run/debuggee", O_RDONLY);
  if (mmap(MAPPED, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0) != MAPPED)
    die("/run/debuggee");
  close(fd);
}

__attribute__((noinline)) int
debuggee_inner(int depth)
{
  ready();
  while (!debuggee_done)
    pause();
  return depth + 1;
}

__attribute__((noinline)) int
debuggee_outer(int depth)
{
  return debuggee_inner(depth + 1) * 2;
}

static int
debuggee(const char *arg)
{
  sigset_t set;
  (void)arg;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigprocmask(SIG_BLOCK, &set, NULL);
  map_known();
  start(sleeper);
  start(runner);
  while (!debuggee_runs || !debuggee_asleep_tid || !is_asleep(debuggee_asleep_tid))
    usleep(1000);
  raise(SIGUSR1);
  return debuggee_outer(1);
}

const struct role debuggee_roles[] = {{"debuggee", debuggee}, {NULL, NULL}};
