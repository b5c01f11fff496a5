/* Builds the frames of a self-unwinding chain of system calls. */
#include "snap/sigchain.h"

#include "snap/bytes.h"
#include "snap/error.h"

#include <asm/prctl.h>
#include <cpuid.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>

/* FP_XSTATE_MAGIC1 and 2 come from bits/sigcontext.h. */
#define SW_RESERVED 464u /* of the legacy area: struct _fpx_sw_bytes */
#define LEGACY_SIZE 512u
#define XSAVE_HEADER 64u
#define XFEATURE_AMX (1ull << 17 | 1ull << 18)

/* asm/ucontext.h: uc_flags. */
#define UC_FP_XSTATE 1u
#define UC_SIGCONTEXT_SS 2u
#define UC_STRICT_RESTORE_SS 4u

#define USER_CS 0x33u
#define USER_SS 0x2bu
#define FLAGS_PLAIN 0x202u /* interrupts on, and the bit that is always set */
/* sigaltstack(2) refuses these flags, so the alternate stack stays as it is. */
#define SS_FLAGS_INVALID 0x7fffffff

/* The kernel's sigset is the first 64 bits of glibc's; both begin at the same place. */
#define UCONTEXT_SIZE (offsetof(ucontext_t, uc_sigmask) + sizeof(uint64_t))
G_STATIC_ASSERT(offsetof(ucontext_t, uc_sigmask) == 296);
G_STATIC_ASSERT(sizeof(uint64_t) + UCONTEXT_SIZE + 128 <= DACSA_SIGCHAIN_FRAME);

/* include/linux/errno.h: what an interrupted system call leaves in rax for the kernel itself. */
#define ERESTARTSYS 512
#define ERESTARTNOINTR 513
#define ERESTARTNOHAND 514
#define ERESTART_RESTARTBLOCK 516
#define EINTR_ 4

void
dacsa_gadgets_search(DacsaGadgets *gadgets, const uint8_t *code, size_t len, uint64_t base)
{
  static const uint8_t syscall_ret[] = {0x0f, 0x05, 0xc3};
  static const uint8_t restorer[] = {0x48, 0xc7, 0xc0, 0x0f, 0x00, 0x00, 0x00, 0x0f, 0x05};
  const uint8_t *at;

  at = memmem(code, len, syscall_ret, sizeof(syscall_ret));
  if (at && !gadgets->syscall_ret)
    gadgets->syscall_ret = base + (uint64_t)(at - code);
  at = memmem(code, len, restorer, sizeof(restorer));
  if (at && !gadgets->restorer)
    gadgets->restorer = base + (uint64_t)(at - code);
}

static void
write_frame(uint8_t *frame, const DacsaGadgets *gadgets, ucontext_t *uc, uint64_t sigmask)
{
  uint64_t segments = USER_CS | (uint64_t)USER_SS << 48;

  uc->uc_flags = UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
  uc->uc_stack.ss_flags = SS_FLAGS_INVALID;
  uc->uc_mcontext.gregs[REG_CSGSFS] = (greg_t)segments;
  memset(frame, 0, DACSA_SIGCHAIN_FRAME);
  memcpy(frame, &gadgets->restorer, sizeof(uint64_t));
  memcpy(frame + sizeof(uint64_t), uc, UCONTEXT_SIZE);
  memcpy(frame + sizeof(uint64_t) + offsetof(ucontext_t, uc_sigmask), &sigmask, sizeof(sigmask));
}

void
dacsa_sigchain_step(uint8_t *frame, const DacsaGadgets *gadgets, const DacsaSyscall *call,
                    uint64_t next)
{
  ucontext_t uc;
  greg_t *r = uc.uc_mcontext.gregs;

  memset(&uc, 0, sizeof(uc));
  r[REG_RAX] = call->nr;
  r[REG_RDI] = (greg_t)call->args[0];
  r[REG_RSI] = (greg_t)call->args[1];
  r[REG_RDX] = (greg_t)call->args[2];
  r[REG_R10] = (greg_t)call->args[3];
  r[REG_R8] = (greg_t)call->args[4];
  r[REG_R9] = (greg_t)call->args[5];
  r[REG_RIP] = (greg_t)gadgets->syscall_ret;
  r[REG_RSP] = (greg_t)next;
  r[REG_EFL] = FLAGS_PLAIN;
  write_frame(frame, gadgets, &uc, ~UINT64_C(0));
}

/* What arch/x86/kernel/signal.c, arch_do_signal_or_restart, does where no handler runs. A restart
 * block does not outlive rt_sigreturn, so such a call returns EINTR, as after a signal. */
static void
restart_syscall(greg_t *r, const struct user_regs_struct *regs)
{
  if ((int64_t)regs->orig_rax < 0)
    return;
  switch ((int64_t)regs->rax) {
  case -ERESTARTSYS:
  case -ERESTARTNOINTR:
  case -ERESTARTNOHAND:
    r[REG_RAX] = (greg_t)regs->orig_rax;
    r[REG_RIP] -= 2;
    break;
  case -ERESTART_RESTARTBLOCK:
    r[REG_RAX] = -EINTR_;
    break;
  default:
    break;
  }
}

void
dacsa_sigchain_last(uint8_t *frame, const DacsaGadgets *gadgets, const DacsaThreadState *state,
                    uint64_t fpstate)
{
  const struct user_regs_struct *regs = &state->regs;
  ucontext_t uc;
  greg_t *r = uc.uc_mcontext.gregs;

  memset(&uc, 0, sizeof(uc));
  r[REG_R8] = (greg_t)regs->r8;
  r[REG_R9] = (greg_t)regs->r9;
  r[REG_R10] = (greg_t)regs->r10;
  r[REG_R11] = (greg_t)regs->r11;
  r[REG_R12] = (greg_t)regs->r12;
  r[REG_R13] = (greg_t)regs->r13;
  r[REG_R14] = (greg_t)regs->r14;
  r[REG_R15] = (greg_t)regs->r15;
  r[REG_RDI] = (greg_t)regs->rdi;
  r[REG_RSI] = (greg_t)regs->rsi;
  r[REG_RBP] = (greg_t)regs->rbp;
  r[REG_RBX] = (greg_t)regs->rbx;
  r[REG_RDX] = (greg_t)regs->rdx;
  r[REG_RAX] = (greg_t)regs->rax;
  r[REG_RCX] = (greg_t)regs->rcx;
  r[REG_RSP] = (greg_t)regs->rsp;
  r[REG_RIP] = (greg_t)regs->rip;
  r[REG_EFL] = (greg_t)regs->eflags;
  restart_syscall(r, regs);
  uc.uc_mcontext.fpregs = (fpregset_t)(uintptr_t)fpstate; /* an address over there */
  write_frame(frame, gadgets, &uc, state->sigmask);
}

/* Bytes that XSAVE's standard format needs for these features (Intel SDM 1, 13.5; CPUID leaf 0xd).
 */
static uint32_t
xsave_size(uint64_t features)
{
  uint32_t size = LEGACY_SIZE + XSAVE_HEADER;

  for (unsigned i = 2; i < 63; i++) {
    unsigned bytes, offset, c, d;

    if (!(features >> i & 1))
      continue;
    __cpuid_count(0xd, i, bytes, offset, c, d);
    size = MAX(size, offset + bytes);
  }
  return size;
}

bool
dacsa_sigchain_fpstate(const GByteArray *xstate, GByteArray **ret, GError **error)
{
  DacsaBytes regset = dacsa_bytes(xstate->data, xstate->len);
  uint64_t features; /* what the kernel may save: ptrace puts XCR0 there */
  uint64_t in_use;

  if (!dacsa_bytes_u64(regset, SW_RESERVED, &features) ||
      !dacsa_bytes_u64(regset, LEGACY_SIZE, &in_use))
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "QEMU's FPU state has no XSAVE header");
  if (in_use & XFEATURE_AMX)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "QEMU's main thread uses AMX tiles");
  /* A task may use AMX only after it asked to; without, its frames have no room for it. */
  features &= ~XFEATURE_AMX;
  uint32_t size = xsave_size(features);
  if (size > xstate->len)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED,
                      "QEMU's FPU state has %u bytes, its features need %u", xstate->len, size);
  const struct {
    uint32_t magic1, extended_size;
    uint64_t xfeatures;
    uint32_t xstate_size, padding[7];
  } sw = {FP_XSTATE_MAGIC1, size + 4, features, size, {0}};
  const uint32_t magic2 = FP_XSTATE_MAGIC2;
  g_autoptr(GByteArray) image = g_byte_array_new();

  G_STATIC_ASSERT(sizeof(sw) == LEGACY_SIZE - SW_RESERVED);
  g_byte_array_append(image, xstate->data, size);
  memcpy(image->data + SW_RESERVED, &sw, sizeof(sw));
  g_byte_array_append(image, (const uint8_t *)&magic2, sizeof(magic2));
  *ret = g_steal_pointer(&image);
  return true;
}

void
dacsa_sigchain_enter(struct user_regs_struct *regs, const DacsaGadgets *gadgets,
                     uint64_t first_frame)
{
  regs->rip = gadgets->restorer;
  regs->rsp = first_frame + sizeof(uint64_t);
  regs->rax = SYS_rt_sigreturn;
  regs->orig_rax = (unsigned long long)-1; /* nothing to restart */
}
