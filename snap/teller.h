/*
 * What the viewer is told: VMs, snapshots, what became of them, and answers to its requests
 * (snap/channel.h). Without a viewer nothing is told; the next one hears of all there is.
 */
#pragma once

#include "snap/fleet.h"

typedef struct DacsaTeller DacsaTeller;

/* state_path: see snap/state.h. */
DacsaTeller *dacsa_teller_new(const char *state_path);
void dacsa_teller_free(DacsaTeller *teller);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaTeller, dacsa_teller_free)

/* Which viewer listens, by its number, at the other end of channel: borrowed; -1: none does. */
void dacsa_teller_listen(DacsaTeller *teller, int channel, uint32_t viewer);

void dacsa_teller_vm(DacsaTeller *teller, const DacsaVm *vm);
void dacsa_teller_vm_gone(DacsaTeller *teller, const DacsaVm *vm);
void dacsa_teller_snapshot(DacsaTeller *teller, DacsaKept *kept);
void dacsa_teller_tombstone(DacsaTeller *teller, const DacsaTombstone *tombstone);
void dacsa_teller_dropped(DacsaTeller *teller, const DacsaRecord *record, const char *why);

/* The answer to a request. Of an earlier viewer's nobody waits any more; of 0 nobody ever did. */
void dacsa_teller_reply(DacsaTeller *teller, uint64_t sequence, const GError *error);

/* All that there is: for a viewer that knows nothing yet. */
void dacsa_teller_everything(DacsaTeller *teller, DacsaFleet *fleet);

/* What there was at the start has been told. */
void dacsa_teller_all_told(DacsaTeller *teller);
