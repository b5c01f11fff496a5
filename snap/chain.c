/* Lays out a chain's frames, and tells where in it a thread is. */
#include "snap/chain.h"

#include "snap/error.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define FRAME ((uint64_t)DACSA_SIGCHAIN_FRAME)
#define RED_ZONE 256u          /* the ABI's is 128 */
#define MAX_CHAIN (96u * 1024) /* a new process's stack has 128 KiB and its arguments mapped */
#define PAGE 4096u
#define OTHERS 4u       /* frames of helper and child */
#define SYSCALL_LEN 2u  /* 0f 05 */
#define RESTORER_LEN 9u /* mov $15, %rax; syscall */
#define ERESTARTSYS 512 /* include/linux/errno.h: to 516, all mean that it is restarted */
#define ERESTART_RESTARTBLOCK 516

/* -- laying it out -- */

typedef struct {
  const DacsaGadgets *gadgets;
  GByteArray *image;
  uint64_t base;
} Layout;

static void
put_step(const Layout *self, uint64_t at, const DacsaSyscall *call, uint64_t next)
{
  dacsa_sigchain_step(self->image->data + (at - self->base), self->gadgets, call, next);
}

/* Steps of the main thread follow each other in memory. */
static void
put_main_step(const Layout *self, uint64_t *at, DacsaSyscall call)
{
  put_step(self, *at, &call, *at + FRAME);
  *at += FRAME;
}

/* A step for each: what is to be forked, and what is not; or, when it has been, back. */
static void
put_madvise(const Layout *self, uint64_t *at, const GArray *vmas, bool back)
{
  for (guint i = 0; i < vmas->len; i++) {
    const DacsaForkVma *vma = &g_array_index(vmas, DacsaForkVma, i);
    const int advice = vma->withheld == back ? MADV_DOFORK : MADV_DONTFORK;

    put_main_step(self, at, (DacsaSyscall){SYS_madvise, {vma->start, vma->len, (uint64_t)advice}});
  }
}

static void
append(GArray *vmas, uint64_t start, uint64_t end, bool withheld)
{
  const DacsaForkVma vma = {start, end - start, withheld};

  if (end > start)
    g_array_append_val(vmas, vma);
}

/* A thread's child needs the stack that it is made on, from sp down by room bytes. A coroutine's
 * lies among QEMU's other memory: it is left out of what is withheld, whose VMA is split there and
 * joined again. */
static GArray *
without_stack(const GArray *vmas, uint64_t sp, uint64_t room)
{
  const uint64_t start = (sp - room) & ~(uint64_t)(PAGE - 1);
  const uint64_t end = (sp + PAGE - 1) & ~(uint64_t)(PAGE - 1);
  GArray *rest = g_array_new(FALSE, FALSE, sizeof(DacsaForkVma));

  for (guint i = 0; i < vmas->len; i++) {
    const DacsaForkVma *vma = &g_array_index(vmas, DacsaForkVma, i);
    const uint64_t vma_end = vma->start + vma->len;

    if (!vma->withheld || end <= vma->start || start >= vma_end) {
      g_array_append_val(rest, *vma);
    } else {
      append(rest, vma->start, start, true);
      append(rest, end, vma_end, true);
    }
  }
  return rest;
}

static void
put_helper_and_child(const Layout *self, const DacsaChain *chain)
{
  const DacsaSyscall fork = {SYS_clone, {0, chain->child}};
  const DacsaSyscall leave = {SYS_exit, {0}};
  const DacsaSyscall close_all = {SYS_close_range, {0, ~0u, 0}};
  const DacsaSyscall park = {SYS_pause, {0}};

  put_step(self, chain->helper, &fork, chain->helper + FRAME);
  put_step(self, chain->helper + FRAME, &leave, chain->helper + FRAME);
  put_step(self, chain->child, &close_all, chain->child + FRAME);
  put_step(self, chain->child + FRAME, &park, chain->child + FRAME);
}

bool
dacsa_chain_build(const DacsaGadgets *gadgets, const GArray *all_vmas,
                  const DacsaThreadState *state, DacsaChain *ret, GByteArray **ret_image,
                  GError **error)
{
  g_autoptr(GArray) vmas = without_stack(all_vmas, state->regs.rsp, MAX_CHAIN + RED_ZONE);
  g_autoptr(GByteArray) fpstate = NULL;
  g_autoptr(GByteArray) image = g_byte_array_new();
  const uint64_t n = 2 * (uint64_t)vmas->len + 2; /* the main thread's steps */

  if (!dacsa_sigchain_fpstate(state->xstate, &fpstate, error))
    return false;
  const uint64_t frames = n + 1 + OTHERS;
  const uint64_t size = frames * FRAME + 64 + fpstate->len;
  if (size > MAX_CHAIN)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "QEMU's memory has too many mappings (%u)",
                      vmas->len);
  const uint64_t base = (state->regs.rsp - RED_ZONE - size) & ~(uint64_t)63;
  const uint64_t fp_at = (base + frames * FRAME + 63) & ~(uint64_t)63;
  const DacsaChain chain = {.base = base,
                            .length = fp_at - base + fpstate->len,
                            .clone = base + vmas->len * FRAME,
                            .tail = base + (vmas->len + 2) * FRAME,
                            .helper = base + (n + 1) * FRAME,
                            .child = base + (n + 3) * FRAME};
  const Layout layout = {gadgets, image, base};
  uint64_t at = base;

  g_byte_array_set_size(image, (guint)chain.length);
  put_madvise(&layout, &at, vmas, false);
  put_main_step(&layout, &at,
                (DacsaSyscall){SYS_clone, {CLONE_VM | CLONE_FILES | CLONE_FS, chain.helper}});
  put_main_step(&layout, &at, (DacsaSyscall){SYS_wait4, {(uint64_t)-1, 0, __WCLONE, 0}});
  put_madvise(&layout, &at, vmas, true);
  dacsa_sigchain_last(image->data + (at - base), gadgets, state, fp_at);
  put_helper_and_child(&layout, &chain);
  memcpy(image->data + (fp_at - base), fpstate->data, fpstate->len);
  *ret = chain;
  *ret_image = g_steal_pointer(&image);
  return true;
}

/* -- telling where a thread is -- */

static bool
is_within(uint64_t x, uint64_t start, uint64_t len)
{
  return x >= start && x - start <= len;
}

static bool
is_restarted(const struct user_regs_struct *regs)
{
  const int64_t result = (int64_t)regs->rax;

  return (int64_t)regs->orig_rax >= 0 && result <= -ERESTARTSYS && result >= -ERESTART_RESTARTBLOCK;
}

/* A step runs with the stack pointer at the frame after its own; the restorer loads a frame with
 * the stack pointer one word into it. */
DacsaChainPlace
dacsa_chain_place(const DacsaChain *chain, const DacsaGadgets *gadgets,
                  const struct user_regs_struct *regs)
{
  const uint64_t offset = regs->rsp - chain->base;
  const bool in_step = is_within(regs->rip, gadgets->syscall_ret, SYSCALL_LEN);
  const bool in_restorer = is_within(regs->rip, gadgets->restorer, RESTORER_LEN);

  if (regs->rsp < chain->base || regs->rsp >= chain->helper)
    return DACSA_CHAIN_OUTSIDE;
  if (in_restorer && offset % FRAME == sizeof(uint64_t))
    return regs->rsp - sizeof(uint64_t) <= chain->clone ? DACSA_CHAIN_BEFORE_CLONE
                                                        : DACSA_CHAIN_PAST_CLONE;
  if (!in_step || offset % FRAME != 0 || offset == 0)
    return DACSA_CHAIN_OUTSIDE;
  if (regs->rsp - FRAME != chain->clone)
    return regs->rsp - FRAME < chain->clone ? DACSA_CHAIN_BEFORE_CLONE : DACSA_CHAIN_PAST_CLONE;
  return regs->rip == gadgets->syscall_ret || is_restarted(regs) ? DACSA_CHAIN_BEFORE_CLONE
                                                                 : DACSA_CHAIN_PAST_CLONE;
}

bool
dacsa_chain_made(const DacsaChain *chain, const DacsaGadgets *gadgets, uint64_t sp, uint64_t ip)
{
  return is_within(sp, chain->helper, chain->child - chain->helper + FRAME + sizeof(uint64_t)) &&
         (is_within(ip, gadgets->syscall_ret, SYSCALL_LEN) ||
          is_within(ip, gadgets->restorer, RESTORER_LEN));
}
