#include "fake-btf.h"

#include "check.h"

FakeBtf
fake_btf_new(void)
{
  FakeBtf b = {.btf = btf__new_empty()};

  g_assert_nonnull(b.btf);
  b.chr = btf__add_int(b.btf, "char", 1, BTF_INT_SIGNED);
  b.s32 = btf__add_int(b.btf, "int", 4, BTF_INT_SIGNED);
  b.u32 = btf__add_int(b.btf, "unsigned int", 4, 0);
  b.u64 = btf__add_int(b.btf, "long unsigned int", 8, 0);
  b.boolean = btf__add_int(b.btf, "_Bool", 1, BTF_INT_BOOL);
  b.ptr = btf__add_ptr(b.btf, 0);
  return b;
}

void
fake_btf_clear(FakeBtf *b)
{
  btf__free(b->btf);
}

int
fake_btf_struct(FakeBtf *b, const char *name, uint32_t size)
{
  int id = btf__add_struct(b->btf, name, size);

  g_assert_cmpint(id, >, 0);
  return id;
}

void
fake_btf_bits(FakeBtf *b, const char *name, int type, uint32_t offset, uint32_t width)
{
  g_assert_cmpint(btf__add_field(b->btf, name, type, offset, width), ==, 0);
}

void
fake_btf_field(FakeBtf *b, const char *name, int type, uint32_t offset)
{
  fake_btf_bits(b, name, type, offset * 8, 0);
}

DacsaTypes *
fake_btf_types(FakeBtf *b)
{
  g_autoptr(GError) error = NULL;
  DacsaTypes *types = NULL;
  __u32 size;
  const void *data = btf__raw_data(b->btf, &size);

  g_assert_nonnull(data);
  CHECK_OK(dacsa_types_new(data, size, &types, &error), error);
  return types;
}
