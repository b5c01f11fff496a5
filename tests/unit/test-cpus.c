/* Registers from the monitor's text (QEMU 7.2, target/i386/cpu-dump.c). */
#include "check.h"

#include "parsers/cpus.h"

#include <string.h>

#define CPU64(n, rip, cr3, cr4)                                                                    \
  "CPU#" n "\n"                                                                                    \
  "RAX=ffffffff81c0a4e0 RBX=0000000000000000 RCX=0000000000000001 RDX=00000000000019e6\n"          \
  "RSI=0000000000000083 RDI=0000000000000000 RBP=ffffffff82603e20 RSP=ffffffff82603e20\n"          \
  "R8 =ffff88807dc1c740 R9 =0000000000000200 R10=0000000000000000 R11=0000000000000000\n"          \
  "R12=0000000000000000 R13=ffffffff82614940 R14=0000000000000000 R15=0000000000000000\n"          \
  "RIP=" rip " RFL=00000246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=1\n"                              \
  "CS =0010 0000000000000000 ffffffff 00af9b00 DPL=0 CS64 [-RA]\n"                                 \
  "CR0=80050033 CR2=00007f2cd7aa0000 CR3=" cr3 " CR4=" cr4 "\n"                                    \
  "DR0=0000000000000000 DR1=0000000000000000 DR2=0000000000000000 DR3=0000000000000000 \n"         \
  "EFER=0000000000000d01\n"                                                                        \
  "XMM00=4352333d666666664352303d66666666 XMM01=00000000000000000000000000000000\n"
#define CPU32                                                                                      \
  "CPU#1\n"                                                                                        \
  "EAX=00000000 EBX=00000000 ECX=00000000 EDX=00060fb1\n"                                          \
  "EIP=0000fff0 EFL=00000002 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=1\n"                             \
  "CR0=60000010 CR2=00000000 CR3=00000000 CR4=00000000\n"

static void
check_cpu(const GArray *cpus, guint i, uint64_t rip, uint64_t cr3, uint64_t cr4)
{
  const DacsaCpu *cpu = &g_array_index(cpus, DacsaCpu, i);

  g_assert_cmphex(cpu->rip, ==, rip);
  g_assert_cmphex(cpu->cr0, ==, 0x80050033);
  g_assert_cmphex(cpu->cr3, ==, cr3);
  g_assert_cmphex(cpu->cr4, ==, cr4);
}

static void
test_several(void)
{
  g_autoptr(GArray) cpus =
      dacsa_cpus_parse("\n" CPU64("0", "ffffffff81c0a4ee", "0000000002610000", "000006f0")
                           CPU32 CPU64("2", "00007f2cd7a9c0de", "000000010a5b4803", "00771ef0"));

  g_assert_cmpuint(cpus->len, ==, 2); /* the one in the midst has no 64-bit registers */
  check_cpu(cpus, 0, 0xffffffff81c0a4ee, 0x2610000, 0x6f0);
  check_cpu(cpus, 1, 0x7f2cd7a9c0de, 0x10a5b4803, 0x771ef0);
}

static void
test_garbage(void)
{
  static const char *const cases[] = {
      "",
      "CPU#",
      "CPU#0",
      "CPU#0\nRIP=",
      "CPU#0\nRIP=zz CR0=1 CR3=1 CR4=1\n",
      "CPU#0\nRIP=1 CR0=1 CR3=1\n",              /* no CR4 */
      "CPU#0\nRIP=1 CR0=1 CR4=1\nCPU#1 CR3=1\n", /* another's CR3 */
      "CPU#0\nRIP=1 CR0=1 XCR3=1 CR4=1\n",       /* not the word's beginning */
      "RIP=1 CR0=1 CR3=1 CR4=1\n",               /* before any CPU */
      "CPU#CPU#CPU#CPU#",
  };

  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GArray) cpus = dacsa_cpus_parse(cases[i]);

    g_test_message("case %zu", i);
    g_assert_cmpuint(cpus->len, ==, 0);
  }
}

static void
test_many(void)
{
  g_autoptr(GString) text = g_string_new(NULL);

  for (int i = 0; i < 5000; i++)
    g_string_append_printf(text, "CPU#%d\nRIP=%x CR0=1 CR3=2 CR4=3\n", i, i);
  g_autoptr(GArray) cpus = dacsa_cpus_parse(text->str);
  g_assert_cmpuint(cpus->len, ==, 4096);
  g_assert_cmphex(g_array_index(cpus, DacsaCpu, 4095).rip, ==, 4095);
}

/* A CPU in user mode, as printed; the vector registers follow. */
#define STATE                                                                                      \
  "\nCPU#0\n"                                                                                      \
  "RAX=0000000000768030 RBX=b055b055b055b055 RCX=00000000004278b6 RDX=0000000000000003\n"          \
  "RSI=00000000004aa080 RDI=0000000000000001 RBP=0000000000000005 RSP=00007fcb44a18228\n"          \
  "R8 =0000000000000008 R9 =00007ffd7f869387 R10=000000000000000a R11=0000000000000246\n"          \
  "R12=c055c055c055c055 R13=d055d055d055d055 R14=e055e055e055e055 R15=f055f055f055f055\n"          \
  "RIP=0000000000402b49 RFL=00000246 [---Z-P-] CPL=3 II=0 A20=1 SMM=0 HLT=0\n"                     \
  "ES =0000 0000000000000000 00000000 00000000\n"                                                  \
  "CS =0033 0000000000000000 ffffffff 00affb00 DPL=3 CS64 [-RA]\n"                                 \
  "SS =002b 0000000000000000 ffffffff 00cff300 DPL=3 DS   [-WA]\n"                                 \
  "DS =0000 0000000000000000 00000000 00000000\n"                                                  \
  "FS =0000 00007fcb44a186c0 00000000 00000000\n"                                                  \
  "GS =0000 0000000000001234 00000000 00000000\n"                                                  \
  "LDT=0000 0000000000000000 00000000 00008200 DPL=0 LDT\n"                                        \
  "TR =0040 fffffe5e303f1000 00004087 00008900 DPL=0 TSS64-avl\n"                                  \
  "GDT=     fffffe5e303ef000 0000007f\n"                                                           \
  "IDT=     fffffe0000000000 00000fff\n"                                                           \
  "CR0=80050033 CR2=0000000000475e70 CR3=0000000002443000 CR4=00751ef0\n"                          \
  "DR0=0000000000000000 DR1=0000000000000000 DR2=0000000000000000 DR3=0000000000000000 \n"         \
  "DR6=00000000ffff0ff0 DR7=0000000000000400\n"                                                    \
  "EFER=0000000000000d01\n"
#define FPU                                                                                        \
  "FCW=037f FSW=3800 [ST=7] FTW=80 MXCSR=00001f80\n"                                               \
  "FPR0=0000000000000000 0000 FPR1=0000000000000000 0000\n"                                        \
  "FPR2=0000000000000000 0000 FPR3=0000000000000000 0000\n"                                        \
  "FPR4=0000000000000000 0000 FPR5=0000000000000000 0000\n"                                        \
  "FPR6=0000000000000000 0000 FPR7=c90fdaa22168c235 4000\n"

/* n registers of a kind, word w of number i being i * 16 + w; `between` the words. */
static void
append_vectors(GString *text, const char *kind, unsigned n, unsigned words, const char *between)
{
  for (unsigned i = 0; i < n; i++) {
    g_string_append_printf(text, "%s%02u=", kind, i);
    for (unsigned w = words; w-- > 0;)
      g_string_append_printf(text, "%016x%s", i * 16 + w, w > 0 ? between : "\n");
  }
}

static DacsaCpu
parse_one(const char *text)
{
  g_autoptr(GArray) cpus = dacsa_cpus_parse(text);

  g_assert_cmpuint(cpus->len, ==, 1);
  return g_array_index(cpus, DacsaCpu, 0);
}

static void
test_state(void)
{
  const DacsaCpu cpu = parse_one(STATE);

  g_assert_true(cpu.has_state);
  g_assert_false(cpu.has_fpu);
  g_assert_cmphex(cpu.general[DACSA_CPU_RAX], ==, 0x768030);
  g_assert_cmphex(cpu.general[DACSA_CPU_RBX], ==, 0xb055b055b055b055);
  g_assert_cmphex(cpu.general[DACSA_CPU_RDX], ==, 3);
  g_assert_cmphex(cpu.general[DACSA_CPU_RBP], ==, 5);
  g_assert_cmphex(cpu.general[DACSA_CPU_RSP], ==, 0x7fcb44a18228);
  g_assert_cmphex(cpu.general[DACSA_CPU_R8], ==, 8);
  g_assert_cmphex(cpu.general[DACSA_CPU_R15], ==, 0xf055f055f055f055);
  g_assert_cmphex(cpu.rflags, ==, 0x246);
  g_assert_cmpuint(cpu.cpl, ==, 3);
  g_assert_cmphex(cpu.segments[DACSA_CPU_CS].selector, ==, 0x33);
  g_assert_cmphex(cpu.segments[DACSA_CPU_CS].limit, ==, 0xffffffff);
  g_assert_cmphex(cpu.segments[DACSA_CPU_CS].flags, ==, 0xaffb00);
  g_assert_cmphex(cpu.segments[DACSA_CPU_FS].base, ==, 0x7fcb44a186c0);
  g_assert_cmphex(cpu.segments[DACSA_CPU_TR].base, ==, 0xfffffe5e303f1000);
  g_assert_cmphex(cpu.gdt, ==, 0xfffffe5e303ef000);
  g_assert_cmphex(cpu.gdt_limit, ==, 0x7f);
  g_assert_cmphex(cpu.idt, ==, 0xfffffe0000000000);
  g_assert_cmphex(cpu.idt_limit, ==, 0xfff);
  g_assert_cmphex(cpu.cr2, ==, 0x475e70);
  g_assert_cmphex(cpu.efer, ==, 0xd01);
}

static void
check_vectors(const char *kind, unsigned n, unsigned words, const char *between, bool opmask)
{
  g_autoptr(GString) text = g_string_new(STATE FPU);

  if (opmask)
    append_vectors(text, "Opmask", 8, 1, "");
  append_vectors(text, kind, n, words, between);
  const DacsaCpu cpu = parse_one(text->str);
  g_assert_true(cpu.has_fpu);
  g_assert_cmphex(cpu.fpu.fcw, ==, 0x37f);
  g_assert_cmphex(cpu.fpu.fsw, ==, 0x3800);
  g_assert_cmphex(cpu.fpu.ftw, ==, 0x80);
  g_assert_cmphex(cpu.fpu.mxcsr, ==, 0x1f80);
  g_assert_cmphex(cpu.fpu.st_mantissa[7], ==, 0xc90fdaa22168c235);
  g_assert_cmphex(cpu.fpu.st_exponent[7], ==, 0x4000);
  g_assert_cmpuint(cpu.fpu.vector_bytes, ==, words * 8);
  for (unsigned i = 0; i < DACSA_CPU_VECTORS; i++)
    for (unsigned w = 0; w < 8; w++)
      g_assert_cmphex(cpu.fpu.vectors[i][w], ==, i < n && w < words ? i * 16 + w : 0);
  for (unsigned i = 0; i < 8; i++)
    g_assert_cmphex(cpu.fpu.opmask[i], ==, opmask ? i * 16 : 0);
}

static void
test_vectors(void)
{
  check_vectors("XMM", 16, 2, "", false);
  check_vectors("XMM", 16, 2, " ", false);
  check_vectors("YMM", 16, 4, " ", false);
  check_vectors("ZMM", 32, 8, " ", true);
}

/* Without any one line, all that it is a part of is absent, and the rest is there. */
static void
test_incomplete(void)
{
  g_autoptr(GString) whole = g_string_new(STATE FPU);

  append_vectors(whole, "YMM", 16, 4, " ");
  g_auto(GStrv) lines = g_strsplit(whole->str, "\n", -1);
  for (guint i = 2; lines[i] && lines[i][0]; i++) {
    g_autoptr(GString) text = g_string_new(NULL);
    const bool is_fpu = strncmp(lines[i], "F", 1) == 0 ? lines[i][2] != ' ' : lines[i][0] == 'Y';
    const bool matters = !g_str_has_prefix(lines[i], "DR");

    for (guint j = 0; lines[j]; j++)
      if (j != i)
        g_string_append_printf(text, "%s\n", lines[j]);
    g_autoptr(GArray) cpus = dacsa_cpus_parse(text->str);
    if (g_str_has_prefix(lines[i], "RIP") || g_str_has_prefix(lines[i], "CR0")) {
      g_assert_cmpuint(cpus->len, ==, 0);
      continue;
    }
    const DacsaCpu *cpu = &g_array_index(cpus, DacsaCpu, 0);
    g_test_message("without %s", lines[i]);
    g_assert_true(cpu->has_state == (is_fpu || !matters));
    g_assert_true(cpu->has_fpu == !is_fpu);
    g_assert_cmphex(cpu->cr3, ==, 0x2443000);
    g_assert_true(cpu->has_state || cpu->general[DACSA_CPU_RBX] == 0);
    g_assert_true(cpu->has_fpu || cpu->fpu.fcw == 0);
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/cpus/several", test_several);
  g_test_add_func("/cpus/garbage", test_garbage);
  g_test_add_func("/cpus/many", test_many);
  g_test_add_func("/cpus/state", test_state);
  g_test_add_func("/cpus/vectors", test_vectors);
  g_test_add_func("/cpus/incomplete", test_incomplete);
  return g_test_run();
}
