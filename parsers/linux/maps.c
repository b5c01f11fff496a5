/* Mappings: maps, as fs/proc/task_mmu.c prints it, and the regions that memory.map names. */
#include "parsers/linux/maps.h"

#include "parsers/linux/behaviour.h"
#include "parsers/linux/process.h"
#include "snap/error.h"

#include <inttypes.h>
#include <string.h>

#define MAX_NAME 256u
#define MAX_TEXT (64u << 20) /* of maps: a million mappings with names of 60 letters */

#define VM_READ 0x1u
#define VM_WRITE 0x2u
#define VM_EXEC 0x4u
#define VM_MAYSHARE 0x80u

#define MM_CONTEXT_HAS_VSYSCALL 2u /* arch/x86/include/asm/mmu.h */
#define VSYSCALL_NONE 2u           /* arch/x86/entry/vsyscall/vsyscall_64.c */

/* Where maps puts a mapping's name (fs/proc/task_mmu.c: 25 + sizeof(void *) * 6 - 1, and a space).
 */
#define NAME_COLUMN 73u

static void
mapping_clear(DacsaLinuxMapping *m)
{
  g_clear_pointer(&m->name, g_free);
}

typedef DacsaLinuxMapping Mapping;
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Mapping, mapping_clear)

/* The process that mappings are read of. */
typedef struct {
  DacsaLinux *l;
  uint64_t start_brk, brk, start_stack;
  uint64_t root; /* struct path; see dacsa_linux_root */
  const char *where;
} MapsOwner;

/*
 * The path and inode that users know the file by (include/linux/fs.h, file_user_path): the file
 * behind one of a stacked file system (overlayfs, since 6.6) keeps the path it was opened by.
 */
static bool
user_path(DacsaLinux *l, uint64_t file, uint64_t *ret_path, uint64_t *ret_inode, GError **error)
{
  const uint32_t backing = dacsa_linux_behaviour(l)->backing_file;
  uint64_t mode, dentry;

  *ret_path = file + dacsa_linux_offset(l, M_FILE_PATH);
  if (backing == 0)
    return dacsa_linux_get(l, file, M_FILE_INODE, ret_inode, error);
  if (!dacsa_linux_get(l, file, M_FILE_MODE, &mode, error))
    return false;
  if (!(mode & backing))
    return dacsa_linux_get(l, file, M_FILE_INODE, ret_inode, error);
  *ret_path = file - dacsa_linux_offset(l, M_BACKING_FILE_FILE) +
              dacsa_linux_offset(l, M_BACKING_FILE_USER_PATH);
  return dacsa_linux_get(l, *ret_path, M_PATH_DENTRY, &dentry, error) &&
         dacsa_linux_get(l, dentry, M_DENTRY_INODE, ret_inode, error);
}

static bool
file_mapping(const MapsOwner *owner, uint64_t file, Mapping *m, GError **error)
{
  DacsaLinux *l = owner->l;
  uint64_t path, inode, sb, dev;
  g_autoptr(GError) cause = NULL;

  if (!user_path(l, file, &path, &inode, error) ||
      !dacsa_linux_get(l, inode, M_INODE_INO, &m->ino, error) ||
      !dacsa_linux_get(l, inode, M_INODE_SB, &sb, error) ||
      !dacsa_linux_get(l, sb, M_SB_DEV, &dev, error))
    return false;
  m->major = (uint32_t)dev >> 20;
  m->minor = (uint32_t)dev & 0xfffff;
  /* A name that cannot be had leaves the line without one, and is told. */
  if (!m->name && !dacsa_linux_d_path(l, path, owner->root, &m->name, &cause))
    dacsa_errors_add(l->errors, owner->where, cause->message);
  return true;
}

/* vm_operations_struct.name: special mappings ([vdso], [vvar]) have one. */
static bool
special_name(const MapsOwner *owner, uint64_t vma, char **ret, GError **error)
{
  const DacsaLinux *l = owner->l;
  uint64_t ops, func, special, name;

  if (!dacsa_linux_get(l, vma, M_VMA_OPS, &ops, error))
    return false;
  if (ops == 0)
    return true;
  if (!dacsa_linux_get(l, ops, M_VM_OPS_NAME, &func, error))
    return false;
  if (func == 0)
    return true;
  if (func != dacsa_linux_symbol(l, S_SPECIAL_MAPPING_NAME)) {
    dacsa_errors_add(l->errors, owner->where, "a mapping whose name a driver makes");
    return true;
  }
  return dacsa_linux_get(l, vma, M_VMA_PRIVATE, &special, error) &&
         dacsa_linux_get(l, special, M_SPECIAL_MAPPING_NAME, &name, error) &&
         dacsa_mem_read_string(l->memory, name, MAX_NAME, ret, error);
}

static bool
anon_name(const MapsOwner *owner, uint64_t vma, const char *kind, char **ret, GError **error)
{
  const DacsaLinux *l = owner->l;
  g_autofree char *text = NULL;
  uint64_t name;

  if (!dacsa_linux_has(l, M_VMA_ANON_NAME) || !dacsa_linux_has(l, M_ANON_NAME_NAME))
    return true;
  if (!dacsa_linux_get(l, vma, M_VMA_ANON_NAME, &name, error))
    return false;
  if (name == 0)
    return true;
  if (!dacsa_mem_read_string(l->memory, name + dacsa_linux_offset(l, M_ANON_NAME_NAME), MAX_NAME,
                             &text, error))
    return false;
  *ret = g_strdup_printf("[%s:%s]", kind, text);
  return true;
}

/* Whether a mapping is the heap. Where it only touches it, kernels differ; *ret_unknown: and how
 * this one takes it is not known. */
static bool
is_heap(const MapsOwner *owner, const Mapping *m, bool *ret_unknown)
{
  bool overlaps = m->start < owner->brk && m->end > owner->start_brk;
  bool touches = m->start <= owner->brk && m->end >= owner->start_brk;
  DacsaLinuxHeapRule rule = dacsa_linux_behaviour(owner->l)->heap;

  *ret_unknown = touches && !overlaps && rule == DACSA_LINUX_HEAP_UNKNOWN;
  return rule == DACSA_LINUX_HEAP_TOUCHES ? touches : overlaps;
}

/* fs/proc/task_mmu.c, show_map_vma, for a mapping without a file. */
static bool
unnamed_mapping(const MapsOwner *owner, uint64_t vma, Mapping *m, GError **error)
{
  bool unknown;

  if (!special_name(owner, vma, &m->name, error) || m->name)
    return m->name != NULL;
  if (is_heap(owner, m, &unknown))
    m->name = g_strdup("[heap]");
  else if (m->start <= owner->start_stack && m->end >= owner->start_stack)
    m->name = g_strdup("[stack]");
  else if (!anon_name(owner, vma, "anon", &m->name, error))
    return false;
  if (unknown && !m->name)
    dacsa_errors_add(
        owner->l->errors, owner->where,
        "a mapping beside the heap has no name: kernels differ in whether it is [heap]");
  return true;
}

/* Shared memory that was given a name shows that, not its file's. Where the name and what links a
 * file's mappings are one union, files' mappings have no names. */
static bool
shmem_name(const MapsOwner *owner, uint64_t vma, char **ret, GError **error)
{
  const DacsaLinux *l = owner->l;

  return dacsa_linux_offset(l, M_VMA_ANON_NAME) == dacsa_linux_offset(l, M_VMA_SHARED) ||
         anon_name(owner, vma, "anon_shmem", ret, error);
}

static bool
read_mapping(const MapsOwner *owner, uint64_t vma, Mapping *ret, GError **error)
{
  const DacsaLinux *l = owner->l;
  g_auto(Mapping) m = {0};
  uint64_t file;

  if (!dacsa_linux_get(l, vma, M_VMA_START, &m.start, error) ||
      !dacsa_linux_get(l, vma, M_VMA_END, &m.end, error) ||
      !dacsa_linux_get(l, vma, M_VMA_FLAGS, &m.flags, error) ||
      !dacsa_linux_get(l, vma, M_VMA_FILE, &file, error))
    return false;
  if (m.start >= m.end)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "a mapping ends before it begins");
  m.vma = vma;
  m.file = file;
  if (file != 0) {
    if (!dacsa_linux_get(l, vma, M_VMA_PGOFF, &m.offset, error) ||
        !shmem_name(owner, vma, &m.name, error) || !file_mapping(owner, file, &m, error))
      return false;
    m.offset *= DACSA_PAGE_SIZE;
  } else if (!unnamed_mapping(owner, vma, &m, error)) {
    return false;
  }
  *ret = m;
  m.name = NULL;
  return true;
}

void
dacsa_linux_mapping_perms(const Mapping *m, char ret[5])
{
  ret[0] = m->flags & VM_READ ? 'r' : '-';
  ret[1] = m->flags & VM_WRITE ? 'w' : '-';
  ret[2] = m->flags & VM_EXEC ? 'x' : '-';
  ret[3] = m->flags & VM_MAYSHARE ? 's' : 'p';
  ret[4] = '\0';
}

/* arch/x86/entry/vsyscall/vsyscall_64.c, get_gate_vma: not of 32-bit processes. */
static bool
has_gate(const DacsaLinux *l, uint64_t mm)
{
  uint64_t context;

  if (dacsa_linux_has(l, M_MM_IA32_COMPAT)) /* to 5.10 */
    return dacsa_linux_get(l, mm, M_MM_IA32_COMPAT, &context, NULL) && context == 0;
  return !dacsa_linux_has(l, M_MM_CONTEXT_FLAGS) ||
         (dacsa_linux_get(l, mm, M_MM_CONTEXT_FLAGS, &context, NULL) &&
          context & MM_CONTEXT_HAS_VSYSCALL);
}

/* The gate mapping ([vsyscall]) is every 64-bit process's, and nobody's. */
static void
visit_gate(const MapsOwner *owner, uint64_t mm, DacsaLinuxMappingVisit visit, void *data)
{
  const DacsaLinux *l = owner->l;
  uint64_t gate = dacsa_linux_symbol(l, S_GATE_VMA);
  uint64_t vsyscall_mode = dacsa_linux_symbol(l, S_VSYSCALL_MODE);
  uint32_t mode = 0;
  Mapping m = {.name = (char *)(uintptr_t) "[vsyscall]", .vma = gate}; /* borrowed: func copies */

  if (gate == 0 || (vsyscall_mode && (!dacsa_mem_read_u32(l->memory, vsyscall_mode, &mode, NULL) ||
                                      mode == VSYSCALL_NONE)))
    return;
  if (!has_gate(l, mm))
    return;
  if (dacsa_linux_get(l, gate, M_VMA_START, &m.start, NULL) &&
      dacsa_linux_get(l, gate, M_VMA_END, &m.end, NULL) &&
      dacsa_linux_get(l, gate, M_VMA_FLAGS, &m.flags, NULL) && m.start < m.end)
    visit(&m, data);
}

bool
dacsa_linux_mappings_each(DacsaLinux *l, uint64_t task, const char *where,
                          DacsaLinuxMappingVisit visit, void *data, guint *ret_failures,
                          GError **error)
{
  g_autoptr(GArray) vmas = g_array_new(FALSE, FALSE, sizeof(uint64_t));
  g_autoptr(GError) broken = NULL;
  MapsOwner owner = {.l = l, .where = where};
  guint failures = 0;
  uint64_t mm;

  if (!dacsa_linux_task_mm(l, task, &mm, error))
    return false;
  if (mm == 0)
    return true;
  if (!dacsa_linux_get(l, mm, M_MM_START_BRK, &owner.start_brk, error) ||
      !dacsa_linux_get(l, mm, M_MM_BRK, &owner.brk, error) ||
      !dacsa_linux_get(l, mm, M_MM_START_STACK, &owner.start_stack, error))
    return false;
  if (!dacsa_linux_vmas_append(l, mm, vmas, &broken)) {
    dacsa_errors_add(l->errors, where, broken->message);
    failures = DACSA_LINUX_WALK_FAILURE;
  }
  owner.root = dacsa_linux_root(l);
  for (guint i = 0; i < vmas->len; i++) {
    g_auto(Mapping) m = {0};
    g_autoptr(GError) cause = NULL;

    if (!read_mapping(&owner, g_array_index(vmas, uint64_t, i), &m, &cause)) {
      dacsa_errors_add(l->errors, where, cause->message);
      failures++;
    } else if (!visit(&m, data)) {
      dacsa_errors_add(l->errors, where, "cut short: too many mappings with too long names");
      return true;
    }
  }
  if (ret_failures)
    *ret_failures += failures;
  visit_gate(&owner, mm, visit, data);
  return true;
}

/* The same for a process of that pid. */
static bool
visit_mappings(DacsaLinux *l, uint32_t pid, DacsaLinuxMappingVisit visit, void *data,
               GError **error)
{
  g_autofree char *where = g_strdup_printf("processes/%u/maps", pid);
  uint64_t task;

  return dacsa_linux_task(l, pid, &task, error) &&
         dacsa_linux_mappings_each(l, task, where, visit, data, NULL, error);
}

/* A name as seq_file_path(m, file, "\n") prints it. */
static void
append_escaped(GString *out, const char *name)
{
  for (; *name; name++) {
    if (*name == '\n')
      g_string_append(out, "\\012");
    else
      g_string_append_c(out, *name);
  }
}

static bool
append_line(const Mapping *m, void *data)
{
  GString *out = data;
  gsize begin = out->len;
  char perms[5];

  dacsa_linux_mapping_perms(m, perms);
  g_string_append_printf(out, "%08" PRIx64 "-%08" PRIx64 " %s %08" PRIx64 " %02x:%02x %" PRIu64 " ",
                         m->start, m->end, perms, m->offset, m->major, m->minor, m->ino);
  if (m->name) {
    while (out->len - begin < NAME_COLUMN - 1)
      g_string_append_c(out, ' ');
    g_string_append_c(out, ' ');
    append_escaped(out, m->name);
  }
  g_string_append_c(out, '\n');
  return out->len < MAX_TEXT;
}

bool
dacsa_linux_maps(DacsaGuest *guest, uint32_t pid, GString *out, GError **error)
{
  return visit_mappings((DacsaLinux *)guest, pid, append_line, out, error);
}

static void
region_clear(void *data)
{
  g_free(((DacsaRegion *)data)->path);
}

typedef struct {
  GArray *regions;
  size_t bytes;
} Regions;

static bool
append_region(const Mapping *m, void *data)
{
  Regions *r = data;
  DacsaRegion region = {.start = m->start, .end = m->end};
  g_autoptr(GString) path = g_string_new(NULL);

  dacsa_linux_mapping_perms(m, region.perms);
  if (m->name) {
    append_escaped(path, m->name);
    region.path = g_strdup(path->str);
  }
  r->bytes += sizeof(region) + path->len;
  g_array_append_val(r->regions, region);
  return r->bytes < MAX_TEXT;
}

bool
dacsa_linux_regions(DacsaGuest *guest, uint32_t pid, GArray **ret, GError **error)
{
  g_autoptr(GArray) regions = g_array_new(FALSE, FALSE, sizeof(DacsaRegion));

  Regions r = {regions, 0};

  g_array_set_clear_func(regions, region_clear);
  if (!visit_mappings((DacsaLinux *)guest, pid, append_region, &r, error))
    return false;
  *ret = g_steal_pointer(&regions);
  return true;
}
