/* Lies made by hand. Each finds its place with the parsers themselves, before it is told. */
#include "edits.h"

#include "parsers/cpus.h"
#include "parsers/linux/view.h"

#include <string.h>

#define PAGE 4096u
#define TABLE_BITS UINT64_C(0x67) /* present, writable, user, accessed, dirty */

/* -- places -- */

static uint64_t
gpa_of(const DacsaLinux *l, uint64_t gva)
{
  const DacsaX86_64Tables tables = {l->phys, dacsa_linux_kernel_root(l->kernel->info), l->levels,
                                    0};
  DacsaX86_64Page page;
  g_autoptr(GError) error = NULL;

  if (!dacsa_x86_64_translate(&tables, gva, &page, &error))
    g_error("%s", error->message);
  return page.gpa + (gva - page.gva);
}

static void
poke(Victim *v, const DacsaLinux *l, uint64_t gva, uint64_t value)
{
  value = GUINT64_TO_LE(value);
  victim_write(v, gpa_of(l, gva), &value, sizeof(value));
}

static uint64_t
peek(const DacsaLinux *l, uint64_t gva)
{
  uint64_t value = 0;
  g_autoptr(GError) error = NULL;

  if (!dacsa_mem_read_u64(l->memory, gva, &value, &error))
    g_error("%s", error->message);
  return value;
}

/* A member that is a pointer or a long. */
static uint64_t
member(const DacsaLinux *l, uint64_t base, DacsaLinuxMember m)
{
  return peek(l, base + dacsa_linux_offset(l, m));
}

/* The n-th of the last processes: user processes, which have memory. */
static uint64_t
task_from_end(DacsaLinux *l, guint n)
{
  dacsa_linux_tasks(l);
  return g_array_index(l->tasks, DacsaLinuxTask, l->tasks->len - 1 - n).task;
}

static uint64_t
user_mm(DacsaLinux *l)
{
  dacsa_linux_tasks(l);
  for (guint i = l->tasks->len; i > 0; i--) {
    uint64_t mm = 0;

    if (dacsa_linux_task_mm(l, g_array_index(l->tasks, DacsaLinuxTask, i - 1).task, &mm, NULL) &&
        mm != 0)
      return mm;
  }
  g_error("no process has memory");
}

static void
garbage(Victim *v, const DacsaLinux *l, uint64_t gva, size_t len, uint32_t seed)
{
  GRand *rand = g_rand_new_with_seed(seed);

  for (size_t done = 0; done + 4 <= len; done += 4) {
    uint32_t word = g_rand_int(rand);

    victim_write(v, gpa_of(l, gva + done), &word, sizeof(word));
  }
  g_rand_free(rand);
}

/* -- edits -- */

static void
tasks_in_a_circle(Victim *v, void *guest)
{
  DacsaLinux *l = guest;
  uint64_t at = dacsa_linux_offset(l, M_TASK_TASKS);

  poke(v, l, task_from_end(l, 0) + at, task_from_end(l, 3) + at);
}

static void
tasks_lead_nowhere(Victim *v, void *guest)
{
  DacsaLinux *l = guest;

  poke(v, l, task_from_end(l, 0) + dacsa_linux_offset(l, M_TASK_TASKS),
       UINT64_C(0xdead000000000100));
}

/* Every entry of the top table is the table itself: 512^4 pages. */
static void
page_table_of_itself(Victim *v, void *guest)
{
  DacsaLinux *l = guest;
  uint64_t pgd = member(l, user_mm(l), M_MM_PGD);

  for (unsigned i = 0; i < PAGE; i += 8)
    poke(v, l, pgd + i, gpa_of(l, pgd) | TABLE_BITS);
}

static void
kernel_page_table_of_itself(Victim *v, void *guest)
{
  DacsaLinux *l = guest;
  uint64_t root = dacsa_linux_kernel_root(l->kernel->info);

  for (unsigned i = 0; i < PAGE; i += 8) {
    uint64_t entry = GUINT64_TO_LE(root | TABLE_BITS);

    victim_write(v, root + i, &entry, sizeof(entry));
  }
}

/* All processes share one page table, which has no end. */
static void
everybody_has_that_page_table(Victim *v, void *guest)
{
  DacsaLinux *l = guest;
  uint64_t pgd = member(l, user_mm(l), M_MM_PGD);

  page_table_of_itself(v, guest);
  for (guint i = 0; i < l->tasks->len; i++) {
    uint64_t mm = 0;

    if (dacsa_linux_task_mm(l, g_array_index(l->tasks, DacsaLinuxTask, i).task, &mm, NULL) && mm)
      poke(v, l, mm + dacsa_linux_offset(l, M_MM_PGD), pgd);
  }
}

/* Every slot of a maple node is the node. */
static void
maple_node_of_itself(Victim *v, void *guest)
{
  DacsaLinux *l = guest;
  uint64_t root = member(l, user_mm(l), M_MM_MT_ROOT);
  uint64_t node = (root & ~UINT64_C(0xff)) | 2 << 3 | 6; /* maple_range_64 */

  if (!dacsa_linux_has(l, M_MM_MT_ROOT))
    return;
  poke(v, l, user_mm(l) + dacsa_linux_offset(l, M_MM_MT_ROOT), node);
  for (unsigned i = 0; i < 15; i++)
    poke(v, l, (node & ~UINT64_C(0xff)) + 8 + i * 8,
         i == 14 ? UINT64_MAX : (i + 1) * UINT64_C(0x10000));
  for (unsigned i = 0; i < 16; i++)
    poke(v, l, (node & ~UINT64_C(0xff)) + dacsa_linux_offset(l, M_MAPLE_RANGE64_SLOT) + i * 8,
         node);
}

static void
arguments_without_end(Victim *v, void *guest)
{
  DacsaLinux *l = guest;
  uint64_t mm = user_mm(l);

  poke(v, l, mm + dacsa_linux_offset(l, M_MM_ARG_START), 1);
  poke(v, l, mm + dacsa_linux_offset(l, M_MM_ARG_END), UINT64_MAX);
  poke(v, l, mm + dacsa_linux_offset(l, M_MM_ENV_START), 1);
  poke(v, l, mm + dacsa_linux_offset(l, M_MM_ENV_END), UINT64_MAX);
}

/* A file that a user process maps: its dentry. */
static uint64_t
some_dentry(DacsaLinux *l)
{
  g_autoptr(GArray) vmas = dacsa_linux_vmas(l, user_mm(l), "edits");

  for (guint i = 0; i < vmas->len; i++) {
    uint64_t file = member(l, g_array_index(vmas, uint64_t, i), M_VMA_FILE);

    if (file != 0)
      return peek(l,
                  file + dacsa_linux_offset(l, M_FILE_PATH) + dacsa_linux_offset(l, M_PATH_DENTRY));
  }
  g_error("no process maps a file");
}

static void
path_in_a_circle(Victim *v, void *guest)
{
  DacsaLinux *l = guest;
  uint64_t dentry = some_dentry(l);
  uint64_t parent = member(l, dentry, M_DENTRY_PARENT);

  poke(v, l, parent + dacsa_linux_offset(l, M_DENTRY_PARENT), dentry);
}

static void
name_without_end(Victim *v, void *guest)
{
  DacsaLinux *l = guest;
  uint64_t name = some_dentry(l) + dacsa_linux_offset(l, M_DENTRY_NAME);

  poke(v, l, name, UINT64_MAX); /* hash and length */
}

static void
btf_is_garbage(Victim *v, void *guest)
{
  const DacsaLinux *l = guest;

  garbage(v, l, l->kernel->btf + 24, 1u << 16, 1);
}

/* include/uapi/linux/btf.h, struct btf_header: offsets and lengths that wrap. */
static void
btf_header_lies(Victim *v, void *guest)
{
  const DacsaLinux *l = guest;

  poke(v, l, l->kernel->btf + 8, UINT64_C(0xffffffff00000000));
  poke(v, l, l->kernel->btf + 16, UINT64_C(0xfffffff0fffffff0));
}

static uint64_t
info_symbol(const DacsaLinux *l, const char *name)
{
  return dacsa_vmcoreinfo_symbol(l->kernel->info, name);
}

static void
kallsyms_is_garbage(Victim *v, void *guest)
{
  const DacsaLinux *l = guest;

  if (info_symbol(l, "kallsyms_names"))
    garbage(v, l, info_symbol(l, "kallsyms_names"), 1u << 20, 2);
}

static void
two_million_symbols(Victim *v, void *guest)
{
  const DacsaLinux *l = guest;

  if (info_symbol(l, "kallsyms_num_syms"))
    poke(v, l, info_symbol(l, "kallsyms_num_syms"), 2u << 20);
}

static void
vmcoreinfo_lies(Victim *v, void *guest)
{
  static const char lie[] = "OSRELEASE=6.1.0\nSYMBOL(swapper_pg_dir)=ffffffffffffffff\n"
                            "NUMBER(phys_base)=-9223372036854775808\nSYMBOL(kallsyms_names)=1\n"
                            "SYMBOL(_stext)=ffffffffffffffffffffffff\n";
  const DacsaLinux *l = guest;

  victim_write(v, l->kernel->info->gpa, lie, sizeof(lie));
}

const Edit edits[] = {
    {"tasks-in-a-circle", tasks_in_a_circle, 80, true},
    {"tasks-lead-nowhere", tasks_lead_nowhere, 80, true},
    {"page-table-of-itself", page_table_of_itself, 100, true},
    {"everybody-s-page-table", everybody_has_that_page_table, 100, true},
    {"maple-node-of-itself", maple_node_of_itself, 100, true},
    {"arguments-without-end", arguments_without_end, 100, true},
    {"path-in-a-circle", path_in_a_circle, 100, true},
    {"name-without-end", name_without_end, 100, true},
    {"btf-is-garbage", btf_is_garbage, 0, true},
    {"btf-header-lies", btf_header_lies, 0, true},
    {"kallsyms-is-garbage", kallsyms_is_garbage, 0, true},
    {"two-million-symbols", two_million_symbols, 0, true},
    {"vmcoreinfo-lies", vmcoreinfo_lies, 0, true},
    {"kernel-page-table-of-itself", kernel_page_table_of_itself, 0, true},
    {NULL, NULL, 0, false},
};

void
edit_apply(const Edit *edit, Victim *victim)
{
  g_autoptr(GArray) cpus = dacsa_cpus_parse(victim->record->registers);
  g_autoptr(GError) error = NULL;
  DacsaErrors *errors = dacsa_errors_new();
  DacsaGuestMemo *memo = dacsa_guest_memo_new();
  const DacsaGuestSource source = {victim->phys, cpus, errors, memo, 0};
  DacsaGuest *guest;

  if (!dacsa_guest_open(&source, &guest, &error))
    g_error("the guest cannot be opened: %s", error->message);
  edit->apply(victim, guest);
  dacsa_guest_free(guest);
  dacsa_guest_memo_unref(memo);
  dacsa_errors_free(errors);
}
