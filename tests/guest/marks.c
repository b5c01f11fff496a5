/*
 * Markers for scanners, each in another kind of place:
 *
 *   guest mark PLACE
 *
 * A marker is MARK_SIZE bytes that are calculated from its name (mark_byte), and put where they
 * belong one by one: no file, no command line, no other process and no buffer has them. Where one
 * is, is told in /run/marks, a line a place: marker, kind (memory, exe, file, module), pid or -,
 * address or -, and the end of its path, or how it came about.
 */
#include "guest.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#define MARK_SIZE 32
#define BOUNDARY_PAGES 64
#define BOUNDARY_TRIES 1000
#define FRAME(entry) ((entry) & ((1ULL << 55) - 1))
#define LIBRARY "/run/libmarked.so"
#define LIBRARY_USERS 50
#define BEYOND_SIZE (3072UL * MIB)
#define BEYOND_OFFSET (2560UL * MIB + 4321)
#define PARENT_SIZE (8UL * MIB)
#define CHILDREN 10
#define MARKED_CHILD 3
#define MODULE_MESSAGE "brd: max_part can't be larger than" /* longer than a marker */
#define SIGNATURE_MAGIC "~Module signature appended~\n"

/* FNV-1a of the name is the seed of a xorshift; no byte is zero. */
static unsigned char
mark_byte(const char *name, int at)
{
  uint64_t x = 0xcbf29ce484222325;
  for (; *name; name++)
    x = (x ^ (unsigned char)*name) * 0x100000001b3;
  for (int i = 0; i <= at; i++)
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
  return (x >> 32) % 255 + 1;
}

static void
put_mark(volatile void *to, const char *name)
{
  for (int i = 0; i < MARK_SIZE; i++)
    ((volatile unsigned char *)to)[i] = mark_byte(name, i);
}

static void
write_mark(int fd, off_t offset, const char *name)
{
  for (int i = 0; i < MARK_SIZE; i++) {
    volatile unsigned char byte = mark_byte(name, i);
    if (pwrite(fd, (const void *)&byte, 1, offset + i) != 1)
      die("write_mark");
  }
}

/* A line of /run/marks: format is what comes after the marker's name. */
static __attribute__((format(printf, 2, 3))) void
tell(const char *name, const char *format, ...)
{
  char line[256];
  int fd = open("/run/marks", O_CREAT | O_WRONLY | O_APPEND, 0644);
  int length = snprintf(line, sizeof line, "%s ", name);
  va_list values;
  va_start(values, format);
  length += vsnprintf(line + length, sizeof line - length, format, values);
  va_end(values);
  line[length++] = '\n'; /* all of them are short */
  if (fd < 0 || write(fd, line, length) != length || close(fd))
    die("/run/marks");
}

static void
tell_memory(const char *name, const volatile void *at, const char *note)
{
  tell(name, "memory %d %p %s", getpid(), (const void *)at, note);
}

static void
mark_memory(const char *name, char *at)
{
  put_mark(at, name);
  tell_memory(name, at, "");
}

/* Memory in pages of the usual size that has no neighbour. */
static char *
map_alone(size_t size)
{
  char *p = map(size + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1) + PAGE;
  if (mprotect(p, size, RW))
    die("mprotect");
  madvise(p, size, MADV_NOHUGEPAGE);
  return p;
}

static void
mark_anonymous(void)
{
  mark_memory("anonymous", map_alone(PAGE) + 1234);
}

/* In a process that is called as an antivirus is: by whoever starts it. */
static void
mark_antivirus(void)
{
  mark_memory("antivirus", map_alone(PAGE) + 2345);
}

static void
mark_edges(void)
{
  mark_memory("first", map_alone(3 * PAGE));
  mark_memory("last", map_alone(3 * PAGE) + 3 * PAGE - MARK_SIZE);
}

static uint64_t
frame_of(int pagemap, const char *page)
{
  uint64_t entry;
  if (pread(pagemap, &entry, sizeof entry, (uintptr_t)page / PAGE * sizeof entry) != sizeof entry ||
      !FRAME(entry))
    die("pagemap");
  return FRAME(entry);
}

/* Half of it in one page and half in the next, which is nowhere near it in physical memory. */
static void
mark_boundary(void)
{
  int pagemap = open("/proc/self/pagemap", O_RDONLY);
  if (pagemap < 0)
    die("pagemap");
  for (int try = 0; try < BOUNDARY_TRIES; try++) {
    char *p = map_alone(BOUNDARY_PAGES * PAGE), note[64];
    for (int i = 0; i < BOUNDARY_PAGES; i++)
      p[(i * 37 + try) % BOUNDARY_PAGES * PAGE] = 'b';
    for (int i = 1; i < BOUNDARY_PAGES; i++) {
      uint64_t left = frame_of(pagemap, p + (i - 1) * PAGE),
               right = frame_of(pagemap, p + i * PAGE);
      if (left + 1 != right && right + 1 != left) {
        put_mark(p + i * PAGE - MARK_SIZE / 2, "boundary");
        snprintf(note, sizeof note, "frames %#" PRIx64 " %#" PRIx64, left, right);
        tell_memory("boundary", p + i * PAGE - MARK_SIZE / 2, note);
        return;
      }
    }
  }
  die("all pages have their neighbours beside them");
}

/* More than 2 GiB lie before it, in `memory` too. */
static void
mark_beyond(void)
{
  char *p = map(BEYOND_SIZE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  if (madvise(p, BEYOND_SIZE, MADV_HUGEPAGE))
    die("MADV_HUGEPAGE");
  for (size_t at = 0; at < BEYOND_SIZE; at += PAGE)
    p[at] = 'B';
  mark_memory("beyond", p + BEYOND_OFFSET);
}

static void
copy_file(const char *from, const char *to, mode_t mode)
{
  char buffer[64 * 1024];
  int in = open(from, O_RDONLY), out = open(to, O_CREAT | O_TRUNC | O_WRONLY, mode);
  ssize_t n;
  while ((n = read(in, buffer, sizeof buffer)) > 0)
    if (write(out, buffer, n) != n)
      die(to);
  if (in < 0 || out < 0 || n < 0 || close(in) || close(out))
    die(from);
}

static off_t
size_of(int fd)
{
  struct stat status;
  if (fd < 0 || fstat(fd, &status))
    die("size_of");
  return status.st_size;
}

/* A copy of this program with something behind its end, as what is packed into itself has; it runs,
 * and its file is gone. Who starts this one goes on as that one. */
static void
mark_deleted(void)
{
  char role[] = "ROLE=mark remove", *argv[] = {(char *)"/run/marked", NULL}, *envp[] = {role, NULL};
  copy_file("/proc/self/exe", argv[0], 0755);
  int fd = open(argv[0], O_WRONLY);
  write_mark(fd, size_of(fd) + 77, "deleted");
  close(fd);
  execve(argv[0], argv, envp);
  die(argv[0]);
}

static void
remove_program(void)
{
  tell("deleted", "exe %d - /run/marked", getpid());
  if (unlink("/run/marked"))
    die("/run/marked");
}

/* Where the library has its room for a marker. */
static size_t
slot_in(const char *file, size_t size)
{
  const char *slot = memmem(file, size, "room for a marker", 17);
  if (!slot)
    die("there is no room for a marker");
  return slot - file;
}

static size_t library_size, library_slot;

static void
use_library(void)
{
  int fd = open(LIBRARY, O_RDONLY);
  volatile char *p = map(library_size, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd);
  for (size_t at = 0; at < library_size; at += PAGE)
    (void)p[at];
  tell_memory("library", p + library_slot, "");
}

static void
mark_library(void)
{
  copy_file("/lib/libroom.so", LIBRARY, 0755);
  int fd = open(LIBRARY, O_RDWR);
  library_size = size_of(fd);
  char *file = map(library_size, PROT_READ, MAP_PRIVATE, fd);
  library_slot = slot_in(file, library_size);
  munmap(file, library_size);
  write_mark(fd, library_slot, "library");
  close(fd);
  for (int i = 0; i < LIBRARY_USERS; i++)
    start_child(use_library);
  tell("library", "file - - /libmarked.so");
}

/* The section that has this offset in the file, and its name. */
static const Elf64_Shdr *
section_at(const char *module, size_t offset, const char **ret_name)
{
  const Elf64_Ehdr *elf = (const void *)module;
  const Elf64_Shdr *section = (const void *)(module + elf->e_shoff);
  const char *names = module + section[elf->e_shstrndx].sh_offset;
  for (int i = 1; i < elf->e_shnum; i++) {
    *ret_name = names + section[i].sh_name;
    if (section[i].sh_offset <= offset && offset < section[i].sh_offset + section[i].sh_size)
      return &section[i];
  }
  errno = ENOENT;
  die("section_at");
}

/* In place of a message that it never has a reason to print. */
static void
mark_module(void)
{
  char path[256], address[32] = "";
  const char *name;
  struct utsname system;
  uname(&system);
  snprintf(path, sizeof path, "/lib/modules/%s/brd.ko", system.release);
  int fd = open(path, O_RDONLY);
  size_t size = size_of(fd), end = size, magic = strlen(SIGNATURE_MAGIC);
  char *module = map(size, RW, MAP_PRIVATE, fd);
  if (memcmp(module + size - magic, SIGNATURE_MAGIC, magic) == 0)
    end -= magic; /* unsigned is allowed, wrongly signed is not */
  char *message = memmem(module, size, MODULE_MESSAGE, strlen(MODULE_MESSAGE));
  if (!message)
    die("the module has no such message");
  size_t offset = message - module;
  offset -= section_at(module, offset, &name)->sh_offset;
  snprintf(path, sizeof path, "/sys/module/brd/sections/%s", name);
  put_mark(message, "module");
  if (syscall(SYS_init_module, module, end, ""))
    die("init_module");
  memset(module, 0, size);
  munmap(module, size);
  fd = open(path, O_RDONLY);
  if (fd < 0 || read(fd, address, sizeof address - 1) <= 0)
    die(path);
  tell("module", "module - %#lx brd", strtoul(address, NULL, 16) + offset);
}

static int
make_memfd(const char *name)
{
  int fd = memfd_create(name, MFD_CLOEXEC);
  if (fd < 0 || ftruncate(fd, 3 * PAGE))
    die("memfd");
  return fd;
}

static void
mark_memfds(void)
{
  char *p = map(3 * PAGE, RW, MAP_SHARED, make_memfd("marked-mapped"));
  mark_memory("memfd-mapped", p + PAGE + 111);
  tell("memfd-mapped", "file - - memfd:marked-mapped");
  write_mark(make_memfd("marked-held"), PAGE + 222, "memfd-held");
  tell("memfd-held", "file - - memfd:marked-held");
}

static char *parents_data;
static int child_number;

/* What belongs to the parent is at the same address in each. */
static void
be_sibling(void)
{
  char *page = parents_data + (1 + child_number) * 100 * PAGE;
  *page = 'c';
  tell_memory("parent", parents_data + 50 * PAGE + 1000, "");
  if (child_number == MARKED_CHILD)
    mark_memory("child", page + 500);
}

static void
mark_family(void)
{
  parents_data = map_alone(PARENT_SIZE);
  for (size_t at = 0; at < PARENT_SIZE; at += sizeof at)
    memcpy(parents_data + at, &at, sizeof at);
  mark_memory("parent", parents_data + 50 * PAGE + 1000);
  for (child_number = 0; child_number < CHILDREN; child_number++)
    start_child(be_sibling);
}

static const struct {
  const char *name;
  void (*plant)(void);
} places[] = {
    {"anonymous", mark_anonymous}, {"antivirus", mark_antivirus}, {"edges", mark_edges},
    {"boundary", mark_boundary},   {"beyond", mark_beyond},       {"deleted", mark_deleted},
    {"remove", remove_program},    {"library", mark_library},     {"module", mark_module},
    {"memfds", mark_memfds},       {"family", mark_family},
};

static int
mark(const char *arg)
{
  for (size_t i = 0; i < sizeof places / sizeof *places; i++)
    if (arg && strcmp(arg, places[i].name) == 0) {
      places[i].plant();
      stay();
    }
  fprintf(stderr, "guest: mark: no such place\n");
  return 2;
}

const struct role mark_roles[] = {{"mark", mark}, {NULL, NULL}};
