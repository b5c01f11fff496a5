/* Symbols and member offsets of one kernel, asked for by name: no version is looked at. */
#include "parsers/linux/kernel.h"

#include "snap/error.h"

#include <string.h>

#define START_KERNEL_MAP UINT64_C(0xffffffff80000000) /* __START_KERNEL_map */
#define MAX_NAME 256u /* of a task or a worker; TASK_COMM_LEN is 16, WORKER_DESC_LEN 24 */
#define MAX_BTF (64u << 20)

/* Each member the parsers read, in one row. */
static const struct {
  size_t field;
  const char *type, *member;
  bool optional;
} members[] = {
#define MEMBER(field, type, member)                                                                \
  {                                                                                                \
    G_STRUCT_OFFSET(DacsaLinuxOffsets, field), type, member, false                                 \
  }
#define OPTIONAL(field, type, member)                                                              \
  {                                                                                                \
    G_STRUCT_OFFSET(DacsaLinuxOffsets, field), type, member, true                                  \
  }
    MEMBER(task_tasks, "task_struct", "tasks"),
    MEMBER(task_pid, "task_struct", "pid"),
    MEMBER(task_comm, "task_struct", "comm"),
    MEMBER(task_flags, "task_struct", "flags"),
    MEMBER(task_mm, "task_struct", "mm"),
    MEMBER(task_fs, "task_struct", "fs"),
    OPTIONAL(task_worker_private, "task_struct", "worker_private"),
    MEMBER(kthread_data, "kthread", "data"),
    OPTIONAL(kthread_full_name, "kthread", "full_name"),
    MEMBER(worker_desc, "worker", "desc"),
    MEMBER(worker_current_work, "worker", "current_work"),
    MEMBER(worker_pool, "worker", "pool"),
    MEMBER(mm_pgd, "mm_struct", "pgd"),
    MEMBER(mm_start_brk, "mm_struct", "start_brk"),
    MEMBER(mm_brk, "mm_struct", "brk"),
    MEMBER(mm_start_stack, "mm_struct", "start_stack"),
    MEMBER(mm_arg_start, "mm_struct", "arg_start"),
    MEMBER(mm_arg_end, "mm_struct", "arg_end"),
    MEMBER(mm_env_start, "mm_struct", "env_start"),
    MEMBER(mm_env_end, "mm_struct", "env_end"),
    OPTIONAL(mm_context_flags, "mm_struct", "context.flags"),
    OPTIONAL(mm_mmap, "mm_struct", "mmap"),
    OPTIONAL(mm_mt_root, "mm_struct", "mm_mt.ma_root"),
    OPTIONAL(vma_next, "vm_area_struct", "vm_next"),
    MEMBER(vma_start, "vm_area_struct", "vm_start"),
    MEMBER(vma_end, "vm_area_struct", "vm_end"),
    MEMBER(vma_flags, "vm_area_struct", "vm_flags"),
    MEMBER(vma_pgoff, "vm_area_struct", "vm_pgoff"),
    MEMBER(vma_file, "vm_area_struct", "vm_file"),
    MEMBER(vma_ops, "vm_area_struct", "vm_ops"),
    MEMBER(vma_private, "vm_area_struct", "vm_private_data"),
    OPTIONAL(vma_anon_name, "vm_area_struct", "anon_name"),
    OPTIONAL(anon_name_name, "anon_vma_name", "name"),
    MEMBER(vm_ops_name, "vm_operations_struct", "name"),
    MEMBER(special_mapping_name, "vm_special_mapping", "name"),
    OPTIONAL(maple_range64_pivot, "maple_range_64", "pivot"),
    OPTIONAL(maple_range64_slot, "maple_range_64", "slot"),
    OPTIONAL(maple_arange64_pivot, "maple_arange_64", "pivot"),
    OPTIONAL(maple_arange64_slot, "maple_arange_64", "slot"),
    MEMBER(file_path, "file", "f_path"),
    MEMBER(file_inode, "file", "f_inode"),
    MEMBER(path_mnt, "path", "mnt"),
    MEMBER(path_dentry, "path", "dentry"),
    MEMBER(inode_sb, "inode", "i_sb"),
    MEMBER(inode_ino, "inode", "i_ino"),
    MEMBER(sb_dev, "super_block", "s_dev"),
    MEMBER(dentry_parent, "dentry", "d_parent"),
    MEMBER(dentry_name, "dentry", "d_name"),
    MEMBER(dentry_op, "dentry", "d_op"),
    MEMBER(dentry_hash_pprev, "dentry", "d_hash.pprev"),
    MEMBER(dentry_op_dname, "dentry_operations", "d_dname"),
    MEMBER(qstr_len, "qstr", "len"),
    MEMBER(qstr_name, "qstr", "name"),
    MEMBER(mount_mnt, "mount", "mnt"),
    MEMBER(mount_parent, "mount", "mnt_parent"),
    MEMBER(mount_mountpoint, "mount", "mnt_mountpoint"),
    MEMBER(vfsmount_root, "vfsmount", "mnt_root"),
    MEMBER(fs_root, "fs_struct", "root"),
#undef MEMBER
#undef OPTIONAL
};

static const struct {
  size_t field;
  const char *name;
  bool optional;
} symbols[] = {
    {G_STRUCT_OFFSET(DacsaLinuxKernel, init_task), "init_task", false},
    {G_STRUCT_OFFSET(DacsaLinuxKernel, gate_vma), "gate_vma", true},
    {G_STRUCT_OFFSET(DacsaLinuxKernel, vsyscall_mode), "vsyscall_mode", true},
    {G_STRUCT_OFFSET(DacsaLinuxKernel, special_mapping_name), "special_mapping_name", true},
    {G_STRUCT_OFFSET(DacsaLinuxKernel, simple_dname), "simple_dname", true},
    {G_STRUCT_OFFSET(DacsaLinuxKernel, anon_inodefs_dname), "anon_inodefs_dname", true},
    {G_STRUCT_OFFSET(DacsaLinuxKernel, format_worker_id), "format_worker_id", true},
};

uint64_t
dacsa_linux_kernel_root(const DacsaVmcoreinfo *info)
{
  return dacsa_vmcoreinfo_symbol(info, "swapper_pg_dir") - START_KERNEL_MAP + info->phys_base;
}

static bool
load_kallsyms(DacsaLinuxKernel *k, DacsaMem *kernel, GError **error)
{
  DacsaKallsymsTables tables = {
      .names = dacsa_vmcoreinfo_symbol(k->info, "kallsyms_names"),
      .token_table = dacsa_vmcoreinfo_symbol(k->info, "kallsyms_token_table"),
      .token_index = dacsa_vmcoreinfo_symbol(k->info, "kallsyms_token_index"),
      .offsets = dacsa_vmcoreinfo_symbol(k->info, "kallsyms_offsets"),
      .relative_base = dacsa_vmcoreinfo_symbol(k->info, "kallsyms_relative_base"),
  };
  uint64_t num_syms = dacsa_vmcoreinfo_symbol(k->info, "kallsyms_num_syms");
  uint32_t n;

  if (!tables.names || !tables.token_table || !tables.token_index || !tables.offsets ||
      !tables.relative_base || !num_syms)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED,
                      "Linux %s does not say where its symbols are (VMCOREINFO has no kallsyms)",
                      k->info->release);
  if (!dacsa_mem_read_u32(kernel, num_syms, &n, error))
    return false;
  tables.num_syms = n;
  return dacsa_kallsyms_load(kernel, &tables, "_stext", dacsa_vmcoreinfo_symbol(k->info, "_stext"),
                             &k->kallsyms, error);
}

static bool
load_types(DacsaLinuxKernel *k, DacsaMem *kernel, DacsaTypes **ret, GError **error)
{
  uint64_t start, stop;

  if (!dacsa_kallsyms_find(k->kallsyms, "__start_BTF", &start, error) ||
      !dacsa_kallsyms_find(k->kallsyms, "__stop_BTF", &stop, error))
    return false;
  if (stop <= start || stop - start > MAX_BTF)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "the kernel's BTF has an impossible size");
  g_autofree uint8_t *btf = g_malloc(stop - start);
  return dacsa_mem_read(kernel, start, btf, stop - start, error) &&
         dacsa_types_new(btf, stop - start, ret, error);
}

static bool
load_offsets(DacsaLinuxKernel *k, const DacsaTypes *types, GError **error)
{
  DacsaMember member;

  for (size_t i = 0; i < G_N_ELEMENTS(members); i++) {
    int32_t *field = &G_STRUCT_MEMBER(int32_t, &k->offsets, members[i].field);
    g_autoptr(GError) cause = NULL;

    if (dacsa_types_member(types, members[i].type, members[i].member, &member, &cause)) {
      *field = (int32_t)member.offset;
    } else if (members[i].optional) {
      *field = -1;
    } else {
      g_propagate_error(error, g_steal_pointer(&cause));
      return false;
    }
  }
  if (!dacsa_types_member(types, "task_struct", "comm", &member, error))
    return false;
  k->task_comm_size = member.size;
  if (!dacsa_types_member(types, "worker", "desc", &member, error))
    return false;
  k->worker_desc_size = member.size;
  if (k->task_comm_size > MAX_NAME || k->worker_desc_size > MAX_NAME)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "the kernel's names of tasks are too long");
  if (dacsa_types_member(types, "maple_range_64", "slot", &member, NULL))
    k->maple_range64_slots = member.elements;
  if (dacsa_types_member(types, "maple_arange_64", "slot", &member, NULL))
    k->maple_arange64_slots = member.elements;
  if (k->offsets.mm_mmap < 0 && k->offsets.mm_mt_root < 0)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED,
                      "Linux %s keeps its mappings in a way dacsa does not know", k->info->release);
  return true;
}

static bool
load_symbols(DacsaLinuxKernel *k, GError **error)
{
  for (size_t i = 0; i < G_N_ELEMENTS(symbols); i++) {
    uint64_t *field = &G_STRUCT_MEMBER(uint64_t, k, symbols[i].field);

    *field = dacsa_kallsyms_find_optional(k->kallsyms, symbols[i].name);
    if (*field == 0 && !symbols[i].optional)
      return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "the kernel has no symbol %s",
                        symbols[i].name);
  }
  return true;
}

bool
dacsa_linux_kernel_load(DacsaMem *kernel, DacsaVmcoreinfo *info, DacsaLinuxKernel **ret,
                        GError **error)
{
  g_autoptr(DacsaLinuxKernel) k = g_new0(DacsaLinuxKernel, 1);
  g_autoptr(DacsaTypes) types = NULL;

  g_atomic_ref_count_init(&k->refs);
  k->info = info;
  if (!load_kallsyms(k, kernel, error) || !load_types(k, kernel, &types, error) ||
      !load_offsets(k, types, error) || !load_symbols(k, error))
    return false;
  *ret = g_steal_pointer(&k);
  return true;
}

DacsaLinuxKernel *
dacsa_linux_kernel_ref(DacsaLinuxKernel *kernel)
{
  g_atomic_ref_count_inc(&kernel->refs);
  return kernel;
}

void
dacsa_linux_kernel_unref(DacsaLinuxKernel *kernel)
{
  if (!kernel || !g_atomic_ref_count_dec(&kernel->refs))
    return;
  dacsa_vmcoreinfo_free(kernel->info);
  dacsa_kallsyms_free(kernel->kallsyms);
  g_free(kernel);
}
