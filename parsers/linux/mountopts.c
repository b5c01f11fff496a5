/*
 * The options that file systems print for themselves in /proc/PID/mounts. Which function does it
 * (super_operations.show_options) says what there is to print.
 */
#include "parsers/linux/system.h"
#include "snap/error.h"

#define PAGE_KIB 4u
#define MODE_BITS 07777u
#define STICKY 01000u

/* A place in the kernel's memory where options stand. */
typedef struct {
  const DacsaLinux *l;
  uint64_t sb, root, info; /* root: a dentry; info: s_fs_info */
  GString *out;
} Options;

static bool
append_number(const Options *o, DacsaLinuxMember member, const char *format, uint64_t unless,
              GError **error)
{
  uint64_t v;

  if (!dacsa_linux_get(o->l, o->info, member, &v, error))
    return false;
  if (v != unless)
    g_string_append_printf(o->out, format, (unsigned long)v);
  return true;
}

/* mm/shmem.c, shmem_format_huge. */
static const char *
huge_name(uint64_t huge)
{
  static const char *const names[] = {"never", "always", "within_size", "advise"};

  if (huge < G_N_ELEMENTS(names))
    return names[huge];
  return huge == 0xff ? "deny" : huge == 0xfe ? "force" : "bad_val";
}

/* mm/shmem.c: tmpfs, and what is built on it. Sizes are printed unless they are the default, half
 * of the memory. */
static bool
show_shmem(const Options *o, GError **error)
{
  const DacsaLinux *l = o->l;
  uint64_t total, blocks, full, huge, mpol;

  if (!dacsa_mem_read_u64(l->memory, dacsa_linux_symbol(l, S_TOTALRAM_PAGES), &total, error) ||
      !dacsa_linux_get(l, o->info, M_SHMEM_MAX_BLOCKS, &blocks, error))
    return false;
  if (blocks != total / 2)
    g_string_append_printf(o->out, ",size=%" PRIu64 "k", blocks * PAGE_KIB);
  if (!append_number(o, M_SHMEM_MAX_INODES, ",nr_inodes=%lu", total / 2, error) ||
      !append_number(o, M_SHMEM_MODE, ",mode=%03lo", 01777, error) ||
      !append_number(o, M_SHMEM_UID, ",uid=%lu", 0, error) ||
      !append_number(o, M_SHMEM_GID, ",gid=%lu", 0, error))
    return false;
  if (dacsa_linux_has(l, M_SHMEM_FULL_INUMS)) {
    if (!dacsa_linux_get(l, o->info, M_SHMEM_FULL_INUMS, &full, error))
      return false;
    /* inode32 is printed only by kernels of CONFIG_TMPFS_INODE64, where it has to be asked for. */
    if (full)
      g_string_append(o->out, ",inode64");
  }
  if (dacsa_linux_has(l, M_SHMEM_HUGE)) {
    if (!dacsa_linux_get(l, o->info, M_SHMEM_HUGE, &huge, error))
      return false;
    if (huge != 0)
      g_string_append_printf(o->out, ",huge=%s", huge_name(huge));
  }
  if (!dacsa_linux_get(l, o->info, M_SHMEM_MPOL, &mpol, error))
    return false;
  if (mpol != 0)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "it has a memory policy");
  return !dacsa_linux_has(l, M_SHMEM_NOSWAP) ||
         append_number(o, M_SHMEM_NOSWAP, ",noswap", 0, error);
}

static bool
show_ramfs(const Options *o, GError **error)
{
  return append_number(o, M_RAMFS_MODE, ",mode=%lo", 0755, error);
}

/* fs/proc/root.c. */
static bool
show_proc(const Options *o, GError **error)
{
  static const char *const hidepids[] = {"off", "noaccess", "invisible", NULL, "ptraceable"};
  uint64_t hide, pid_only;

  if (!append_number(o, M_PROC_PID_GID, ",gid=%lu", 0, error) ||
      !dacsa_linux_get(o->l, o->info, M_PROC_HIDE_PID, &hide, error) ||
      !dacsa_linux_get(o->l, o->info, M_PROC_PIDONLY, &pid_only, error))
    return false;
  if (hide != 0)
    g_string_append_printf(o->out, ",hidepid=%s",
                           hide < G_N_ELEMENTS(hidepids) && hidepids[hide] ? hidepids[hide]
                                                                           : "unknown");
  if (pid_only != 0)
    g_string_append(o->out, ",subset=pid");
  return true;
}

/* fs/devpts/inode.c; NR_UNIX98_PTY_MAX is 2^20. */
static bool
show_devpts(const Options *o, GError **error)
{
  uint64_t set_uid, set_gid;

  if (!dacsa_linux_get(o->l, o->info, M_DEVPTS_SETUID, &set_uid, error) ||
      !dacsa_linux_get(o->l, o->info, M_DEVPTS_SETGID, &set_gid, error))
    return false;
  return (!set_uid || append_number(o, M_DEVPTS_UID, ",uid=%lu", UINT64_MAX, error)) &&
         (!set_gid || append_number(o, M_DEVPTS_GID, ",gid=%lu", UINT64_MAX, error)) &&
         append_number(o, M_DEVPTS_MODE, ",mode=%03lo", UINT64_MAX, error) &&
         append_number(o, M_DEVPTS_PTMXMODE, ",ptmxmode=%03lo", UINT64_MAX, error) &&
         append_number(o, M_DEVPTS_MAX, ",max=%lu", 1u << 20, error);
}

static bool
show_debugfs(const Options *o, GError **error)
{
  return append_number(o, M_DEBUGFS_UID, ",uid=%lu", 0, error) &&
         append_number(o, M_DEBUGFS_GID, ",gid=%lu", 0, error) &&
         append_number(o, M_DEBUGFS_MODE, ",mode=%lo", 0700, error);
}

static bool
show_tracefs(const Options *o, GError **error)
{
  return append_number(o, M_TRACEFS_UID, ",uid=%lu", 0, error) &&
         append_number(o, M_TRACEFS_GID, ",gid=%lu", 0, error) &&
         append_number(o, M_TRACEFS_MODE, ",mode=%lo", 0700, error);
}

/* kernel/cgroup/cgroup.c, cgroup_show_options: those of version 2. */
static bool
show_cgroup(const Options *o, GError **error)
{
  static const struct {
    DacsaLinuxEnumerator flag;
    const char *text;
  } names[] = {
      {E_CGRP_NS_DELEGATE, ",nsdelegate"},
      {E_CGRP_FAVOR_DYNMODS, ",favordynmods"},
      {E_CGRP_MEMORY_LOCAL_EVENTS, ",memory_localevents"},
      {E_CGRP_MEMORY_RECURSIVE_PROT, ",memory_recursiveprot"},
      {E_CGRP_MEMORY_HUGETLB_ACCOUNTING, ",memory_hugetlb_accounting"},
      {E_CGRP_PIDS_LOCAL_EVENTS, ",pids_localevents"},
  };
  uint64_t flags;

  if (!dacsa_linux_get(o->l, dacsa_linux_symbol(o->l, S_CGRP_DFL_ROOT), M_CGROUP_ROOT_FLAGS, &flags,
                       error))
    return false;
  for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
    const int64_t flag = o->l->kernel->enumerators[names[i].flag];

    if (flag != INT64_MIN && flags & (uint64_t)flag)
      g_string_append(o->out, names[i].text);
  }
  return true;
}

/* fs/kernfs/mount.c: sysfs has nothing to print, cgroup has. */
static bool
show_kernfs(const Options *o, GError **error)
{
  uint64_t root, ops, show = 0;

  if (!dacsa_linux_get(o->l, o->info, M_KERNFS_INFO_ROOT, &root, error) ||
      !dacsa_linux_get(o->l, root, M_KERNFS_ROOT_OPS, &ops, error) ||
      (ops != 0 && !dacsa_linux_get(o->l, ops, M_KERNFS_OPS_SHOW_OPTIONS, &show, error)))
    return false;
  if (show == 0)
    return true;
  if (show == dacsa_linux_symbol(o->l, S_CGROUP_SHOW_OPTIONS))
    return show_cgroup(o, error);
  return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "they are not known");
}

/* kernel/bpf/inode.c: those of the root directory. */
static bool
show_bpf(const Options *o, GError **error)
{
  static const DacsaLinuxMember delegates[] = {M_BPF_DELEGATE_CMDS, M_BPF_DELEGATE_MAPS,
                                               M_BPF_DELEGATE_PROGS, M_BPF_DELEGATE_ATTACHS};
  Options inode = *o;
  uint64_t mode, delegate;

  if (!dacsa_linux_get(o->l, o->root, M_DENTRY_INODE, &inode.info, error) ||
      !dacsa_linux_get(o->l, inode.info, M_INODE_MODE, &mode, error))
    return false;
  if (dacsa_linux_has(o->l, M_BPF_UID) &&
      (!append_number(&inode, M_INODE_UID, ",uid=%lu", 0, error) ||
       !append_number(&inode, M_INODE_GID, ",gid=%lu", 0, error)))
    return false;
  mode &= MODE_BITS & ~STICKY;
  if (mode != 0777)
    g_string_append_printf(o->out, ",mode=%lo", (unsigned long)mode);
  for (size_t i = 0; i < G_N_ELEMENTS(delegates); i++) {
    if (!dacsa_linux_has(o->l, delegates[i]))
      continue;
    if (!dacsa_linux_get(o->l, o->info, delegates[i], &delegate, error))
      return false;
    if (delegate != 0)
      return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "it delegates");
  }
  return true;
}

/* -- ext4 (fs/ext4/super.c, _ext4_show_options) -- */

/* fs/ext4/ext4.h: bits of s_mount_opt. */
#define EXT4_ERRORS_CONT 0x10u
#define EXT4_ERRORS_RO 0x20u
#define EXT4_ERRORS_PANIC 0x40u
#define EXT4_ERRORS_MASK 0x70u
#define EXT4_DATA_FLAGS 0xc00u
#define EXT4_DATA_JOURNAL 0x400u
#define EXT4_DATA_ORDERED 0x800u

/* In the order in which they are printed; those that differ from the default are. */
static const struct {
  uint32_t flag;
  const char *set, *clear;
} ext4_flags[] = {
    {0x00000004, ",grpid", ",nogrpid"},       {0x40000000, ",discard", ",nodiscard"},
    {0x08000000, ",delalloc", ",nodelalloc"}, {0x00000100, ",norecovery", NULL},
    {0x00020000, ",barrier", ",nobarrier"},
};

/* What makes the line longer than is known here, unless it is as mkfs and mount leave it. */
static bool
ext4_is_plain(const Options *o, bool *ret, GError **error)
{
  static const struct {
    DacsaLinuxMember member;
    uint64_t value;
  } plain[] = {
      {M_EXT4_SB_BLOCK, 1},
      {M_EXT4_RESUID, 0},
      {M_EXT4_RESGID, 0},
      {M_EXT4_MIN_BATCH_TIME, 0},
      {M_EXT4_MAX_BATCH_TIME, 15000},
      {M_EXT4_READAHEAD, 32},
      {M_EXT4_LI_WAIT_MULT, 10},
      {M_EXT4_MAX_DIR_SIZE, 0},
  };
  uint64_t value;

  *ret = true;
  for (size_t i = 0; i < G_N_ELEMENTS(plain) && *ret; i++) {
    if (!dacsa_linux_get(o->l, o->info, plain[i].member, &value, error))
      return false;
    *ret = value == plain[i].value;
  }
  return true;
}

static void
append_ext4_errors(const Options *o, uint64_t options, uint64_t by_default)
{
  static const struct {
    uint32_t flag;
    uint32_t stored; /* ext4_super_block.s_errors */
    const char *text;
  } errors[] = {{EXT4_ERRORS_RO, 2, ",errors=remount-ro"},
                {EXT4_ERRORS_CONT, 1, ",errors=continue"},
                {EXT4_ERRORS_PANIC, 3, ",errors=panic"}};

  for (size_t i = 0; i < G_N_ELEMENTS(errors); i++)
    if (options & errors[i].flag && by_default != errors[i].stored)
      g_string_append(o->out, errors[i].text);
}

/* In seconds, unless it is JBD2_DEFAULT_MAX_COMMIT_AGE. */
static bool
append_ext4_commit(const Options *o, GError **error)
{
  const uint64_t hz = dacsa_linux_hz(o->l);
  uint64_t interval;

  if (hz == 0)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "how often the clock ticks is not known");
  if (!dacsa_linux_get(o->l, o->info, M_EXT4_COMMIT_INTERVAL, &interval, error))
    return false;
  if (interval != 5 * hz)
    g_string_append_printf(o->out, ",commit=%" PRIu64, interval / hz);
  return true;
}

static bool
show_ext4(const Options *o, GError **error)
{
  uint64_t now, before, es, by_default;
  bool plain;

  if (!ext4_is_plain(o, &plain, error) ||
      !dacsa_linux_get(o->l, o->info, M_EXT4_MOUNT_OPT, &now, error) ||
      !dacsa_linux_get(o->l, o->info, M_EXT4_DEF_MOUNT_OPT, &before, error) ||
      !dacsa_linux_get(o->l, o->info, M_EXT4_SUPER, &es, error) ||
      !dacsa_linux_get(o->l, es, M_EXT4_SUPER_ERRORS, &by_default, error))
    return false;
  uint64_t changed = (now ^ before) & ~(uint64_t)(EXT4_ERRORS_MASK | EXT4_DATA_FLAGS);
  for (size_t i = 0; i < G_N_ELEMENTS(ext4_flags); i++) {
    const char *text = now & ext4_flags[i].flag ? ext4_flags[i].set : ext4_flags[i].clear;

    if (changed & ext4_flags[i].flag && text)
      g_string_append(o->out, text);
    changed &= ~(uint64_t)ext4_flags[i].flag;
  }
  if (!plain || changed != 0)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "it has some that are not known");
  append_ext4_errors(o, now, by_default);
  if (!append_ext4_commit(o, error) || !append_number(o, M_EXT4_STRIPE, ",stripe=%lu", 0, error))
    return false;
  if ((now ^ before) & EXT4_DATA_FLAGS)
    g_string_append(o->out, (now & EXT4_DATA_FLAGS) == EXT4_DATA_JOURNAL   ? ",data=journal"
                            : (now & EXT4_DATA_FLAGS) == EXT4_DATA_ORDERED ? ",data=ordered"
                                                                           : ",data=writeback");
  return true;
}

static const struct {
  DacsaLinuxSymbol function;
  bool (*show)(const Options *o, GError **error);
} shows[] = {
    {S_SHMEM_SHOW_OPTIONS, show_shmem},     {S_RAMFS_SHOW_OPTIONS, show_ramfs},
    {S_PROC_SHOW_OPTIONS, show_proc},       {S_KERNFS_SHOW_OPTIONS, show_kernfs},
    {S_DEVPTS_SHOW_OPTIONS, show_devpts},   {S_DEBUGFS_SHOW_OPTIONS, show_debugfs},
    {S_TRACEFS_SHOW_OPTIONS, show_tracefs}, {S_BPF_SHOW_OPTIONS, show_bpf},
    {S_EXT4_SHOW_OPTIONS, show_ext4},
};

bool
dacsa_linux_mount_options(const DacsaLinux *l, uint64_t super_block, uint64_t root, GString *out,
                          GError **error)
{
  Options o = {l, super_block, root, 0, out};
  uint64_t op, show;

  if (!dacsa_linux_get(l, super_block, M_SB_OP, &op, error) ||
      !dacsa_linux_get(l, super_block, M_SB_FS_INFO, &o.info, error) ||
      !dacsa_linux_get(l, op, M_SUPER_OPS_SHOW_OPTIONS, &show, error))
    return false;
  if (show == 0)
    return true;
  for (size_t i = 0; i < G_N_ELEMENTS(shows); i++)
    if (show == dacsa_linux_symbol(l, shows[i].function))
      return shows[i].show(&o, error);
  return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "they are not known");
}
