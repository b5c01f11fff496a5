/*
 * What of a process is in memory, as the kernel says: its pagemap, and its pages by /proc/PID/mem.
 * Left out is what the kernel shares with it, which not every kernel lets be read that way: [vvar],
 * [vsyscall], the rings of io_uring.
 */
#include "guest.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PRESENT (1ULL << 63)
#define FRAME ((1ULL << 55) - 1) /* of an entry that is present */
#define ENTRIES 65536

static int
open_of(const char *pid, const char *name)
{
  char path[64];
  snprintf(path, sizeof path, "/proc/%s/%s", pid, name);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    die(path);
  return fd;
}

typedef void (*visit_fn)(uint64_t page, uint64_t frame, void *data);

/* Calls visit for each page that is present between start and end. */
static void
each_present(int pagemap, uint64_t start, uint64_t end, visit_fn visit, void *data)
{
  static uint64_t entries[ENTRIES];
  for (uint64_t at = start; at < end;) {
    size_t n = (end - at) / PAGE < ENTRIES ? (end - at) / PAGE : ENTRIES;
    if (pread(pagemap, entries, n * 8, at / PAGE * 8) != (ssize_t)(n * 8))
      die("pagemap");
    for (size_t i = 0; i < n; i++)
      if (entries[i] & PRESENT)
        visit(at + i * PAGE, entries[i] & FRAME, data);
    at += n * PAGE;
  }
}

/* needed: of the permissions. */
static void
each_page(const char *pid, const char *needed, visit_fn visit, void *data)
{
  char line[8192];
  int pagemap = open_of(pid, "pagemap");
  FILE *maps = fdopen(open_of(pid, "maps"), "r");
  uint64_t start, end;
  char perms[8];
  while (fgets(line, sizeof line, maps))
    if (strstr(line, "[vdso]") || (!strstr(line, "[v") && !strstr(line, "[io_uring]")))
      if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s", &start, &end, perms) == 3 &&
          strstr(perms, needed))
        each_present(pagemap, start, end, visit, data);
  fclose(maps);
  close(pagemap);
}

struct run {
  uint64_t start, end;
};

static void
print_run(const struct run *run)
{
  if (run->end > run->start)
    printf("%012" PRIx64 " %" PRIx64 "\n", run->start, run->end - run->start);
}

static void
extend_run(uint64_t page, uint64_t frame, void *data)
{
  (void)frame;
  struct run *run = data;
  if (page != run->end) {
    print_run(run);
    run->start = page;
  }
  run->end = page + PAGE;
}

/* The runs of the process ARG that are present: address and length. */
static int
resident(const char *arg)
{
  struct run run = {0};
  each_page(arg, "", extend_run, &run);
  print_run(&run);
  return 0;
}

static void
print_frame(uint64_t page, uint64_t frame, void *data)
{
  (void)data;
  printf("%" PRIx64 " %" PRIx64 "\n", page, frame);
}

/* For each page of the process ARG its address and the number of its frame. */
static int
frames(const char *arg)
{
  each_page(arg, "", print_frame, NULL);
  return 0;
}

static void
write_page(uint64_t page, uint64_t frame, void *data)
{
  char content[PAGE];
  (void)frame;
  if (pread(*(int *)data, content, PAGE, page) != PAGE || fwrite(content, PAGE, 1, stdout) != 1)
    die("/proc/PID/mem");
}

/* The content of those that the process itself may read: not every kernel shows others. */
static int
contents(const char *arg)
{
  int mem = open_of(arg, "mem");
  each_page(arg, "r", write_page, &mem);
  return 0;
}

const struct role resident_roles[] = {
    {"resident", resident}, {"contents", contents}, {"frames", frames}, {NULL, NULL}};
