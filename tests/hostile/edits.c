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
  const DacsaX86_64Tables tables = {l->phys, l->kernel->info->root, l->levels, 0};
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
  uint64_t root = l->kernel->info->root;

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

/* -- edits that multiply what has a bound of its own -- */

#define SCRATCH_BYTES (UINT64_C(20) << 20)
#define SCRATCH_STEP (UINT64_C(1) << 20)
#define FAN_OUT 16u
#define HEIGHT 5u /* 16^5: as many mappings as are looked at */
#define NODE_BYTES 256u

/* Where the kernel has physical memory mapped. */
static uint64_t
direct_map(DacsaLinux *l)
{
  uint64_t pgd = member(l, user_mm(l), M_MM_PGD);

  return pgd - gpa_of(l, pgd);
}

static bool
has_page_in(const GArray *gpas, uint64_t start, uint64_t end)
{
  for (guint i = 0; i < gpas->len; i++) {
    uint64_t gpa = g_array_index(gpas, uint64_t, i);

    if (gpa >= start && gpa < end)
      return true;
  }
  return false;
}

/* Memory that the kernel has mapped, and that nothing reads as the guest is: it is ours. */
static uint64_t
scratch_gpa(const Victim *v, DacsaLinux *l)
{
  const DacsaRange *ram = &g_array_index(v->record->layout->ranges, DacsaRange, 0);

  for (uint64_t gpa = SCRATCH_BYTES; gpa + SCRATCH_BYTES <= ram->size; gpa += SCRATCH_STEP) {
    uint64_t byte;
    bool mapped = true;

    if (has_page_in(v->opening, gpa, gpa + SCRATCH_BYTES) ||
        has_page_in(v->facts, gpa, gpa + SCRATCH_BYTES))
      continue;
    for (uint64_t at = 0; at < SCRATCH_BYTES && mapped; at += PAGE)
      mapped = dacsa_mem_read(l->memory, direct_map(l) + gpa + at, &byte, 1, NULL);
    if (mapped)
      return gpa;
  }
  g_error("the guest has no memory to spare");
}

static void
put_word(uint8_t *at, uint64_t value)
{
  value = GUINT64_TO_LE(value);
  memcpy(at, &value, sizeof(value));
}

/* The nodes of one level of a maple tree, all full; below: the first of the next level's, whose
 * number is multiplied by NODE_BYTES, or for a leaf what is in every slot. */
static void
put_maple_level(Victim *v, uint64_t gpa, unsigned n, uint64_t width, bool leaf, uint64_t below)
{
  g_autofree uint8_t *nodes = g_malloc0((size_t)n * NODE_BYTES);

  for (unsigned i = 0; i < n; i++)
    for (unsigned slot = 0; slot < FAN_OUT; slot++) {
      uint8_t *node = nodes + (size_t)i * NODE_BYTES;
      uint64_t index = (uint64_t)i * FAN_OUT + slot;

      if (slot < FAN_OUT - 1)
        put_word(node + 8 + slot * 8u, (index + 1) * width - 1);
      put_word(node + 128 + slot * 8u, leaf ? below : below + index * NODE_BYTES);
    }
  victim_write(v, gpa, nodes, (size_t)n * NODE_BYTES);
}

/* A tree with a million slots, each the same mapping; the tree's root. */
static uint64_t
put_maple_tree(Victim *v, DacsaLinux *l, uint64_t gpa, uint64_t vma)
{
  uint64_t below = vma;
  uint64_t width = 1;
  unsigned n = 1u << (4 * (HEIGHT - 1));

  for (unsigned level = 1; level <= HEIGHT; level++) {
    put_maple_level(v, gpa, n, width, level == 1, below);
    below = (direct_map(l) + gpa) | (level == 1 ? 1 : 2) << 3 | 4;
    gpa += (uint64_t)n * NODE_BYTES;
    width *= FAN_OUT;
    n /= FAN_OUT;
  }
  return below | 2;
}

/* Two mounts, each mounted on the other: a path that goes from one to the other for ever. */
static void
put_mounts(Victim *v, DacsaLinux *l, uint64_t gpa, uint64_t file)
{
  uint64_t at = direct_map(l) + gpa;
  uint64_t mounts[2] = {at, at + PAGE}, dentries[2] = {at + 2 * PAGE, at + 3 * PAGE};
  uint64_t mnt = dacsa_linux_offset(l, M_MOUNT_MNT);
  uint64_t path = file + dacsa_linux_offset(l, M_FILE_PATH);

  for (unsigned i = 0; i < 2; i++) {
    poke(v, l, mounts[i] + dacsa_linux_offset(l, M_MOUNT_PARENT), mounts[!i]);
    poke(v, l, mounts[i] + dacsa_linux_offset(l, M_MOUNT_MOUNTPOINT), dentries[!i]);
    poke(v, l, mounts[i] + mnt + dacsa_linux_offset(l, M_VFSMOUNT_ROOT), dentries[i]);
    poke(v, l, dentries[i] + dacsa_linux_offset(l, M_DENTRY_OP), 0);
  }
  poke(v, l, path + dacsa_linux_offset(l, M_PATH_MNT), mounts[0] + mnt);
  poke(v, l, path + dacsa_linux_offset(l, M_PATH_DENTRY), dentries[0]);
}

static uint64_t
some_file_vma(DacsaLinux *l)
{
  g_autoptr(GArray) vmas = dacsa_linux_vmas(l, user_mm(l), "edits");

  for (guint i = 0; i < vmas->len; i++)
    if (member(l, g_array_index(vmas, uint64_t, i), M_VMA_FILE) != 0)
      return g_array_index(vmas, uint64_t, i);
  g_error("no process maps a file");
}

static void
a_million_endless_paths(Victim *v, void *guest)
{
  DacsaLinux *l = guest;
  uint64_t vma = some_file_vma(l);

  if (!dacsa_linux_has(l, M_MM_MT_ROOT))
    return;
  uint64_t gpa = scratch_gpa(v, l);
  put_mounts(v, l, gpa, member(l, vma, M_VMA_FILE));
  poke(v, l, user_mm(l) + dacsa_linux_offset(l, M_MM_MT_ROOT),
       put_maple_tree(v, l, gpa + 4 * PAGE, vma));
}

/* Each level's entries all name the same table of the next: 512^4 pages of four tables, for every
 * process. */
static void
page_tables_multiplied(Victim *v, void *guest)
{
  DacsaLinux *l = guest;
  uint64_t gpa = scratch_gpa(v, l);
  uint8_t tables[4 * PAGE];

  for (unsigned i = 0; i < sizeof(tables); i += 8)
    put_word(tables + i, (gpa + (i / PAGE + 1) * PAGE) | TABLE_BITS);
  victim_write(v, gpa, tables, sizeof(tables));
  dacsa_linux_tasks(l);
  for (guint i = 0; i < l->tasks->len; i++) {
    uint64_t mm = 0;

    if (dacsa_linux_task_mm(l, g_array_index(l->tasks, DacsaLinuxTask, i).task, &mm, NULL) && mm)
      poke(v, l, mm + dacsa_linux_offset(l, M_MM_PGD), direct_map(l) + gpa);
  }
}

/* A quarter of a million tasks in 2 MiB: each lies 8 bytes behind the one before. */
static void
tasks_overlap(Victim *v, void *guest)
{
  const size_t n = 1u << 18;
  DacsaLinux *l = guest;
  g_autofree uint8_t *nodes = g_malloc0(n * 8);
  uint64_t gpa = scratch_gpa(v, l);
  uint64_t at = direct_map(l) + gpa;

  for (size_t i = 0; i < n; i++)
    put_word(nodes + i * 8, at + (i + 1) * 8);
  victim_write(v, gpa, nodes, n * 8);
  poke(v, l, task_from_end(l, 0) + dacsa_linux_offset(l, M_TASK_TASKS), at);
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
    {"vmcoreinfo-lies", vmcoreinfo_lies, 100, false},
    {"a-million-endless-paths", a_million_endless_paths, 100, true},
    {"page-tables-multiplied", page_tables_multiplied, 100, true},
    {"tasks-overlap", tasks_overlap, 100, true},
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
