/* Registers of threads of a kernel made by hand: switched out, on a vCPU, in between; and the state
 * of the FPU, saved in one format or another, or live. */
#include "check.h"
#include "fake-linux.h"
#include "fake-paging.h"

#include "parsers/linux/fpu.h"
#include "parsers/linux/registers.h"
#include "parsers/linux/vcpus.h"

#include <string.h>

#define KERNEL(n) (UINT64_C(0xffff888000000000) + (uint64_t)(n)*0x10000u)
#define TASK KERNEL(1)
#define OTHER_TASK KERNEL(2)
#define STACK KERNEL(3)
#define MM KERNEL(4)
#define PGD KERNEL(5)
#define FPSTATE KERNEL(6)
#define VARIABLES KERNEL(7)
#define NR_CPUS VARIABLES
#define OFFSETS (VARIABLES + 0x100)
#define FEATURES (VARIABLES + 0x200)
#define COMPONENTS (VARIABLES + 0x300)
#define PER_CPU(n) KERNEL(8 + (n))
#define GDT(n) (UINT64_C(0xfffffe0000001000) + (uint64_t)(n)*0x10000u) /* as the GDTR has it */
#define ENTRY UINT64_C(0xffffffff81000000)
#define ENTRY_END (ENTRY + 0x2000)
#define CODE (ENTRY + 0x100000)

#define CURRENT_TASK 0x100u /* where these are in a CPU's part */
#define FPREGS_OWNER 0x108u
#define GDT_PAGE 0x1000u

#define KERNEL_ROOT 0x1000u
#define USER_ROOT 0x4000u
#define THREAD_SIZE 16384u
#define FRAME_SIZE 168u

#define LEGACY 512u
#define XSTATE_BV 512u
#define YMM 576u
#define PKRU 2688u

static const FakeMember members[] = {
    {M_TASK_STACK, 0x10, 8, 0},
    {M_TASK_FSBASE, 0x100, 8, 0},
    {M_TASK_GSBASE, 0x108, 8, 0},
    {M_TASK_DS, 0x110, 2, 0},
    {M_TASK_ES, 0x112, 2, 0},
    {M_TASK_FSINDEX, 0x114, 2, 0},
    {M_TASK_GSINDEX, 0x116, 2, 0},
    {M_TASK_FPU, 0x200, 4352, 0},
    {M_FPU_LAST_CPU, 0, 4, 0},
    {M_FPU_FPSTATE, 8, 8, 0},
    {M_FPSTATE_USER_XFEATURES, 16, 8, 0},
    {M_FPSTATE_REGS, 64, 4096, 0},
    {M_MM_PGD, 0x20, 8, 0},
};

typedef struct {
  FakeLinux fake;
  GArray *cpus;
  FakePaging kernel, user;
} Fixture;

/* Two CPUs, that QEMU counts the other way round: its number 1 is the kernel's 0, which runs
 * OTHER_TASK. */
static void
put_cpus(Fixture *f)
{
  DacsaMem *memory = f->fake.l.memory;
  DacsaCpu cpu = {.has_state = true, .has_fpu = true};

  f->cpus = g_array_new(FALSE, FALSE, sizeof(DacsaCpu));
  fake_mem_u32(memory, NR_CPUS, 2);
  for (unsigned n = 0; n < 2; n++) {
    fake_mem_u64(memory, OFFSETS + n * 8, PER_CPU(n));
    fake_mem_u64(memory, PER_CPU(n) + CURRENT_TASK, n == 0 ? OTHER_TASK : 0);
    fake_mem_u64(memory, PER_CPU(n) + FPREGS_OWNER, 0);
    fake_paging_map(&f->kernel, PER_CPU(n) + GDT_PAGE, 1, 0x10000 + n * 0x1000, PTE_TABLE);
    fake_paging_map(&f->kernel, GDT(n), 1, 0x10000 + n * 0x1000, PTE_TABLE);
    cpu.gdt = GDT(1 - n);
    g_array_append_val(f->cpus, cpu);
  }
}

static DacsaCpu *
cpu_of(Fixture *f, unsigned number)
{
  return &g_array_index(f->cpus, DacsaCpu, 1 - number);
}

static void
set_up(Fixture *f)
{
  static const struct {
    DacsaLinuxSymbol symbol;
    uint64_t value;
  } symbols[] = {{S_NR_CPU_IDS, NR_CPUS},        {S_PER_CPU_OFFSET, OFFSETS},
                 {S_CURRENT_TASK, CURRENT_TASK}, {S_FPREGS_OWNER, FPREGS_OWNER},
                 {S_GDT_PAGE, GDT_PAGE},         {S_ENTRY_TEXT_START, ENTRY},
                 {S_ENTRY_TEXT_END, ENTRY_END}};

  fake_linux_init(&f->fake, members, G_N_ELEMENTS(members));
  f->fake.kernel.types[T_PT_REGS] = FRAME_SIZE;
  f->fake.kernel.types[T_THREAD_UNION] = THREAD_SIZE;
  for (size_t i = 0; i < G_N_ELEMENTS(symbols); i++)
    f->fake.kernel.symbols[symbols[i].symbol] = symbols[i].value;
  f->fake.info.root = KERNEL_ROOT;
  f->kernel = (FakePaging){f->fake.l.phys, KERNEL_ROOT, 0x100000, 4};
  f->user = (FakePaging){f->fake.l.phys, USER_ROOT, 0x200000, 4};
  fake_paging_map(&f->kernel, PGD, 1, USER_ROOT, PTE_TABLE);
  fake_paging_entry(&f->user, 0, 4);
  put_cpus(f);
  f->fake.l.cpus = f->cpus;
  fake_linux_put(&f->fake, MM, M_MM_PGD, PGD);
  for (uint64_t task = TASK; task <= OTHER_TASK; task += OTHER_TASK - TASK) {
    fake_linux_put(&f->fake, task, M_TASK_STACK, STACK);
    fake_linux_put(&f->fake, task, M_TASK_FSBASE, 0x7f0000001000);
    fake_linux_put(&f->fake, task, M_TASK_GSBASE, 0x7f0000002000);
    fake_linux_put(&f->fake, task, M_TASK_DS, 1);
    fake_linux_put(&f->fake, task, M_TASK_ES, 2);
    fake_linux_put(&f->fake, task, M_TASK_FSINDEX, 3);
    fake_linux_put(&f->fake, task, M_TASK_GSINDEX, 4);
    fake_linux_put(&f->fake, task + 0x200, M_FPU_FPSTATE, FPSTATE);
  }
}

static void
tear_down(Fixture *f)
{
  fake_linux_clear(&f->fake);
  g_array_unref(f->cpus);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Fixture, tear_down)

/* -- general registers -- */

/* Registers of user mode, word i being i, so far below the stack's end. */
static void
put_frame(Fixture *f, unsigned padding)
{
  const uint64_t frame = STACK + THREAD_SIZE - padding - FRAME_SIZE;
  DacsaMem *memory = f->fake.l.memory;

  fake_mem_u64(memory, STACK + THREAD_SIZE - 8, 0);
  for (unsigned i = 0; i < DACSA_LINUX_N_PT_REGS; i++)
    fake_mem_u64(memory, frame + i * 8, i);
  fake_mem_u64(memory, frame + DACSA_LINUX_CS * 8, padding ? 0x123400000033 : 0x33);
  fake_mem_u64(memory, frame + DACSA_LINUX_SS * 8, padding ? 0x56780000002b : 0x2b);
  fake_mem_u64(memory, frame + DACSA_LINUX_RFLAGS * 8, 0x246);
}

static void
check_frame(const uint64_t regs[DACSA_LINUX_N_REGISTERS])
{
  for (unsigned i = 0; i < DACSA_LINUX_CS; i++)
    g_assert_cmphex(regs[i], ==, i);
  g_assert_cmphex(regs[DACSA_LINUX_CS], ==, 0x33);
  g_assert_cmphex(regs[DACSA_LINUX_SS], ==, 0x2b);
  g_assert_cmphex(regs[DACSA_LINUX_RFLAGS], ==, 0x246);
  g_assert_cmphex(regs[DACSA_LINUX_RSP], ==, DACSA_LINUX_RSP);
}

static void
check_fails(Fixture *f, uint64_t task, int code)
{
  uint64_t regs[DACSA_LINUX_N_REGISTERS];
  g_autoptr(GError) error = NULL;

  CHECK_FAILS(dacsa_linux_registers(&f->fake.l, task, MM, regs, &error), error, code);
}

static void
test_switched_out(void)
{
  for (unsigned padding = 0; padding <= 16; padding += 16) {
    uint64_t regs[DACSA_LINUX_N_REGISTERS];
    g_autoptr(GError) error = NULL;
    g_auto(Fixture) f;

    set_up(&f);
    put_frame(&f, padding);
    CHECK_OK(dacsa_linux_registers(&f.fake.l, TASK, MM, regs, &error), error);
    check_frame(regs);
    g_assert_cmphex(regs[DACSA_LINUX_FS_BASE], ==, 0x7f0000001000);
    g_assert_cmphex(regs[DACSA_LINUX_GS_BASE], ==, 0x7f0000002000);
    for (unsigned i = 0; i < 4; i++)
      g_assert_cmphex(regs[DACSA_LINUX_DS + i], ==, i + 1);
  }
}

static void
test_no_frame(void)
{
  static const struct {
    DacsaLinuxRegister which;
    uint64_t value;
  } wrong[] = {{DACSA_LINUX_CS, 0x10},
               {DACSA_LINUX_CS, 0},
               {DACSA_LINUX_SS, 0x18},
               {DACSA_LINUX_RFLAGS, 0x46},
               {DACSA_LINUX_RFLAGS, 0x200}};
  g_auto(Fixture) f;

  set_up(&f);
  check_fails(&f, TASK, DACSA_ERROR_FAULT); /* there is no page */
  for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
    put_frame(&f, 0);
    fake_mem_u64(f.fake.l.memory, STACK + THREAD_SIZE - FRAME_SIZE + wrong[i].which * 8,
                 wrong[i].value);
    check_fails(&f, TASK, DACSA_ERROR_BAD_DATA);
  }
  put_frame(&f, 0);
  fake_linux_put(&f.fake, TASK, M_TASK_STACK, 0);
  check_fails(&f, TASK, DACSA_ERROR_BAD_DATA);
  fake_linux_put(&f.fake, TASK, M_TASK_STACK, UINT64_MAX - 100); /* wraps */
  check_fails(&f, TASK, DACSA_ERROR_FAULT);
  f.fake.kernel.types[T_PT_REGS] = 176;
  check_fails(&f, TASK, DACSA_ERROR_UNSUPPORTED);
}

static void
put_user_mode(DacsaCpu *cpu)
{
  for (unsigned i = 0; i < DACSA_CPU_N_GENERAL; i++)
    cpu->general[i] = 100 + i;
  cpu->cpl = 3;
  cpu->rip = 0x401000;
  cpu->rflags = 0x202;
  cpu->cr3 = USER_ROOT | 0x803; /* with a PCID */
  cpu->segments[DACSA_CPU_CS].selector = 0x33;
  cpu->segments[DACSA_CPU_SS].selector = 0x2b;
  cpu->segments[DACSA_CPU_DS].selector = 7;
  cpu->segments[DACSA_CPU_FS].base = 0x7f0000003000;
  cpu->segments[DACSA_CPU_GS].base = 0x7f0000004000;
}

static void
test_user_mode(void)
{
  uint64_t regs[DACSA_LINUX_N_REGISTERS];
  g_autoptr(GError) error = NULL;
  g_auto(Fixture) f;

  set_up(&f);
  put_user_mode(cpu_of(&f, 0));
  for (uint64_t half = 0; half <= 0x1000; half += 0x1000) { /* of the page tables: PTI */
    cpu_of(&f, 0)->cr3 |= half;
    CHECK_OK(dacsa_linux_registers(&f.fake.l, OTHER_TASK, MM, regs, &error), error);
    g_assert_cmphex(regs[DACSA_LINUX_RAX], ==, 100 + DACSA_CPU_RAX);
    g_assert_cmphex(regs[DACSA_LINUX_RSP], ==, 100 + DACSA_CPU_RSP);
    g_assert_cmphex(regs[DACSA_LINUX_R15], ==, 100 + DACSA_CPU_R15);
    g_assert_cmphex(regs[DACSA_LINUX_RIP], ==, 0x401000);
    g_assert_cmphex(regs[DACSA_LINUX_CS], ==, 0x33);
    g_assert_cmphex(regs[DACSA_LINUX_DS], ==, 7);
    g_assert_cmphex(regs[DACSA_LINUX_FS_BASE], ==, 0x7f0000003000);
    g_assert_cmphex(regs[DACSA_LINUX_GS_BASE], ==, 0x7f0000004000);
    g_assert_true(regs[DACSA_LINUX_ORIG_RAX] == UINT64_MAX);
  }
  cpu_of(&f, 0)->cr3 = 0x9000; /* another process's */
  check_fails(&f, OTHER_TASK, DACSA_ERROR_BAD_DATA);
}

static void
test_in_the_kernel(void)
{
  uint64_t regs[DACSA_LINUX_N_REGISTERS];
  g_autoptr(GError) error = NULL;
  g_auto(Fixture) f;

  set_up(&f);
  put_frame(&f, 0);
  DacsaCpu *cpu = cpu_of(&f, 0);
  put_user_mode(cpu);
  cpu->cpl = 0;
  cpu->rip = CODE;
  cpu->general[DACSA_CPU_RSP] = STACK + 0x1000;
  CHECK_OK(dacsa_linux_registers(&f.fake.l, OTHER_TASK, MM, regs, &error), error);
  check_frame(regs);
  g_assert_cmphex(regs[DACSA_LINUX_FS_BASE], ==, 0x7f0000003000); /* the vCPU's */
  g_assert_cmphex(regs[DACSA_LINUX_GS_BASE], ==, 0x7f0000002000); /* the task's */

  cpu->rip = ENTRY + 0x10;
  check_fails(&f, OTHER_TASK, DACSA_ERROR_BAD_DATA);
  cpu->rip = CODE;
  cpu->general[DACSA_CPU_RSP] = GDT(0) + 0x800; /* an entry stack */
  check_fails(&f, OTHER_TASK, DACSA_ERROR_BAD_DATA);
  cpu->general[DACSA_CPU_RSP] = STACK + 0x1000;
  cpu->rip = 0x401000;
  check_fails(&f, OTHER_TASK, DACSA_ERROR_BAD_DATA);
  cpu->rip = CODE;
  f.fake.kernel.symbols[S_ENTRY_TEXT_END] = 0; /* who knows then? */
  check_fails(&f, OTHER_TASK, DACSA_ERROR_BAD_DATA);
}

/* Without the vCPUs' registers, those of what runs are not known; the rest is as ever. */
static void
test_no_vcpus(void)
{
  uint64_t regs[DACSA_LINUX_N_REGISTERS];
  g_autoptr(GError) error = NULL;
  g_auto(Fixture) f;

  set_up(&f);
  put_frame(&f, 0);
  f.fake.l.cpus = NULL;
  check_fails(&f, OTHER_TASK, DACSA_ERROR_UNSUPPORTED);
  CHECK_OK(dacsa_linux_registers(&f.fake.l, TASK, MM, regs, &error), error);
}

/* What a hostile guest may say of its CPUs. */
static void
test_hostile_cpus(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  fake_mem_u32(f.fake.l.memory, NR_CPUS, 0xffffffff);
  g_assert_null(dacsa_linux_vcpu(&f.fake.l, OTHER_TASK));
  fake_linux_check_errors(&f.fake, "cpus: 4294967295 CPUs cannot be");

  g_auto(Fixture) g;
  set_up(&g);
  fake_mem_u64(g.fake.l.memory, OFFSETS + 8, 0xdead000000000000);
  g_assert_nonnull(dacsa_linux_vcpu(&g.fake.l, OTHER_TASK)); /* found before that */
  fake_linux_check_errors(&g.fake, "cpus: ");
}

/* -- FPU -- */

static void
put_saved(Fixture *f, uint64_t features, uint64_t xstate_bv, uint64_t xcomp_bv)
{
  DacsaMem *memory = f->fake.l.memory;
  const uint64_t area = FPSTATE + 64;

  fake_linux_put(&f->fake, FPSTATE, M_FPSTATE_USER_XFEATURES, features);
  for (unsigned i = 0; i < 4096; i += 8)
    fake_mem_u64(memory, area + i, UINT64_C(0x0101010101010101) * (i / 64));
  fake_mem_u64(memory, area + XSTATE_BV, xstate_bv);
  fake_mem_u64(memory, area + XSTATE_BV + 8, xcomp_bv);
}

static uint64_t
word(const DacsaLinuxFpu *fpu, unsigned at)
{
  uint64_t v;

  g_assert_cmpuint(at + 8, <=, fpu->area->len);
  memcpy(&v, fpu->area->data + at, sizeof(v));
  return v;
}

static void
get_fpu(Fixture *f, uint64_t task, DacsaLinuxFpu *ret)
{
  g_autoptr(GError) error = NULL;

  CHECK_OK(dacsa_linux_fpu(&f->fake.l, task, ret, &error), error);
}

#define FILL(n) (UINT64_C(0x0101010101010101) * (n))

static void
test_standard(void)
{
  g_auto(DacsaLinuxFpu) fpu = {0};
  g_auto(Fixture) f;

  set_up(&f);
  put_saved(&f, 0x207, 0x207, 0); /* x87, SSE, AVX, PKRU */
  get_fpu(&f, TASK, &fpu);
  g_assert_false(fpu.from_vcpu);
  g_assert_cmpuint(fpu.area->len, ==, PKRU + 8);
  g_assert_cmphex(word(&fpu, 160), ==, FILL(160 / 64));
  g_assert_cmphex(word(&fpu, 464), ==, 0x207); /* for debuggers: XCR0 */
  g_assert_cmphex(word(&fpu, 472), ==, 0);
  g_assert_cmphex(word(&fpu, XSTATE_BV), ==, 0x207);
  g_assert_cmphex(word(&fpu, YMM + 248), ==, FILL((YMM + 248) / 64));
  g_assert_cmphex(word(&fpu, PKRU), ==, FILL(PKRU / 64));

  /* This processor has PKRU elsewhere (AMD's). */
  g_auto(DacsaLinuxFpu) other = {0};
  f.fake.kernel.symbols[S_XSTATE_OFFSETS] = COMPONENTS;
  fake_mem_u32(f.fake.l.memory, COMPONENTS + 2 * 4, YMM);
  fake_mem_u32(f.fake.l.memory, COMPONENTS + 9 * 4, 832);
  get_fpu(&f, TASK, &other);
  g_assert_cmphex(word(&other, PKRU), ==, FILL(832 / 64));
}

/* Compacted, with a supervisor's component (CET, 11) that user mode does not see. */
static void
test_compacted(void)
{
  g_auto(DacsaLinuxFpu) fpu = {0};
  g_auto(Fixture) f;

  set_up(&f);
  put_saved(&f, 0x60207, 0x60a07, UINT64_C(1) << 63 | 0x60a07);  /* and AMX, aligned to 64 bytes */
  fake_mem_u64(f.fake.l.memory, FPSTATE + 64 + 832, 0x55555554); /* PKRU */
  fake_mem_u64(f.fake.l.memory, FPSTATE + 64 + 840, 0x1111);     /* CET */
  fake_mem_u64(f.fake.l.memory, FPSTATE + 64 + 896, 0x2222);     /* 856, aligned */
  for (unsigned i = 4096; i < 9216; i += 8)
    fake_mem_u64(f.fake.l.memory, FPSTATE + 64 + i, 0);
  get_fpu(&f, TASK, &fpu);
  g_assert_cmpuint(fpu.area->len, ==, 2816 + 8192);
  g_assert_cmphex(word(&fpu, 464), ==, 0x60207);
  g_assert_cmphex(word(&fpu, XSTATE_BV), ==, 0x60207);
  g_assert_cmphex(word(&fpu, XSTATE_BV + 8), ==, 0); /* it is in the standard format */
  g_assert_cmphex(word(&fpu, YMM), ==, FILL(YMM / 64));
  g_assert_cmphex(word(&fpu, PKRU), ==, 0x55555554);
  g_assert_cmphex(word(&fpu, 2752), ==, 0x2222);
}

/* What is in its initial state is not what stands there. */
static void
test_initial(void)
{
  g_auto(DacsaLinuxFpu) fpu = {0};
  g_auto(Fixture) f;

  set_up(&f);
  put_saved(&f, 0x207, 0, 0);
  get_fpu(&f, TASK, &fpu);
  g_assert_cmphex(word(&fpu, 0), ==, 0x37f);
  g_assert_cmphex(word(&fpu, 24) & 0xffffffff, ==, 0x1f80);
  for (unsigned at = 32; at < 464; at += 8)
    g_assert_cmphex(word(&fpu, at), ==, 0);
  g_assert_cmphex(word(&fpu, XSTATE_BV), ==, 0);
  g_assert_cmphex(word(&fpu, YMM), ==, 0);
  g_assert_cmphex(word(&fpu, PKRU), ==, 0);
}

/* A processor without XSAVE; a kernel that has the area in the task, and one mask for all tasks. */
static void
test_others(void)
{
  g_auto(DacsaLinuxFpu) fxsave = {0};
  g_auto(DacsaLinuxFpu) old = {0};
  g_auto(Fixture) f;

  set_up(&f);
  put_saved(&f, 3, 0, 0);
  get_fpu(&f, TASK, &fxsave);
  g_assert_cmpuint(fxsave.area->len, ==, LEGACY);
  g_assert_cmphex(word(&fxsave, 160), ==, FILL(2));

  f.fake.kernel.members[M_FPU_FPSTATE].known = false;
  f.fake.kernel.members[M_FPSTATE_USER_XFEATURES].known = false;
  f.fake.kernel.members[M_TASK_FPU].known = false; /* behind the task then */
  f.fake.kernel.types[T_TASK_STRUCT] = 0x2000;
  f.fake.kernel.members[M_FPU_STATE] = (DacsaMember){.known = true, .offset = 64, .size = 4096};
  f.fake.kernel.symbols[S_XFEATURES_MASK] = FEATURES;
  fake_mem_u64(f.fake.l.memory, FEATURES, 0x100000000000007);
  for (unsigned i = 0; i < 1024; i += 8)
    fake_mem_u64(f.fake.l.memory, TASK + 0x2000 + 64 + i, i);
  fake_mem_u64(f.fake.l.memory, TASK + 0x2000 + 64 + XSTATE_BV, 7);
  fake_mem_u64(f.fake.l.memory, TASK + 0x2000 + 64 + XSTATE_BV + 8, 0);
  get_fpu(&f, TASK, &old);
  g_assert_cmpuint(old.area->len, ==, YMM + 256);
  g_assert_cmphex(word(&old, 464), ==, 7); /* no feature that we do not know */
  g_assert_cmphex(word(&old, YMM + 8), ==, YMM + 8);
}

static void
put_live(DacsaCpu *cpu)
{
  cpu->fpu =
      (DacsaCpuFpu){.fcw = 0x27f, .fsw = 6 << 11, .ftw = 0xc0, .mxcsr = 0x1fa0, .vector_bytes = 32};
  for (unsigned i = 0; i < 8; i++) {
    cpu->fpu.st_mantissa[i] = i;
    cpu->fpu.st_exponent[i] = (uint16_t)(0x4000 + i);
  }
  for (unsigned i = 0; i < 16; i++)
    for (unsigned w = 0; w < 8; w++)
      cpu->fpu.vectors[i][w] = 0x1000 + i * 16 + w;
}

static void
check_live(const DacsaLinuxFpu *fpu)
{
  g_assert_true(fpu->from_vcpu);
  g_assert_cmphex(word(fpu, 0), ==, UINT64_C(0xc03000027f));
  g_assert_cmphex(word(fpu, 24) & 0xffffffff, ==, 0x1fa0);
  g_assert_cmphex(word(fpu, 32), ==, 6); /* ST(0): the stack begins there */
  g_assert_cmphex(word(fpu, 40), ==, 0x4006);
  g_assert_cmphex(word(fpu, 32 + 2 * 16), ==, 0);
  g_assert_cmphex(word(fpu, 160 + 5 * 16 + 8), ==, 0x1051);
  g_assert_cmphex(word(fpu, YMM + 5 * 16), ==, 0x1052);
  g_assert_cmphex(word(fpu, XSTATE_BV) & 7, ==, 7);
}

static void
test_live(void)
{
  g_auto(DacsaLinuxFpu) user = {0};
  g_auto(DacsaLinuxFpu) saved = {0};
  g_auto(DacsaLinuxFpu) owner = {0};
  g_autoptr(GError) error = NULL;
  g_auto(Fixture) f;

  set_up(&f);
  put_saved(&f, 0x207, 0x200, 0);
  put_live(cpu_of(&f, 0));
  cpu_of(&f, 0)->fpu.vector_bytes = 32;
  cpu_of(&f, 0)->cpl = 3;
  get_fpu(&f, OTHER_TASK, &user);
  check_live(&user);
  g_assert_cmphex(word(&user, PKRU), ==, FILL(PKRU / 64)); /* as it was saved */

  /* In the kernel: they are saved, but where the CPU's still are the thread's. */
  cpu_of(&f, 0)->cpl = 0;
  get_fpu(&f, OTHER_TASK, &saved);
  g_assert_false(saved.from_vcpu);
  g_assert_cmphex(word(&saved, 0), ==, 0x37f);
  fake_mem_u64(f.fake.l.memory, PER_CPU(0) + FPREGS_OWNER, OTHER_TASK + 0x200);
  fake_linux_put(&f.fake, OTHER_TASK + 0x200, M_FPU_LAST_CPU, 0);
  get_fpu(&f, OTHER_TASK, &owner);
  check_live(&owner);

  cpu_of(&f, 0)->has_fpu = false;
  CHECK_FAILS(dacsa_linux_fpu(&f.fake.l, OTHER_TASK, &owner, &error), error,
              DACSA_ERROR_UNSUPPORTED);
}

/* Vectors of 64 bytes are in three components. */
static void
test_live_zmm(void)
{
  g_auto(DacsaLinuxFpu) fpu = {0};
  g_auto(Fixture) f;

  set_up(&f);
  put_saved(&f, 0xe7, 0, 0);
  put_live(cpu_of(&f, 0));
  DacsaCpuFpu *live = &cpu_of(&f, 0)->fpu;
  live->vector_bytes = 64;
  live->vectors[31][7] = 0x3107;
  live->opmask[7] = 0x77;
  cpu_of(&f, 0)->cpl = 3;
  get_fpu(&f, OTHER_TASK, &fpu);
  g_assert_cmpuint(fpu.area->len, ==, 2688);
  g_assert_cmphex(word(&fpu, XSTATE_BV), ==, 0xe7);
  g_assert_cmphex(word(&fpu, 1088 + 56), ==, 0x77);
  g_assert_cmphex(word(&fpu, 1152 + 5 * 32 + 24), ==, 0x1057);
  g_assert_cmphex(word(&fpu, 1664 + 15 * 64 + 56), ==, 0x3107);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/registers/switched-out", test_switched_out);
  g_test_add_func("/registers/no-frame", test_no_frame);
  g_test_add_func("/registers/user-mode", test_user_mode);
  g_test_add_func("/registers/in-the-kernel", test_in_the_kernel);
  g_test_add_func("/registers/no-vcpus", test_no_vcpus);
  g_test_add_func("/registers/hostile-cpus", test_hostile_cpus);
  g_test_add_func("/registers/fpu/standard", test_standard);
  g_test_add_func("/registers/fpu/compacted", test_compacted);
  g_test_add_func("/registers/fpu/initial", test_initial);
  g_test_add_func("/registers/fpu/others", test_others);
  g_test_add_func("/registers/fpu/live", test_live);
  g_test_add_func("/registers/fpu/live-zmm", test_live_zmm);
  return g_test_run();
}
