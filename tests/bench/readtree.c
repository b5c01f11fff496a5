/*
 * Reads files of many processes, as somebody who wants to know all about them would.
 *
 *   readtree DIRECTORY PIDS FILE...
 *
 * PIDS: a file with a pid a line. A FILE that ends in a slash is a directory: links in it are read,
 * files in it are read, and of directories in it the file `stat`. Prints microseconds, the number
 * of files and links, and their bytes.
 */
#include "bench.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

static uint64_t files, bytes;

static void
read_file(int dir, const char *path)
{
  static char buf[1 << 16];
  int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
  ssize_t n;

  if (fd < 0)
    die(path);
  while ((n = read(fd, buf, sizeof(buf))) > 0)
    bytes += (uint64_t)n;
  if (n < 0)
    die(path);
  close(fd);
  files++;
}

static void
read_entry(int dir, const struct dirent *entry)
{
  char text[4096];
  ssize_t n;

  if (entry->d_name[0] == '.')
    return;
  if (entry->d_type == DT_LNK) {
    if ((n = readlinkat(dir, entry->d_name, text, sizeof(text))) < 0)
      die(entry->d_name);
    bytes += (uint64_t)n;
    files++;
    return;
  }
  snprintf(text, sizeof(text), "%s%s", entry->d_name, entry->d_type == DT_DIR ? "/stat" : "");
  read_file(dir, text);
}

static void
read_directory(int dir, const char *path)
{
  int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *stream = fd < 0 ? NULL : fdopendir(fd);
  const struct dirent *entry;

  if (!stream)
    die(path);
  while ((entry = readdir(stream)))
    read_entry(fd, entry);
  closedir(stream);
}

int
main(int argc, char **argv)
{
  FILE *pids = argc > 3 ? fopen(argv[2], "r") : NULL;
  int dir = argc > 3 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
  char path[256];
  unsigned pid;

  if (argc <= 3) {
    fprintf(stderr, "usage: readtree DIRECTORY PIDS FILE...\n");
    return 2;
  }
  if (!pids || dir < 0)
    die(argv[1]);
  int64_t begin = now_us();
  while (fscanf(pids, "%u", &pid) == 1)
    for (int i = 3; i < argc; i++) {
      snprintf(path, sizeof(path), "%u/%s", pid, argv[i]);
      if (path[strlen(path) - 1] == '/')
        read_directory(dir, path);
      else
        read_file(dir, path);
    }
  printf("%lld %llu %llu\n", (long long)(now_us() - begin), (unsigned long long)files,
         (unsigned long long)bytes);
  return 0;
}
