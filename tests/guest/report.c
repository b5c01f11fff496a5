/*
 * What the guest says of itself, as a tar archive: byte copies of what is in /proc, for
 * tests/compare-truth. One process in C that keeps nothing, so that asking changes as little as
 * can be.
 *
 *   proc/PID/{comm,cmdline,environ,status,maps,...}   copies
 *   proc/PID/task/TID/status                          copies, every thread
 *   proc/PID/{link,ns}/NAME, proc/PID/fd/N            the text of the link
 *   proc/PID/fdinfo/N, proc/PID/fdstat/N              a copy; "mode inode rdev" in hexadecimal
 *   proc/PID/exe-id, exe/ID                           which executable, and the bytes of each
 *   net/INODE/NAME, mnt/INODE/NAME                    /proc/net and the mounts of each namespace
 *   system/NAME                                       /proc/NAME; sysctl as sysctl -a prints;
 * dmesg; kmsg
 */
#include "guest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define BLOCK 512
#define NAME 200
#define READ (16 * 1024) /* /proc/sys clears as much memory as is asked for */
#define MAX_SEEN 1024

static int archive;
static char pending[MIB] __attribute__((aligned(PAGE))); /* not written yet */
static size_t pending_size;
static char *buffer; /* what was read last */
static size_t room;

static __attribute__((format(printf, 2, 3))) void
print(char ret[NAME], const char *format, ...)
{
  va_list args;
  va_start(args, format);
  if (vsnprintf(ret, NAME, format, args) >= NAME)
    die("a name that is too long");
  va_end(args);
}

/* Grows, and never shrinks: the next file uses it again. */
static void
make_room(size_t size)
{
  if (size <= room)
    return;
  room = size * 2;
  buffer = realloc(buffer, room);
  if (!buffer)
    die("memory");
}

/* All of a file, into buffer; its size, or -1. */
static ssize_t
read_file(const char *path)
{
  int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  ssize_t n = -1;
  size_t size = 0;
  while (fd >= 0) {
    make_room(size + READ);
    n = read(fd, buffer + size, READ);
    if (n <= 0)
      break;
    size += n;
  }
  close(fd);
  return n == 0 ? (ssize_t)size : -1;
}

static void
put(const void *data, size_t size)
{
  while (size) {
    size_t part = size < sizeof pending - pending_size ? size : sizeof pending - pending_size;
    memcpy(pending + pending_size, data, part);
    pending_size += part;
    data = (const char *)data + part;
    size -= part;
    if (pending_size == sizeof pending) {
      if (write(archive, pending, sizeof pending) != sizeof pending)
        die("the archive");
      pending_size = 0;
    }
  }
}

/* A member of the archive, in the ustar format. */
static void
add(const char *name, const void *data, size_t size)
{
  static const char zeros[BLOCK];
  char header[BLOCK] = "";
  unsigned sum = 0;

  snprintf(header, 100, "%s", name);
  snprintf(header + 100, 8, "0000644");
  snprintf(header + 108, 8, "0000000");
  snprintf(header + 116, 8, "0000000");
  snprintf(header + 124, 12, "%011zo", size);
  snprintf(header + 136, 12, "%011o", 0);
  header[156] = '0';
  memcpy(header + 257, "ustar\00000", 8);
  memset(header + 148, ' ', 8);
  for (size_t i = 0; i < BLOCK; i++)
    sum += (unsigned char)header[i];
  snprintf(header + 148, 8, "%06o", sum);

  put(header, BLOCK);
  put(data, size);
  put(zeros, -size & (BLOCK - 1));
}

/* What cannot be read is not in the archive. */
static void
add_file(const char *name, const char *path)
{
  ssize_t size = read_file(path);
  if (size >= 0)
    add(name, buffer, size);
}

static bool
add_link(const char *name, const char *path)
{
  char target[PAGE];
  ssize_t size = readlink(path, target, sizeof target);
  if (size >= 0)
    add(name, target, size);
  return size >= 0;
}

/* True the first time this kind of thing is seen. */
static bool
is_new(const char *kind, uint64_t dev, uint64_t ino)
{
  static struct {
    const char *kind;
    uint64_t dev, ino;
  } seen[MAX_SEEN];
  static size_t count;
  for (size_t i = 0; i < count; i++)
    if (seen[i].kind == kind && seen[i].dev == dev && seen[i].ino == ino)
      return false;
  if (count == MAX_SEEN)
    die("too many namespaces or executables");
  seen[count].kind = kind;
  seen[count].dev = dev;
  seen[count++].ino = ino;
  return true;
}

/* Calls add_entry for each entry of a directory but the dotted ones. */
static void
each_entry(const char *dir, void (*add_entry)(const char *dir, const char *entry))
{
  DIR *stream = opendir(dir);
  struct dirent *entry;
  while (stream && (entry = readdir(stream)))
    if (entry->d_name[0] != '.')
      add_entry(dir, entry->d_name);
  if (stream)
    closedir(stream);
}

static void
add_thread(const char *dir, const char *tid)
{
  char path[NAME];
  print(path, "%s/%s/status", dir, tid);
  add_file(path + 1, path);
}

static void
add_ns(const char *dir, const char *entry)
{
  char path[NAME];
  print(path, "%s/%s", dir, entry);
  add_link(path + 1, path);
}

/* dir is /proc/PID/fd. The directory's own descriptor in the report's process is none of them. */
static void
add_fd(const char *dir, const char *number)
{
  char path[NAME], name[NAME], text[64];
  struct stat st;
  print(path, "%s/%s", dir, number);
  if (!add_link(path + 1, path))
    return;
  if (stat(path, &st) == 0) {
    print(name, "%sstat/%s", dir + 1, number);
    snprintf(text, sizeof text, "%x %llx %llx\n", st.st_mode, (unsigned long long)st.st_ino,
             (unsigned long long)st.st_rdev);
    add(name, text, strlen(text));
  }
  print(path, "%sinfo/%s", dir, number);
  add_file(path + 1, path);
}

static void
add_executable(const char *process)
{
  char path[NAME], name[NAME], id[64];
  struct stat st;
  print(path, "%s/exe", process);
  if (stat(path, &st))
    return;
  snprintf(id, sizeof id, "%llx-%llx", (unsigned long long)st.st_dev,
           (unsigned long long)st.st_ino);
  print(name, "%s/exe-id", process + 1);
  add(name, id, strlen(id));
  print(name, "exe/%s", id);
  if (is_new("exe", st.st_dev, st.st_ino))
    add_file(name, path);
}

/* The process's namespace of that kind: these of its files show it, and are taken once. */
static void
add_namespace(const char *process, const char *kind, const char *dir, const char *const *names)
{
  char path[NAME], name[NAME];
  struct stat st;
  print(path, "%s/ns/%s", process, kind);
  if (stat(path, &st) || !is_new(kind, 0, st.st_ino))
    return;
  for (; *names; names++) {
    print(path, "%s/%s%s", process, dir, *names);
    print(name, "%s/%llu/%s", kind, (unsigned long long)st.st_ino, *names);
    add_file(name, path);
  }
}

static void
add_namespaces(const char *process)
{
  static const char *const net[] = {"tcp",   "tcp6",   "udp",  "udp6",    "raw", "raw6", "icmp",
                                    "icmp6", "packet", "unix", "netlink", "dev", NULL};
  static const char *const mnt[] = {"mounts", "mountinfo", NULL};
  add_namespace(process, "net", "net/", net);
  add_namespace(process, "mnt", "", mnt);
}

static void
add_process(const char *proc, const char *pid)
{
  static const char *const copies[] = {"comm",  "cmdline", "environ",      "status",
                                       "maps",  "stat",    "limits",       "cgroup",
                                       "smaps", "auxv",    "oom_score_adj"};
  static const char *const links[] = {"exe", "cwd", "root"};
  char process[NAME], path[NAME], name[NAME];

  print(process, "%s/%s", proc, pid);
  if (atoi(pid) <= 0 || atoi(pid) == getpid())
    return;
  for (size_t i = 0; i < sizeof copies / sizeof *copies; i++) {
    print(path, "%s/%s", process, copies[i]);
    add_file(path + 1, path);
  }
  for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
    print(path, "%s/%s", process, links[i]);
    print(name, "%s/link/%s", process + 1, links[i]);
    add_link(name, path);
  }
  print(path, "%s/task", process);
  each_entry(path, add_thread);
  print(path, "%s/ns", process);
  each_entry(path, add_ns);
  print(path, "%s/fd", process);
  each_entry(path, add_fd);
  add_executable(process);
  add_namespaces(process);
}

/* /dev/kmsg gives a record a read. */
static void
add_kmsg(void)
{
  int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  size_t size = 0;
  ssize_t n;
  while (fd >= 0) {
    make_room(size + 16384);
    n = read(fd, buffer + size, 16384);
    if (n < 0 && errno == EPIPE)
      continue;
    if (n <= 0)
      break;
    size += n;
  }
  close(fd);
  add("system/kmsg", buffer, size);
}

static void
add_dmesg(void)
{
  int size = klogctl(10, NULL, 0); /* SYSLOG_ACTION_SIZE_BUFFER */
  make_room(4 * size + 1);         /* in text the records are larger than in the buffer */
  size = klogctl(3, buffer, 4 * size);
  if (size >= 0)
    add("system/dmesg", buffer, size);
}

/* Taken first: the disk that the archive goes to is a user of its driver, once it is open. */
static char *modules;
static size_t modules_size;

static void
keep_modules(void)
{
  ssize_t size = read_file("/proc/modules");
  if (size < 0)
    die("/proc/modules");
  modules_size = size;
  modules = malloc(modules_size + 1);
  if (!modules)
    die("memory");
  memcpy(modules, buffer, modules_size);
}

/* Every setting that can be read, in a line "directory.name = value", or a line for each of its
 * lines. */
static char settings[MIB];
static size_t settings_size;

static int
collect_setting(const char *path, const struct stat *st, int kind, struct FTW *unused)
{
  char key[NAME];
  ssize_t size;
  (void)st, (void)unused;
  if (kind != FTW_F || (size = read_file(path)) < 0)
    return 0;
  print(key, "%s", path + strlen("/proc/sys/"));
  for (char *c = key; *c; c++)
    if (*c == '/')
      *c = '.';
  make_room(size + 1);
  buffer[size] = 0;
  for (char *rest = buffer, *line; (line = strsep(&rest, "\n")) && (*line || line == buffer);) {
    int n =
        snprintf(settings + settings_size, sizeof settings - settings_size, "%s = %s\n", key, line);
    if (n >= (int)(sizeof settings - settings_size))
      die("too many settings");
    settings_size += n;
  }
  return 0;
}

/* brief: without kallsyms, which takes longer than all the rest. */
static void
add_system(bool brief)
{
  static const char *const names[] = {"cmdline", "version", "cpuinfo", "swaps",
                                      "mounts",  "uptime",  "meminfo", "iomem"};
  char path[NAME], name[NAME];

  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    print(path, "/proc/%s", names[i]);
    print(name, "system/%s", names[i]);
    add_file(name, path);
  }
  add("system/modules", modules, modules_size);
  nftw("/proc/sys", collect_setting, 16, FTW_PHYS);
  add("system/sysctl", settings, settings_size);
  add_dmesg();
  add_kmsg();
  if (!brief)
    add_file("system/kallsyms", "/proc/kallsyms");
}

/* Past the guest's page cache if it is a device: O_DIRECT takes whole pages. */
static void
write_archive(const char *path, bool brief)
{
  static const char end[2 * BLOCK + PAGE];
  keep_modules();
  archive = open(path, O_WRONLY | O_CREAT | O_DIRECT | O_CLOEXEC, 0644);
  if (archive < 0)
    archive = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (archive < 0)
    die(path);
  each_entry("/proc", add_process);
  add_system(brief);
  put(end, sizeof end);
  pending_size -= pending_size % PAGE;
  if (write(archive, pending, pending_size) != (ssize_t)pending_size || close(archive))
    die(path);
}

/* ARG: the device, or file, that the archive is written to. */
static int
report(const char *arg)
{
  write_archive(arg ? arg : "/run/report", false);
  return 0;
}

static int
report_brief(const char *arg)
{
  write_archive(arg ? arg : "/run/report", true);
  return 0;
}

const struct role report_roles[] = {
    {"report", report}, {"report-brief", report_brief}, {NULL, NULL}};
