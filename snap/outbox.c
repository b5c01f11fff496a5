/* A queue in front of a channel. */
#include "snap/outbox.h"

#include "snap/error.h"

#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>

struct DacsaOutbox {
  int channel; /* -1: nobody listens any more */
  DacsaOutboxLimits limits;
  GQueue waiting;                      /* DacsaMessage, owned */
  size_t bytes;                        /* of those */
  bool moved;                          /* one got away since it was last looked */
  guint writable_source, stall_source; /* while something waits */
};

DacsaOutbox *
dacsa_outbox_new(int channel, const DacsaOutboxLimits *limits)
{
  DacsaOutbox *self = g_new0(DacsaOutbox, 1);

  self->channel = channel;
  self->limits = *limits;
  g_queue_init(&self->waiting);
  return self;
}

static void
message_free(void *data)
{
  dacsa_message_free(data);
}

/* Nothing waits. */
static void
empty(DacsaOutbox *self)
{
  g_clear_handle_id(&self->writable_source, g_source_remove);
  g_clear_handle_id(&self->stall_source, g_source_remove);
  g_queue_clear_full(&self->waiting, message_free);
  self->bytes = 0;
}

void
dacsa_outbox_free(DacsaOutbox *self)
{
  if (!self)
    return;
  empty(self);
  g_free(self);
}

static void
give_up(DacsaOutbox *self)
{
  g_warning("the viewer does not read its messages");
  shutdown(self->channel, SHUT_RDWR);
  self->channel = -1;
  empty(self);
}

static size_t
cost_of(const DacsaMessage *message)
{
  size_t bytes = DACSA_OUTBOX_COST;
  GHashTableIter iter;
  void *key, *value;

  g_hash_table_iter_init(&iter, message->fields);
  while (g_hash_table_iter_next(&iter, &key, &value))
    bytes += strlen(key) + strlen(value);
  return bytes;
}

/* false: there is no room for it. */
static bool
try(DacsaOutbox *self, const DacsaMessage *message)
{
  g_autoptr(GError) error = NULL;

  if (dacsa_channel_try_send(self->channel, message, &error))
    return true;
  if (g_error_matches(error, DACSA_ERROR, DACSA_ERROR_BUSY))
    return false;
  if (g_error_matches(error, DACSA_ERROR, DACSA_ERROR_NOT_FOUND))
    self->channel = -1;
  else
    g_warning("%s", error->message);
  return true;
}

static gboolean
on_writable(gint fd, GIOCondition condition, void *data)
{
  DacsaOutbox *self = data;
  const DacsaMessage *next;

  (void)fd;
  (void)condition;
  while (self->channel >= 0 && (next = g_queue_peek_head(&self->waiting))) {
    if (!try(self, next))
      return G_SOURCE_CONTINUE;
    self->moved = true;
    self->bytes -= cost_of(next);
    dacsa_message_free(g_queue_pop_head(&self->waiting));
  }
  self->writable_source = 0;
  empty(self);
  return G_SOURCE_REMOVE;
}

static gboolean
on_look(void *data)
{
  DacsaOutbox *self = data;

  if (self->moved) {
    self->moved = false;
    return G_SOURCE_CONTINUE;
  }
  self->stall_source = 0;
  give_up(self);
  return G_SOURCE_REMOVE;
}

static void
keep(DacsaOutbox *self, DacsaMessage *message)
{
  if (g_queue_is_empty(&self->waiting)) {
    self->moved = false;
    self->writable_source = g_unix_fd_add(self->channel, G_IO_OUT, on_writable, self);
    self->stall_source = g_timeout_add(self->limits.stall_ms, on_look, self);
  }
  g_queue_push_tail(&self->waiting, message);
  self->bytes += cost_of(message);
  if (self->bytes > self->limits.max_bytes)
    give_up(self);
}

void
dacsa_outbox_send(DacsaOutbox *self, DacsaMessage *message)
{
  if (self->channel < 0 || (g_queue_is_empty(&self->waiting) && try(self, message)))
    dacsa_message_free(message);
  else
    keep(self, message);
}
