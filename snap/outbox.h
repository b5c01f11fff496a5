/*
 * Messages on their way to the viewer (snap/channel.h). Who sends never waits: what the viewer has
 * not read, and the kernel has no room for, is kept here, in order. A viewer that does not read at
 * all, or lets too much pile up, hangs or has been taken over: its channel is shut down, which has
 * whoever listens at it end the viewer. It runs in the default GMainContext.
 */
#pragma once

#include "snap/channel.h"

typedef struct DacsaOutbox DacsaOutbox;

typedef struct {
  guint stall_ms;   /* it is looked so often whether anything got away; nothing, and that is it */
  size_t max_bytes; /* that may wait; each message is DACSA_OUTBOX_COST more than its text */
} DacsaOutboxLimits;

#define DACSA_OUTBOX_COST 1024u

/* channel: borrowed; it outlives the outbox. */
DacsaOutbox *dacsa_outbox_new(int channel, const DacsaOutboxLimits *limits);

/* What waits is not sent any more. */
void dacsa_outbox_free(DacsaOutbox *outbox);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaOutbox, dacsa_outbox_free)

/* Takes message. Where nobody listens any more it is dropped: whoever reads the channel notices. */
void dacsa_outbox_send(DacsaOutbox *outbox, DacsaMessage *message);
