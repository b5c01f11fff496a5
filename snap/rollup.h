/*
 * What snapshots cost, from /proc/PID/smaps_rollup (Documentation/filesystems/proc.rst). Reading it
 * walks the process's page tables: some milliseconds a GiB, more with 4 KiB pages.
 *
 * A page costs something from the moment on when QEMU no longer has it: copy-on-write gave QEMU
 * another. One snapshot alone: its private pages, exactly. Of several, a page may be shared by
 * those that were taken while it was the same, and is nobody's private page. Since a process's Pss
 * counts a page that n have as one n-th,
 *
 *   pages of QEMU and its snapshots = Pss of QEMU + Pss of each snapshot
 *   cost                            = that - Rss of QEMU
 *
 * whoever shares what. Anonymous memory alone is counted (Pss_Anon, Anonymous): guest RAM, and
 * neither libraries nor what is swapped out.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct {
  uint64_t private_bytes; /* Private_Clean + Private_Dirty */
  uint64_t anon_bytes, anon_pss;
} DacsaRollup;

/* Of the file's text; false: it is not one. */
bool dacsa_rollup_parse(const char *text, DacsaRollup *ret);

/* root: see snap/hostfile.h. false: the process is gone, or the kernel is older than 5.3. */
bool dacsa_rollup_read(const char *root, pid_t pid, DacsaRollup *ret);

/* What a VM's snapshots cost together. qemu: NULL where it has ended, or need not be looked at:
 * with one snapshot it is not. The readings are not of one instant: never less than what is
 * private, nor more than what they have. */
uint64_t dacsa_rollup_cost(const DacsaRollup *snapshots, size_t n, const DacsaRollup *qemu);
