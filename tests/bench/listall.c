/*
 * Takes a snapshot and reads the complete list of its processes with their maps.
 *
 *   listall VM_DIRECTORY NAME
 *
 * Prints microseconds: all of it, of that mkdir, opening and reading the list, reading all maps;
 * then the numbers of processes and of mappings.
 */
#include "bench.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_PROCESSES 32768

static size_t
list(int dir, char (*names)[16])
{
  DIR *stream = fdopendir(dup(dir));
  const struct dirent *entry;
  size_t n = 0;

  if (!stream)
    die("processes");
  while (n < MAX_PROCESSES && (entry = readdir(stream)))
    if (entry->d_name[0] != '.' && strlen(entry->d_name) < sizeof(*names))
      strcpy(names[n++], entry->d_name);
  closedir(stream);
  return n;
}

/* Reads one process's maps to the end: how many lines. */
static size_t
read_maps(int dir, const char *pid)
{
  static char buf[1 << 16];
  char path[32];
  ssize_t n;
  size_t lines = 0;

  snprintf(path, sizeof(path), "%.15s/maps", pid);
  int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    die(path);
  while ((n = read(fd, buf, sizeof(buf))) > 0)
    for (ssize_t i = 0; i < n; i++)
      lines += buf[i] == '\n';
  if (n < 0)
    die(path);
  close(fd);
  return lines;
}

int
main(int argc, char **argv)
{
  static char names[MAX_PROCESSES][16];
  char path[4096];
  size_t lines = 0;

  if (argc != 3) {
    fprintf(stderr, "usage: listall VM_DIRECTORY NAME\n");
    return 2;
  }
  snprintf(path, sizeof(path), "%s/%s", argv[1], argv[2]);
  int64_t begin = now_us();
  if (mkdir(path, 0700) < 0)
    die(path);
  int64_t taken = now_us();
  strncat(path, "/processes", sizeof(path) - strlen(path) - 1);
  int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir < 0)
    die(path);
  size_t n = list(dir, names);
  int64_t listed = now_us();
  for (size_t i = 0; i < n; i++)
    lines += read_maps(dir, names[i]);
  int64_t end = now_us();
  printf("%lld %lld %lld %lld %zu %zu\n", (long long)(end - begin), (long long)(taken - begin),
         (long long)(listed - taken), (long long)(end - listed), n, lines);
  return 0;
}
