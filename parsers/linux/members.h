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
  M(SB_LIST, "super_block.s_list") \
  M(SB_TYPE, "super_block.s_type") \
  M(SB_ROOT, "super_block.s_root") \
  M(SB_INODES, "super_block.s_inodes") \
  M(FS_TYPE_NAME, "file_system_type.name") \
  M(INODE_SB_LIST, "inode.i_sb_list") \
  M(INODE_MODE, "inode.i_mode") \
  M(INODE_SIZE, "inode.i_size") \
  M(INODE_RDEV, "inode.i_rdev") \
  M(INODE_BLKBITS, "inode.i_blkbits") \
  M(INODE_MAPPING, "inode.i_mapping") \
  M(INODE_DENTRY, "inode.i_dentry") \
  M(DENTRY_INODE, "dentry.d_inode") \
  M(DENTRY_ALIAS, "dentry.d_u.d_alias|dentry.d_alias") \
  M(MAPPING_HOST, "address_space.host") \
  M(MAPPING_PAGES, "address_space.i_pages") \
  M(MAPPING_NRPAGES, "address_space.nrpages") \
  M(MAPPING_OPS, "address_space.a_ops") \
  M(PAGE_FLAGS, "page.flags.f|page.flags") \
  M(PAGE_COMPOUND_ORDER, "page.compound_order") /* to 6.1: of the first tail page */ \
  M(VFSMOUNT_SB, "vfsmount.mnt_sb") \
  M(MOUNT_CHILDREN, "mount.mnt_mounts") \
  M(MOUNT_CHILD, "mount.mnt_child") \
  M(FILE_MAPPING, "file.f_mapping") \
  M(MM_EXE_FILE, "mm_struct.exe_file") \
  M(MM_START_CODE, "mm_struct.start_code") \
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
  E(PG_UPTODATE, "PG_uptodate") \
  E(PG_HEAD, "PG_head") \
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
  S(SUPER_BLOCKS, "super_blocks") \
  S(VMEMMAP_BASE, "vmemmap_base") \
  S(HUGETLBFS_AOPS, "hugetlbfs_aops") \
  /* end */
