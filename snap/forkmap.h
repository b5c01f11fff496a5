/*
 * Which of QEMU's mappings a snapshot's fork takes along: guest memory, and what its child runs on,
 * which is the C library's code and the main thread's stack. All else is withheld, but for what the
 * kernel would not let be forked again (VM_IO). So the child has none of QEMU's heap; the fork
 * copies no page tables for it, and keeps no mapping of a device alive; and no page that QEMU
 * itself works on, such as where the kernel writes to a thread (its rseq area), becomes one that
 * has to be copied when it is next written to: that would fail where memory has run out, and a
 * thread that the kernel cannot write to is killed.
 */
#pragma once

#include "snap/chain.h"
#include "snap/layout.h"

/* host: DacsaHostVma, of now. *ret, owned: DacsaForkVma, what holds guest memory and is
 * MADV_DONTFORK, and stretches of VMAs without gaps that are withheld; in gaps there may be new
 * guest memory by the time of the fork. Where there are too many stretches, those with the fewest
 * resident pages are taken along. BUSY: guest memory is not mapped where layout has it.
 * UNSUPPORTED: it has too many mappings. */
bool dacsa_forkmap_build(const GArray *host, const DacsaLayout *layout, const DacsaGadgets *gadgets,
                         GArray **ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;
