/* The text of `info registers -a`. */
#include "tests/fuzz/fuzz.h"

#include "parsers/cpus.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  g_autofree char *text = fuzz_text(data, size);
  g_autoptr(GArray) cpus = dacsa_cpus_parse(text);

  g_assert_cmpuint(cpus->len, <=, size);
  return 0;
}
