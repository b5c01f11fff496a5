/* Where in a chain a thread is: told from its registers alone, at each step of it. */
#include "check.h"

#include "snap/chain.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>

#define FRAME DACSA_SIGCHAIN_FRAME
#define RSP UINT64_C(0x7ffc00010000)
#define N_VMAS 3u
#define WITHHELD 1u /* which of them */
#define STRETCH UINT64_C(0x700000000000)
#define STRETCH_LEN UINT64_C(0x200000)

typedef struct {
  DacsaChain chain;
  DacsaGadgets gadgets;
  GByteArray *image, *xstate;
} Fixture;

/* An XSAVE image as ptrace gives it, of a processor with x87 and SSE. */
static GByteArray *
make_xstate(void)
{
  GByteArray *xstate = g_byte_array_new();
  const uint64_t features = 3;

  g_byte_array_set_size(xstate, 832);
  memset(xstate->data, 0, xstate->len);
  memcpy(xstate->data + 464, &features, sizeof(features));
  return xstate;
}

/* stack: where the thread's stack is, among the VMAs; 0: elsewhere. */
static void
set_up(Fixture *f, uint64_t stack)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GArray) vmas = g_array_new(FALSE, FALSE, sizeof(DacsaForkVma));

  *f = (Fixture){.gadgets = {0x401000, 0x402000}, .xstate = make_xstate()};
  for (unsigned i = 0; i < N_VMAS; i++) {
    const DacsaForkVma guests = {0x10000 * (i + 1), 0x1000, false};
    const DacsaForkVma withheld = {STRETCH, STRETCH_LEN, true};
    const DacsaForkVma vma = i == WITHHELD ? withheld : guests;

    g_array_append_val(vmas, vma);
  }
  DacsaThreadState state = {.xstate = f->xstate};
  state.regs.rsp = stack ? stack : RSP;
  CHECK_OK(dacsa_chain_build(&f->gadgets, vmas, &state, &f->chain, &f->image, &error), error);
}

static void
tear_down(Fixture *f)
{
  g_byte_array_unref(f->image);
  g_byte_array_unref(f->xstate);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Fixture, tear_down)

static DacsaChainPlace
place(const Fixture *f, uint64_t rip, uint64_t rsp, int64_t rax, int64_t orig_rax)
{
  struct user_regs_struct regs = {.rip = rip, .rsp = rsp};

  regs.rax = (uint64_t)rax;
  regs.orig_rax = (uint64_t)orig_rax;
  return dacsa_chain_place(&f->chain, &f->gadgets, &regs);
}

static uint64_t
word(const Fixture *f, uint64_t at)
{
  uint64_t w;

  memcpy(&w, f->image->data + (at - f->chain.base), sizeof(w));
  return w;
}

static void
test_layout(void)
{
  g_auto(Fixture) f;

  set_up(&f, 0);
  g_assert_cmpuint(f.image->len, ==, f.chain.length);
  g_assert_cmpuint(f.chain.base + f.chain.length, <=, RSP - 128);
  g_assert_cmpuint(f.chain.clone, ==, f.chain.base + N_VMAS * FRAME);
  g_assert_cmpuint(f.chain.tail, ==, f.chain.clone + 2 * FRAME);
  for (uint64_t at = f.chain.base; at < f.chain.child + 2 * FRAME; at += FRAME)
    g_assert_cmphex(word(&f, at), ==, f.gadgets.restorer);
}

/* An argument of the system call of a frame's step: its register, as ucontext(3) numbers them. */
static uint64_t
argument(const Fixture *f, uint64_t frame, int reg)
{
  return word(f, frame + sizeof(uint64_t) + offsetof(ucontext_t, uc_mcontext.gregs) +
                     (uint64_t)reg * sizeof(uint64_t));
}

static void
check_advice(const Fixture *f, uint64_t frame, unsigned vma, int advice)
{
  g_assert_cmpuint(argument(f, frame, REG_RAX), ==, SYS_madvise);
  g_assert_cmphex(argument(f, frame, REG_RDI), ==, vma == WITHHELD ? STRETCH : 0x10000 * (vma + 1));
  g_assert_cmpuint(argument(f, frame, REG_RSI), ==, vma == WITHHELD ? STRETCH_LEN : 0x1000);
  g_assert_cmpint((int)argument(f, frame, REG_RDX), ==, advice);
}

/* Guest memory is forked and nothing else is, and then it is the other way round again. */
static void
test_advice(void)
{
  g_auto(Fixture) f;

  set_up(&f, 0);
  for (unsigned i = 0; i < N_VMAS; i++) {
    check_advice(&f, f.chain.base + i * FRAME, i, i == WITHHELD ? MADV_DONTFORK : MADV_DOFORK);
    check_advice(&f, f.chain.tail + i * FRAME, i, i == WITHHELD ? MADV_DOFORK : MADV_DONTFORK);
  }
}

/* The child needs the stack that it is made on: what lies above it and below is withheld. */
static void
test_on_withheld_stack(void)
{
  g_auto(Fixture) f;
  const uint64_t stack = STRETCH + 0x100800;

  set_up(&f, stack);
  const uint64_t above = f.chain.base + 2 * FRAME, below = f.chain.base + FRAME;
  g_assert_cmpuint(f.chain.clone, ==, f.chain.base + (N_VMAS + 1) * FRAME);
  check_advice(&f, f.chain.base, 0, MADV_DOFORK);
  g_assert_cmphex(argument(&f, below, REG_RDI), ==, STRETCH);
  g_assert_cmpint((int)argument(&f, below, REG_RDX), ==, MADV_DONTFORK);
  const uint64_t end = STRETCH + argument(&f, below, REG_RSI);
  g_assert_cmphex(end, <=, f.chain.base);
  g_assert_cmphex(end % 4096, ==, 0);
  g_assert_cmphex(argument(&f, above, REG_RDI), ==, STRETCH + 0x101000);
  g_assert_cmphex(argument(&f, above, REG_RDI) + argument(&f, above, REG_RSI), ==,
                  STRETCH + STRETCH_LEN);
  check_advice(&f, f.chain.base + 3 * FRAME, 2, MADV_DOFORK);
  check_advice(&f, f.chain.tail, 0, MADV_DONTFORK);
}

/* Every step of the main thread: as its frame is loaded, before its call, and after it. */
static void
test_main(void)
{
  g_auto(Fixture) f;

  set_up(&f, 0);
  for (uint64_t at = f.chain.base; at < f.chain.helper; at += FRAME) {
    const DacsaChainPlace before =
        at <= f.chain.clone ? DACSA_CHAIN_BEFORE_CLONE : DACSA_CHAIN_PAST_CLONE;
    const DacsaChainPlace after =
        at < f.chain.clone ? DACSA_CHAIN_BEFORE_CLONE : DACSA_CHAIN_PAST_CLONE;

    for (uint64_t ip = f.gadgets.restorer; ip <= f.gadgets.restorer + 9;
         ip += ip == f.gadgets.restorer ? 7 : 2)
      g_assert_cmpint(place(&f, ip, at + 8, SYS_rt_sigreturn, -1), ==, before);
    if (at + FRAME == f.chain.helper)
      continue; /* the last frame is its own state: no call */
    g_assert_cmpint(place(&f, f.gadgets.syscall_ret, at + FRAME, 0, -1), ==, before);
    g_assert_cmpint(place(&f, f.gadgets.syscall_ret + 2, at + FRAME, 0, 0), ==, after);
  }
}

/* A call that the kernel is about to restart has not been made. */
static void
test_restarted(void)
{
  g_auto(Fixture) f;

  set_up(&f, 0);
  const uint64_t rip = f.gadgets.syscall_ret + 2, rsp = f.chain.clone + FRAME;
  g_assert_cmpint(place(&f, rip, rsp, -513, SYS_clone), ==, DACSA_CHAIN_BEFORE_CLONE);
  g_assert_cmpint(place(&f, rip, rsp, -12, SYS_clone), ==, DACSA_CHAIN_PAST_CLONE);
  g_assert_cmpint(place(&f, rip, rsp, 4711, SYS_clone), ==, DACSA_CHAIN_PAST_CLONE);
}

/* QEMU's own code may run at the same instructions, or that deep in its stack. */
static void
test_outside(void)
{
  g_auto(Fixture) f;

  set_up(&f, 0);
  const uint64_t ip = f.gadgets.syscall_ret;
  g_assert_cmpint(place(&f, ip, RSP, 0, -1), ==, DACSA_CHAIN_OUTSIDE);
  g_assert_cmpint(place(&f, ip, f.chain.base - 8, 0, -1), ==, DACSA_CHAIN_OUTSIDE);
  g_assert_cmpint(place(&f, ip, f.chain.base, 0, -1), ==, DACSA_CHAIN_OUTSIDE);
  g_assert_cmpint(place(&f, ip, f.chain.base + FRAME + 16, 0, -1), ==, DACSA_CHAIN_OUTSIDE);
  g_assert_cmpint(place(&f, ip + 3, f.chain.base + FRAME, 0, -1), ==, DACSA_CHAIN_OUTSIDE);
  g_assert_cmpint(place(&f, f.gadgets.restorer, f.chain.base + FRAME, 0, -1), ==,
                  DACSA_CHAIN_OUTSIDE);
  g_assert_cmpint(place(&f, 0x500000, f.chain.base + FRAME, 0, -1), ==, DACSA_CHAIN_OUTSIDE);
}

static void
test_made(void)
{
  g_auto(Fixture) f;

  set_up(&f, 0);
  const uint64_t after = f.gadgets.syscall_ret + 2;
  g_assert_true(dacsa_chain_made(&f.chain, &f.gadgets, f.chain.helper, after));
  g_assert_true(dacsa_chain_made(&f.chain, &f.gadgets, f.chain.helper + FRAME, after));
  g_assert_true(dacsa_chain_made(&f.chain, &f.gadgets, f.chain.child, after));
  g_assert_true(dacsa_chain_made(&f.chain, &f.gadgets, f.chain.child + FRAME, after));
  g_assert_true(
      dacsa_chain_made(&f.chain, &f.gadgets, f.chain.child + FRAME + 8, f.gadgets.restorer));
  g_assert_false(dacsa_chain_made(&f.chain, &f.gadgets, f.chain.helper - 8, after));
  g_assert_false(dacsa_chain_made(&f.chain, &f.gadgets, f.chain.child + 2 * FRAME, after));
  g_assert_false(dacsa_chain_made(&f.chain, &f.gadgets, f.chain.child + FRAME, 0x500000));
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/chain/layout", test_layout);
  g_test_add_func("/chain/advice", test_advice);
  g_test_add_func("/chain/on-withheld-stack", test_on_withheld_stack);
  g_test_add_func("/chain/main", test_main);
  g_test_add_func("/chain/restarted", test_restarted);
  g_test_add_func("/chain/outside", test_outside);
  g_test_add_func("/chain/made", test_made);
  return g_test_run();
}
