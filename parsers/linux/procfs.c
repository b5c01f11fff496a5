/* The text of /proc/PID/{comm,cmdline,maps}, as fs/proc/ prints it, from the kernel's structures.
 */
#include "parsers/linux/view.h"
#include "snap/error.h"

#include <inttypes.h>
#include <string.h>

#define PF_WQ_WORKER 0x20u
#define PF_KTHREAD 0x200000u
#define MAX_FULL_NAME 64u
#define MAX_CMDLINE                                                                                \
  (2u << 20) /* MAX_ARG_STRLEN times a few; the kernel's own limit is a stack's                    \
              */
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

/* -- comm -- */

static bool
append_comm(const DacsaLinux *l, uint64_t task, GString *out, GError **error)
{
  g_autofree char *comm = NULL;

  if (!dacsa_linux_get_string(l, task, M_TASK_COMM, &comm, error))
    return false;
  g_string_append(out, comm);
  return true;
}

/* kernel/workqueue.c, wq_worker_comm: what the worker works on, or last did. */
static bool
append_work(const DacsaLinux *l, uint64_t kthread, GString *out, GError **error)
{
  g_autofree char *desc = NULL;
  uint64_t worker, pool, current;

  if (!dacsa_linux_get(l, kthread, M_KTHREAD_DATA, &worker, error))
    return false;
  if (worker == 0)
    return true;
  if (!dacsa_linux_get(l, worker, M_WORKER_POOL, &pool, error) ||
      !dacsa_linux_get(l, worker, M_WORKER_CURRENT_WORK, &current, error) ||
      !dacsa_linux_get_string(l, worker, M_WORKER_DESC, &desc, error))
    return false;
  if (pool != 0 && desc[0] != '\0')
    g_string_append_printf(out, "%c%s", current ? '+' : '-', desc);
  return true;
}

/* fs/proc/array.c, proc_task_name. */
bool
dacsa_linux_comm(DacsaGuest *guest, uint32_t pid, GString *out, GError **error)
{
  DacsaLinux *l = (DacsaLinux *)guest;
  g_autofree char *full = NULL;
  uint64_t task;
  uint64_t kthread = 0;
  uint64_t full_name = 0;
  uint64_t flags;

  if (!dacsa_linux_task(l, pid, &task, error) ||
      !dacsa_linux_get(l, task, M_TASK_FLAGS, &flags, error))
    return false;
  if (flags & PF_KTHREAD && dacsa_linux_has(l, M_TASK_WORKER_PRIVATE) &&
      !dacsa_linux_get(l, task, M_TASK_WORKER_PRIVATE, &kthread, error))
    return false;
  /* A worker's was cut to the task's comm until names were made of what it is. */
  bool has_full_name = !(flags & PF_WQ_WORKER) || dacsa_linux_symbol(l, S_FORMAT_WORKER_ID) != 0;
  if (kthread != 0 && has_full_name && dacsa_linux_has(l, M_KTHREAD_FULL_NAME) &&
      !dacsa_linux_get(l, kthread, M_KTHREAD_FULL_NAME, &full_name, error))
    return false;
  if (full_name != 0) {
    if (!dacsa_mem_read_string(l->memory, full_name, MAX_FULL_NAME - 1, &full, error))
      return false;
    g_string_append(out, full);
  } else if (!append_comm(l, task, out, error)) {
    return false;
  }
  if (flags & PF_WQ_WORKER && kthread != 0 && !append_work(l, kthread, out, error))
    return false;
  g_string_append_c(out, '\n');
  return true;
}

/* -- cmdline -- */

/* Appends [start, end) of a process's memory; what cannot be read ends it and is noted. */
static void
append_user(DacsaLinux *l, DacsaMem *space, uint64_t start, uint64_t end, const char *where,
            GString *out)
{
  size_t want = (size_t)MIN(end - start, (uint64_t)MAX_CMDLINE);
  g_autofree char *buf = g_malloc(want);
  size_t got = dacsa_mem_read_some(space, start, buf, want);

  g_string_append_len(out, buf, (gssize)got);
  if (got < want)
    dacsa_errors_add(l->errors, where, "cut short: the rest is not in memory");
  else if (want < end - start)
    dacsa_errors_add(l->errors, where, "cut short: it is too long");
}

/* fs/proc/base.c, get_mm_cmdline and get_mm_proctitle: a process may have written over its
 * arguments, and past them into the environment. */
static void
append_cmdline(DacsaLinux *l, DacsaMem *space, const uint64_t arg[2], const uint64_t env[2],
               const char *where, GString *out)
{
  uint64_t end = env[0] != arg[1] || env[1] < env[0] ? arg[1] : env[1];
  uint8_t last = 0;

  if (dacsa_mem_read_u8(space, arg[1] - 1, &last, NULL) && last != 0) {
    gsize before = out->len;

    append_user(l, space, arg[0], MIN(end, arg[0] + DACSA_PAGE_SIZE), where, out);
    const char *zero = memchr(out->str + before, 0, out->len - before);
    if (zero)
      g_string_truncate(out, (gsize)(zero - out->str) + 1);
  } else {
    append_user(l, space, arg[0], arg[1], where, out);
  }
}

bool
dacsa_linux_cmdline(DacsaGuest *guest, uint32_t pid, GString *out, GError **error)
{
  DacsaLinux *l = (DacsaLinux *)guest;
  DacsaX86_64Tables tables;
  uint64_t task, mm;
  uint64_t arg[2], env[2];

  if (!dacsa_linux_task(l, pid, &task, error) || !dacsa_linux_task_mm(l, task, &mm, error))
    return false;
  if (mm == 0)
    return true;
  if (!dacsa_linux_get(l, mm, M_MM_ARG_START, &arg[0], error) ||
      !dacsa_linux_get(l, mm, M_MM_ARG_END, &arg[1], error) ||
      !dacsa_linux_get(l, mm, M_MM_ENV_START, &env[0], error) ||
      !dacsa_linux_get(l, mm, M_MM_ENV_END, &env[1], error) ||
      !dacsa_linux_mm_tables(l, mm, &tables, error))
    return false;
  if (arg[0] >= arg[1])
    return true;
  g_autoptr(DacsaMem) space = dacsa_x86_64_space_new(&tables);
  g_autofree char *where = g_strdup_printf("processes/%u/cmdline", pid);
  append_cmdline(l, space, arg, env, where, out);
  return true;
}

/* -- maps -- */

/* A mapping's fields as maps shows them. */
typedef struct {
  uint64_t start, end, flags, offset, ino;
  uint32_t major, minor;
  char *name; /* or NULL */
} Mapping;

static void
mapping_clear(Mapping *m)
{
  g_clear_pointer(&m->name, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Mapping, mapping_clear)

/* The process that mappings are read of. */
typedef struct {
  DacsaLinux *l;
  uint64_t start_brk, brk, start_stack;
  uint64_t root; /* struct path; see dacsa_linux_root */
  const char *where;
} MapsOwner;

static bool
file_mapping(const MapsOwner *owner, uint64_t file, Mapping *m, GError **error)
{
  const DacsaLinux *l = owner->l;
  uint64_t inode, sb, dev;
  g_autoptr(GError) cause = NULL;

  if (!dacsa_linux_get(l, file, M_FILE_INODE, &inode, error) ||
      !dacsa_linux_get(l, inode, M_INODE_INO, &m->ino, error) ||
      !dacsa_linux_get(l, inode, M_INODE_SB, &sb, error) ||
      !dacsa_linux_get(l, sb, M_SB_DEV, &dev, error))
    return false;
  m->major = (uint32_t)dev >> 20;
  m->minor = (uint32_t)dev & 0xfffff;
  /* A name that cannot be had leaves the line without one, and is told. */
  if (!dacsa_linux_d_path(l, file + dacsa_linux_offset(l, M_FILE_PATH), owner->root, &m->name,
                          &cause))
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

/* fs/proc/task_mmu.c, show_map_vma, for a mapping without a file. */
static bool
unnamed_mapping(const MapsOwner *owner, uint64_t vma, Mapping *m, GError **error)
{
  if (!special_name(owner, vma, &m->name, error) || m->name)
    return m->name != NULL;
  if (m->start <= owner->brk && m->end >= owner->start_brk)
    m->name = g_strdup("[heap]");
  else if (m->start <= owner->start_stack && m->end >= owner->start_stack)
    m->name = g_strdup("[stack]");
  else
    return anon_name(owner, vma, "anon", &m->name, error);
  return true;
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
  if (file != 0) {
    if (!dacsa_linux_get(l, vma, M_VMA_PGOFF, &m.offset, error) ||
        !file_mapping(owner, file, &m, error))
      return false;
    m.offset *= DACSA_PAGE_SIZE;
  } else if (!unnamed_mapping(owner, vma, &m, error)) {
    return false;
  }
  *ret = m;
  m.name = NULL;
  return true;
}

static void
mapping_perms(const Mapping *m, char ret[5])
{
  ret[0] = m->flags & VM_READ ? 'r' : '-';
  ret[1] = m->flags & VM_WRITE ? 'w' : '-';
  ret[2] = m->flags & VM_EXEC ? 'x' : '-';
  ret[3] = m->flags & VM_MAYSHARE ? 's' : 'p';
  ret[4] = '\0';
}

/* false: there is no room for more. */
typedef bool (*MappingFunc)(const Mapping *m, void *data);

/* The gate mapping ([vsyscall]) is every 64-bit process's, and nobody's. */
static void
visit_gate(const MapsOwner *owner, uint64_t mm, MappingFunc func, void *data)
{
  const DacsaLinux *l = owner->l;
  uint64_t gate = dacsa_linux_symbol(l, S_GATE_VMA);
  uint64_t vsyscall_mode = dacsa_linux_symbol(l, S_VSYSCALL_MODE);
  uint32_t mode = 0;
  uint64_t context;
  Mapping m = {.name = (char *)(uintptr_t) "[vsyscall]"}; /* borrowed: func copies */

  if (gate == 0 || (vsyscall_mode && (!dacsa_mem_read_u32(l->memory, vsyscall_mode, &mode, NULL) ||
                                      mode == VSYSCALL_NONE)))
    return;
  if (dacsa_linux_has(l, M_MM_CONTEXT_FLAGS) &&
      (!dacsa_linux_get(l, mm, M_MM_CONTEXT_FLAGS, &context, NULL) ||
       !(context & MM_CONTEXT_HAS_VSYSCALL)))
    return;
  if (dacsa_linux_get(l, gate, M_VMA_START, &m.start, NULL) &&
      dacsa_linux_get(l, gate, M_VMA_END, &m.end, NULL) &&
      dacsa_linux_get(l, gate, M_VMA_FLAGS, &m.flags, NULL) && m.start < m.end)
    func(&m, data);
}

/* Calls func for every mapping of a process, ascending. One that cannot be read is left out and
 * told; a kernel thread has none. */
static bool
visit_mappings(DacsaLinux *l, uint32_t pid, MappingFunc func, void *data, GError **error)
{
  g_autofree char *where = g_strdup_printf("processes/%u/maps", pid);
  MapsOwner owner = {.l = l, .where = where};
  uint64_t task, mm;

  if (!dacsa_linux_task(l, pid, &task, error) || !dacsa_linux_task_mm(l, task, &mm, error))
    return false;
  if (mm == 0)
    return true;
  if (!dacsa_linux_get(l, mm, M_MM_START_BRK, &owner.start_brk, error) ||
      !dacsa_linux_get(l, mm, M_MM_BRK, &owner.brk, error) ||
      !dacsa_linux_get(l, mm, M_MM_START_STACK, &owner.start_stack, error))
    return false;
  g_autoptr(GArray) vmas = dacsa_linux_vmas(l, mm, where);
  owner.root = dacsa_linux_root(l);
  for (guint i = 0; i < vmas->len; i++) {
    g_auto(Mapping) m = {0};
    g_autoptr(GError) cause = NULL;

    if (!read_mapping(&owner, g_array_index(vmas, uint64_t, i), &m, &cause)) {
      dacsa_errors_add(l->errors, where, cause->message);
    } else if (!func(&m, data)) {
      dacsa_errors_add(l->errors, where, "cut short: too many mappings with too long names");
      return true;
    }
  }
  visit_gate(&owner, mm, func, data);
  return true;
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

  mapping_perms(m, perms);
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

  mapping_perms(m, region.perms);
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
