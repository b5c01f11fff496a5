/* Registers from the monitor's text (QEMU 7.2, target/i386/cpu-dump.c). */
#include "check.h"

#include "parsers/cpus.h"

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

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/cpus/several", test_several);
  g_test_add_func("/cpus/garbage", test_garbage);
  g_test_add_func("/cpus/many", test_many);
  return g_test_run();
}
