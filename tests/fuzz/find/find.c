/* A kernel's symbol tables and types, found by their shape in its read-only data: the data. */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/fuzz-mem.h"

#include "parsers/btf-find.h"
#include "parsers/kallsyms-find.h"

#define BASE UINT64_C(0xffffffff82000000)

static bool
visit(const DacsaKallsymsTables *tables, void *data)
{
  unsigned *visits = data;

  g_assert_cmpuint(tables->num_syms, >, 0);
  g_assert_true(tables->names >= BASE && tables->offsets >= BASE && tables->token_table >= BASE);
  return ++*visits > 16;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  unsigned visits = 0;
  size_t at, len;
  const DacsaBytes bytes = {data, size};

  (void)!dacsa_kallsyms_find_tables(bytes, BASE, visit, &visits);
  if (dacsa_btf_find(bytes, &at, &len))
    g_assert_true(at <= size && len <= size - at);
  return 0;
}
