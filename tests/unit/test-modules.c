/* Modules in both of their layouts, their memory and symbols, and lists that are tied into knots.
 */
#include "check.h"
#include "fake-kallsyms.h"
#include "fake-linux.h"
#include "fake-paging.h"

#include "parsers/linux/system.h"

#include <string.h>

#define MODULE(n) (UINT64_C(0xffffffffc0000000) + (uint64_t)(n)*0x1000u)
#define USE(n) (UINT64_C(0xffff888000020000) + (n)*0x40u)
#define TEXT(n) (UINT64_C(0xffff888000030000) + (n)*0x40u)
#define KALLSYMS(n) (UINT64_C(0xffff888000040000) + (n)*0x400u)
#define MODULES UINT64_C(0xffffffff81000000)
#define TAINTS UINT64_C(0xffffffff81001000)
#define KERNEL UINT64_C(0xffffffff80000000)
#define ROOT 0x1000u

enum { LIVE, COMING, GOING, UNFORMED };

static const FakeMember members[] = {
    {M_MODULE_STATE, 0, 4, 0},
    {M_MODULE_LIST, 8, 16, 0},
    {M_MODULE_NAME, 24, 56, 0},
    {M_MODULE_REFCNT, 80, 4, 0},
    {M_MODULE_SOURCE_LIST, 88, 16, 0},
    {M_MODULE_INIT, 104, 8, 0},
    {M_MODULE_EXIT, 112, 8, 0},
    {M_MODULE_TAINTS, 120, 8, 0},
    {M_MODULE_VERSION, 128, 8, 0},
    {M_MODULE_SRCVERSION, 136, 8, 0},
    {M_MODULE_ARGS, 144, 8, 0},
    {M_MODULE_CORE_BASE, 152, 8, 0},
    {M_MODULE_CORE_SIZE, 160, 4, 0},
    {M_MODULE_INIT_BASE, 168, 8, 0},
    {M_MODULE_INIT_SIZE, 176, 4, 0},
    {M_MODULE_MEMORY_BASE, 0, 8, 0},
    {M_MODULE_MEMORY_SIZE, 8, 4, 0},
    {M_MODULE_KALLSYMS, 300, 8, 0},
    {M_MODULE_SYMS, 308, 8, 0},
    {M_MODULE_NUM_SYMS, 316, 4, 0},
    {M_MODULE_USE_SOURCE_LIST, 0, 16, 0},
    {M_MODULE_USE_SOURCE, 16, 8, 0},
    {M_MOD_KALLSYMS_SYMTAB, 0, 8, 0},
    {M_MOD_KALLSYMS_NUM, 8, 4, 0},
    {M_MOD_KALLSYMS_STRTAB, 16, 8, 0},
    {M_MOD_KALLSYMS_TYPETAB, 24, 8, 0},
    {M_KERNEL_SYMBOL_VALUE, 0, 4, 0},
    {M_KERNEL_SYMBOL_NAME, 4, 4, 0},
    {M_TAINT_FLAG_TRUE, 0, 1, 0},
    {M_TAINT_FLAG_MODULE, 2, 1, 0},
};

static void
put_taints(FakeLinux *f)
{
  static const char letters[] = "PFSRMBUDAWCIOELKXT";

  f->kernel.symbols[S_TAINT_FLAGS] = TAINTS;
  f->kernel.types[T_TAINT_FLAG] = 3;
  for (unsigned i = 0; i < strlen(letters); i++) {
    fake_linux_put(f, TAINTS + i * 3, M_TAINT_FLAG_TRUE, (unsigned char)letters[i]);
    fake_linux_put(f, TAINTS + i * 3, M_TAINT_FLAG_MODULE, letters[i] != 'W');
  }
}

static void
put_module(FakeLinux *f, unsigned n, const char *name, unsigned state, uint32_t refcnt)
{
  const uint64_t source_list = MODULE(n) + f->kernel.members[M_MODULE_SOURCE_LIST].offset;

  fake_mem_string(f->l.memory, MODULE(n) + f->kernel.members[M_MODULE_NAME].offset, name);
  fake_linux_put(f, MODULE(n), M_MODULE_STATE, state);
  fake_linux_put(f, MODULE(n), M_MODULE_REFCNT, refcnt);
  fake_linux_put(f, MODULE(n), M_MODULE_EXIT, 1);
  fake_linux_put(f, MODULE(n), M_MODULE_CORE_BASE, MODULE(n) - 0x800);
  fake_linux_put(f, MODULE(n), M_MODULE_CORE_SIZE, 0x4000);
  fake_linux_put_list(f, source_list, M_MODULE_USE_SOURCE_LIST, NULL, 0);
}

/* llc is used by bridge and stp; stp is about to go. */
static void
set_up(FakeLinux *f)
{
  static const uint64_t all[] = {MODULE(1), MODULE(4), MODULE(2), MODULE(3)};
  static const uint64_t uses[] = {USE(0), USE(1)};

  fake_linux_init(f, members, G_N_ELEMENTS(members));
  f->info.root = ROOT;
  f->kernel.symbols[S_MODULES] = MODULES;
  f->kernel.enumerators[E_MODULE_STATE_COMING] = COMING;
  f->kernel.enumerators[E_MODULE_STATE_GOING] = GOING;
  f->kernel.enumerators[E_MODULE_STATE_UNFORMED] = UNFORMED;
  put_taints(f);
  put_module(f, 1, "bridge", LIVE, 1);
  put_module(f, 2, "stp", GOING, 2);
  put_module(f, 3, "llc", LIVE, 3);
  put_module(f, 4, "halfway", UNFORMED, 1);
  fake_linux_put(f, MODULE(1), M_MODULE_TAINTS, 1u << 0 | 1u << 9 | 1u << 12);
  fake_linux_put(f, MODULE(1), M_MODULE_EXIT, 0);
  fake_linux_put(f, MODULE(1), M_MODULE_INIT, 1);
  fake_linux_put(f, MODULE(2), M_MODULE_TAINTS, 1u << 13);
  fake_linux_put_list(f, MODULES, M_MODULE_LIST, all, G_N_ELEMENTS(all));
  fake_linux_put_list(f, MODULE(3) + members[4].offset, M_MODULE_USE_SOURCE_LIST, uses, 2);
  fake_linux_put(f, USE(0), M_MODULE_USE_SOURCE, MODULE(1));
  fake_linux_put(f, USE(1), M_MODULE_USE_SOURCE, MODULE(2));
}

/* The layout since 6.4. */
static void
put_memories(FakeLinux *f, unsigned n, const DacsaLinuxModulePart *parts, unsigned n_parts)
{
  f->kernel.members[M_MODULE_MEM] =
      (DacsaMember){.known = true, .offset = 400, .size = 7 * 24, .elements = 7};
  f->kernel.types[T_MODULE_MEMORY] = 24;
  for (unsigned i = 0; i < n_parts; i++) {
    const uint64_t mem = MODULE(n) + 400 + i * 24;

    fake_linux_put(f, mem, M_MODULE_MEMORY_BASE, parts[i].start);
    fake_linux_put(f, mem, M_MODULE_MEMORY_SIZE, parts[i].size);
  }
}

static void
test_text(void)
{
  g_auto(FakeLinux) f;

  set_up(&f);
  fake_linux_check(&f, dacsa_linux_modules,
                   "bridge 16384 0 [permanent], Live 0xffffffffc0000800 (PO)\n"
                   "stp 16384 1 - Unloading 0xffffffffc0001800 (E-)\n"
                   "llc 16384 2 bridge,stp, Live 0xffffffffc0002800\n");
  fake_linux_check_errors(&f, NULL);
}

static void
test_text_since_6_4(void)
{
  static const DacsaLinuxModulePart parts[] = {
      {0xffffffffc0100000, 0x2000}, {0xffffffffc0200000, 0x1000}, {0xffffffffc0180000, 0x1000}};
  g_auto(FakeLinux) f;

  set_up(&f);
  for (unsigned n = 1; n <= 4; n++)
    put_memories(&f, n, parts, G_N_ELEMENTS(parts));
  g_autofree char *text = fake_linux_text(&f, dacsa_linux_modules);
  g_assert_true(
      g_str_has_prefix(text, "bridge 16384 0 [permanent], Live 0xffffffffc0100000 (PO)\n"));
}

static void
test_json(void)
{
  g_auto(FakeLinux) f;

  set_up(&f);
  fake_linux_put_text(&f, MODULE(3), M_MODULE_SRCVERSION, TEXT(0), "ABC");
  fake_linux_put_text(&f, MODULE(3), M_MODULE_ARGS, TEXT(1), "debug=1");
  g_autofree char *text = fake_linux_text(&f, dacsa_linux_json_modules);
  g_assert_nonnull(strstr(text, "{\"name\":\"llc\",\"size\":16384,\"references\":2,"
                                "\"used_by\":\"bridge,stp\",\"state\":\"Live\","
                                "\"address\":\"0xffffffffc0002800\",\"taints\":\"\","
                                "\"srcversion\":\"ABC\",\"arguments\":\"debug=1\",\"memory\":"
                                "\"0xffffffffc0002800+16384\"}\n"));
  fake_linux_check_errors(&f, NULL);
}

static void
test_list_in_a_circle(void)
{
  g_auto(FakeLinux) f;
  g_autoptr(GError) error = NULL;
  const GPtrArray *names;

  set_up(&f);
  fake_mem_u64(f.l.memory, MODULE(3) + 8, MODULE(1) + 8);
  CHECK_OK(dacsa_linux_module_names(&f.l.guest, &names, &error), error);
  g_assert_cmpuint(names->len, ==, 3);
  g_assert_cmpstr(g_ptr_array_index(names, 1), ==, "stp");
  fake_linux_check_errors(&f, "modules: a list runs in a circle");
}

static void
test_users_lie(void)
{
  g_auto(FakeLinux) f;

  set_up(&f);
  fake_linux_put(&f, USE(0), M_MODULE_USE_SOURCE, 0x1234); /* nowhere */
  fake_mem_u64(f.l.memory, MODULE(2) + 88, 8);             /* a list that is nowhere */
  fake_linux_check(&f, dacsa_linux_modules,
                   "bridge 16384 0 [permanent], Live 0xffffffffc0000800 (PO)\n"
                   "llc 16384 2 stp, Live 0xffffffffc0002800\n");
  fake_linux_check_errors(&f, "modules: nothing at");
}

/* -- memory -- */

static void
check_run(const DacsaRuns *runs, guint i, uint64_t offset, uint64_t gva, uint64_t gpa, uint64_t len)
{
  const DacsaRun *run = &g_array_index(runs->runs, DacsaRun, i);

  g_assert_cmphex(run->offset, ==, offset);
  g_assert_cmphex(run->gva, ==, gva);
  g_assert_cmphex(run->gpa, ==, gpa);
  g_assert_cmphex(run->len, ==, len);
}

static void
test_memory(void)
{
  static const DacsaLinuxModulePart parts[] = {{0xffffffffc0200000, 0x3000},
                                               {0xffffffffc0100000, 0x1000}};
  g_auto(FakeLinux) f;
  g_autoptr(GError) error = NULL;
  g_autoptr(DacsaRuns) runs = NULL;

  set_up(&f);
  FakePaging paging = {f.l.phys, ROOT, 0x100000, 4};
  put_memories(&f, 1, parts, G_N_ELEMENTS(parts));
  fake_paging_map(&paging, 0xffffffffc0100000, 1, 0x9000, PTE_PRESENT);
  fake_paging_map(&paging, 0xffffffffc0101000, 1, 0xa000, PTE_PRESENT); /* not the module's */
  fake_paging_map(&paging, 0xffffffffc0200000, 1, 0xb000, PTE_PRESENT);
  fake_paging_map(&paging, 0xffffffffc0202000, 1, 0xc000, PTE_PRESENT);
  for (uint64_t gpa = 0x9000; gpa <= 0xc000; gpa += 0x1000)
    fake_mem_u8(f.l.phys, gpa, 1);
  CHECK_OK(dacsa_linux_module_memory(&f.l.guest, 0, &runs, &error), error);
  g_assert_cmphex(runs->size, ==, 0x4000);
  g_assert_cmpuint(runs->runs->len, ==, 3);
  check_run(runs, 0, 0, 0xffffffffc0100000, 0x9000, 0x1000);
  check_run(runs, 1, 0x1000, 0xffffffffc0200000, 0xb000, 0x1000);
  check_run(runs, 2, 0x3000, 0xffffffffc0202000, 0xc000, 0x1000);
  fake_linux_check_errors(&f, NULL);
}

static void
test_memory_too_large(void)
{
  static const DacsaLinuxModulePart parts[] = {{0xffffffffc0200000, 0xffffffff}};
  g_auto(FakeLinux) f;
  g_autoptr(GError) error = NULL;
  DacsaRuns *runs = NULL;

  set_up(&f);
  put_memories(&f, 1, parts, G_N_ELEMENTS(parts));
  CHECK_FAILS(dacsa_linux_module_memory(&f.l.guest, 0, &runs, &error), error, DACSA_ERROR_BAD_DATA);
  CHECK_FAILS(dacsa_linux_module_memory(&f.l.guest, 3, &runs, &error), error,
              DACSA_ERROR_NOT_FOUND);
}

/* -- kallsyms -- */

static void
put_symbol(FakeLinux *f, unsigned n, unsigned i, uint32_t name, uint64_t value, char type)
{
  fake_mem_u32(f->l.memory, KALLSYMS(n) + 0x100 + i * 24, name);
  fake_mem_u64(f->l.memory, KALLSYMS(n) + 0x100 + i * 24 + 8, value);
  fake_mem_u8(f->l.memory, KALLSYMS(n) + 0x300 + i, (uint8_t)type);
}

static void
put_symbols(FakeLinux *f, unsigned n, uint32_t count)
{
  fake_linux_put(f, MODULE(n), M_MODULE_KALLSYMS, KALLSYMS(n));
  fake_linux_put(f, KALLSYMS(n), M_MOD_KALLSYMS_SYMTAB, KALLSYMS(n) + 0x100);
  fake_linux_put(f, KALLSYMS(n), M_MOD_KALLSYMS_NUM, count);
  fake_linux_put(f, KALLSYMS(n), M_MOD_KALLSYMS_STRTAB, KALLSYMS(n) + 0x200);
  fake_linux_put(f, KALLSYMS(n), M_MOD_KALLSYMS_TYPETAB, KALLSYMS(n) + 0x300);
}

static void
put_kernel_symbols(FakeLinux *f)
{
  GArray *symbols = g_array_new(FALSE, FALSE, sizeof(FakeSymbol));

  fake_kallsyms_add(symbols, "T_stext", KERNEL);
  fake_kallsyms_add(symbols, "tdo_something", KERNEL + 0x40);
  fake_linux_symbols(f, KERNEL, symbols);
}

static void
test_kallsyms(void)
{
  static const char strings[] = "\0llc_open\0llc_hidden";
  g_auto(FakeLinux) f;

  set_up(&f);
  put_kernel_symbols(&f);
  f.kernel.types[T_KERNEL_SYMBOL] = 8;
  put_symbols(&f, 1, 0);
  put_symbols(&f, 2, 1u << 30); /* more than any module has */
  put_symbols(&f, 3, 3);
  put_symbol(&f, 3, 0, 0, 0, 'n');
  put_symbol(&f, 3, 1, 1, MODULE(3), 't');
  put_symbol(&f, 3, 2, 10, MODULE(3) + 8, 'd');
  fake_mem_write(f.l.memory, KALLSYMS(3) + 0x200, strings, sizeof(strings));
  /* llc_open is exported: by references that count from their own place. */
  fake_linux_put(&f, MODULE(3), M_MODULE_SYMS, MODULE(3) + 0x800);
  fake_linux_put(&f, MODULE(3), M_MODULE_NUM_SYMS, 1);
  fake_mem_u32(f.l.memory, MODULE(3) + 0x800, (uint32_t)-0x800);
  fake_mem_u32(f.l.memory, MODULE(3) + 0x804, 0x100 - 4);
  fake_mem_string(f.l.memory, MODULE(3) + 0x900, "llc_open");
  fake_linux_check(&f, dacsa_linux_kallsyms,
                   "ffffffff80000000 T _stext\n"
                   "ffffffff80000040 t do_something\n"
                   "ffffffffc0003000 T llc_open\t[llc]\n"
                   "ffffffffc0003008 d llc_hidden\t[llc]\n");
  fake_linux_check_errors(&f, "kernel/kallsyms: a module claims 1073741824 symbols");
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/modules/text", test_text);
  g_test_add_func("/modules/text/since-6.4", test_text_since_6_4);
  g_test_add_func("/modules/json", test_json);
  g_test_add_func("/modules/list-in-a-circle", test_list_in_a_circle);
  g_test_add_func("/modules/users-lie", test_users_lie);
  g_test_add_func("/modules/memory", test_memory);
  g_test_add_func("/modules/memory/too-large", test_memory_too_large);
  g_test_add_func("/modules/kallsyms", test_kallsyms);
  return g_test_run();
}
