/* VMCOREINFO's text, and the ways to it: through a kernel's page tables, or page by page. */
#include "check.h"
#include "fake-paging.h"

#include "parsers/linux/vmcoreinfo-find.h"

#include <string.h>

#define TEXT                                                                                       \
  "OSRELEASE=6.1.0-44-cloud-amd64\n"                                                               \
  "BUILD-ID=00112233445566778899aabbccddeeff00112233\n"                                            \
  "PAGESIZE=4096\n"                                                                                \
  "SYMBOL(init_uts_ns)=ffffffffb7e19a80\n"                                                         \
  "SYMBOL(swapper_pg_dir)=ffffffffb8e10000\n"                                                      \
  "SYMBOL(_stext)=ffffffffb6600000\n"                                                              \
  "NUMBER(phys_base)=-67108864\n"                                                                  \
  "NUMBER(pgtable_l5_enabled)=1\n"                                                                 \
  "KERNELOFFSET=35600000\n"

static DacsaVmcoreinfo *
read_text(const char *text)
{
  g_autoptr(DacsaMem) phys = fake_mem_new();
  g_autoptr(GError) error = NULL;
  DacsaVmcoreinfo *info = NULL;

  fake_mem_string(phys, 0x5000, text);
  CHECK_OK(dacsa_vmcoreinfo_read(phys, 0x5000, &info, &error), error);
  return info;
}

static void
test_read(void)
{
  g_autoptr(DacsaVmcoreinfo) info = read_text(TEXT);

  g_assert_cmpstr(info->text, ==, TEXT);
  g_assert_cmphex(info->gpa, ==, 0x5000);
  g_assert_cmpstr(info->release, ==, "6.1.0-44-cloud-amd64");
  g_assert_cmpstr(info->build_id, ==, "00112233445566778899aabbccddeeff00112233");
  g_assert_cmphex(info->kaslr_offset, ==, 0x35600000);
  g_assert_cmphex(info->phys_base, ==, (uint64_t)-67108864);
  g_assert_true(info->five_levels);
  g_assert_cmphex(info->root, ==, 0x38e10000u - 67108864u);
  g_assert_cmphex(dacsa_vmcoreinfo_symbol(info, "_stext"), ==, 0xffffffffb6600000);
  g_assert_cmphex(dacsa_vmcoreinfo_symbol(info, "_ste"), ==, 0);
  g_assert_cmphex(dacsa_vmcoreinfo_symbol(info, "stext"), ==, 0);
}

static void
test_old_kernel(void)
{
  g_autoptr(DacsaVmcoreinfo) info =
      read_text("OSRELEASE=4.19.0\nSYMBOL(swapper_pg_dir)=ffffffff81e10000");

  g_assert_cmpstr(info->build_id, ==, "");
  g_assert_cmphex(info->kaslr_offset, ==, 0);
  g_assert_false(info->five_levels);
  g_assert_cmphex(dacsa_vmcoreinfo_symbol(info, "swapper_pg_dir"), ==, 0xffffffff81e10000);
}

static void
test_not_vmcoreinfo(void)
{
  static const char *const cases[] = {"",
                                      "OSRELEASE",
                                      "osrelease=6.1",
                                      "X\nOSRELEASE=6.1\n",
                                      "OSRELEASE=6.1\n",
                                      "OSRELEASE=6.1\nSYMBOL(swapper_pg_dir)=junk\n",
                                      "OSRELEASE=6.1\nXSYMBOL(swapper_pg_dir)=ffff\n"};
  g_autoptr(DacsaMem) phys = fake_mem_new();
  g_autoptr(GError) error = NULL;
  g_autofree char *endless = g_strnfill(4096, 'x');
  DacsaVmcoreinfo *info = NULL;

  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
    fake_mem_string(phys, 0x5000, cases[i]);
    g_test_message("case %zu", i);
    CHECK_FAILS(dacsa_vmcoreinfo_read(phys, 0x5000, &info, &error), error, DACSA_ERROR_NOT_FOUND);
  }
  memcpy(endless, TEXT, strlen(TEXT)); /* a page without a zero */
  fake_mem_write(phys, 0x6000, endless, 4096);
  CHECK_FAILS(dacsa_vmcoreinfo_read(phys, 0x6000, &info, &error), error, DACSA_ERROR_NOT_FOUND);
  CHECK_FAILS(dacsa_vmcoreinfo_read(phys, 0x9000, &info, &error), error, DACSA_ERROR_FAULT);
  g_assert_null(info);
}

/* -- the ways to it -- */

#define IMAGE UINT64_C(0xffffffffb6600000)
#define DIRECT_MAP UINT64_C(0xffff888000000000)
#define ROOT 0x2000u
#define PAGE_GPA 0x800000u
#define OTHER_GPA 0x700000u

typedef struct {
  DacsaMem *phys;
  FakePaging paging;
} Fixture;

/* A kernel image of two pages, one of them writable, in which lies a pointer to the page. */
static void
set_up(Fixture *f)
{
  *f = (Fixture){.phys = fake_mem_new()};
  f->paging = (FakePaging){f->phys, ROOT, 0x100000, 4};
  fake_paging_map(&f->paging, IMAGE, 1, 0x40000, PTE_PRESENT);
  fake_paging_map(&f->paging, IMAGE + 0x1000, 1, 0x41000, PTE_PRESENT | PTE_WRITABLE);
  fake_paging_map(&f->paging, DIRECT_MAP + PAGE_GPA, 1, PAGE_GPA, PTE_PRESENT | PTE_WRITABLE);
  fake_mem_u64(f->phys, 0x40000, DIRECT_MAP + 0x123000); /* pointers that lead nowhere */
  fake_mem_u64(f->phys, 0x41000, UINT64_C(0xfffffffffffff000));
  fake_mem_u64(f->phys, 0x41108, DIRECT_MAP + PAGE_GPA);
  fake_mem_string(f->phys, PAGE_GPA, TEXT);
}

static void
tear_down(Fixture *f)
{
  dacsa_mem_unref(f->phys);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Fixture, tear_down)

static void
test_by_pointer(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  fake_mem_string(f.phys, OTHER_GPA, TEXT); /* a copy, which a search of all pages finds first */
  const DacsaX86_64Tables tables = {f.phys, ROOT, 4, 0};
  g_autoptr(DacsaVmcoreinfo) info = dacsa_vmcoreinfo_find_by_pointer(&tables);
  g_assert_nonnull(info);
  g_assert_cmphex(info->gpa, ==, PAGE_GPA);
  fake_mem_u8(f.phys, PAGE_GPA, 'X');
  g_assert_null(dacsa_vmcoreinfo_find_by_pointer(&tables));
}

static void
test_by_page(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  fake_mem_string(f.phys, OTHER_GPA, "OSRELEASE=6.1.0\n"); /* incomplete: passed over */
  fake_mem_string(f.phys, OTHER_GPA + 0x2010, TEXT);       /* not where a page begins */
  g_autoptr(DacsaVmcoreinfo) info = dacsa_vmcoreinfo_find_by_page(f.phys);
  g_assert_nonnull(info);
  g_assert_cmphex(info->gpa, ==, PAGE_GPA);
  fake_mem_u8(f.phys, PAGE_GPA, 'X');
  g_assert_null(dacsa_vmcoreinfo_find_by_page(f.phys));
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/vmcoreinfo/read", test_read);
  g_test_add_func("/vmcoreinfo/old-kernel", test_old_kernel);
  g_test_add_func("/vmcoreinfo/not-it", test_not_vmcoreinfo);
  g_test_add_func("/vmcoreinfo/by-pointer", test_by_pointer);
  g_test_add_func("/vmcoreinfo/by-page", test_by_page);
  return g_test_run();
}
