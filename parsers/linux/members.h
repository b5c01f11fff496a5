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
  /* the log of the kernel */ \
  /* mounts and settings */ \
  /* page cache */ \
  /* end */

/* T_<name>: the size of a struct in bytes. */
#define DACSA_LINUX_TYPES(T) \
  T(PAGE, "page") \
  /* processes: credentials, signals, namespaces, memory counters */ \
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
  /* open files */ \
  /* network */ \
  /* modules and symbols */ \
  /* the log of the kernel */ \
  /* mounts and settings */ \
  /* page cache */ \
  /* end */
