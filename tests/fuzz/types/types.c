/* BTF. */
#include "tests/fuzz/fuzz.h"

#include "parsers/linux/kernel.h"

#define ROW(name, path) path,
static const char *const members[] = {DACSA_LINUX_MEMBERS(ROW)};
static const char *const sizes[] = {DACSA_LINUX_TYPES(ROW)};
static const char *const enumerators[] = {DACSA_LINUX_ENUMERATORS(ROW)};

static void
ask_members(const DacsaTypes *types, const char *row)
{
  g_auto(GStrv) names = g_strsplit(row, "|", -1);

  for (char **name = names; *name; name++) {
    g_auto(GStrv) path = g_strsplit(*name, ".", 2);
    g_autoptr(GError) error = NULL;
    DacsaMember m;
    bool ok = dacsa_types_member(types, path[0], path[1], &m, &error);

    FUZZ_CHECK(ok, error);
    if (ok && m.bits > 0) {
      g_assert_cmpuint(m.size, <=, 8);
      g_assert_cmpuint(m.shift, <, m.size * 8);
    }
  }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  g_autoptr(DacsaTypes) types = NULL;
  g_autoptr(GError) error = NULL;
  bool ok = dacsa_types_new(data, size, &types, &error);

  FUZZ_CHECK(ok, error);
  if (!ok)
    return 0;
  for (size_t i = 0; i < G_N_ELEMENTS(members); i++)
    ask_members(types, members[i]);
  for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
    uint32_t bytes;

    ok = dacsa_types_size(types, sizes[i], &bytes, &error);
    FUZZ_CHECK(ok, error);
  }
  for (size_t i = 0; i < G_N_ELEMENTS(enumerators); i++) {
    int64_t value;

    ok = dacsa_types_enumerator(types, enumerators[i], &value, &error);
    FUZZ_CHECK(ok, error);
  }
  return 0;
}
