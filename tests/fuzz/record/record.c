/* A snapshot's record. What is read is written the same way again. */
#include "tests/fuzz/fuzz.h"

#include "snap/record.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  g_autoptr(DacsaRecord) record = NULL;
  g_autoptr(DacsaRecord) again = NULL;
  g_autoptr(GError) error = NULL;
  bool ok = dacsa_record_from_text((const char *)data, size, &record, &error);

  FUZZ_CHECK(ok, error);
  if (ok) {
    g_autofree char *text = dacsa_record_to_text(record);

    g_assert_true(dacsa_record_from_text(text, strlen(text), &again, &error));
    g_autofree char *text_again = dacsa_record_to_text(again);
    g_assert_cmpstr(text, ==, text_again);
  }
  return 0;
}
