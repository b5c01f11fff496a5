/*
 * What the parsers ask a Linux kernel for: one row a thing, its name in our code and its name in
 * the kernel's BTF or symbol table. Where kernels differ, alternatives are separated by `|` and the
 * first that the kernel has counts. None is mandatory: what a kernel lacks fails where it is read.
 */
#pragma once

/* a row a line */
/* clang-format off */

/* M_<name>: a member, `struct.member`, `struct.member.member` for one inside another. */
#define DACSA_LINUX_MEMBERS(M) \
  M(TASK_TASKS, "task_struct.tasks") \
  M(TASK_PID, "task_struct.pid") \
  M(TASK_COMM, "task_struct.comm") \
  M(TASK_FLAGS, "task_struct.flags") \
  M(TASK_MM, "task_struct.mm") \
  M(TASK_FS, "task_struct.fs") \
  M(TASK_WORKER_PRIVATE, "task_struct.worker_private|task_struct.set_child_tid") \
  M(KTHREAD_DATA, "kthread.data") \
  M(KTHREAD_FULL_NAME, "kthread.full_name") \
  M(WORKER_DESC, "worker.desc") \
  M(WORKER_CURRENT_WORK, "worker.current_work") \
  M(WORKER_POOL, "worker.pool") \
  M(MM_PGD, "mm_struct.pgd") \
  M(MM_START_BRK, "mm_struct.start_brk") \
  M(MM_BRK, "mm_struct.brk") \
  M(MM_START_STACK, "mm_struct.start_stack") \
  M(MM_ARG_START, "mm_struct.arg_start") \
  M(MM_ARG_END, "mm_struct.arg_end") \
  M(MM_ENV_START, "mm_struct.env_start") \
  M(MM_ENV_END, "mm_struct.env_end") \
  M(MM_CONTEXT_FLAGS, "mm_struct.context.flags") \
  M(MM_MMAP, "mm_struct.mmap") \
  M(MM_MT_ROOT, "mm_struct.mm_mt.ma_root") \
  M(VMA_NEXT, "vm_area_struct.vm_next") \
  M(VMA_START, "vm_area_struct.vm_start") \
  M(VMA_END, "vm_area_struct.vm_end") \
  M(VMA_FLAGS, "vm_area_struct.vm_flags") \
  M(VMA_PGOFF, "vm_area_struct.vm_pgoff") \
  M(VMA_FILE, "vm_area_struct.vm_file") \
  M(VMA_OPS, "vm_area_struct.vm_ops") \
  M(VMA_PRIVATE, "vm_area_struct.vm_private_data") \
  M(VMA_ANON_NAME, "vm_area_struct.anon_name") \
  M(ANON_NAME_NAME, "anon_vma_name.name") \
  M(VM_OPS_NAME, "vm_operations_struct.name") \
  M(SPECIAL_MAPPING_NAME, "vm_special_mapping.name") \
  M(MAPLE_RANGE64_PIVOT, "maple_range_64.pivot") \
  M(MAPLE_RANGE64_SLOT, "maple_range_64.slot") \
  M(MAPLE_ARANGE64_PIVOT, "maple_arange_64.pivot") \
  M(MAPLE_ARANGE64_SLOT, "maple_arange_64.slot") \
  M(FILE_PATH, "file.f_path") \
  M(FILE_INODE, "file.f_inode") \
  M(PATH_MNT, "path.mnt") \
  M(PATH_DENTRY, "path.dentry") \
  M(INODE_SB, "inode.i_sb") \
  M(INODE_INO, "inode.i_ino") \
  M(SB_DEV, "super_block.s_dev") \
  M(DENTRY_PARENT, "dentry.d_parent") \
  M(DENTRY_NAME, "dentry.d_name") \
  M(DENTRY_OP, "dentry.d_op") \
  M(DENTRY_HASH_PPREV, "dentry.d_hash.pprev") \
  M(DENTRY_OP_DNAME, "dentry_operations.d_dname") \
  M(QSTR_LEN, "qstr.len") \
  M(QSTR_NAME, "qstr.name") \
  M(MOUNT_MNT, "mount.mnt") \
  M(MOUNT_PARENT, "mount.mnt_parent") \
  M(MOUNT_MOUNTPOINT, "mount.mnt_mountpoint") \
  M(VFSMOUNT_ROOT, "vfsmount.mnt_root") \
  M(FS_ROOT, "fs_struct.root") \
  /* containers */ \
  M(RB_LEFT, "rb_node.rb_left") \
  M(RB_RIGHT, "rb_node.rb_right") \
  M(XARRAY_HEAD, "xarray.xa_head") \
  M(XA_NODE_SHIFT, "xa_node.shift") \
  M(XA_NODE_SLOTS, "xa_node.slots") \
  /* processes: credentials, signals, namespaces, memory counters */ \
  M(TASK_STATE, "task_struct.__state|task_struct.state") \
  M(TASK_EXIT_STATE, "task_struct.exit_state") \
  M(TASK_TGID, "task_struct.tgid") \
  M(TASK_PTRACE, "task_struct.ptrace") \
  M(TASK_PARENT, "task_struct.parent") \
  M(TASK_REAL_PARENT, "task_struct.real_parent") \
  M(TASK_THREAD_PID, "task_struct.thread_pid") \
  M(TASK_THREAD_NODE, "task_struct.thread_node") \
  M(TASK_SIGNAL, "task_struct.signal") \
  M(TASK_SIGHAND, "task_struct.sighand") \
  M(TASK_BLOCKED, "task_struct.blocked") \
  M(TASK_PENDING, "task_struct.pending.signal") \
  M(TASK_REAL_CRED, "task_struct.real_cred") \
  M(TASK_FILES, "task_struct.files") \
  M(TASK_NSPROXY, "task_struct.nsproxy") \
  M(TASK_CGROUPS, "task_struct.cgroups") \
  M(TASK_NUMA_GROUP, "task_struct.numa_group") \
  M(TASK_ATOMIC_FLAGS, "task_struct.atomic_flags") \
  M(TASK_SECCOMP_MODE, "task_struct.seccomp.mode") \
  M(TASK_SECCOMP_FILTERS, "task_struct.seccomp.filter_count") \
  M(TASK_CPUS_MASK, "task_struct.cpus_mask|task_struct.cpus_allowed") \
  M(TASK_MEMS_ALLOWED, "task_struct.mems_allowed") \
  M(TASK_NVCSW, "task_struct.nvcsw") \
  M(TASK_NIVCSW, "task_struct.nivcsw") \
  M(TASK_FEATURES, "task_struct.thread.features") \
  M(TASK_FEATURES_LOCKED, "task_struct.thread.features_locked") \
  M(TASK_CPU, "task_struct.cpu|task_struct.thread_info.cpu") \
  M(TASK_PRIO, "task_struct.prio") \
  M(TASK_STATIC_PRIO, "task_struct.static_prio") \
  M(TASK_POLICY, "task_struct.policy") \
  M(TASK_START, "task_struct.start_boottime|task_struct.real_start_time") \
  M(TASK_UTIME, "task_struct.utime") \
  M(TASK_STIME, "task_struct.stime") \
  M(TASK_RUNTIME, "task_struct.se.sum_exec_runtime") \
  M(TASK_PREV_UTIME, "task_struct.prev_cputime.utime") \
  M(TASK_PREV_STIME, "task_struct.prev_cputime.stime") \
  M(TASK_STACK, "task_struct.stack") \
  M(SIGNAL_THREAD_HEAD, "signal_struct.thread_head") \
  M(SIGNAL_NR_THREADS, "signal_struct.nr_threads") \
  M(SIGNAL_PENDING, "signal_struct.shared_pending.signal") \
  M(SIGNAL_PIDS, "signal_struct.pids") \
  M(SIGNAL_RLIM, "signal_struct.rlim") \
  M(SIGNAL_CORE_STATE, "signal_struct.core_state") \
  M(SIGNAL_TTY, "signal_struct.tty") \
  M(TTY_NAME, "tty_struct.name") \
  M(RLIMIT_CUR, "rlimit.rlim_cur") \
  M(SIGHAND_ACTION, "sighand_struct.action") \
  M(K_SIGACTION_HANDLER, "k_sigaction.sa.sa_handler") \
  M(CRED_UID, "cred.uid") \
  M(CRED_EUID, "cred.euid") \
  M(CRED_SUID, "cred.suid") \
  M(CRED_FSUID, "cred.fsuid") \
  M(CRED_GID, "cred.gid") \
  M(CRED_EGID, "cred.egid") \
  M(CRED_SGID, "cred.sgid") \
  M(CRED_FSGID, "cred.fsgid") \
  M(CRED_CAP_INHERITABLE, "cred.cap_inheritable") \
  M(CRED_CAP_PERMITTED, "cred.cap_permitted") \
  M(CRED_CAP_EFFECTIVE, "cred.cap_effective") \
  M(CRED_CAP_BSET, "cred.cap_bset") \
  M(CRED_CAP_AMBIENT, "cred.cap_ambient") \
  M(CRED_GROUP_INFO, "cred.group_info") \
  M(CRED_USER, "cred.user") \
  M(CRED_UCOUNTS, "cred.ucounts") \
  M(CRED_USER_NS, "cred.user_ns") \
  M(GROUPS_N, "group_info.ngroups") \
  M(GROUPS_GID, "group_info.gid") \
  M(USER_SIGPENDING, "user_struct.sigpending") \
  M(UCOUNTS_RLIMIT, "ucounts.rlimit|ucounts.ucount") \
  M(PID_LEVEL, "pid.level") \
  M(PID_NUMBERS, "pid.numbers") \
  M(UPID_NR, "upid.nr") \
  M(UPID_NS, "upid.ns") \
  M(NUMA_GROUP_GID, "numa_group.gid") \
  M(FS_UMASK, "fs_struct.umask") \
  M(FS_PWD, "fs_struct.pwd") \
  M(FILES_FDT, "files_struct.fdt") \
  M(FDTABLE_MAX_FDS, "fdtable.max_fds") \
  M(NSPROXY_UTS, "nsproxy.uts_ns") \
  M(NSPROXY_IPC, "nsproxy.ipc_ns") \
  M(NSPROXY_MNT, "nsproxy.mnt_ns") \
  M(NSPROXY_NET, "nsproxy.net_ns") \
  M(NSPROXY_CGROUP, "nsproxy.cgroup_ns") \
  M(UTS_INUM, "uts_namespace.ns.inum") \
  M(IPC_INUM, "ipc_namespace.ns.inum") \
  M(MNT_INUM, "mnt_namespace.ns.inum") \
  M(NET_INUM, "net.ns.inum") \
  M(CGROUP_INUM, "cgroup_namespace.ns.inum") \
  M(PID_NS_INUM, "pid_namespace.ns.inum") \
  M(USER_NS_INUM, "user_namespace.ns.inum") \
  M(CSS_SET_CGROUP, "css_set.dfl_cgrp") \
  M(CGROUP_KN, "cgroup.kn") \
  M(KERNFS_NAME, "kernfs_node.name") \
  M(KERNFS_PARENT, "kernfs_node.__parent|kernfs_node.parent") \
  M(MM_RSS_STAT, "mm_struct.rss_stat") \
  M(MM_RSS_COUNT, "mm_rss_stat.count") \
  M(PERCPU_COUNTER_COUNT, "percpu_counter.count") \
  M(PERCPU_COUNTER_COUNTERS, "percpu_counter.counters") \
  M(MM_TOTAL_VM, "mm_struct.total_vm") \
  M(MM_HIWATER_VM, "mm_struct.hiwater_vm") \
  M(MM_HIWATER_RSS, "mm_struct.hiwater_rss") \
  M(MM_LOCKED_VM, "mm_struct.locked_vm") \
  M(MM_PINNED_VM, "mm_struct.pinned_vm") \
  M(MM_DATA_VM, "mm_struct.data_vm") \
  M(MM_STACK_VM, "mm_struct.stack_vm") \
  M(MM_EXEC_VM, "mm_struct.exec_vm") \
  M(MM_START_CODE, "mm_struct.start_code") \
  M(MM_END_CODE, "mm_struct.end_code") \
  M(MM_PGTABLES_BYTES, "mm_struct.pgtables_bytes") \
  M(MM_HUGETLB_USAGE, "mm_struct.hugetlb_usage") \
  M(MM_CORE_STATE, "mm_struct.core_state") \
  M(MM_FLAGS, "mm_struct.flags") \
  M(MM_UNTAG_MASK, "mm_struct.context.untag_mask") \
  M(MM_IA32_COMPAT, "mm_struct.context.ia32_compat") \
  M(MM_EXE_FILE, "mm_struct.exe_file") \
  M(VMA_SHARED, "vm_area_struct.shared") \
  M(FILE_MODE, "file.f_mode") \
  M(BACKING_FILE_FILE, "backing_file.file") \
  M(BACKING_FILE_USER_PATH, "backing_file.user_path") \
  M(DENTRY_INODE, "dentry.d_inode") \
  M(CPU_CAPABILITY, "cpuinfo_x86.x86_capability") \
  M(SLAB_NODES, "kmem_cache.per_node|kmem_cache.node") \
  M(TK_DATA_TIMEKEEPER, "tk_data.timekeeper") \
  M(TIMEKEEPER_OFFS_REAL, "timekeeper.offs_real") \
  M(TIMEKEEPER_OFFS_BOOT, "timekeeper.offs_boot") \
  /* open files */ \
  /* network */ \
  /* modules and symbols */ \
  /* the log of the kernel */ \
  /* mounts and settings */ \
  /* page cache */ \
  /* end */

/* T_<name>: the size of a struct in bytes. */
#define DACSA_LINUX_TYPES(T) \
  T(PAGE, "page") \
  /* processes: credentials, signals, namespaces, memory counters */ \
  T(UPID, "upid") \
  T(RLIMIT, "rlimit") \
  T(K_SIGACTION, "k_sigaction") \
  /* open files */ \
  /* network */ \
  /* modules and symbols */ \
  /* the log of the kernel */ \
  /* mounts and settings */ \
  /* page cache */ \
  /* end */

/* E_<name>: the value of an enumerator. */
#define DACSA_LINUX_ENUMERATORS(E) \
  E(PIDTYPE_TGID, "PIDTYPE_TGID") \
  /* processes: credentials, signals, namespaces, memory counters */ \
  E(PIDTYPE_PGID, "PIDTYPE_PGID") \
  E(PIDTYPE_SID, "PIDTYPE_SID") \
  E(MM_FILEPAGES, "MM_FILEPAGES") \
  E(MM_ANONPAGES, "MM_ANONPAGES") \
  E(MM_SWAPENTS, "MM_SWAPENTS") \
  E(MM_SHMEMPAGES, "MM_SHMEMPAGES") \
  E(UCOUNT_RLIMIT_SIGPENDING, "UCOUNT_RLIMIT_SIGPENDING") \
  E(NR_CPUID_WORDS, "NR_CPUID_WORDS") \
  E(SSB_DISABLE, "SPEC_STORE_BYPASS_DISABLE") \
  E(SSB_PRCTL, "SPEC_STORE_BYPASS_PRCTL") \
  E(SSB_SECCOMP, "SPEC_STORE_BYPASS_SECCOMP") \
  E(V2_USER_NONE, "SPECTRE_V2_USER_NONE") \
  E(V2_USER_STRICT, "SPECTRE_V2_USER_STRICT") \
  E(V2_USER_STRICT_PREFERRED, "SPECTRE_V2_USER_STRICT_PREFERRED") \
  E(V2_USER_PRCTL, "SPECTRE_V2_USER_PRCTL") \
  E(V2_USER_SECCOMP, "SPECTRE_V2_USER_SECCOMP") \
  /* open files */ \
  /* network */ \
  /* modules and symbols */ \
  /* the log of the kernel */ \
  /* mounts and settings */ \
  /* page cache */ \
  /* end */

/* S_<name>: the address of a symbol. */
#define DACSA_LINUX_SYMBOLS(S) \
  S(INIT_TASK, "init_task") \
  S(GATE_VMA, "gate_vma") \
  S(VSYSCALL_MODE, "vsyscall_mode") \
  S(SPECIAL_MAPPING_NAME, "special_mapping_name") \
  S(SIMPLE_DNAME, "simple_dname") \
  S(ANON_INODEFS_DNAME, "anon_inodefs_dname") \
  S(FORMAT_WORKER_ID, "format_worker_id") /* since 6.9: workers' names are made, not taken from the task */ \
  /* processes: credentials, signals, namespaces, memory counters */ \
  S(START_RODATA, "__start_rodata") \
  S(END_RODATA, "__end_rodata") \
  S(TASK_MEM, "task_mem") \
  S(PERCPU_COUNTER_SUM, "__percpu_counter_sum") \
  S(VMA_NAME, "get_vma_name.part.0|get_vma_name|show_map_vma") /* where maps tells the heap */ \
  S(ALLOC_BACKING_FILE, "alloc_empty_backing_file") /* names the bit of f_mode that such files have */ \
  S(COPY_PID_NS, "copy_pid_ns") \
  S(NR_CPU_IDS, "nr_cpu_ids") \
  S(CPU_ONLINE_MASK, "__cpu_online_mask") \
  S(PER_CPU_OFFSET, "__per_cpu_offset") \
  S(BOOT_CPU_DATA, "boot_cpu_data") \
  S(SSB_MODE, "ssb_mode") \
  S(V2_USER_IBPB, "spectre_v2_user_ibpb") \
  S(V2_USER_STIBP, "spectre_v2_user_stibp") \
  S(THP_FLAGS, "transparent_hugepage_flags") \
  S(SHADOW_TIMEKEEPER, "shadow_timekeeper") \
  S(TIMEKEEPER_DATA, "timekeeper_data|tk_core") \
  /* open files */ \
  /* network */ \
  /* modules and symbols */ \
  /* the log of the kernel */ \
  /* mounts and settings */ \
  /* page cache */ \
  /* end */
