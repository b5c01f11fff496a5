/*
 * Which of QEMU's mappings a snapshot's fork takes along: guest memory, and what its child runs on.
 * All else is withheld. So the child has nothing of QEMU's own (its keys, its heap); the fork
 * copies no page tables for it, and keeps no device's mapping alive; and no page that QEMU itself
 * works on, such as where the kernel writes to a thread (its rseq area), becomes one that has to be
 * copied when it is next written to: that would fail where memory has run out, and a thread that
 * the kernel cannot write to is killed.
 */
#pragma once

#include "snap/chain.h"
#include "snap/layout.h"

/* Both are advice to whole VMAs (madvise(2)), so that none is split. host: DacsaHostVma, of now;
 * guest: DacsaForkVma, what holds guest memory and is MADV_DONTFORK. Returns DacsaForkVma, owned:
 * guest's, and stretches of neighbours that are withheld. Where there are too many of those, the
 * ones with the fewest resident pages are taken along. */
GArray *dacsa_forkmap_build(const GArray *host, const GArray *guest, const DacsaLayout *layout,
                            const DacsaGadgets *gadgets);
