/* Messages as GVariants, whose untrusted decoding GLib makes safe. */
#include "snap/channel.h"

#include "snap/error.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define TYPE "(sta{ss})"
#define MAX_MESSAGE 65536u

DacsaMessage *
dacsa_message_new(const char *verb, uint64_t sequence)
{
  DacsaMessage *message = g_new0(DacsaMessage, 1);

  message->verb = g_strdup(verb);
  message->sequence = sequence;
  message->fields = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  return message;
}

void
dacsa_message_free(DacsaMessage *message)
{
  if (!message)
    return;
  for (size_t i = 0; i < message->n_fds; i++)
    if (message->fds[i] >= 0)
      close(message->fds[i]);
  g_hash_table_unref(message->fields);
  g_free(message->verb);
  g_free(message);
}

void
dacsa_message_set(DacsaMessage *message, const char *key, const char *value)
{
  g_hash_table_insert(message->fields, g_strdup(key), g_utf8_make_valid(value, -1));
}

const char *
dacsa_message_get(const DacsaMessage *message, const char *key)
{
  const char *value = g_hash_table_lookup(message->fields, key);

  return value ? value : "";
}

void
dacsa_message_set_number(DacsaMessage *message, const char *key, int64_t value)
{
  g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, value);

  dacsa_message_set(message, key, text);
}

bool
dacsa_message_get_number(const DacsaMessage *message, const char *key, int64_t min, int64_t max,
                         int64_t *ret)
{
  return g_ascii_string_to_signed(dacsa_message_get(message, key), 10, min, max, ret, NULL);
}

void
dacsa_message_add_fd(DacsaMessage *message, int fd)
{
  g_assert(message->n_fds < DACSA_CHANNEL_MAX_FDS);
  message->fds[message->n_fds++] = fd;
}

int
dacsa_message_steal_fd(DacsaMessage *message, size_t i)
{
  int fd = i < message->n_fds ? message->fds[i] : -1;

  if (fd >= 0)
    message->fds[i] = -1;
  return fd;
}

bool
dacsa_channel_pair(int ret[2], GError **error)
{
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret) < 0)
    return dacsa_fail_errno(error, errno, "cannot make a socket pair");
  return true;
}

static bool
send_message(int fd, const DacsaMessage *message, int flags, GError **error)
{
  GVariantBuilder fields;
  GHashTableIter iter;
  void *key, *value;

  g_variant_builder_init(&fields, G_VARIANT_TYPE("a{ss}"));
  g_hash_table_iter_init(&iter, message->fields);
  while (g_hash_table_iter_next(&iter, &key, &value))
    g_variant_builder_add(&fields, "{ss}", (char *)key, (char *)value);
  g_autoptr(GVariant) variant =
      g_variant_ref_sink(g_variant_new(TYPE, message->verb, message->sequence, &fields));

  struct iovec iov = {(void *)(uintptr_t)g_variant_get_data(variant), g_variant_get_size(variant)};
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int) * DACSA_CHANNEL_MAX_FDS)];
  } control = {0};
  struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

  if (iov.iov_len > MAX_MESSAGE)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "a message of %zu bytes is too long",
                      iov.iov_len);
  if (message->n_fds > 0) {
    size_t bytes = sizeof(int) * message->n_fds;

    msg.msg_control = control.space;
    msg.msg_controllen = CMSG_SPACE(bytes);
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(bytes);
    memcpy(CMSG_DATA(&control.header), message->fds, bytes);
  }
  while (sendmsg(fd, &msg, MSG_NOSIGNAL | flags) < 0)
    if (errno == EPIPE || errno == ECONNRESET)
      return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "the other process is gone");
    else if (errno == EAGAIN)
      return dacsa_fail(error, DACSA_ERROR_BUSY, "the other process does not read its messages");
    else if (errno != EINTR)
      return dacsa_fail_errno(error, errno, "cannot send to the other process");
  return true;
}

bool
dacsa_channel_send(int fd, const DacsaMessage *message, GError **error)
{
  return send_message(fd, message, 0, error);
}

bool
dacsa_channel_try_send(int fd, const DacsaMessage *message, GError **error)
{
  return send_message(fd, message, MSG_DONTWAIT, error);
}

static void
take_fds(DacsaMessage *message, struct msghdr *msg)
{
  for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
      continue;
    size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < n; i++) {
      int fd;

      memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
      if (message->n_fds < DACSA_CHANNEL_MAX_FDS)
        message->fds[message->n_fds++] = fd;
      else
        close(fd);
    }
  }
}

bool
dacsa_channel_receive(int fd, DacsaMessage **ret, GError **error)
{
  g_autofree char *buf = g_malloc(MAX_MESSAGE);
  struct iovec iov = {buf, MAX_MESSAGE};
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int) * DACSA_CHANNEL_MAX_FDS)];
  } control;
  struct msghdr msg = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.space,
                       .msg_controllen = sizeof(control.space)};
  ssize_t n;

  do
    n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
  while (n < 0 && errno == EINTR);
  if (n < 0)
    return dacsa_fail_errno(error, errno, "cannot receive from the other process");
  if (n == 0)
    return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "the other process is gone");

  g_autoptr(DacsaMessage) message = dacsa_message_new("", 0);
  take_fds(message, &msg);
  g_autoptr(GVariant) variant = g_variant_ref_sink(
      g_variant_new_from_data(G_VARIANT_TYPE(TYPE), buf, (gsize)n, FALSE, NULL, NULL));
  if (!g_variant_is_normal_form(variant))
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "the other process sent no message");
  g_autoptr(GVariantIter) fields = NULL;
  const char *key, *value;
  g_free(message->verb);
  g_variant_get(variant, TYPE, &message->verb, &message->sequence, &fields);
  while (g_variant_iter_next(fields, "{&s&s}", &key, &value))
    dacsa_message_set(message, key, value);
  *ret = g_steal_pointer(&message);
  return true;
}
