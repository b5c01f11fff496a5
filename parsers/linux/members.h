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
  M(TASK_FILES, "task_struct.files") \
  M(FILES_FDT, "files_struct.fdt") \
  M(FDT_MAX_FDS, "fdtable.max_fds") \
  M(FDT_FD, "fdtable.fd") \
  M(FDT_OPEN_FDS, "fdtable.open_fds") \
  M(FDT_CLOSE_ON_EXEC, "fdtable.close_on_exec") \
  M(FILE_MODE, "file.f_mode") \
  M(FILE_FLAGS, "file.f_flags") \
  M(FILE_POS, "file.f_pos") \
  M(FILE_OP, "file.f_op") \
  M(FILE_PRIVATE, "file.private_data") \
  M(INODE_PRIVATE, "inode.i_private") \
  M(DENTRY_INODE, "dentry.d_inode") \
  M(DENTRY_FSDATA, "dentry.d_fsdata") \
  M(FD_MOUNT_ID, "mount.mnt_id") \
  M(NS_COMMON_OPS, "ns_common.ops") \
  M(NS_OPS_NAME, "proc_ns_operations.name") \
  M(DMA_BUF_NAME, "dma_buf.name") \
  M(OWNER_SIGNAL, "task_struct.signal") \
  M(OWNER_THREAD_HEAD, "signal_struct.thread_head") \
  M(OWNER_THREAD_NODE, "task_struct.thread_node") \
  /* network */ \
  M(SOCKET_SK, "socket.sk") \
  M(SOCKET_ALLOC_SOCKET, "socket_alloc.socket") \
  M(SOCKET_ALLOC_INODE, "socket_alloc.vfs_inode") \
  M(NET_LIST, "net.list") \
  M(NET_INUM, "net.ns.inum") \
  M(NET_DEVICES, "net.dev_base_head") \
  M(NET_TCP, "net.ipv4.tcp_death_row.hashinfo") \
  M(NET_UDP, "net.ipv4.udp_table") \
  M(NET_UNIX_BUCKETS, "net.unx.table.buckets") \
  M(NET_PACKET, "net.packet.sklist") \
  M(DEVICE_LIST, "net_device.dev_list") \
  M(DEVICE_INDEX, "net_device.ifindex") \
  M(DEVICE_NAME, "net_device.name") \
  M(EHASH, "inet_hashinfo.ehash") \
  M(EHASH_MASK, "inet_hashinfo.ehash_mask") \
  M(EHASH_CHAIN, "inet_ehash_bucket.chain") \
  M(LISTENING_HASH, "inet_hashinfo.listening_hash") \
  M(LHASH2, "inet_hashinfo.lhash2") \
  M(LHASH2_MASK, "inet_hashinfo.lhash2_mask") \
  M(LISTEN_HEAD, "inet_listen_hashbucket.nulls_head|inet_listen_hashbucket.head") \
  M(UDP_HASH, "udp_table.hash") \
  M(UDP_MASK, "udp_table.mask") \
  M(UDP_HSLOT_HEAD, "udp_hslot.head") \
  M(RAW_HASH, "raw_hashinfo.ht") \
  M(PING_HASH, "ping_table.hash") \
  M(NETLINK_TABLE_HASH, "netlink_table.hash.tbl") \
  M(BUCKET_TABLE_SIZE, "bucket_table.size") \
  M(BUCKET_TABLE_NEST, "bucket_table.nest") \
  M(BUCKET_TABLE_FUTURE, "bucket_table.future_tbl") \
  M(BUCKET_TABLE_BUCKETS, "bucket_table.buckets") \
  M(SKC_DADDR, "sock_common.skc_daddr") \
  M(SKC_RCV_SADDR, "sock_common.skc_rcv_saddr") \
  M(SKC_V6_DADDR, "sock_common.skc_v6_daddr") \
  M(SKC_V6_RCV_SADDR, "sock_common.skc_v6_rcv_saddr") \
  M(SKC_DPORT, "sock_common.skc_dport") \
  M(SKC_NUM, "sock_common.skc_num") \
  M(SKC_FAMILY, "sock_common.skc_family") \
  M(SKC_STATE, "sock_common.skc_state") \
  M(SKC_IPV6ONLY, "sock_common.skc_ipv6only") \
  M(SKC_BOUND_DEV, "sock_common.skc_bound_dev_if") \
  M(SKC_NET, "sock_common.skc_net.net") \
  M(SKC_NODE, "sock_common.skc_node") \
  M(SKC_LISTENER, "sock_common.skc_listener") \
  M(SK_TYPE, "sock.sk_type") \
  M(SK_PROTOCOL, "sock.sk_protocol") \
  M(SK_SOCKET, "sock.sk_socket") \
  M(SK_UID, "sock.sk_uid") \
  M(SK_ACK_BACKLOG, "sock.sk_ack_backlog") \
  M(SK_RMEM_ALLOC, "sock.sk_backlog.rmem_alloc") \
  M(SK_WMEM_ALLOC, "sock.sk_wmem_alloc") \
  M(TW_SUBSTATE, "inet_timewait_sock.tw_substate") \
  M(TCP_RCV_NXT, "tcp_sock.rcv_nxt") \
  M(TCP_COPIED_SEQ, "tcp_sock.copied_seq") \
  M(TCP_WRITE_SEQ, "tcp_sock.write_seq") \
  M(TCP_SND_UNA, "tcp_sock.snd_una") \
  M(UDP_FORWARD_DEFICIT, "udp_sock.forward_deficit") \
  M(UNIX_ADDR, "unix_sock.addr") \
  M(UNIX_PEER, "unix_sock.peer") \
  M(UNIX_ADDRESS_LEN, "unix_address.len") \
  M(UNIX_ADDRESS_NAME, "unix_address.name") \
  M(SOCKADDR_UN_PATH, "sockaddr_un.sun_path") \
  M(PACKET_NUM, "packet_sock.num") \
  M(PACKET_IFINDEX, "packet_sock.ifindex") \
  M(NETLINK_NODE, "netlink_sock.node") \
  M(NETLINK_PORTID, "netlink_sock.portid") \
  M(NETLINK_DST_PORTID, "netlink_sock.dst_portid") \
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
  M(DENTRY_ALIAS, "dentry.d_u.d_alias|dentry.d_alias") \
  M(MAPPING_HOST, "address_space.host") \
  M(MAPPING_PAGES, "address_space.i_pages") \
  M(MAPPING_NRPAGES, "address_space.nrpages") \
  M(MAPPING_OPS, "address_space.a_ops") \
  M(PAGE_FLAGS, "page.flags.f|page.flags") \
  M(PAGE_PRIVATE, "page.private") \
  M(BH_STATE, "buffer_head.b_state") \
  M(BH_SIZE, "buffer_head.b_size") \
  M(BH_THIS_PAGE, "buffer_head.b_this_page") \
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
  T(EHASH_BUCKET, "inet_ehash_bucket") \
  T(LISTEN_BUCKET, "inet_listen_hashbucket") \
  T(UDP_HSLOT, "udp_hslot") \
  T(NETLINK_TABLE, "netlink_table") \
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
  E(PG_PRIVATE, "PG_private") \
  E(BH_UPTODATE, "BH_Uptodate") \
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
  S(PIPEFS_DNAME, "pipefs_dname") \
  S(SOCKFS_DNAME, "sockfs_dname") \
  S(NS_DNAME, "ns_dname") \
  S(PIDFS_DNAME, "pidfs_dname") \
  S(DMABUFFS_DNAME, "dmabuffs_dname") \
  S(SOCKET_FILE_OPS, "socket_file_ops") \
  /* network */ \
  S(NET_NAMESPACE_LIST, "net_namespace_list") \
  S(TCP_HASHINFO, "tcp_hashinfo") \
  S(UDP_TABLE, "udp_table") \
  S(UDPLITE_TABLE, "udplite_table") \
  S(RAW_V4, "raw_v4_hashinfo") \
  S(RAW_V6, "raw_v6_hashinfo") \
  S(PING_TABLE, "ping_table") \
  S(UNIX_SOCKET_TABLE, "unix_socket_table") \
  S(NL_TABLE, "nl_table") \
  /* modules and symbols */ \
  /* the log of the kernel */ \
  /* mounts and settings */ \
  /* page cache */ \
  S(SUPER_BLOCKS, "super_blocks") \
  S(VMEMMAP_BASE, "vmemmap_base") \
  S(HUGETLBFS_AOPS, "hugetlbfs_aops") \
  S(DEF_BLK_AOPS, "def_blk_aops") \
  /* end */
