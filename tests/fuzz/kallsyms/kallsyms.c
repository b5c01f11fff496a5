/*
 * The kernel's symbol tables in a kernel's memory: 6 offsets of 16 bits (names, tokens, their
 * index, offsets, the base, and how many symbols), the anchor's address, then the memory itself.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/fuzz-mem.h"

#include "parsers/kallsyms.h"

#define BASE UINT64_C(0xffffffff81000000)

static uint64_t
take_address(FuzzInput *in)
{
  return BASE + fuzz_take(in, 2);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  FuzzInput in = {data, size};
  DacsaKallsymsTables tables;
  g_autoptr(DacsaKallsyms) k = NULL;
  g_autoptr(GError) error = NULL;

  tables.names = take_address(&in);
  tables.token_table = take_address(&in);
  tables.token_index = take_address(&in);
  tables.offsets = take_address(&in);
  tables.relative_base = take_address(&in);
  tables.num_syms = fuzz_take(&in, 2);
  uint64_t anchor = fuzz_take(&in, 8);
  g_autoptr(DacsaMem) memory = fuzz_mem_new_wrapped(in.data, in.size);
  const DacsaKallsymsAnchor known = {"_stext", anchor, anchor + (tables.num_syms & 3)};
  bool ok = dacsa_kallsyms_load(memory, &tables, &known, &k, &error);

  FUZZ_CHECK(ok, error);
  for (uint32_t i = 0; ok && i < dacsa_kallsyms_count(k); i++) {
    uint64_t address, found;
    char type;
    g_autofree char *name = dacsa_kallsyms_symbol(k, i, &address, &type);

    g_assert_nonnull(name);
    if (i % 64 == 0 && dacsa_kallsyms_find(k, name, &found, NULL))
      g_assert_true(found == address || name[0] != '\0' || i > 0);
  }
  return 0;
}
