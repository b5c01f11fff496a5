/*
 * Processes in namespaces of their own, as containers are.
 */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

void open_container_sockets(void);

static int go[2],
    done[2]; /* pipes: the maps are written; the container is what it is meant to be */

/* A child that believes it is process 1. */
static int
container(const char *arg)
{
  (void)arg;
  if (unshare(CLONE_NEWPID | CLONE_NEWNS))
    die("unshare");
  start_child(NULL);
  stay();
}

static void
copy(const char *from, const char *to)
{
  char buffer[64 * 1024];
  int in = open(from, O_RDONLY), out = open(to, O_CREAT | O_TRUNC | O_WRONLY, 0755);
  ssize_t n;
  if (in < 0 || out < 0)
    die(to);
  while ((n = read(in, buffer, sizeof buffer)) > 0)
    if (write(out, buffer, n) != n)
      die(to);
  close(in);
  close(out);
}

static void
raise_lo(void)
{
  struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request))
    die("lo");
  close(fd);
}

/* The mount at dir becomes the root. Not pivot_root: an initramfs cannot be put elsewhere. */
static void
enter(const char *dir)
{
  if (chdir(dir) || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
    die(dir);
}

static void
furnish_box(void)
{
  if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
      mount("boxfs", "/box", "tmpfs", 0, "size=8m") || mkdir("/box/bin", 0755) ||
      mkdir("/box/proc", 0755) || mkdir("/box/data", 0755))
    die("the box");
  copy("/proc/self/exe", "/box/bin/boxed");
  if (mount("proc", "/box/proc", "proc", 0, NULL) ||
      mount("data", "/box/data", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=1m"))
    die("mounts of the box");
  enter("/box");
}

static void
close_done(void)
{
  close(atoi(getenv("DONE")));
}

/* What runs in the box, as process 1 of it: execed, from a path that is only there. */
static int
boxed(const char *arg)
{
  int fd = open("/data/log of the box", O_CREAT | O_WRONLY | O_APPEND, 0644);
  (void)arg;
  if (fd < 0 || write(fd, "line\n", 5) != 5)
    die("log");
  map(PAGE, PROT_READ, MAP_SHARED, open("/data/log of the box", O_RDONLY))[0] += 0;
  open_container_sockets();
  start_child(close_done);
  start_thread("in the box");
  if (write(atoi(getenv("DONE")), "!", 1) != 1)
    die("DONE");
  close_done();
  be_at_rest();
}

static _Noreturn void
become_boxed(void)
{
  char byte, done_fd[32], role[] = "ROLE=boxed";
  char *argv[] = {(char *)"boxed", (char *)"--inside", NULL}, *envp[] = {role, done_fd, NULL};
  close(go[1]);
  close(done[0]);
  if (read(go[0], &byte, 1) != 0 || setresgid(0, 0, 0) || setresuid(0, 0, 0))
    die("maps");
  furnish_box();
  raise_lo();
  if (sethostname("box", 3) || setdomainname("example", 7))
    die("hostname");
  close(go[0]);
  snprintf(done_fd, sizeof done_fd, "DONE=%d", done[1]);
  execve("/bin/boxed", argv, envp);
  die("/bin/boxed");
}

/* A container with all seven namespaces, users mapped to 100000 and up, and a root of its own. */
static int
box(const char *arg)
{
  const unsigned long all = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWNS |
                            CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP | SIGCHLD;
  static const char *const maps[] = {"uid_map", "gid_map"};
  char path[64], byte;
  (void)arg;
  mkdir("/box", 0755);
  if (pipe(go) || pipe(done))
    die("pipe");
  pid_t child = syscall(SYS_clone, all, NULL, NULL, NULL, NULL);
  if (child < 0)
    die("clone");
  if (child == 0)
    become_boxed();
  for (size_t i = 0; i < 2; i++) {
    snprintf(path, sizeof path, "/proc/%d/%s", child, maps[i]);
    write_file(path, "0 100000 65536\n");
  }
  close(go[0]);
  close(go[1]);
  close(done[1]);
  if (read(done[0], &byte, 1) != 1)
    die("the box");
  close(done[0]);
  stay();
}

static void
map_one(const char *path)
{
  int fd = open(path, O_RDWR | O_CREAT, 0644);
  if (fd < 0 || ftruncate(fd, PAGE))
    die(path);
  map(PAGE, RW, MAP_PRIVATE, fd)[0] = 'o';
}

/* Runs from the lower layer of an overlay, as a container's image is, with files of either layer.
 */
static int
overlaid(const char *arg)
{
  char *argv[] = {(char *)"/bin/layered", NULL}, role[] = "ROLE=layered", *envp[] = {role, NULL};
  (void)arg;
  if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
    die("unshare");
  mkdir("/layers", 0755);
  if (mount("layers", "/layers", "tmpfs", 0, NULL) || mkdir("/layers/lower", 0755) ||
      mkdir("/layers/upper", 0755) || mkdir("/layers/work", 0755) ||
      mkdir("/layers/merged", 0755) || mkdir("/layers/lower/bin", 0755) ||
      mkdir("/layers/lower/run", 0755))
    die("layers");
  copy("/proc/self/exe", "/layers/lower/bin/layered");
  write_file("/layers/lower/a file of the image", "image\n");
  if (mount("overlay", "/layers/merged", "overlay", 0,
            "lowerdir=/layers/lower,upperdir=/layers/upper,workdir=/layers/work") ||
      mount("/run", "/layers/merged/run", NULL, MS_BIND, NULL))
    die("overlay");
  enter("/layers/merged");
  execve("/bin/layered", argv, envp);
  die("/bin/layered");
}

static int
layered(const char *arg)
{
  (void)arg;
  int fd = open("/a file of the image", O_RDONLY);
  if (fd < 0)
    die("image");
  map(PAGE, PROT_READ, MAP_PRIVATE, fd);
  map_one("/written in the container");
  stay();
}

const struct role namespace_roles[] = {
    {"container", container}, {"box", box},         {"boxed", boxed},
    {"overlaid", overlaid},   {"layered", layered}, {NULL, NULL},
};
