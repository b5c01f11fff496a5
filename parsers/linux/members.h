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
  M(TASK_WORKER_PRIVATE, "task_struct.worker_private") \
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
  /* open files */ \
  /* network */ \
  /* modules and symbols */ \
  M(MODULE_LIST, "module.list") \
  M(MODULE_NAME, "module.name") \
  M(MODULE_STATE, "module.state") \
  M(MODULE_REFCNT, "module.refcnt") \
  M(MODULE_SOURCE_LIST, "module.source_list") \
  M(MODULE_INIT, "module.init") \
  M(MODULE_EXIT, "module.exit") \
  M(MODULE_TAINTS, "module.taints") \
  M(MODULE_VERSION, "module.version") \
  M(MODULE_SRCVERSION, "module.srcversion") \
  M(MODULE_ARGS, "module.args") \
  M(MODULE_CORE_BASE, "module.core_layout.base") \
  M(MODULE_CORE_SIZE, "module.core_layout.size") \
  M(MODULE_INIT_BASE, "module.init_layout.base") \
  M(MODULE_INIT_SIZE, "module.init_layout.size") \
  M(MODULE_MEM, "module.mem") \
  M(MODULE_MEMORY_BASE, "module_memory.base") \
  M(MODULE_MEMORY_SIZE, "module_memory.size") \
  M(MODULE_KALLSYMS, "module.kallsyms") \
  M(MODULE_SYMS, "module.syms") \
  M(MODULE_NUM_SYMS, "module.num_syms") \
  M(MODULE_USE_SOURCE_LIST, "module_use.source_list") \
  M(MODULE_USE_SOURCE, "module_use.source") \
  M(MOD_KALLSYMS_SYMTAB, "mod_kallsyms.symtab") \
  M(MOD_KALLSYMS_NUM, "mod_kallsyms.num_symtab") \
  M(MOD_KALLSYMS_STRTAB, "mod_kallsyms.strtab") \
  M(MOD_KALLSYMS_TYPETAB, "mod_kallsyms.typetab") \
  M(KERNEL_SYMBOL_VALUE, "kernel_symbol.value_offset|kernel_symbol.value") \
  M(KERNEL_SYMBOL_NAME, "kernel_symbol.name_offset|kernel_symbol.name") \
  M(TAINT_FLAG_TRUE, "taint_flag.c_true") \
  M(TAINT_FLAG_MODULE, "taint_flag.module") \
  M(FTRACE_MOD_MAP_LIST, "ftrace_mod_map.list") \
  M(FTRACE_MOD_MAP_MOD, "ftrace_mod_map.mod") \
  M(FTRACE_MOD_MAP_FUNCS, "ftrace_mod_map.funcs") \
  M(FTRACE_MOD_FUNC_LIST, "ftrace_mod_func.list") \
  M(FTRACE_MOD_FUNC_NAME, "ftrace_mod_func.name") \
  M(FTRACE_MOD_FUNC_IP, "ftrace_mod_func.ip") \
  M(FTRACE_OPS_LIST, "ftrace_ops.list") \
  M(FTRACE_OPS_TRAMPOLINE, "ftrace_ops.trampoline") \
  M(BPF_KSYM_LNODE, "bpf_ksym.lnode") \
  M(BPF_KSYM_START, "bpf_ksym.start") \
  M(BPF_KSYM_NAME, "bpf_ksym.name") \
  M(KPROBE_CACHE_SYM, "kprobe_insn_cache.sym") \
  M(KPROBE_CACHE_PAGES, "kprobe_insn_cache.pages") \
  M(KPROBE_PAGE_LIST, "kprobe_insn_page.list") \
  M(KPROBE_PAGE_INSNS, "kprobe_insn_page.insns") \
  /* the log of the kernel */ \
  M(PRB_COUNT_BITS, "printk_ringbuffer.desc_ring.count_bits") \
  M(PRB_DESCS, "printk_ringbuffer.desc_ring.descs") \
  M(PRB_INFOS, "printk_ringbuffer.desc_ring.infos") \
  M(PRB_HEAD_ID, "printk_ringbuffer.desc_ring.head_id") \
  M(PRB_TAIL_ID, "printk_ringbuffer.desc_ring.tail_id") \
  M(PRB_SIZE_BITS, "printk_ringbuffer.text_data_ring.size_bits") \
  M(PRB_DATA, "printk_ringbuffer.text_data_ring.data") \
  M(PRB_DESC_STATE, "prb_desc.state_var") \
  M(PRB_DESC_BEGIN, "prb_desc.text_blk_lpos.begin") \
  M(PRB_DESC_NEXT, "prb_desc.text_blk_lpos.next") \
  M(PRINTK_INFO_SEQ, "printk_info.seq") \
  M(PRINTK_INFO_TS, "printk_info.ts_nsec") \
  M(PRINTK_INFO_LEN, "printk_info.text_len") \
  M(PRINTK_INFO_FACILITY, "printk_info.facility") \
  M(PRINTK_INFO_LEVEL, "printk_info.level") \
  M(PRINTK_INFO_CALLER, "printk_info.caller_id") \
  M(PRINTK_INFO_SUBSYSTEM, "printk_info.dev_info.subsystem") \
  M(PRINTK_INFO_DEVICE, "printk_info.dev_info.device") \
  M(PRINTK_LOG_TS, "printk_log.ts_nsec") \
  M(PRINTK_LOG_LEN, "printk_log.len") \
  M(PRINTK_LOG_TEXT_LEN, "printk_log.text_len") \
  M(PRINTK_LOG_FACILITY, "printk_log.facility") \
  M(PRINTK_LOG_LEVEL, "printk_log.level") \
  M(PRINTK_LOG_CALLER, "printk_log.caller_id") \
  M(CLOCKSOURCE_MULT, "clocksource.mult") \
  M(CLOCKSOURCE_SHIFT, "clocksource.shift") \
  /* mounts and settings */ \
  M(TASK_NSPROXY, "task_struct.nsproxy") \
  M(NSPROXY_MNT_NS, "nsproxy.mnt_ns") \
  M(MNT_NS_INUM, "mnt_namespace.ns.inum") \
  M(MNT_NS_LIST, "mnt_namespace.list") \
  M(MNT_NS_MOUNTS, "mnt_namespace.mounts") \
  M(MOUNT_LIST, "mount.mnt_list") \
  M(MOUNT_NODE, "mount.mnt_node") \
  M(MOUNT_ID, "mount.mnt_id") \
  M(MOUNT_DEVNAME, "mount.mnt_devname") \
  M(MOUNT_MASTER, "mount.mnt_master") \
  M(MOUNT_GROUP_ID, "mount.mnt_group_id") \
  M(MOUNT_T_FLAGS, "mount.mnt_t_flags") \
  M(VFSMOUNT_FLAGS, "vfsmount.mnt_flags") \
  M(VFSMOUNT_SB, "vfsmount.mnt_sb") \
  M(VFSMOUNT_USERNS, "vfsmount.mnt_userns") \
  M(VFSMOUNT_IDMAP, "vfsmount.mnt_idmap") \
  M(SB_FLAGS, "super_block.s_flags") \
  M(SB_TYPE, "super_block.s_type") \
  M(SB_SUBTYPE, "super_block.s_subtype") \
  M(SB_OP, "super_block.s_op") \
  M(SB_FS_INFO, "super_block.s_fs_info") \
  M(SB_QUOTA_TYPES, "super_block.s_dquot.flags") \
  M(FS_TYPE_NAME, "file_system_type.name") \
  M(SUPER_OPS_SHOW_OPTIONS, "super_operations.show_options") \
  M(SUPER_OPS_SHOW_DEVNAME, "super_operations.show_devname") \
  M(SUPER_OPS_SHOW_PATH, "super_operations.show_path") \
  M(SHMEM_MAX_BLOCKS, "shmem_sb_info.max_blocks") \
  M(SHMEM_MAX_INODES, "shmem_sb_info.max_inodes") \
  M(SHMEM_MODE, "shmem_sb_info.mode") \
  M(SHMEM_UID, "shmem_sb_info.uid") \
  M(SHMEM_GID, "shmem_sb_info.gid") \
  M(SHMEM_HUGE, "shmem_sb_info.huge") \
  M(SHMEM_FULL_INUMS, "shmem_sb_info.full_inums") \
  M(SHMEM_MPOL, "shmem_sb_info.mpol") \
  M(SHMEM_NOSWAP, "shmem_sb_info.noswap") \
  M(PROC_PID_GID, "proc_fs_info.pid_gid") \
  M(PROC_HIDE_PID, "proc_fs_info.hide_pid") \
  M(PROC_PIDONLY, "proc_fs_info.pidonly") \
  M(RAMFS_MODE, "ramfs_fs_info.mount_opts.mode") \
  M(DEVPTS_SETUID, "pts_fs_info.mount_opts.setuid") \
  M(DEVPTS_SETGID, "pts_fs_info.mount_opts.setgid") \
  M(DEVPTS_UID, "pts_fs_info.mount_opts.uid") \
  M(DEVPTS_GID, "pts_fs_info.mount_opts.gid") \
  M(DEVPTS_MODE, "pts_fs_info.mount_opts.mode") \
  M(DEVPTS_PTMXMODE, "pts_fs_info.mount_opts.ptmxmode") \
  M(DEVPTS_MAX, "pts_fs_info.mount_opts.max") \
  M(DEBUGFS_UID, "debugfs_fs_info.uid|debugfs_fs_info.mount_opts.uid") \
  M(DEBUGFS_GID, "debugfs_fs_info.gid|debugfs_fs_info.mount_opts.gid") \
  M(DEBUGFS_MODE, "debugfs_fs_info.mode|debugfs_fs_info.mount_opts.mode") \
  M(TRACEFS_UID, "tracefs_fs_info.uid|tracefs_fs_info.mount_opts.uid") \
  M(TRACEFS_GID, "tracefs_fs_info.gid|tracefs_fs_info.mount_opts.gid") \
  M(TRACEFS_MODE, "tracefs_fs_info.mode|tracefs_fs_info.mount_opts.mode") \
  M(KERNFS_INFO_ROOT, "kernfs_super_info.root") \
  M(KERNFS_ROOT_OPS, "kernfs_root.syscall_ops") \
  M(KERNFS_OPS_SHOW_OPTIONS, "kernfs_syscall_ops.show_options") \
  M(CGROUP_ROOT_FLAGS, "cgroup_root.flags") \
  M(DENTRY_INODE, "dentry.d_inode") \
  M(INODE_MODE, "inode.i_mode") \
  M(INODE_UID, "inode.i_uid") \
  M(INODE_GID, "inode.i_gid") \
  M(CPU_FAMILY, "cpuinfo_x86.x86") \
  M(CPU_MODEL, "cpuinfo_x86.x86_model") \
  M(CPU_STEPPING, "cpuinfo_x86.x86_stepping") \
  M(CPU_TLBSIZE, "cpuinfo_x86.x86_tlbsize") \
  M(CPU_VMX, "cpuinfo_x86.vmx_capability") \
  M(CPU_VIRT_BITS, "cpuinfo_x86.x86_virt_bits") \
  M(CPU_PHYS_BITS, "cpuinfo_x86.x86_phys_bits") \
  M(CPU_CPUID_LEVEL, "cpuinfo_x86.cpuid_level") \
  M(CPU_CAPABILITY, "cpuinfo_x86.x86_capability") \
  M(CPU_VENDOR, "cpuinfo_x86.x86_vendor_id") \
  M(CPU_MODEL_ID, "cpuinfo_x86.x86_model_id") \
  M(CPU_CACHE_SIZE, "cpuinfo_x86.x86_cache_size") \
  M(CPU_CACHE_ALIGNMENT, "cpuinfo_x86.x86_cache_alignment") \
  M(CPU_POWER, "cpuinfo_x86.x86_power") \
  M(CPU_LOOPS, "cpuinfo_x86.loops_per_jiffy") \
  M(CPU_APICID, "cpuinfo_x86.topo.apicid|cpuinfo_x86.apicid") \
  M(CPU_INITIAL_APICID, "cpuinfo_x86.topo.initial_apicid|cpuinfo_x86.initial_apicid") \
  M(CPU_PACKAGE, "cpuinfo_x86.topo.pkg_id|cpuinfo_x86.phys_proc_id") \
  M(CPU_CORE, "cpuinfo_x86.topo.core_id|cpuinfo_x86.cpu_core_id") \
  M(CPU_CLFLUSH, "cpuinfo_x86.x86_clflush_size") \
  M(CPU_CORES, "cpuinfo_x86.booted_cores") \
  M(CPU_INDEX, "cpuinfo_x86.cpu_index") \
  M(CPU_MICROCODE, "cpuinfo_x86.microcode") \
  M(CTL_ROOT_DIR, "ctl_table_root.default_set.dir") \
  M(CTL_DIR_ROOT, "ctl_dir.root") \
  M(CTL_NODE_NODE, "ctl_node.node") \
  M(CTL_NODE_HEADER, "ctl_node.header") \
  M(CTL_HEADER_TABLE, "ctl_table_header.ctl_table") \
  M(CTL_HEADER_NODE, "ctl_table_header.node") \
  M(CTL_TABLE_PROCNAME, "ctl_table.procname") \
  M(CTL_TABLE_DATA, "ctl_table.data") \
  M(CTL_TABLE_MAXLEN, "ctl_table.maxlen") \
  M(CTL_TABLE_MODE, "ctl_table.mode") \
  M(CTL_TABLE_HANDLER, "ctl_table.proc_handler") \
  M(NET_SYSCTLS, "net.sysctls.dir") \
  M(USER_NS_SYSCTLS, "user_namespace.set.dir") \
  M(IPC_NS_SYSCTLS, "ipc_namespace.ipc_set.dir") \
  M(IPC_NS_MQ_SYSCTLS, "ipc_namespace.mq_set.dir") \
  M(PID_NS_SYSCTLS, "pid_namespace.set.dir") \
  M(HSTATE_MAX_PAGES, "hstate.max_huge_pages") \
  /* page cache */ \
  /* end */

/* T_<name>: the size of a struct in bytes. */
#define DACSA_LINUX_TYPES(T) \
  T(PAGE, "page") \
  /* processes: credentials, signals, namespaces, memory counters */ \
  /* open files */ \
  /* network */ \
  /* modules and symbols */ \
  T(MODULE_MEMORY, "module_memory") \
  T(KERNEL_SYMBOL, "kernel_symbol") \
  T(TAINT_FLAG, "taint_flag") \
  /* the log of the kernel */ \
  T(PRB_DESC, "prb_desc") \
  T(PRINTK_INFO, "printk_info") \
  T(PRINTK_LOG, "printk_log") \
  /* mounts and settings */ \
  T(CTL_NODE, "ctl_node") \
  T(CTL_TABLE, "ctl_table") \
  T(HSTATE, "hstate") \
  T(CPUMASK, "cpumask") \
  /* page cache */ \
  /* end */

/* E_<name>: the value of an enumerator. */
#define DACSA_LINUX_ENUMERATORS(E) \
  E(PIDTYPE_TGID, "PIDTYPE_TGID") \
  /* processes: credentials, signals, namespaces, memory counters */ \
  /* open files */ \
  /* network */ \
  /* modules and symbols */ \
  E(MODULE_STATE_COMING, "MODULE_STATE_COMING") \
  E(MODULE_STATE_GOING, "MODULE_STATE_GOING") \
  E(MODULE_STATE_UNFORMED, "MODULE_STATE_UNFORMED") \
  /* the log of the kernel */ \
  E(DESC_COMMITTED, "desc_committed") \
  E(DESC_FINALIZED, "desc_finalized") \
  /* mounts and settings */ \
  E(CGRP_NS_DELEGATE, "CGRP_ROOT_NS_DELEGATE") \
  E(CGRP_FAVOR_DYNMODS, "CGRP_ROOT_FAVOR_DYNMODS") \
  E(CGRP_MEMORY_LOCAL_EVENTS, "CGRP_ROOT_MEMORY_LOCAL_EVENTS") \
  E(CGRP_MEMORY_RECURSIVE_PROT, "CGRP_ROOT_MEMORY_RECURSIVE_PROT") \
  E(CGRP_MEMORY_HUGETLB_ACCOUNTING, "CGRP_ROOT_MEMORY_HUGETLB_ACCOUNTING") \
  E(CGRP_PIDS_LOCAL_EVENTS, "CGRP_ROOT_PIDS_LOCAL_EVENTS") \
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
  /* open files */ \
  /* network */ \
  /* modules and symbols */ \
  S(MODULES, "modules") \
  S(TAINT_FLAGS, "taint_flags") \
  S(LINUX_BANNER, "linux_banner") \
  S(SAVED_COMMAND_LINE, "saved_command_line") \
  S(FTRACE_MOD_MAPS, "ftrace_mod_maps") \
  S(FTRACE_TRAMPOLINES, "ftrace_ops_trampoline_list") \
  S(BPF_KALLSYMS, "bpf_kallsyms") \
  S(BPF_JIT_HARDEN, "bpf_jit_harden") \
  S(BPF_JIT_KALLSYMS, "bpf_jit_kallsyms") \
  S(KPROBE_INSN_SLOTS, "kprobe_insn_slots") \
  S(KPROBE_OPTINSN_SLOTS, "kprobe_optinsn_slots") \
  /* the log of the kernel */ \
  S(PRB, "prb") \
  S(LOG_BUF, "log_buf") \
  S(LOG_BUF_LEN, "log_buf_len") \
  S(LOG_FIRST_SEQ, "log_first_seq") \
  S(LOG_FIRST_IDX, "log_first_idx") \
  S(LOG_NEXT_IDX, "log_next_idx") \
  S(CLOCKSOURCE_JIFFIES, "clocksource_jiffies") \
  /* mounts and settings */ \
  S(INIT_NET, "init_net") \
  S(INIT_USER_NS, "init_user_ns") \
  S(INIT_IPC_NS, "init_ipc_ns") \
  S(INIT_PID_NS, "init_pid_ns") \
  S(NOP_MNT_IDMAP, "nop_mnt_idmap") \
  S(TOTALRAM_PAGES, "_totalram_pages") \
  S(CGRP_DFL_ROOT, "cgrp_dfl_root") \
  S(SHMEM_SHOW_OPTIONS, "shmem_show_options") \
  S(RAMFS_SHOW_OPTIONS, "ramfs_show_options") \
  S(PROC_SHOW_OPTIONS, "proc_show_options") \
  S(KERNFS_SHOW_OPTIONS, "kernfs_sop_show_options") \
  S(CGROUP_SHOW_OPTIONS, "cgroup_show_options") \
  S(DEVPTS_SHOW_OPTIONS, "devpts_show_options") \
  S(DEBUGFS_SHOW_OPTIONS, "debugfs_show_options") \
  S(TRACEFS_SHOW_OPTIONS, "tracefs_show_options") \
  S(CPU_INFO, "cpu_info") \
  S(PER_CPU_OFFSET, "__per_cpu_offset") \
  S(CPU_ONLINE_MASK, "__cpu_online_mask") \
  S(CPU_KHZ, "cpu_khz") \
  S(CPUFREQ_DRIVER, "cpufreq_driver") \
  S(X86_CAP_FLAGS, "x86_cap_flags") \
  S(X86_BUG_FLAGS, "x86_bug_flags") \
  S(X86_VMX_FLAGS, "x86_vmx_flags") \
  S(X86_POWER_FLAGS, "x86_power_flags") \
  S(SYSCTL_TABLE_ROOT, "sysctl_table_root") \
  S(TAINTED_MASK, "tainted_mask") \
  S(SYSRQ_ENABLED, "sysrq_enabled") \
  S(SYSRQ_ALWAYS_ENABLED, "sysrq_always_enabled") \
  S(HSTATES, "hstates") \
  S(DEFAULT_HSTATE_IDX, "default_hstate_idx") \
  /* page cache */ \
  /* end */
