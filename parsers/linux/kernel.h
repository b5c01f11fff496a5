/*
 * A Linux kernel as built and booted: symbols, and where the members lie that the parsers read.
 * Immutable once loaded, and shared by all snapshots of one VM.
 */
#pragma once

#include "parsers/guest.h"
#include "parsers/kallsyms.h"
#include "parsers/linux/vmcoreinfo.h"
#include "parsers/types.h"

/* Offsets of members in bytes; those marked "or -1" only some kernels have. */
typedef struct {
  int32_t task_tasks, task_pid, task_comm, task_flags, task_mm, task_fs;
  int32_t task_worker_private; /* or -1: since 5.17 */
  int32_t kthread_data;
  int32_t kthread_full_name; /* or -1: since 5.17 */
  int32_t worker_desc, worker_current_work, worker_pool;
  int32_t mm_pgd, mm_start_brk, mm_brk, mm_start_stack;
  int32_t mm_arg_start, mm_arg_end, mm_env_start, mm_env_end;
  int32_t mm_context_flags; /* or -1: without CONFIG_COMPAT */
  int32_t mm_mmap;          /* or -1: a list of VMAs, to 6.0 */
  int32_t mm_mt_root;       /* or -1: a maple tree, since 6.1 */
  int32_t vma_next;         /* or -1, with mm_mmap */
  int32_t vma_start, vma_end, vma_flags, vma_pgoff, vma_file, vma_ops, vma_private;
  int32_t vma_anon_name;  /* or -1: since 5.17, CONFIG_ANON_VMA_NAME */
  int32_t anon_name_name; /* or -1, with it */
  int32_t vm_ops_name;
  int32_t special_mapping_name;
  int32_t maple_range64_pivot, maple_range64_slot;
  int32_t maple_arange64_pivot, maple_arange64_slot;
  int32_t file_path, file_inode;
  int32_t path_mnt, path_dentry;
  int32_t inode_sb, inode_ino, sb_dev;
  int32_t dentry_parent, dentry_name, dentry_op, dentry_hash_pprev;
  int32_t dentry_op_dname;
  int32_t qstr_len, qstr_name;
  int32_t mount_mnt, mount_parent, mount_mountpoint, vfsmount_root;
  int32_t fs_root;
} DacsaLinuxOffsets;

typedef struct {
  gatomicrefcount refs;
  DacsaVmcoreinfo *info;
  DacsaKallsyms *kallsyms;
  DacsaLinuxOffsets offsets;
  uint32_t task_comm_size, worker_desc_size;
  uint32_t maple_range64_slots, maple_arange64_slots; /* 0 without a maple tree */
  /* Symbols; 0 where the kernel has none. */
  uint64_t init_task, gate_vma, vsyscall_mode;
  uint64_t special_mapping_name, simple_dname, anon_inodefs_dname;
  uint64_t format_worker_id; /* since 6.9: workers' names are made, not taken from the task */
} DacsaLinuxKernel;

/* Loads a kernel's symbols and types. kernel: the kernel's address space. */
bool dacsa_linux_kernel_load(DacsaMem *kernel, DacsaVmcoreinfo *info, DacsaLinuxKernel **ret,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT; /* takes info */
DacsaLinuxKernel *dacsa_linux_kernel_ref(DacsaLinuxKernel *kernel);
void dacsa_linux_kernel_unref(DacsaLinuxKernel *kernel);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaLinuxKernel, dacsa_linux_kernel_unref)

/* The physical address of the kernel's top page table. */
uint64_t dacsa_linux_kernel_root(const DacsaVmcoreinfo *info);
