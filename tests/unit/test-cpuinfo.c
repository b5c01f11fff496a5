/* Two CPUs by hand. */
#include "check.h"
#include "fake-kallsyms.h"
#include "fake-linux.h"

#include "parsers/linux/system.h"

#include <string.h>

#define KERNEL UINT64_C(0xffffffff80000000)
#define AT(n) (UINT64_C(0xffff888000000000) + (uint64_t)(n)*0x1000u)
#define CPU_INFO 0x1000u /* in each CPU's own memory */
#define CPU(n) (AT(10 + (n)) + CPU_INFO)
#define TEXT(n) (AT(5) + (n)*0x20u)

enum { OFFSETS = 1, MASK = 2, KHZ = 3, CLOCK = 4 };

static const FakeMember members[] = {
    {M_CPU_FAMILY, 0, 1, 0},       {M_CPU_MODEL, 1, 1, 0},
    {M_CPU_STEPPING, 2, 1, 0},     {M_CPU_TLBSIZE, 4, 4, 0},
    {M_CPU_VIRT_BITS, 8, 1, 0},    {M_CPU_PHYS_BITS, 9, 1, 0},
    {M_CPU_CPUID_LEVEL, 12, 4, 0}, {M_CPU_CAPABILITY, 16, 20, 5},
    {M_CPU_VENDOR, 40, 16, 0},     {M_CPU_MODEL_ID, 56, 64, 0},
    {M_CPU_CACHE_SIZE, 120, 4, 0}, {M_CPU_CACHE_ALIGNMENT, 124, 4, 0},
    {M_CPU_POWER, 128, 4, 0},      {M_CPU_LOOPS, 136, 8, 0},
    {M_CPU_APICID, 144, 2, 0},     {M_CPU_INITIAL_APICID, 146, 2, 0},
    {M_CPU_PACKAGE, 148, 2, 0},    {M_CPU_CORE, 150, 2, 0},
    {M_CPU_CLFLUSH, 152, 2, 0},    {M_CPU_CORES, 154, 2, 0},
    {M_CPU_INDEX, 156, 2, 0},      {M_CPU_MICROCODE, 160, 4, 0},
    {M_CLOCKSOURCE_MULT, 0, 4, 0}, {M_CLOCKSOURCE_SHIFT, 4, 4, 0},
};

static void
put_flag(FakeLinux *f, uint64_t array, unsigned bit, unsigned text, const char *name)
{
  fake_mem_u64(f->l.memory, array + bit * 8, TEXT(text));
  fake_mem_string(f->l.memory, TEXT(text), name);
}

static void
put_cpu(FakeLinux *f, unsigned n)
{
  fake_mem_u64(f->l.memory, AT(OFFSETS) + n * 8, AT(10 + n));
  fake_linux_put(f, CPU(n), M_CPU_FAMILY, 6);
  fake_linux_put(f, CPU(n), M_CPU_MODEL, 85);
  fake_mem_string(f->l.memory, CPU(n) + 40, "GenuineIntel");
  fake_mem_string(f->l.memory, CPU(n) + 56, n == 0 ? "A CPU @ 2.50GHz" : "");
  fake_linux_put(f, CPU(n), M_CPU_STEPPING, 7);
  fake_linux_put(f, CPU(n), M_CPU_MICROCODE, n == 0 ? 0x1a : 0);
  fake_linux_put(f, CPU(n), M_CPU_CACHE_SIZE, n == 0 ? 1024 : 0);
  fake_linux_put(f, CPU(n), M_CPU_PACKAGE, 1);
  fake_linux_put(f, CPU(n), M_CPU_CORE, n);
  fake_linux_put(f, CPU(n), M_CPU_CORES, 2);
  fake_linux_put(f, CPU(n), M_CPU_APICID, 2 + n);
  fake_linux_put(f, CPU(n), M_CPU_INITIAL_APICID, 2 + n);
  fake_linux_put(f, CPU(n), M_CPU_CPUID_LEVEL, 22);
  fake_linux_put(f, CPU(n), M_CPU_INDEX, n);
  fake_linux_put(f, CPU(n), M_CPU_LOOPS, 10000000);
  fake_linux_put(f, CPU(n), M_CPU_CLFLUSH, 64);
  fake_linux_put(f, CPU(n), M_CPU_CACHE_ALIGNMENT, 64);
  fake_linux_put(f, CPU(n), M_CPU_PHYS_BITS, 46);
  fake_linux_put(f, CPU(n), M_CPU_VIRT_BITS, 48);
  fake_linux_put(f, CPU(n), M_CPU_TLBSIZE, 0);
  fake_linux_put(f, CPU(n), M_CPU_POWER, n == 0 ? 0 : 1u << 31 | 3);
  fake_mem_u32(f->l.memory, CPU(n) + 16, 1u << 0 | 1u << 4 | 1u << 9); /* bit 9 has no name */
  fake_mem_u32(f->l.memory, CPU(n) + 32, 1u << 2);                     /* a bug */
}

/* Four words of features, one of bugs: their names are 32 pointers, up to the next symbol. */
static void
set_up(FakeLinux *f)
{
  GArray *symbols = g_array_new(FALSE, FALSE, sizeof(FakeSymbol));
  const uint64_t bugs = KERNEL + 0x1000, power = KERNEL + 0x1100, caps = KERNEL + 0x2000;

  fake_linux_init(f, members, G_N_ELEMENTS(members));
  fake_kallsyms_add(symbols, "T_stext", KERNEL);
  fake_kallsyms_add(symbols, "Rx86_bug_flags", bugs);
  fake_kallsyms_add(symbols, "Rx86_power_flags", power);
  fake_kallsyms_add(symbols, "Rx86_cap_flags", caps);
  fake_linux_symbols(f, KERNEL, symbols);
  for (unsigned i = 0; i < 32; i++) {
    fake_mem_u64(f->l.memory, bugs + i * 8, 0);
    fake_mem_u64(f->l.memory, power + i * 8, 0);
  }
  for (unsigned i = 0; i < 4 * 32; i++)
    fake_mem_u64(f->l.memory, caps + i * 8, 0);
  put_flag(f, caps, 0, 0, "fpu");
  put_flag(f, caps, 4, 1, "tsc");
  put_flag(f, bugs, 2, 2, "meltdown");
  put_flag(f, power, 0, 3, "ts");
  put_flag(f, power, 1, 4, "");
  f->kernel.types[T_CPUMASK] = 8;
  f->kernel.symbols[S_CPU_INFO] = CPU_INFO;
  f->kernel.symbols[S_PER_CPU_OFFSET] = AT(OFFSETS);
  f->kernel.symbols[S_CPU_ONLINE_MASK] = AT(MASK);
  f->kernel.symbols[S_CPU_KHZ] = AT(KHZ);
  f->kernel.symbols[S_CLOCKSOURCE_JIFFIES] = AT(CLOCK);
  f->kernel.symbols[S_X86_BUG_FLAGS] = bugs;
  f->kernel.symbols[S_X86_CAP_FLAGS] = caps;
  f->kernel.symbols[S_X86_POWER_FLAGS] = power;
  fake_mem_u64(f->l.memory, AT(MASK), 1u << 0 | 1u << 3);
  fake_mem_u32(f->l.memory, AT(KHZ), 2500007);
  fake_linux_put(f, AT(CLOCK), M_CLOCKSOURCE_MULT, 4000000u << 8);
  fake_linux_put(f, AT(CLOCK), M_CLOCKSOURCE_SHIFT, 8);
  put_cpu(f, 0);
  put_cpu(f, 3);
}

#define REST(n, apicid)                                                                            \
  "physical id\t: 1\nsiblings\t: 2\ncore id\t\t: " n "\ncpu cores\t: 2\napicid\t\t: " apicid       \
  "\ninitial apicid\t: " apicid "\nfpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: 22\n"        \
  "wp\t\t: yes\nflags\t\t: fpu tsc\nbugs\t\t: meltdown\nbogomips\t: 5000.00\n"                     \
  "clflush size\t: 64\ncache_alignment\t: 64\n"                                                    \
  "address sizes\t: 46 bits physical, 48 bits virtual\npower management:"

static void
test_text(void)
{
  g_auto(FakeLinux) f;

  set_up(&f);
  fake_linux_check(
      &f, dacsa_linux_cpuinfo,
      "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\n"
      "model name\t: A CPU @ 2.50GHz\nstepping\t: 7\nmicrocode\t: 0x1a\n"
      "cpu MHz\t\t: 2500.007\ncache size\t: 1024 KB\n" REST(
          "0", "2") "\n\n"
                    "processor\t: 3\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\n"
                    "model name\t: unknown\nstepping\t: 7\ncpu MHz\t\t: 2500.007\n" REST(
                        "3", "5") " ts [31]\n\n");
  fake_linux_check_errors(&f, NULL);
}

static void
test_absent(void)
{
  g_auto(FakeLinux) f;

  set_up(&f);
  f.kernel.symbols[S_X86_BUG_FLAGS] = 0;
  f.kernel.symbols[S_CLOCKSOURCE_JIFFIES] = 0;
  f.kernel.symbols[S_CPU_KHZ] = 0;
  f.kernel.members[M_CPU_MODEL].known = false;
  fake_mem_u64(f.l.memory, AT(MASK), 1u << 0 | 1u << 5); /* 5 has no memory of its own */
  fake_mem_u64(f.l.memory, AT(OFFSETS) + 5 * 8, 0x123456);
  g_autofree char *text = fake_linux_text(&f, dacsa_linux_cpuinfo);
  g_assert_null(strstr(text, "flags"));
  g_assert_null(strstr(text, "bogomips"));
  g_assert_null(strstr(text, "MHz"));
  g_assert_null(strstr(text, "model\t"));
  fake_linux_check_errors(&f, "kernel/cpuinfo: flags and bugs are absent");
  fake_linux_check_errors(&f, "kernel/cpuinfo: bogomips is absent");
  fake_linux_check_errors(&f, "kernel/cpuinfo: cpu MHz is absent");
  fake_linux_check_errors(&f, "kernel/cpuinfo: the kernel has no cpuinfo_x86.x86_model");
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/cpuinfo/text", test_text);
  g_test_add_func("/cpuinfo/absent", test_absent);
  return g_test_run();
}
