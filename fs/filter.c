/* The lists of system calls, and the filter that libseccomp makes of them. */
#include "fs/filter.h"

#include "snap/error.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

/* --- the lists --- */

/* What libc, GLib, and threads use. */
static const int common[] = {
    /* open descriptors */
    SCMP_SYS(read),
    SCMP_SYS(pread64),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(close),
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
    SCMP_SYS(getrandom),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(sysinfo), /* qsort asks how much memory there is */
    SCMP_SYS(getcpu),
};

/* What libclamav and libyara use beside that. */
static const int for_files[] = {
    /* open descriptors */
    SCMP_SYS(readv),
    SCMP_SYS(preadv),
    SCMP_SYS(pwrite64),
    SCMP_SYS(pwritev),
    SCMP_SYS(lseek),
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
    /* GLib's pools ask for scheduling; libclamav for times and limits */
    SCMP_SYS(sched_getparam),
    SCMP_SYS(sched_getscheduler),
    SCMP_SYS(sched_getattr),
    SCMP_SYS(membarrier),
    SCMP_SYS(times),
    SCMP_SYS(getrusage),
    SCMP_SYS(getppid),
    SCMP_SYS(uname),
    SCMP_SYS(getrlimit),
};

/* The channel to the keeper: messages, and the descriptors that come with them. */
static const int for_descriptors[] = {
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendmsg),
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

/* Calls that are allowed with one value of one argument only. */
typedef struct {
  int call;
  unsigned argument;
  uint32_t value;
} Command;

static const Command common_commands[] = {
    {SCMP_SYS(fcntl), 1, F_GETFD},     {SCMP_SYS(fcntl), 1, F_GETFL},
    {SCMP_SYS(ioctl), 1, TCGETS}, /* isatty */
    {SCMP_SYS(prctl), 0, PR_SET_NAME}, {SCMP_SYS(prctl), 0, PR_GET_NAME},
};

static const Command commands_for_files[] = {
    {SCMP_SYS(fcntl), 1, F_DUPFD},  {SCMP_SYS(fcntl), 1, F_DUPFD_CLOEXEC},
    {SCMP_SYS(fcntl), 1, F_SETFD},  {SCMP_SYS(fcntl), 1, F_SETFL},
    {SCMP_SYS(ioctl), 1, FIONREAD}, {SCMP_SYS(ioctl), 1, TIOCGWINSZ},
};

/* --- the filter --- */

static bool
add_calls(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t n)
{
  bool ok = true;

  for (size_t i = 0; i < n; i++)
    ok = ok && seccomp_rule_add(filter, action, calls[i], 0) == 0;
  return ok;
}

static bool
add_commands(scmp_filter_ctx filter, const Command *commands, size_t n)
{
  bool ok = true;

  for (size_t i = 0; i < n; i++)
    ok = ok &&
         seccomp_rule_add(filter, SCMP_ACT_ALLOW, commands[i].call, 1,
                          SCMP_CMP32(commands[i].argument, SCMP_CMP_EQ, commands[i].value)) == 0;
  return ok;
}

/* Memory that is not executable. */
static bool
add_memory(scmp_filter_ctx filter)
{
  return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                          SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0 &&
         seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                          SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0;
}

/* Code that lies in files: iconv's modules are loaded when they are asked for. */
static bool
add_libraries(scmp_filter_ctx filter)
{
  return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2,
                          SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC | PROT_WRITE, PROT_EXEC),
                          SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, 0)) == 0;
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
add_common(scmp_filter_ctx filter)
{
  return add_calls(filter, SCMP_ACT_ALLOW, common, G_N_ELEMENTS(common)) &&
         add_calls(filter, SCMP_ACT_KILL_PROCESS, deadly, G_N_ELEMENTS(deadly)) &&
         add_commands(filter, common_commands, G_N_ELEMENTS(common_commands)) &&
         add_memory(filter) && add_process(filter);
}

static bool
add_kind(scmp_filter_ctx filter, DacsaFilter kind)
{
  if (kind == DACSA_FILTER_DESCRIPTORS)
    return add_calls(filter, SCMP_ACT_ALLOW, for_descriptors, G_N_ELEMENTS(for_descriptors));
  return add_calls(filter, SCMP_ACT_ALLOW, for_files, G_N_ELEMENTS(for_files)) &&
         add_commands(filter, commands_for_files, G_N_ELEMENTS(commands_for_files)) &&
         add_libraries(filter);
}

bool
dacsa_filter_load(DacsaFilter kind, GError **error)
{
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));

  if (!filter)
    return dacsa_fail(error, DACSA_ERROR_OS, "libseccomp has no memory for a filter");
  seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree; a list does it too */
  /* Another architecture's calls end the process, not one thread of it, which may hold a lock. */
  bool ok = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) == 0 &&
            add_common(filter) && add_kind(filter, kind);
  int result = ok ? seccomp_load(filter) : -EINVAL;
  seccomp_release(filter);
  return result == 0 || dacsa_fail_errno(error, -result, "seccomp");
}
