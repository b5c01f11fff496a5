/* A thread's user registers: from its kernel stack, or its vCPU. */
#include "parsers/linux/registers.h"

#include "parsers/linux/vcpus.h"
#include "snap/error.h"

#define THREAD_SIZE 16384u
#define MAX_THREAD_SIZE (1u << 20)
#define FRED_PADDING 16u /* TOP_OF_KERNEL_STACK_PADDING with CONFIG_X86_FRED */

/* arch/x86/include/asm/segment.h: selectors of user mode. */
#define USER32_CS 0x23u
#define USER_CS 0x33u
#define USER_DS 0x2bu
#define FLAGS_FIXED 0x2u
#define FLAGS_IF 0x200u

#define FRAME_MASK UINT64_C(0x000ffffffffff000)
#define PTI_USER_HALF UINT64_C(0x1000) /* arch/x86/mm/pti.c: the upper of the two top tables */

#define KERNEL_HALF (UINT64_C(1) << 63)
/* arch/x86/include/asm/pgtable_64_types.h, CPU_ENTRY_AREA_PGD: -4; there are the stacks that a CPU
 * has while it changes to a thread's own. */
#define ENTRY_AREA UINT64_C(0xfffffe0000000000)
#define ENTRY_AREA_END UINT64_C(0xfffffe8000000000)

/* -- on the kernel stack -- */

static bool
is_user_frame(const uint64_t regs[DACSA_LINUX_N_PT_REGS])
{
  const uint64_t flags = FLAGS_FIXED | FLAGS_IF;

  return (regs[DACSA_LINUX_CS] == USER_CS || regs[DACSA_LINUX_CS] == USER32_CS) &&
         regs[DACSA_LINUX_SS] == USER_DS && (regs[DACSA_LINUX_RFLAGS] & flags) == flags;
}

/* The registers whose end is at `end`. FRED has more in the words of CS and SS than them. */
static bool
read_frame(const DacsaLinux *l, uint64_t end, uint64_t ret[DACSA_LINUX_N_PT_REGS], GError **error)
{
  const size_t len = DACSA_LINUX_N_PT_REGS * sizeof(uint64_t);

  if (!dacsa_mem_read(l->memory, end - len, ret, len, error))
    return false;
  for (unsigned i = 0; i < DACSA_LINUX_N_PT_REGS; i++)
    ret[i] = GUINT64_FROM_LE(ret[i]);
  ret[DACSA_LINUX_CS] &= 0xffff;
  ret[DACSA_LINUX_SS] &= 0xffff;
  return true;
}

/* Which of the two places it is shows in what stands there: no words but these look like that. */
static bool
frame_of(const DacsaLinux *l, uint64_t task, uint64_t ret[DACSA_LINUX_N_PT_REGS], GError **error)
{
  const uint32_t size = dacsa_linux_size(l, T_THREAD_UNION);
  uint64_t stack;

  if (dacsa_linux_size(l, T_PT_REGS) != DACSA_LINUX_N_PT_REGS * sizeof(uint64_t))
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "the kernel has another struct pt_regs");
  if (!dacsa_linux_get(l, task, M_TASK_STACK, &stack, error))
    return false;
  if (stack == 0)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "it has no kernel stack");
  const uint64_t top = stack + (size > 0 && size <= MAX_THREAD_SIZE ? size : THREAD_SIZE);
  for (unsigned padding = 0; padding <= FRED_PADDING; padding += FRED_PADDING) {
    if (!read_frame(l, top - padding, ret, error))
      return false;
    if (is_user_frame(ret))
      return true;
  }
  return dacsa_fail(error, DACSA_ERROR_BAD_DATA,
                    "there are no user registers on its kernel stack, 0x%" PRIx64, stack);
}

/* What the kernel keeps of the segments while it runs another thread. */
static bool
saved_segments(const DacsaLinux *l, uint64_t task, uint64_t ret[DACSA_LINUX_N_REGISTERS],
               GError **error)
{
  return dacsa_linux_get(l, task, M_TASK_FSBASE, &ret[DACSA_LINUX_FS_BASE], error) &&
         dacsa_linux_get(l, task, M_TASK_GSBASE, &ret[DACSA_LINUX_GS_BASE], error) &&
         dacsa_linux_get(l, task, M_TASK_DS, &ret[DACSA_LINUX_DS], error) &&
         dacsa_linux_get(l, task, M_TASK_ES, &ret[DACSA_LINUX_ES], error) &&
         dacsa_linux_get(l, task, M_TASK_FSINDEX, &ret[DACSA_LINUX_FS], error) &&
         dacsa_linux_get(l, task, M_TASK_GSINDEX, &ret[DACSA_LINUX_GS], error);
}

/* -- on a vCPU -- */

/* The selectors and FS are the user's in the kernel too; GS is its own there. */
static void
live_segments(const DacsaCpu *cpu, uint64_t ret[DACSA_LINUX_N_REGISTERS])
{
  ret[DACSA_LINUX_FS_BASE] = cpu->segments[DACSA_CPU_FS].base;
  ret[DACSA_LINUX_DS] = cpu->segments[DACSA_CPU_DS].selector;
  ret[DACSA_LINUX_ES] = cpu->segments[DACSA_CPU_ES].selector;
  ret[DACSA_LINUX_FS] = cpu->segments[DACSA_CPU_FS].selector;
  ret[DACSA_LINUX_GS] = cpu->segments[DACSA_CPU_GS].selector;
}

static void
live_registers(const DacsaCpu *cpu, uint64_t ret[DACSA_LINUX_N_REGISTERS])
{
  static const struct {
    uint8_t from, to;
  } general[] = {
      {DACSA_CPU_RAX, DACSA_LINUX_RAX}, {DACSA_CPU_RBX, DACSA_LINUX_RBX},
      {DACSA_CPU_RCX, DACSA_LINUX_RCX}, {DACSA_CPU_RDX, DACSA_LINUX_RDX},
      {DACSA_CPU_RSI, DACSA_LINUX_RSI}, {DACSA_CPU_RDI, DACSA_LINUX_RDI},
      {DACSA_CPU_RBP, DACSA_LINUX_RBP}, {DACSA_CPU_RSP, DACSA_LINUX_RSP},
      {DACSA_CPU_R8, DACSA_LINUX_R8},   {DACSA_CPU_R9, DACSA_LINUX_R9},
      {DACSA_CPU_R10, DACSA_LINUX_R10}, {DACSA_CPU_R11, DACSA_LINUX_R11},
      {DACSA_CPU_R12, DACSA_LINUX_R12}, {DACSA_CPU_R13, DACSA_LINUX_R13},
      {DACSA_CPU_R14, DACSA_LINUX_R14}, {DACSA_CPU_R15, DACSA_LINUX_R15},
  };

  for (size_t i = 0; i < G_N_ELEMENTS(general); i++)
    ret[general[i].to] = cpu->general[general[i].from];
  ret[DACSA_LINUX_ORIG_RAX] = UINT64_MAX; /* in no system call */
  ret[DACSA_LINUX_RIP] = cpu->rip;
  ret[DACSA_LINUX_RFLAGS] = cpu->rflags;
  ret[DACSA_LINUX_CS] = cpu->segments[DACSA_CPU_CS].selector;
  ret[DACSA_LINUX_SS] = cpu->segments[DACSA_CPU_SS].selector;
  ret[DACSA_LINUX_GS_BASE] = cpu->segments[DACSA_CPU_GS].base;
  live_segments(cpu, ret);
}

/* Whether the vCPU's address space is the process's. */
static bool
has_space(const DacsaLinux *l, const DacsaCpu *cpu, uint64_t mm)
{
  const uint64_t root = cpu->cr3 & FRAME_MASK;
  DacsaX86_64Tables tables;

  return dacsa_linux_mm_tables(l, mm, &tables, NULL) &&
         (root == tables.root || root == (tables.root | PTI_USER_HALF));
}

/* Whether a vCPU that is in the kernel is past the code that saves the user's registers, and not
 * yet in the one that loads them. */
static bool
is_past_entry(const DacsaLinux *l, const DacsaCpu *cpu)
{
  const uint64_t stack = cpu->general[DACSA_CPU_RSP];
  const uint64_t start = dacsa_linux_symbol(l, S_ENTRY_TEXT_START);
  const uint64_t end = dacsa_linux_symbol(l, S_ENTRY_TEXT_END);

  return start != 0 && end != 0 && cpu->rip >= KERNEL_HALF &&
         (cpu->rip < start || cpu->rip >= end) && stack >= KERNEL_HALF &&
         (stack < ENTRY_AREA || stack >= ENTRY_AREA_END);
}

bool
dacsa_linux_registers(DacsaLinux *l, uint64_t task, uint64_t mm,
                      uint64_t ret[DACSA_LINUX_N_REGISTERS], GError **error)
{
  const DacsaLinuxVcpu *vcpu = dacsa_linux_vcpu(l, task);

  if (!vcpu)
    return frame_of(l, task, ret, error) && saved_segments(l, task, ret, error);
  if (!vcpu->cpu)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED,
                      "it runs on CPU %u, whose registers are not known", vcpu->number);
  if (vcpu->cpu->cpl == 3 && has_space(l, vcpu->cpu, mm)) {
    live_registers(vcpu->cpu, ret);
    return true;
  }
  if (vcpu->cpu->cpl != 0 || !is_past_entry(l, vcpu->cpu))
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA,
                      "it is on CPU %u between user mode and the kernel", vcpu->number);
  if (!frame_of(l, task, ret, error) || !saved_segments(l, task, ret, error))
    return false;
  live_segments(vcpu->cpu, ret);
  return true;
}
