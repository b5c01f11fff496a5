/*
 * VMCOREINFO for a core of the system: the kernel's own text, or, where it has none any more, what
 * it would say (kernel/vmcore_info.c, before 6.9 kernel/crash_core.c; kernel/printk/printk.c,
 * log_buf_vmcoreinfo_setup; arch/x86/kernel/vmcore_info_64.c): a row a line, in the kernel's order.
 * A line whose value cannot be told is left out.
 */
#include "parsers/linux/image.h"
#include "parsers/linux/system.h"
#include "snap/error.h"

#include <inttypes.h>
#include <string.h>

#define MAX_BTF (64u << 20)
#define SECTION_SIZE_BITS 27u /* arch/x86/include/asm/sparsemem.h */
#define MAX_PHYSMEM_BITS(five_levels) ((five_levels) ? 52u : 46u)
#define GIB (UINT64_C(1) << 30)

typedef struct {
  const DacsaLinux *l;
  const DacsaTypes *types; /* NULL: they cannot be read */
  GString *out;
} Writer;

/* name: as it is printed; what: of which symbol, member or enumerator, where that is another. */
typedef struct Line {
  void (*write)(const Writer *w, const struct Line *line);
  const char *name, *what;
} Line;

/* -- values -- */

static const char *
what_of(const Line *line)
{
  return line->what ? line->what : line->name;
}

static uint64_t
symbol(const Writer *w, const char *name)
{
  return dacsa_kallsyms_find_optional(w->l->kernel->kallsyms, name);
}

/* `struct.member` or `struct.member.member`. */
static bool
find_member(const Writer *w, const char *path, DacsaMember *ret)
{
  g_auto(GStrv) parts = g_strsplit(path, ".", 2);

  return w->types && parts[0] && parts[1] &&
         dacsa_types_member(w->types, parts[0], parts[1], ret, NULL);
}

static bool
find_enumerator(const Writer *w, const char *name, int64_t *ret)
{
  return w->types && dacsa_types_enumerator(w->types, name, ret, NULL);
}

static void
print_address(const Writer *w, const char *name, uint64_t address)
{
  if (address != 0)
    g_string_append_printf(w->out, "SYMBOL(%s)=%" PRIx64 "\n", name, address);
}

static void
print_number(const Writer *w, const char *kind, const char *name, int64_t value)
{
  g_string_append_printf(w->out, "%s(%s)=%" PRId64 "\n", kind, name, value);
}

/* -- lines of one kind -- */

static void
write_symbol(const Writer *w, const Line *line)
{
  print_address(w, line->name, symbol(w, what_of(line)));
}

/* A pointer that is printed like an array: its value. */
static void
write_pointer(const Writer *w, const Line *line)
{
  const uint64_t at = symbol(w, what_of(line));
  uint64_t value;

  if (at != 0 && dacsa_mem_read_u64(w->l->memory, at, &value, NULL))
    print_address(w, line->name, value);
}

static void
write_size(const Writer *w, const Line *line)
{
  uint32_t size;

  if (w->types && dacsa_types_size(w->types, line->name, &size, NULL))
    print_number(w, "SIZE", line->name, size);
}

/* The size of a type that has no name of its own, by a member of that type. */
static void
write_member_size(const Writer *w, const Line *line)
{
  DacsaMember m;

  if (find_member(w, line->what, &m))
    print_number(w, "SIZE", line->name, m.size);
}

static void
write_offset(const Writer *w, const Line *line)
{
  DacsaMember m;

  if (find_member(w, line->name, &m))
    print_number(w, "OFFSET", line->name, m.offset);
}

static void
write_length(const Writer *w, const Line *line)
{
  DacsaMember m;

  if (find_member(w, what_of(line), &m) && m.elements > 0)
    print_number(w, "LENGTH", line->name, m.elements);
}

static void
write_number(const Writer *w, const Line *line)
{
  int64_t value;

  if (find_enumerator(w, line->name, &value))
    print_number(w, "NUMBER", line->name, value);
}

/* Where a part of the table of symbols lies; its own names are not in it. */
static void
write_kallsyms(const Writer *w, const Line *line)
{
  const DacsaKallsymsTables *t = dacsa_kallsyms_tables(w->l->kernel->kallsyms);

  if (!t)
    return;
  /* Their number stands in front of the names: in 4 bytes, as aligned as all of it. */
  const struct {
    const char *name;
    uint64_t address;
  } tables[] = {
      {"kallsyms_names", t->names},
      {"kallsyms_num_syms", t->names - (t->relative_base ? 8 : 4)},
      {"kallsyms_token_table", t->token_table},
      {"kallsyms_token_index", t->token_index},
      {"kallsyms_offsets", t->offsets},
      {"kallsyms_relative_base", t->relative_base},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(tables); i++)
    if (strcmp(tables[i].name, line->name) == 0)
      print_address(w, line->name, tables[i].address);
}

/* -- lines of their own kind -- */

static void
write_release(const Writer *w, const Line *line)
{
  if (w->l->kernel->info->release[0])
    g_string_append_printf(w->out, "%s=%s\n", line->name, w->l->kernel->info->release);
}

static void
write_build_id(const Writer *w, const Line *line)
{
  if (w->l->kernel->info->build_id[0])
    g_string_append_printf(w->out, "%s=%s\n", line->name, w->l->kernel->info->build_id);
}

static void
write_page_size(const Writer *w, const Line *line)
{
  g_string_append_printf(w->out, "%s=%" PRIu64 "\n", line->name, DACSA_PAGE_SIZE);
}

/* node_online_map is node_states[N_ONLINE] (include/linux/nodemask.h). */
static void
write_node_online_map(const Writer *w, const Line *line)
{
  const uint64_t states = symbol(w, "node_states");
  DacsaMember nodemask;
  int64_t online;

  if (states != 0 && find_enumerator(w, "N_ONLINE", &online) &&
      find_member(w, "task_struct.mems_allowed", &nodemask))
    print_address(w, line->name, states + (uint64_t)online * nodemask.size);
}

static void
write_vmalloc_start(const Writer *w, const Line *line)
{
  const uint64_t at = symbol(w, "vmalloc_base");
  uint64_t value;

  if (at != 0 && dacsa_mem_read_u64(w->l->memory, at, &value, NULL))
    g_string_append_printf(w->out, "NUMBER(%s)=0x%" PRIx64 "\n", line->name, value);
}

/* NR_SECTION_ROOTS (include/linux/mmzone.h) with SPARSEMEM_EXTREME, as x86-64 has it. */
static void
write_section_roots(const Writer *w, const Line *line)
{
  uint32_t size;

  if (!w->types || !dacsa_types_size(w->types, "mem_section", &size, NULL) || size == 0 ||
      size > DACSA_PAGE_SIZE)
    return;
  const uint64_t sections = UINT64_C(1)
                            << (MAX_PHYSMEM_BITS(w->l->levels == 5) - SECTION_SIZE_BITS);
  const uint64_t per_root = DACSA_PAGE_SIZE / size;
  print_number(w, "LENGTH", line->name, (int64_t)((sections + per_root - 1) / per_root));
}

static void
write_section_bits(const Writer *w, const Line *line)
{
  print_number(w, "NUMBER", line->name, SECTION_SIZE_BITS);
}

static void
write_physmem_bits(const Writer *w, const Line *line)
{
  print_number(w, "NUMBER", line->name, MAX_PHYSMEM_BITS(w->l->levels == 5));
}

/* atomic_long_t is a structure without a name, with one member. */
static void
write_counter_offset(const Writer *w, const Line *line)
{
  DacsaMember outer, inner;

  if (find_member(w, "prb_desc.state_var", &outer) &&
      find_member(w, "prb_desc.state_var.counter", &inner))
    print_number(w, "OFFSET", line->name, (int64_t)(inner.offset - outer.offset));
}

static void
write_head_mask(const Writer *w, const Line *line)
{
  int64_t head;

  if (find_enumerator(w, "PG_head", &head) && head >= 0 && head < 32)
    print_number(w, "NUMBER", line->name, INT64_C(1) << head);
}

/* Since 6.12 an enumerator in the top byte (include/linux/page-flags.h, enum pagetype). */
static void
write_page_type(const Writer *w, const Line *line)
{
  int64_t type;

  if (find_enumerator(w, line->what, &type))
    print_number(w, "NUMBER", line->name, (int32_t)((uint32_t)type << 24));
}

/* Before: a macro, one bit of a word of ones. It was these bits as long as slab pages had a flag of
 * their own (to 6.9; between, nothing tells). */
static void
write_old_page_type(const Writer *w, const Line *line)
{
  const bool buddy = strcmp(line->name, "PAGE_BUDDY_MAPCOUNT_VALUE") == 0;
  int64_t slab;

  if (find_enumerator(w, "PG_slab", &slab))
    print_number(w, "NUMBER", line->name, buddy ? ~INT64_C(0x80) : ~INT64_C(0x100));
}

static void
write_phys_base(const Writer *w, const Line *line)
{
  print_number(w, "NUMBER", line->name, (int64_t)w->l->kernel->info->phys_base);
}

static void
write_five_levels(const Writer *w, const Line *line)
{
  print_number(w, "NUMBER", line->name, w->l->levels == 5);
}

/* MAX_NUMNODES, of which an array in every slab cache has as many elements. */
static void
write_node_count(const Writer *w, const Line *line)
{
  if (symbol(w, "node_data") == 0)
    return;
  for (const char *const *path =
           (const char *const[]){"kmem_cache.node", "kmem_cache.per_node", NULL};
       *path; path++) {
    DacsaMember m;

    if (find_member(w, *path, &m) && m.elements > 0) {
      print_number(w, "LENGTH", line->name, m.elements);
      return;
    }
  }
}

/* How far _text is from where it was linked for, which the boot loader was told: pref_address of
 * struct setup_header (Documentation/arch/x86/boot.rst). */
static void
write_kernel_offset(const Writer *w, const Line *line)
{
  const uint64_t params = symbol(w, "boot_params");
  const uint64_t text = symbol(w, "_text");
  DacsaMember m;
  uint64_t linked;

  if (params == 0 || !find_member(w, "boot_params.hdr.pref_address", &m) ||
      !dacsa_mem_read_u64(w->l->memory, params + m.offset, &linked, NULL) || linked == 0 ||
      linked >= GIB || text < DACSA_LINUX_IMAGE_START + linked || text >= DACSA_LINUX_IMAGE_END)
    return;
  g_string_append_printf(w->out, "%s=%" PRIx64 "\n", line->name,
                         text - DACSA_LINUX_IMAGE_START - linked);
}

/* arch/x86/include/asm/page_64_types.h: CONFIG_RANDOMIZE_BASE, without which there is no
 * randomising of other memory either, decides between 1 GiB and a half. */
static void
write_image_size(const Writer *w, const Line *line)
{
  if (symbol(w, "kernel_randomize_memory") != 0)
    print_number(w, "NUMBER", line->name, (int64_t)GIB);
}

/* A kernel that cannot encrypt memory has a constant 0 instead of the variable. */
static void
write_sme_mask(const Writer *w, const Line *line)
{
  const uint64_t at = symbol(w, "sme_me_mask");
  uint64_t mask = 0;

  if (at == 0 || dacsa_mem_read_u64(w->l->memory, at, &mask, NULL))
    print_number(w, "NUMBER", line->name, (int64_t)mask);
}

/* -- the text -- */

static const Line lines[] = {
    {write_release, "OSRELEASE", NULL},
    {write_build_id, "BUILD-ID", NULL},
    {write_page_size, "PAGESIZE", NULL},
    {write_symbol, "init_uts_ns", NULL},
    {write_offset, "uts_namespace.name", NULL},
    {write_node_online_map, "node_online_map", NULL},
    {write_symbol, "swapper_pg_dir", "init_top_pgt"},
    {write_symbol, "_stext", NULL},
    {write_vmalloc_start, "VMALLOC_START", NULL},
    {write_symbol, "vmap_area_list", NULL},
    {write_symbol, "mem_map", NULL},
    {write_symbol, "contig_page_data", NULL},
    {write_pointer, "vmemmap", "vmemmap_base"},
    {write_pointer, "mem_section", NULL},
    {write_section_roots, "mem_section", NULL},
    {write_size, "mem_section", NULL},
    {write_offset, "mem_section.section_mem_map", NULL},
    {write_section_bits, "SECTION_SIZE_BITS", NULL},
    {write_physmem_bits, "MAX_PHYSMEM_BITS", NULL},
    {write_size, "page", NULL},
    {write_size, "pglist_data", NULL},
    {write_size, "zone", NULL},
    {write_size, "free_area", NULL},
    {write_size, "list_head", NULL},
    {write_member_size, "nodemask_t", "task_struct.mems_allowed"},
    {write_offset, "page.flags", NULL},
    {write_offset, "page._refcount", NULL},
    {write_offset, "page.mapping", NULL},
    {write_offset, "page.lru", NULL},
    {write_offset, "page._mapcount", NULL},
    {write_offset, "page.private", NULL},
    {write_offset, "page.compound_dtor", NULL},
    {write_offset, "page.compound_order", NULL},
    {write_offset, "page.compound_head", NULL},
    {write_offset, "page.compound_info", NULL},
    {write_offset, "pglist_data.node_zones", NULL},
    {write_offset, "pglist_data.nr_zones", NULL},
    {write_offset, "pglist_data.node_mem_map", NULL},
    {write_offset, "pglist_data.node_start_pfn", NULL},
    {write_offset, "pglist_data.node_spanned_pages", NULL},
    {write_offset, "pglist_data.node_id", NULL},
    {write_offset, "zone.free_area", NULL},
    {write_offset, "zone.vm_stat", NULL},
    {write_offset, "zone.spanned_pages", NULL},
    {write_offset, "free_area.free_list", NULL},
    {write_offset, "list_head.next", NULL},
    {write_offset, "list_head.prev", NULL},
    {write_offset, "vmap_area.va_start", NULL},
    {write_offset, "vmap_area.list", NULL},
    {write_length, "zone.free_area", NULL},
    {write_symbol, "prb", NULL},
    {write_symbol, "printk_rb_static", NULL},
    {write_symbol, "clear_seq", NULL},
    {write_size, "printk_ringbuffer", NULL},
    {write_offset, "printk_ringbuffer.desc_ring", NULL},
    {write_offset, "printk_ringbuffer.text_data_ring", NULL},
    {write_offset, "printk_ringbuffer.fail", NULL},
    {write_size, "prb_desc_ring", NULL},
    {write_offset, "prb_desc_ring.count_bits", NULL},
    {write_offset, "prb_desc_ring.descs", NULL},
    {write_offset, "prb_desc_ring.infos", NULL},
    {write_offset, "prb_desc_ring.head_id", NULL},
    {write_offset, "prb_desc_ring.tail_id", NULL},
    {write_size, "prb_desc", NULL},
    {write_offset, "prb_desc.state_var", NULL},
    {write_offset, "prb_desc.text_blk_lpos", NULL},
    {write_size, "prb_data_blk_lpos", NULL},
    {write_offset, "prb_data_blk_lpos.begin", NULL},
    {write_offset, "prb_data_blk_lpos.next", NULL},
    {write_size, "printk_info", NULL},
    {write_offset, "printk_info.seq", NULL},
    {write_offset, "printk_info.ts_nsec", NULL},
    {write_offset, "printk_info.text_len", NULL},
    {write_offset, "printk_info.caller_id", NULL},
    {write_offset, "printk_info.dev_info", NULL},
    {write_size, "dev_printk_info", NULL},
    {write_offset, "dev_printk_info.subsystem", NULL},
    {write_length, "printk_info_subsystem", "dev_printk_info.subsystem"},
    {write_offset, "dev_printk_info.device", NULL},
    {write_length, "printk_info_device", "dev_printk_info.device"},
    {write_size, "prb_data_ring", NULL},
    {write_offset, "prb_data_ring.size_bits", NULL},
    {write_offset, "prb_data_ring.data", NULL},
    {write_offset, "prb_data_ring.head_lpos", NULL},
    {write_offset, "prb_data_ring.tail_lpos", NULL},
    {write_member_size, "atomic_long_t", "prb_desc.state_var"},
    {write_counter_offset, "atomic_long_t.counter", NULL},
    {write_size, "latched_seq", NULL},
    {write_offset, "latched_seq.val", NULL},
    {write_length, "free_area.free_list", NULL},
    {write_number, "NR_FREE_PAGES", NULL},
    {write_number, "PG_lru", NULL},
    {write_number, "PG_private", NULL},
    {write_number, "PG_swapcache", NULL},
    {write_number, "PG_swapbacked", NULL},
    {write_number, "PG_slab", NULL},
    {write_page_type, "PAGE_SLAB_MAPCOUNT_VALUE", "PGTY_slab"},
    {write_number, "PG_hwpoison", NULL},
    {write_head_mask, "PG_head_mask", NULL},
    {write_page_type, "PAGE_BUDDY_MAPCOUNT_VALUE", "PGTY_buddy"},
    {write_old_page_type, "PAGE_BUDDY_MAPCOUNT_VALUE", NULL},
    {write_number, "HUGETLB_PAGE_DTOR", NULL},
    {write_page_type, "PAGE_HUGETLB_MAPCOUNT_VALUE", "PGTY_hugetlb"},
    {write_page_type, "PAGE_OFFLINE_MAPCOUNT_VALUE", "PGTY_offline"},
    {write_old_page_type, "PAGE_OFFLINE_MAPCOUNT_VALUE", NULL},
    {write_page_type, "PAGE_UNACCEPTED_MAPCOUNT_VALUE", "PGTY_unaccepted"},
    {write_kallsyms, "kallsyms_names", NULL},
    {write_kallsyms, "kallsyms_num_syms", NULL},
    {write_kallsyms, "kallsyms_token_table", NULL},
    {write_kallsyms, "kallsyms_token_index", NULL},
    {write_kallsyms, "kallsyms_offsets", NULL},
    {write_kallsyms, "kallsyms_relative_base", NULL},
    {write_phys_base, "phys_base", NULL},
    {write_symbol, "init_top_pgt", NULL},
    {write_five_levels, "pgtable_l5_enabled", NULL},
    {write_symbol, "node_data", NULL},
    {write_node_count, "node_data", NULL},
    {write_kernel_offset, "KERNELOFFSET", NULL},
    {write_image_size, "KERNEL_IMAGE_SIZE", NULL},
    {write_sme_mask, "sme_mask", NULL},
};

/* The kernel's types, in *ret_data; NULL: they cannot be read, which is noted. */
static DacsaTypes *
load_types(const DacsaLinux *l, uint8_t **ret_data)
{
  const uint64_t len = l->kernel->btf_end - l->kernel->btf;
  g_autoptr(GError) error = NULL;
  DacsaTypes *types = NULL;

  if (l->kernel->btf == 0 || len > MAX_BTF)
    return NULL;
  *ret_data = g_malloc(MAX(len, 1));
  if (!dacsa_mem_read(l->memory, l->kernel->btf, *ret_data, len, &error) ||
      !dacsa_types_new(*ret_data, len, &types, &error))
    dacsa_errors_add(l->errors, "vmcore", error->message);
  return types;
}

bool
dacsa_linux_vmcoreinfo(DacsaGuest *guest, GString *out, GError **error)
{
  const DacsaLinux *l = (DacsaLinux *)guest;
  g_autofree uint8_t *data = NULL;
  g_autoptr(DacsaTypes) types = NULL;

  (void)error;
  if (l->kernel->info->text[0]) {
    g_string_append(out, l->kernel->info->text);
    return true;
  }
  types = load_types(l, &data);
  const Writer w = {l, types, out};
  for (size_t i = 0; i < G_N_ELEMENTS(lines); i++)
    lines[i].write(&w, &lines[i]);
  return true;
}
