/* A message on the channel between keeper and viewer, as its other end might send it. */
#include "tests/fuzz/fuzz.h"

#include "snap/channel.h"

#include <sys/socket.h>
#include <unistd.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  g_autoptr(DacsaMessage) message = NULL;
  g_autoptr(GError) error = NULL;
  int ends[2];

  if (!dacsa_channel_pair(ends, &error))
    g_error("%s", error->message);
  if (send(ends[0], data, size, MSG_DONTWAIT) == (ssize_t)size) {
    bool ok = size > 0 && dacsa_channel_receive(ends[1], &message, &error);

    FUZZ_CHECK(ok || size == 0, error);
    if (ok) {
      g_assert_nonnull(message->verb);
      g_assert_nonnull(dacsa_message_get(message, "vm"));
    }
  }
  close(ends[0]);
  close(ends[1]);
  return 0;
}
