/*
 * Messages with descriptors between keeper and viewer, over a SOCK_SEQPACKET pair. A message is a
 * verb, a sequence number that a reply repeats, and strings by key; whoever receives one trusts
 * neither its form nor its content.
 *
 *   keeper -> viewer                                          viewer -> keeper
 *   vm        name status life serial since                   ready
 *   vm-gone   name                                            take     vm name
 *   snapshot  vm name serial time   [record, mem, pagemap,    drop     vm name
 *                                   smaps_rollup]             refresh  vm
 *   dropped   vm name why
 *   buried    vm name why dropped_us private_bytes [record]: it was, or was to be, a snapshot
 *   all       (what there is has been told)
 *   reply     errno message
 *
 * since: UNIX time in microseconds; serial: see fs/registry.h; time: how many viewers have been
 * told of the snapshot before. A request's sequence number has the viewer's own number in its upper
 * half (dacsa_message_sequence): no viewer gets a reply that was meant for an earlier one.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define DACSA_CHANNEL_MAX_FDS 4u

typedef struct {
  char *verb;
  uint64_t sequence;
  GHashTable *fields; /* char * -> char * */
  int fds[DACSA_CHANNEL_MAX_FDS];
  size_t n_fds;
} DacsaMessage;

/* The sequence number of a viewer's request, and which viewer's it is. */
static inline uint64_t
dacsa_message_sequence(uint32_t viewer, uint32_t count)
{
  return (uint64_t)viewer << 32 | count;
}

static inline uint32_t
dacsa_message_viewer(uint64_t sequence)
{
  return (uint32_t)(sequence >> 32);
}

DacsaMessage *dacsa_message_new(const char *verb, uint64_t sequence);
void dacsa_message_free(DacsaMessage *message); /* closes the descriptors it still holds */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaMessage, dacsa_message_free)

void dacsa_message_set(DacsaMessage *message, const char *key, const char *value);
void dacsa_message_set_number(DacsaMessage *message, const char *key, int64_t value);
/* false: absent, or no number from min to max. */
bool dacsa_message_get_number(const DacsaMessage *message, const char *key, int64_t min,
                              int64_t max, int64_t *ret) G_GNUC_WARN_UNUSED_RESULT;
const char *dacsa_message_get(const DacsaMessage *message, const char *key); /* "" if absent */
void dacsa_message_add_fd(DacsaMessage *message, int fd);                    /* takes fd */
int dacsa_message_steal_fd(DacsaMessage *message, size_t i);                 /* -1 if absent */

/* Both ends. ret[0] and ret[1] are owned, close-on-exec. */
bool dacsa_channel_pair(int ret[2], GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Blocks. NOT_FOUND: the other end is closed. BAD_DATA: it is too long. */
bool dacsa_channel_send(int fd, const DacsaMessage *message,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same, but never blocks. BUSY: there is no room, for the other process has not read enough. */
bool dacsa_channel_try_send(int fd, const DacsaMessage *message,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Blocks. NOT_FOUND: the other end is closed. BAD_DATA: not a message. */
bool dacsa_channel_receive(int fd, DacsaMessage **ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;
