/* The ways to a kernel. */
#include "parsers/linux/discover.h"

#include "parsers/cpus.h"
#include "parsers/linux/image.h"
#include "parsers/linux/symbols.h"
#include "parsers/linux/vmcoreinfo-find.h"
#include "snap/bytes.h"
#include "snap/error.h"

#include <inttypes.h>
#include <string.h>

#define CR4_LA57 (UINT64_C(1) << 12)
/* arch/x86/mm/pti.c: with page-table isolation the kernel's top table is the page below the user's.
 */
#define PTI_USER_BIT (UINT64_C(1) << 12)
#define MAX_BANNER 512u
#define MAX_ROOTS 64u /* looked at; any vCPU's in the kernel will do */
#define MAX_NOTES 65536u
#define NT_GNU_BUILD_ID 3u
#define MAX_BUILD_ID 64u

void
dacsa_linux_found_free(DacsaLinuxFound *found)
{
  if (!found)
    return;
  dacsa_vmcoreinfo_free(found->info);
  dacsa_kallsyms_free(found->kallsyms);
  g_clear_pointer(&found->memory, dacsa_mem_unref);
  g_free(found);
}

/* -- what the symbols lead to -- */

/* The release out of linux_banner, `Linux version RELEASE (...`; "": it is not there. */
static char *
read_release(DacsaMem *memory, const DacsaKallsyms *kallsyms)
{
  static const char head[] = "Linux version ";
  uint64_t at = dacsa_kallsyms_find_optional(kallsyms, "linux_banner");
  g_autofree char *banner = NULL;

  if (!at || !dacsa_mem_read_string(memory, at, MAX_BANNER, &banner, NULL) ||
      !g_str_has_prefix(banner, head))
    return g_strdup("");
  const char *release = banner + strlen(head);
  return g_strndup(release, strcspn(release, " \n"));
}

/* The build id in the notes from `at` on, an ELF note section's content; "": there is none. */
static char *
build_id_in(DacsaBytes notes)
{
  uint32_t name_len, len, type;

  for (uint64_t at = 0; dacsa_bytes_u32(notes, at, &name_len) &&
                        dacsa_bytes_u32(notes, at + 4, &len) &&
                        dacsa_bytes_u32(notes, at + 8, &type);) {
    uint64_t name = at + 12;
    uint64_t content = name + ((name_len + UINT64_C(3)) & ~UINT64_C(3));
    DacsaBytes id = dacsa_bytes_slice(notes, content, len);
    DacsaBytes owner = dacsa_bytes_slice(notes, name, name_len);

    if (type == NT_GNU_BUILD_ID && owner.data && name_len == 4 &&
        memcmp(owner.data, "GNU", 4) == 0 && id.data && len > 0 && len <= MAX_BUILD_ID) {
      GString *text = g_string_new(NULL);

      for (size_t i = 0; i < len; i++)
        g_string_append_printf(text, "%02x", id.data[i]);
      return g_string_free(text, FALSE);
    }
    at = content + ((len + UINT64_C(3)) & ~UINT64_C(3));
  }
  return g_strdup("");
}

static char *
read_build_id(DacsaMem *memory, const DacsaKallsyms *kallsyms)
{
  uint64_t start = dacsa_kallsyms_find_optional(kallsyms, "__start_notes");
  uint64_t stop = dacsa_kallsyms_find_optional(kallsyms, "__stop_notes");

  if (start == 0 || stop <= start || stop - start > MAX_NOTES)
    return g_strdup("");
  g_autofree uint8_t *notes = g_malloc(stop - start);
  return build_id_in(dacsa_bytes(notes, dacsa_mem_read_some(memory, start, notes, stop - start)));
}

/* The kernel's own top table: what a vCPU uses is some process's, or the user's half of it. */
static bool
kernel_tables(const DacsaX86_64Tables *tables, const DacsaLinuxImage *image,
              const DacsaKallsyms *kallsyms, DacsaX86_64Tables *ret)
{
  /* arch/x86/include/asm/pgtable_64.h: swapper_pg_dir is another name of it. */
  uint64_t table = dacsa_kallsyms_find_optional(kallsyms, "init_top_pgt");
  uint64_t stext = dacsa_kallsyms_find_optional(kallsyms, "_stext");
  DacsaX86_64Page page;

  *ret = *tables;
  ret->root = table - DACSA_LINUX_IMAGE_START + image->phys_base;
  return table && stext && dacsa_x86_64_translate(ret, stext, &page, NULL) &&
         page.gpa + (stext - page.gva) == stext - DACSA_LINUX_IMAGE_START + image->phys_base;
}

/* VMCOREINFO, to which vmcoreinfo_data points; NULL: there is none, or it tells of another kernel.
 */
static DacsaVmcoreinfo *
read_vmcoreinfo(const DacsaX86_64Tables *tables, uint64_t phys_base, const DacsaKallsyms *kallsyms)
{
  uint64_t at = dacsa_kallsyms_find_optional(kallsyms, "vmcoreinfo_data");
  g_autoptr(DacsaMem) memory = dacsa_x86_64_space_new(tables);
  g_autoptr(DacsaVmcoreinfo) info = NULL;
  DacsaX86_64Page page;
  uint64_t text;

  if (!at || !dacsa_mem_read_u64(memory, at, &text, NULL) || text % DACSA_PAGE_SIZE != 0 ||
      !dacsa_x86_64_translate(tables, text, &page, NULL) ||
      !dacsa_vmcoreinfo_read(tables->phys, page.gpa + (text - page.gva), &info, NULL) ||
      info->root != tables->root || info->phys_base != phys_base ||
      info->five_levels != (tables->levels == 5))
    return NULL;
  return g_steal_pointer(&info);
}

/* -- with registers -- */

/* Looks for a kernel in the image that these tables map. NOT_FOUND: there is none. */
static bool
discover_in_tables(const DacsaX86_64Tables *tables, DacsaLinuxFound **ret, GError **error)
{
  g_autoptr(DacsaLinuxFound) found = g_new0(DacsaLinuxFound, 1);
  g_autoptr(DacsaLinuxImage) image = NULL;
  DacsaX86_64Tables own;

  if (!dacsa_linux_image_open(tables, &image, error))
    return false;
  found->memory = dacsa_linux_image_memory(image, tables->phys);
  if (!dacsa_linux_symbols_load(image, found->memory, NULL, &found->kallsyms, error))
    return false;
  if (!kernel_tables(tables, image, found->kallsyms, &own))
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA,
                      "the kernel's page tables are not where its "
                      "symbol init_top_pgt says");
  found->info = read_vmcoreinfo(&own, image->phys_base, found->kallsyms);
  if (!found->info)
    found->info = dacsa_vmcoreinfo_without(read_release(found->memory, found->kallsyms),
                                           read_build_id(found->memory, found->kallsyms),
                                           image->phys_base, own.root, own.levels == 5);
  if (!dacsa_linux_symbols_btf(image, found->memory, found->kallsyms, &found->btf, &found->btf_end,
                               error))
    return false;
  *ret = g_steal_pointer(&found);
  return true;
}

/* The page tables the vCPUs' registers may mean; owned array of DacsaX86_64Tables. */
static GArray *
tables_of_registers(const DacsaGuestSource *source)
{
  GArray *all = g_array_new(FALSE, FALSE, sizeof(DacsaX86_64Tables));
  g_autoptr(GHashTable) roots = g_hash_table_new(NULL, NULL);

  for (guint i = 0; i < source->cpus->len; i++) {
    const DacsaCpu *cpu = &g_array_index(source->cpus, DacsaCpu, i);
    const uint64_t root = cpu->cr3 & ~(DACSA_PAGE_SIZE - 1);
    const uint64_t candidates[] = {root, root & ~PTI_USER_BIT};

    for (size_t c = 0; c < G_N_ELEMENTS(candidates); c++) {
      const DacsaX86_64Tables tables = {source->phys, candidates[c], cpu->cr4 & CR4_LA57 ? 5 : 4,
                                        0};

      if (all->len < MAX_ROOTS && g_hash_table_add(roots, GSIZE_TO_POINTER(candidates[c])))
        g_array_append_val(all, tables);
    }
  }
  return all;
}

/* -- with VMCOREINFO -- */

static bool
discover_with(const DacsaGuestSource *source, DacsaVmcoreinfo *info, DacsaLinuxFound **ret,
              GError **error)
{
  const DacsaX86_64Tables tables = {source->phys, info->root, info->five_levels ? 5 : 4, 0};
  g_autoptr(DacsaLinuxFound) found = g_new0(DacsaLinuxFound, 1);
  g_autoptr(DacsaLinuxImage) image = NULL;

  found->info = info;
  if (!dacsa_linux_image_open(&tables, &image, error))
    return false;
  found->memory = dacsa_linux_image_memory(image, source->phys);
  if (!dacsa_linux_symbols_load(image, found->memory, info, &found->kallsyms, error) ||
      !dacsa_linux_symbols_btf(image, found->memory, found->kallsyms, &found->btf, &found->btf_end,
                               error))
    return false;
  *ret = g_steal_pointer(&found);
  return true;
}

bool
dacsa_linux_discover(const DacsaGuestSource *source, DacsaLinuxFound **ret, GError **error)
{
  g_autoptr(GArray) tables = tables_of_registers(source);
  g_autoptr(GError) cause = NULL;
  DacsaVmcoreinfo *info = NULL;

  for (guint i = 0; i < tables->len; i++) {
    g_clear_error(&cause);
    if (discover_in_tables(&g_array_index(tables, DacsaX86_64Tables, i), ret, &cause))
      return true;
  }
  for (guint i = 0; i < tables->len && !info; i++)
    info = dacsa_vmcoreinfo_find_by_pointer(&g_array_index(tables, DacsaX86_64Tables, i));
  if (!info)
    info = dacsa_vmcoreinfo_find_by_page(source->phys);
  if (!info)
    return dacsa_fail(
        error, DACSA_ERROR_NOT_FOUND,
        "there is neither VMCOREINFO nor a kernel's symbol table in the guest's memory");
  g_clear_error(&cause);
  if (!discover_with(source, info, ret, &cause))
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "Linux: %s", cause->message);
  return true;
}
