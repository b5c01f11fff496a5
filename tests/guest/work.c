/*
 * Work for benchmarks: it goes on without end. What a guest gets done is counted outside, by the
 * host's clock (tests/bench/pulse.c): the guest's own stands still with it.
 */
#include "guest.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STEPS (1u << 23)   /* of a unit of bench-cpu */
#define STREAM (256 * MIB) /* bench-memory's, half of it read and half written */
#define WRITTEN (96 * MIB) /* writer's, again and again */
#define SLICES 50          /* of a second */

static uint64_t
now_us(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000ULL + t.tv_nsec / 1000;
}

static int
open_line(const char *path)
{
  int fd = path ? open(path, O_WRONLY | O_NOCTTY) : STDOUT_FILENO;
  if (fd < 0)
    die("the serial line");
  return fd;
}

/* A unit is done: the guest's time in microseconds, a line. */
static bool
tell(int line)
{
  char text[32];
  int length = snprintf(text, sizeof text, "%llu\n", (unsigned long long)now_us());
  return write(line, text, length) == length;
}

/* "bench-cpu LINE": arithmetic in registers. */
static int
bench_cpu(const char *arg)
{
  int line = open_line(arg);
  volatile uint64_t kept = 88172645463325252ULL;

  ready();
  for (;;) {
    uint64_t x = kept;
    for (unsigned i = 0; i < STEPS; i++)
      x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    kept = x;
    if (!tell(line))
      die("the serial line");
  }
}

/* "bench-memory LINE": a unit is 32 MiB read and as many written. */
static int
bench_memory(const char *arg)
{
  const size_t unit = 32 * MIB;
  int line = open_line(arg);
  char *from = map(STREAM / 2, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  char *to = map(STREAM / 2, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1);

  memset(from, 1, STREAM / 2);
  memset(to, 2, STREAM / 2);
  ready();
  for (;;) {
    for (size_t at = 0; at < STREAM / 2; at += unit) {
      memcpy(to + at, from + at, unit);
      if (!tell(line))
        die("the serial line");
    }
    char *other = from;
    from = to;
    to = other;
  }
}

/* "writer RATE": so many MiB a second, 20 without, page by page through 96 MiB, whatever else goes
 * on. */
static int
writer(const char *arg)
{
  size_t slice = (arg ? strtoul(arg, NULL, 10) : 20) * MIB / SLICES / PAGE, at = 0;
  char *p = map(WRITTEN, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  struct timespec due;

  memset(p, 1, WRITTEN);
  ready();
  clock_gettime(CLOCK_MONOTONIC, &due);
  for (unsigned char value = 2;; value++) {
    for (size_t i = 0; i < slice; i++, at = (at + PAGE) % WRITTEN)
      memset(p + at, value, PAGE);
    if ((due.tv_nsec += 1000000000 / SLICES) >= 1000000000) {
      due.tv_nsec -= 1000000000;
      due.tv_sec++;
    }
    if (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL))
      die("clock_nanosleep");
  }
}

const struct role work_roles[] = {
    {"bench-cpu", bench_cpu},
    {"bench-memory", bench_memory},
    {"writer", writer},
    {NULL, NULL},
};
