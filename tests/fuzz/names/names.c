/* Names from outside as file names, and back. */
#include "tests/fuzz/fuzz.h"

#include "fs/names.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  g_autofree char *text = fuzz_text(data, size);
  g_autofree char *name = dacsa_name_escape(text);
  g_autofree char *back = dacsa_name_unescape(name);
  g_autofree char *raw = dacsa_name_unescape(text);

  g_assert_cmpstr(back, ==, text);
  g_assert_true(name[0] != '\0' && !strchr(name, '/'));
  g_assert_false(strcmp(name, ".") == 0 || strcmp(name, "..") == 0);
  if (raw) {
    g_autofree char *again = dacsa_name_escape(raw);

    g_assert_cmpstr(again, ==, text);
  }
  return 0;
}
