/* A kernel found in physical memory: through a vCPU's page tables or without, with its VMCOREINFO
 * or without. */
#include "check.h"
#include "fake-kallsyms.h"
#include "fake-paging.h"

#include "parsers/cpus.h"
#include "parsers/linux/discover.h"

#include <string.h>

#define START_KERNEL_MAP UINT64_C(0xffffffff80000000)
#define PHYS_BASE UINT64_C(0x400000)
#define TEXT UINT64_C(0xffffffff81000000)
#define TEXT_PAGES 0x200u
#define RODATA UINT64_C(0xffffffff81200000)
#define DATA UINT64_C(0xffffffff81a00000)
#define DATA_PAGES 8u
#define TOP_TABLE                                                                                  \
  DATA /* init_top_pgt; with page-table isolation the user's is the page behind it */
#define VMCOREINFO_DATA (DATA + 0x4108)
#define BANNER (RODATA + 0x40)
#define NOTES (RODATA + 0x200)
#define BTF (RODATA + 0x400)
#define KALLSYMS (RODATA + 0x1000)
#define DIRECT_MAP UINT64_C(0xffff888000000000)
#define INFO_GPA 0x800000u

#define VMCOREINFO                                                                                 \
  "OSRELEASE=6.1.0-44-cloud-amd64\n"                                                               \
  "BUILD-ID=00112233445566778899aabbccddeeff00112233\n"                                            \
  "SYMBOL(swapper_pg_dir)=ffffffff81a00000\n"                                                      \
  "SYMBOL(_stext)=ffffffff81000000\n"                                                              \
  "NUMBER(phys_base)=4194304\n"

typedef struct {
  DacsaMem *phys;
  FakePaging paging;
  GArray *cpus, *symbols;
  DacsaErrors *errors;
  DacsaKallsymsTables tables;
} Fixture;

static uint64_t
gpa_of(uint64_t gva)
{
  return gva - START_KERNEL_MAP + PHYS_BASE;
}

static void
map(Fixture *f, uint64_t gva, unsigned pages, uint64_t bits)
{
  for (unsigned i = 0; i < pages; i++)
    fake_paging_map(&f->paging, gva + i * UINT64_C(4096), 1, gpa_of(gva + i * UINT64_C(4096)),
                    PTE_PRESENT | bits);
}

static void
add_symbols(Fixture *f)
{
  f->symbols = fake_kallsyms_symbols(TEXT, 2000, false);
  fake_kallsyms_add(f->symbols, "Rlinux_banner", BANNER);
  fake_kallsyms_add(f->symbols, "R__start_notes", NOTES);
  fake_kallsyms_add(f->symbols, "R__stop_notes", NOTES + 56);
  fake_kallsyms_add(f->symbols, "Dinit_top_pgt", TOP_TABLE);
  fake_kallsyms_add(f->symbols, "Bvmcoreinfo_data", VMCOREINFO_DATA);
}

static void
write_rodata(Fixture *f, FakeKallsymsOrder order)
{
  /* Of the two notes the second is the build id. */
  static const uint8_t notes[] = "\4\0\0\0\4\0\0\0\1\0\0\0GNU\0abcd"
                                 "\4\0\0\0\x14\0\0\0\3\0\0\0GNU\0"
                                 "\xa0\xa1\xa2\xa3\xa4\xa5\xa6\xa7\xa8\xa9\xaa\xab\xac\xad\xae\xaf"
                                 "\xb0\xb1\xb2\xb3";
  static const uint8_t btf[] = "\x9f\xeb\1\0\x18\0\0\0\0\0\0\0\x0c\0\0\0\x0c\0\0\0\4\0\0\0"
                               "types.......\0ab"; /* and the text's own zero */
  g_autoptr(GByteArray) data = g_byte_array_new();

  f->tables = fake_kallsyms_append(data, KALLSYMS, order, TEXT, false, f->symbols);
  map(f, RODATA, (unsigned)(1 + (data->len + 4095) / 4096), PTE_NX);
  fake_mem_string(f->phys, gpa_of(BANNER),
                  "Linux version 5.10.0-32-amd64 (someone@where) (gcc) #1");
  fake_mem_write(f->phys, gpa_of(NOTES), notes, sizeof(notes) - 1);
  fake_mem_write(f->phys, gpa_of(BTF), btf, sizeof(btf));
  fake_mem_write(f->phys, gpa_of(KALLSYMS), data->data, data->len);
}

static void
set_up(Fixture *f, FakeKallsymsOrder order)
{
  *f = (Fixture){.phys = fake_mem_new(),
                 .cpus = g_array_new(FALSE, FALSE, sizeof(DacsaCpu)),
                 .errors = dacsa_errors_new()};
  f->paging = (FakePaging){f->phys, gpa_of(TOP_TABLE), 0x100000, 4};
  map(f, TEXT, TEXT_PAGES, 0);
  map(f, DATA, DATA_PAGES, PTE_WRITABLE | PTE_NX);
  for (unsigned i = 0; i < DATA_PAGES; i++)
    fake_mem_u8(f->phys, gpa_of(DATA + i * 4096) + 4095, 0);
  for (unsigned i = 0; i < TEXT_PAGES; i++)
    fake_mem_u8(f->phys, gpa_of(TEXT) + i * 4096, 0x90);
  add_symbols(f);
  write_rodata(f, order);
  fake_paging_map(&f->paging, DIRECT_MAP + INFO_GPA, 1, INFO_GPA,
                  PTE_PRESENT | PTE_WRITABLE | PTE_NX);
  fake_mem_u64(f->phys, gpa_of(VMCOREINFO_DATA), DIRECT_MAP + INFO_GPA);
  fake_mem_string(f->phys, INFO_GPA, VMCOREINFO);
}

static void
tear_down(Fixture *f)
{
  dacsa_mem_unref(f->phys);
  g_array_unref(f->cpus);
  g_array_unref(f->symbols);
  dacsa_errors_free(f->errors);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Fixture, tear_down)

static void
add_cpu(Fixture *f, uint64_t cr3)
{
  DacsaCpu cpu = {.cr0 = 0x80050033, .cr3 = cr3, .cr4 = 0x6f0};

  g_array_append_val(f->cpus, cpu);
}

static bool
discover(const Fixture *f, DacsaLinuxFound **ret, GError **error)
{
  const DacsaGuestSource source = {.phys = f->phys, .cpus = f->cpus, .errors = f->errors};

  return dacsa_linux_discover(&source, ret, error);
}

/* What is the same whichever way it was found. */
static DacsaLinuxFound *
check_found(const Fixture *f)
{
  g_autoptr(GError) error = NULL;
  DacsaLinuxFound *found = NULL;

  CHECK_OK(discover(f, &found, &error), error);
  g_assert_cmphex(found->info->root, ==, gpa_of(TOP_TABLE));
  g_assert_cmphex(found->info->phys_base, ==, PHYS_BASE);
  g_assert_false(found->info->five_levels);
  g_assert_cmpuint(dacsa_kallsyms_count(found->kallsyms), ==, f->symbols->len);
  g_assert_cmphex(dacsa_kallsyms_find_optional(found->kallsyms, "linux_banner"), ==, BANNER);
  g_assert_cmphex(found->btf, ==, BTF);
  g_assert_cmphex(found->btf_end, ==, BTF + 40);
  return found;
}

static void
check_with_text(const Fixture *f)
{
  g_autoptr(DacsaLinuxFound) found = check_found(f);

  g_assert_cmpstr(found->info->text, ==, VMCOREINFO);
  g_assert_cmphex(found->info->gpa, ==, INFO_GPA);
  g_assert_cmpstr(found->info->release, ==, "6.1.0-44-cloud-amd64");
}

static void
check_without_text(const Fixture *f)
{
  g_autoptr(DacsaLinuxFound) found = check_found(f);

  g_assert_cmpstr(found->info->text, ==, "");
  g_assert_cmpstr(found->info->release, ==, "5.10.0-32-amd64");
  g_assert_cmpstr(found->info->build_id, ==, "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3");
}

/* The kernel half of the tables belongs to every process; with page-table isolation the user's
 * table is the page behind, which maps some of the image. */
static void
test_registers(void)
{
  static const uint64_t cr3s[] = {0, 0x803, 0x1000};

  for (FakeKallsymsOrder order = 0; order < FAKE_KALLSYMS_N_ORDERS; order++) {
    for (size_t i = 0; i < G_N_ELEMENTS(cr3s); i++) {
      g_auto(Fixture) f;

      g_test_message("order %d, cr3 | 0x%" PRIx64, order, cr3s[i]);
      set_up(&f, order);
      add_cpu(&f, 0xdead0000);
      add_cpu(&f, gpa_of(TOP_TABLE) | cr3s[i]);
      check_with_text(&f);
    }
  }
}

static void
test_another_process(void)
{
  g_auto(Fixture) f;
  uint64_t entry;

  set_up(&f, FAKE_KALLSYMS_PLACE);
  fake_mem_u64(f.phys, 0x90000, 0);
  g_assert_true(dacsa_mem_read_u64(f.phys, gpa_of(TOP_TABLE) + 511 * 8, &entry, NULL));
  fake_mem_u64(f.phys, 0x90000 + 511 * 8, entry);
  add_cpu(&f, 0x90000);
  check_with_text(&f);
}

/* However much memory there is, only the image is looked at. */
static void
test_reads_image_only(void)
{
  unsigned reads[2];

  for (unsigned large = 0; large < 2; large++) {
    g_auto(Fixture) f;

    set_up(&f, FAKE_KALLSYMS_BASE_FIRST);
    for (uint64_t gpa = 0x10000000; large && gpa < 0x12000000; gpa += 4096)
      fake_mem_u8(f.phys, gpa, 1);
    add_cpu(&f, gpa_of(TOP_TABLE));
    unsigned before = fake_mem_reads(f.phys);
    check_with_text(&f);
    reads[large] = fake_mem_reads(f.phys) - before;
  }
  g_assert_cmpuint(reads[0], ==, reads[1]);
}

static void
test_no_vmcoreinfo(void)
{
  g_auto(Fixture) f;

  set_up(&f, FAKE_KALLSYMS_BASE_FIRST);
  fake_mem_u8(f.phys, INFO_GPA, 'X');
  add_cpu(&f, gpa_of(TOP_TABLE));
  check_without_text(&f);
  fake_mem_u64(f.phys, gpa_of(VMCOREINFO_DATA), UINT64_C(0xfffffffffffff000));
  check_without_text(&f);
}

/* It tells of other page tables than the ones it was found through. */
static void
test_other_vmcoreinfo(void)
{
  static const char *const texts[] = {
      "OSRELEASE=1\nSYMBOL(swapper_pg_dir)=ffffffff81a00000\n",
      "OSRELEASE=1\nSYMBOL(swapper_pg_dir)=ffffffff81b00000\nNUMBER(phys_base)=4194304\n",
      "OSRELEASE=1\nSYMBOL(swapper_pg_dir)=ffffffff81a00000\nNUMBER(phys_base)=4194304\n"
      "NUMBER(pgtable_l5_enabled)=1\n",
  };

  for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
    g_auto(Fixture) f;

    set_up(&f, FAKE_KALLSYMS_BASE_LAST);
    fake_mem_string(f.phys, INFO_GPA, texts[i]);
    add_cpu(&f, gpa_of(TOP_TABLE));
    check_without_text(&f);
  }
}

/* A kernel whose read-only data is not. */
static void
test_all_writable(void)
{
  g_auto(Fixture) f;

  set_up(&f, FAKE_KALLSYMS_BASE_LAST);
  for (uint64_t gva = TEXT; gva < DATA; gva += 4096)
    if (gva < TEXT + TEXT_PAGES * 4096 || gva < f.tables.relative_base + 16384)
      map(&f, gva, 1, PTE_WRITABLE);
  add_cpu(&f, gpa_of(TOP_TABLE));
  check_with_text(&f);
}

static void
test_no_registers(void)
{
  for (FakeKallsymsOrder order = 0; order < FAKE_KALLSYMS_N_ORDERS; order++) {
    g_auto(Fixture) f;

    set_up(&f, order);
    fake_mem_string(f.phys, 0x600000, "OSRELEASE=6.1.0\n"); /* incomplete: passed over */
    fake_mem_string(f.phys, 0x602010, VMCOREINFO);          /* not where a page begins */
    check_with_text(&f);
    add_cpu(&f, 0xdead0000); /* registers that are of no use */
    check_with_text(&f);
  }
}

/* VMCOREINFO names the tables: whatever else has their shape. */
static void
test_named_tables(void)
{
  g_auto(Fixture) f;
  g_autofree char *text = NULL;

  set_up(&f, FAKE_KALLSYMS_BASE_FIRST);
  text = g_strdup_printf(VMCOREINFO "SYMBOL(kallsyms_names)=%" PRIx64 "\n"
                                    "SYMBOL(kallsyms_num_syms)=%" PRIx64 "\n"
                                    "SYMBOL(kallsyms_token_table)=%" PRIx64 "\n"
                                    "SYMBOL(kallsyms_token_index)=%" PRIx64 "\n"
                                    "SYMBOL(kallsyms_offsets)=%" PRIx64 "\n"
                                    "SYMBOL(kallsyms_relative_base)=%" PRIx64 "\n",
                         f.tables.names, f.tables.names - 8, f.tables.token_table,
                         f.tables.token_index, f.tables.offsets, f.tables.relative_base);
  fake_mem_string(f.phys, INFO_GPA, text);
  /* No markers: by shape nothing can be found. */
  for (uint64_t at = f.tables.token_table - 4 * 8; at < f.tables.token_table; at++)
    fake_mem_u8(f.phys, gpa_of(at), 0xff);
  g_autoptr(DacsaLinuxFound) found = check_found(&f);
  g_assert_cmpstr(found->info->text, ==, text);
}

static void
test_symbols_name_btf(void)
{
  g_auto(Fixture) f;
  g_autoptr(DacsaLinuxFound) found = NULL;
  g_autoptr(GError) error = NULL;

  set_up(&f, FAKE_KALLSYMS_PLACE);
  fake_kallsyms_add(f.symbols, "R__start_BTF", RODATA + 0x700);
  fake_kallsyms_add(f.symbols, "R__stop_BTF", RODATA + 0x800);
  write_rodata(&f, FAKE_KALLSYMS_PLACE);
  add_cpu(&f, gpa_of(TOP_TABLE));
  CHECK_OK(discover(&f, &found, &error), error);
  g_assert_cmphex(found->btf, ==, RODATA + 0x700);
  g_assert_cmphex(found->btf_end, ==, RODATA + 0x800);
}

static void
check_fails(const Fixture *f, DacsaError code)
{
  g_autoptr(GError) error = NULL;
  DacsaLinuxFound *found = NULL;

  CHECK_FAILS(discover(f, &found, &error), error, code);
  g_assert_null(found);
}

static void
test_damage(void)
{
  g_auto(Fixture) f;

  set_up(&f, FAKE_KALLSYMS_BASE_FIRST);
  add_cpu(&f, gpa_of(TOP_TABLE));
  fake_mem_u8(f.phys, gpa_of(BTF), 0); /* no types */
  check_fails(&f, DACSA_ERROR_BAD_DATA);
  fake_mem_u8(f.phys, gpa_of(BTF), 0x9f);
  fake_mem_u8(f.phys, gpa_of(f.tables.token_index) + 6, 0xff); /* no symbols */
  check_fails(&f, DACSA_ERROR_BAD_DATA);
  fake_mem_u8(f.phys, INFO_GPA, 'X'); /* nothing: who knows what it is */
  check_fails(&f, DACSA_ERROR_NOT_FOUND);
}

/* A symbol table whose page tables are not there is not the running kernel's. */
static void
test_no_page_tables(void)
{
  g_auto(Fixture) f;

  set_up(&f, FAKE_KALLSYMS_BASE_FIRST);
  g_array_set_size(f.symbols, 0);
  g_array_unref(f.symbols);
  f.symbols = fake_kallsyms_symbols(TEXT, 2000, false);
  fake_kallsyms_add(f.symbols, "Dinit_top_pgt", TOP_TABLE + 0x3000);
  write_rodata(&f, FAKE_KALLSYMS_BASE_FIRST);
  add_cpu(&f, gpa_of(TOP_TABLE));
  fake_mem_u8(f.phys, INFO_GPA, 'X');
  check_fails(&f, DACSA_ERROR_NOT_FOUND);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/discover/registers", test_registers);
  g_test_add_func("/discover/another-process", test_another_process);
  g_test_add_func("/discover/reads-image-only", test_reads_image_only);
  g_test_add_func("/discover/no-vmcoreinfo", test_no_vmcoreinfo);
  g_test_add_func("/discover/other-vmcoreinfo", test_other_vmcoreinfo);
  g_test_add_func("/discover/all-writable", test_all_writable);
  g_test_add_func("/discover/no-registers", test_no_registers);
  g_test_add_func("/discover/named-tables", test_named_tables);
  g_test_add_func("/discover/symbols-name-btf", test_symbols_name_btf);
  g_test_add_func("/discover/damage", test_damage);
  g_test_add_func("/discover/no-page-tables", test_no_page_tables);
  return g_test_run();
}
