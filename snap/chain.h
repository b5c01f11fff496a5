/*
 * The chain of system calls that makes QEMU fork (snap/inject.h says who runs what): which steps,
 * and where their frames lie, on the main thread's own stack below all that it uses.
 *
 *   base    the main thread's steps, ascending:
 *             madvise a VMA, clone, wait4, madvise a VMA back, its own state
 *   helper  clone, exit
 *   child   close_range, pause
 *           the FPU image of the main thread's own state, up to base + length
 *
 * A signal that is delivered before the first frame is loaded is pushed below all of them.
 */
#pragma once

#include "snap/sigchain.h"

#include <sys/types.h>

/* Whole VMAs of QEMU that follow each other. */
typedef struct {
  uint64_t start, len;
  bool withheld; /* they are MADV_DONTFORK in the fork only; the others everywhere else */
} DacsaForkVma;

#define DACSA_CHAIN_VMAS 89u /* so many always have room; one may be split */

/* All are addresses in QEMU, and all but length of frames. */
typedef struct {
  uint64_t base, length; /* bytes from the first frame to the end of the FPU image */
  uint64_t clone;        /* the main thread's step that makes the helper */
  uint64_t tail;         /* the first after wait4: from there nothing new is made */
  uint64_t helper, child;
} DacsaChain;

/* Lays the chain out for a thread as it was found. vmas: of DacsaForkVma; what the thread has its
 * stack in is not withheld. *ret_image, owned, is what belongs at ret->base. UNSUPPORTED: there are
 * too many VMAs for a stack, or AMX tiles in use. */
bool dacsa_chain_build(const DacsaGadgets *gadgets, const GArray *vmas,
                       const DacsaThreadState *state, DacsaChain *ret, GByteArray **ret_image,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

typedef enum {
  DACSA_CHAIN_OUTSIDE,      /* not begun, or ended */
  DACSA_CHAIN_BEFORE_CLONE, /* the clone is still to be made, or to be restarted */
  DACSA_CHAIN_PAST_CLONE,
} DacsaChainPlace;

/* How far a main thread has come that stands still with these registers, outside any system call.
 */
DacsaChainPlace dacsa_chain_place(const DacsaChain *chain, const DacsaGadgets *gadgets,
                                  const struct user_regs_struct *regs);

/* Whether a process that stands still with these registers is a helper or a child that this chain,
 * or one that lay in the same place, has made. */
bool dacsa_chain_made(const DacsaChain *chain, const DacsaGadgets *gadgets, uint64_t sp,
                      uint64_t ip);
