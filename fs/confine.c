/* Landlock and seccomp. */
#include "fs/confine.h"

#include "snap/error.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* --- Landlock: which files --- */

/* Rights that this host's headers may not know yet: Documentation/userspace-api/landlock.rst. */
#define ACCESS_FS_TRUNCATE ((uint64_t)1 << 14)
#define ACCESS_FS_IOCTL_DEV ((uint64_t)1 << 15)
#define ACCESS_FS_FIRST (((uint64_t)1 << 13) - 1) /* all of the first version */
#define ACCESS_NET_ALL ((uint64_t)3)              /* bind and connect over TCP */
#define SCOPE_ALL ((uint64_t)3)                   /* abstract UNIX sockets, signals */

/* struct landlock_ruleset_attr as it is today; older kernels take less of it. */
typedef struct {
  uint64_t handled_access_fs;
  uint64_t handled_access_net;
  uint64_t scoped;
} Ruleset;

static const struct {
  int abi;
  size_t size;
  uint64_t fs, net, scoped; /* what it adds */
} versions[] = {
    {1, offsetof(Ruleset, handled_access_net), ACCESS_FS_FIRST, 0, 0},
    {2, offsetof(Ruleset, handled_access_net), LANDLOCK_ACCESS_FS_REFER, 0, 0},
    {3, offsetof(Ruleset, handled_access_net), ACCESS_FS_TRUNCATE, 0, 0},
    {4, offsetof(Ruleset, scoped), 0, ACCESS_NET_ALL, 0},
    {5, offsetof(Ruleset, scoped), ACCESS_FS_IOCTL_DEV, 0, 0},
    {6, sizeof(Ruleset), 0, 0, SCOPE_ALL},
};

#define OF_FILES                                                                                   \
  ((uint64_t)(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE) | ACCESS_FS_TRUNCATE)
#define READABLE ((uint64_t)(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR))
#define WRITABLE                                                                                   \
  (READABLE | OF_FILES |                                                                           \
   (uint64_t)(LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |                     \
              LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |                          \
              LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER))

static bool
allow_path(int ruleset, const char *path, uint64_t access, GError **error)
{
  struct stat st;
  int fd = open(path, O_PATH | O_CLOEXEC);

  if (fd < 0 || fstat(fd, &st) != 0) {
    dacsa_fail_errno(error, errno, "%s, which is to stay accessible", path);
    if (fd >= 0)
      close(fd);
    return false;
  }
  struct landlock_path_beneath_attr rule = {
      .allowed_access = S_ISDIR(st.st_mode) ? access : access & OF_FILES,
      .parent_fd = fd,
  };
  bool ok = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
  if (!ok)
    dacsa_fail_errno(error, errno, "Landlock's rule for %s", path);
  close(fd);
  return ok;
}

static bool
allow_paths(int ruleset, const DacsaConfinement *what, uint64_t handled, GError **error)
{
  for (size_t i = 0; what->readable && what->readable[i]; i++)
    if (!allow_path(ruleset, what->readable[i], READABLE & handled, error))
      return false;
  return !what->writable || allow_path(ruleset, what->writable, WRITABLE & handled, error);
}

static bool
restrict_files(const DacsaConfinement *what, char **ret_missing, GError **error)
{
  long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
  Ruleset rules = {0};
  size_t size = 0;

  if (abi < 1) {
    *ret_missing = g_strdup_printf("Landlock (%s): which files may be opened is not limited",
                                   g_strerror(errno));
    return true;
  }
  for (size_t i = 0; i < G_N_ELEMENTS(versions) && versions[i].abi <= abi; i++) {
    size = versions[i].size;
    rules.handled_access_fs |= versions[i].fs;
    rules.handled_access_net |= versions[i].net;
    rules.scoped |= versions[i].scoped;
  }
  int fd = (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0);
  if (fd < 0)
    return dacsa_fail_errno(error, errno, "Landlock's ruleset");
  bool ok = allow_paths(fd, what, rules.handled_access_fs, error);
  if (ok && syscall(SYS_landlock_restrict_self, fd, 0) != 0)
    ok = dacsa_fail_errno(error, errno, "Landlock");
  close(fd);
  return ok;
}

/* --- seccomp: which system calls --- */

/* What libclamav, libyara, GLib and its threads use. All else is EPERM. */
static const int allowed[] = {
    /* open descriptors */
    SCMP_SYS(read),
    SCMP_SYS(readv),
    SCMP_SYS(pread64),
    SCMP_SYS(preadv),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(pwrite64),
    SCMP_SYS(pwritev),
    SCMP_SYS(lseek),
    SCMP_SYS(close),
    SCMP_SYS(fstat),
    SCMP_SYS(ftruncate),
    SCMP_SYS(fallocate),
    SCMP_SYS(fsync),
    SCMP_SYS(fdatasync),
    SCMP_SYS(fadvise64),
    SCMP_SYS(dup),
    SCMP_SYS(dup2),
    SCMP_SYS(dup3),
    SCMP_SYS(pipe2),
    SCMP_SYS(eventfd2),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(select),
    SCMP_SYS(pselect6),
    SCMP_SYS(getdents64),
    SCMP_SYS(flock),
    /* paths: Landlock has its say */
    SCMP_SYS(open),
    SCMP_SYS(openat),
    SCMP_SYS(stat),
    SCMP_SYS(lstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(statx),
    SCMP_SYS(statfs),
    SCMP_SYS(fstatfs),
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(getcwd),
    SCMP_SYS(mkdir),
    SCMP_SYS(mkdirat),
    SCMP_SYS(rmdir),
    SCMP_SYS(unlink),
    SCMP_SYS(unlinkat),
    SCMP_SYS(rename),
    SCMP_SYS(renameat),
    SCMP_SYS(renameat2),
    SCMP_SYS(umask),
    /* memory, threads, signals to itself */
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(futex),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sched_getparam),
    SCMP_SYS(sched_getscheduler),
    SCMP_SYS(membarrier),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(restart_syscall),
    /* time, and what it is */
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(times),
    SCMP_SYS(getrusage),
    SCMP_SYS(getrandom),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getppid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(uname),
    SCMP_SYS(sysinfo),
    SCMP_SYS(getrlimit),
    SCMP_SYS(getcpu),
};

/* Nothing here has a use for these: who calls one has been taken over. */
static const int deadly[] = {
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(process_madvise),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(kcmp),
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(keyctl),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(move_mount),
    SCMP_SYS(open_tree),
    SCMP_SYS(fsopen),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(reboot),
    SCMP_SYS(swapon),
    SCMP_SYS(swapoff),
    SCMP_SYS(acct),
    SCMP_SYS(iopl),
    SCMP_SYS(ioperm),
    SCMP_SYS(personality),
    SCMP_SYS(modify_ldt),
    SCMP_SYS(quotactl),
    SCMP_SYS(syslog),
};

static const int fcntl_commands[] = {F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL};
static const unsigned long ioctls[] = {TCGETS, TIOCGWINSZ, FIONREAD};
static const int prctls[] = {PR_SET_NAME, PR_GET_NAME};

static bool
add_lists(scmp_filter_ctx filter)
{
  bool ok = true;

  for (size_t i = 0; i < G_N_ELEMENTS(allowed); i++)
    ok = ok && seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0) == 0;
  for (size_t i = 0; i < G_N_ELEMENTS(deadly); i++)
    ok = ok && seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, deadly[i], 0) == 0;
  return ok;
}

static bool
add_commands(scmp_filter_ctx filter)
{
  bool ok = true;

  for (size_t i = 0; i < G_N_ELEMENTS(fcntl_commands); i++)
    ok = ok && seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
                                SCMP_A1_32(SCMP_CMP_EQ, (uint32_t)fcntl_commands[i])) == 0;
  for (size_t i = 0; i < G_N_ELEMENTS(ioctls); i++)
    ok = ok && seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
                                SCMP_A1_32(SCMP_CMP_EQ, (uint32_t)ioctls[i])) == 0;
  for (size_t i = 0; i < G_N_ELEMENTS(prctls); i++)
    ok = ok && seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
                                SCMP_A0_32(SCMP_CMP_EQ, (uint32_t)prctls[i])) == 0;
  return ok;
}

/* No code but what lies in files: iconv's modules are loaded when they are asked for. */
static bool
add_memory(scmp_filter_ctx filter)
{
  return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                          SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0 &&
         seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2,
                          SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC | PROT_WRITE, PROT_EXEC),
                          SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, 0)) == 0 &&
         seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                          SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0;
}

/* Threads, not processes; signals to itself (abort), not to others; its limits, to read.
 * clone3's flags lie in memory, where a filter cannot see them: glibc then takes clone. */
static bool
add_process(scmp_filter_ctx filter)
{
  return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                          SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)) == 0 &&
         seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0 &&
         seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                          SCMP_A0_32(SCMP_CMP_EQ, (uint32_t)getpid())) == 0 &&
         seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2,
                          SCMP_A0_32(SCMP_CMP_EQ, 0), SCMP_A2(SCMP_CMP_EQ, 0)) == 0;
}

static bool
restrict_calls(GError **error)
{
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));

  if (!filter)
    return dacsa_fail(error, DACSA_ERROR_OS, "libseccomp has no memory for a filter");
  seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree; a list does it too */
  bool ok = add_lists(filter) && add_commands(filter) && add_memory(filter) && add_process(filter);
  int result = ok ? seccomp_load(filter) : -EINVAL;
  seccomp_release(filter);
  return result == 0 || dacsa_fail_errno(error, -result, "seccomp");
}

/* --- both --- */

/* Landlock confines the calling thread and those it starts: another would stay as it is. */
static bool
check_single(GError **error)
{
  g_autoptr(GDir) tasks = g_dir_open("/proc/self/task", 0, NULL);
  unsigned count = 0;

  while (tasks && g_dir_read_name(tasks))
    count++;
  return count <= 1 || dacsa_fail(error, DACSA_ERROR_UNSUPPORTED,
                                  "%u threads run, and only one of them would be confined", count);
}

bool
dacsa_confine(const DacsaConfinement *what, char **ret_missing, GError **error)
{
  g_autofree char *missing = NULL;

  if (!check_single(error))
    return false;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return dacsa_fail_errno(error, errno, "no new privileges");
  if (!restrict_files(what, &missing, error) || !restrict_calls(error))
    return false;
  *ret_missing = g_steal_pointer(&missing);
  return true;
}
