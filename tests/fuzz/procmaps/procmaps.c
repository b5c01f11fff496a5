/* The text of /proc/PID/smaps. */
#include "tests/fuzz/fuzz.h"

#include "snap/procmaps.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  g_autofree char *text = fuzz_text(data, size);
  g_autoptr(GArray) vmas = NULL;
  g_autoptr(GError) error = NULL;
  bool ok = dacsa_procmaps_parse(text, &vmas, &error);

  if (ok)
    dacsa_procmaps_find(vmas, 0x1000);
  FUZZ_CHECK(ok, error);
  return 0;
}
