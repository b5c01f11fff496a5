/* Members and sizes from BTF that is made here, some of it to do harm. */
#include "check.h"
#include "fake-btf.h"

static void
check_member(const DacsaTypes *types, const char *type, const char *member, uint32_t offset,
             uint32_t size, uint32_t elements)
{
  g_autoptr(GError) error = NULL;
  DacsaMember got;

  g_test_message("%s.%s", type, member);
  CHECK_OK(dacsa_types_member(types, type, member, &got, &error), error);
  g_assert_cmpuint(got.offset, ==, offset);
  g_assert_cmpuint(got.size, ==, size);
  g_assert_cmpuint(got.elements, ==, elements);
}

static void
check_none(const DacsaTypes *types, const char *type, const char *member)
{
  g_autoptr(GError) error = NULL;
  DacsaMember got;

  g_test_message("%s.%s", type, member);
  CHECK_FAILS(dacsa_types_member(types, type, member, &got, &error), error, DACSA_ERROR_NOT_FOUND);
}

/*
 * struct list_head { void *next, *prev; };
 * struct task { u32 pid; struct { u32 a; union { u64 b; struct { u32 c, d; }; }; };
 *               const volatile typedef of struct list_head tasks; char comm[16]; void *t[2][3]; };
 */
static DacsaTypes *
task_types(FakeBtf *b)
{
  int chr = btf__add_int(b->btf, "char", 1, BTF_INT_CHAR);
  int comm = btf__add_array(b->btf, b->u32, chr, 16);
  int row = btf__add_array(b->btf, b->u32, b->ptr, 3);
  int table = btf__add_array(b->btf, b->u32, row, 2);
  int list = fake_btf_struct(b, "list_head", 16);
  fake_btf_field(b, "next", b->ptr, 0);
  fake_btf_field(b, "prev", b->ptr, 8);
  int list_alias =
      btf__add_typedef(b->btf, "list_t", btf__add_const(b->btf, btf__add_volatile(b->btf, list)));
  int inner = fake_btf_struct(b, NULL, 8);
  fake_btf_field(b, "c", b->u32, 0);
  fake_btf_field(b, "d", b->u32, 4);
  int either = btf__add_union(b->btf, NULL, 8);
  fake_btf_field(b, "b", b->u64, 0);
  fake_btf_field(b, NULL, inner, 0);
  int outer = fake_btf_struct(b, NULL, 16);
  fake_btf_field(b, "a", b->u32, 0);
  fake_btf_field(b, NULL, either, 8);
  fake_btf_struct(b, "task", 112);
  fake_btf_field(b, "pid", b->u32, 0);
  fake_btf_field(b, NULL, outer, 8);
  fake_btf_field(b, "tasks", list_alias, 24);
  fake_btf_field(b, "comm", comm, 40);
  fake_btf_field(b, "t", table, 56);
  fake_btf_struct(b, "task", 4); /* a second of that name: the first counts */
  fake_btf_field(b, "pid", b->u32, 77);
  return fake_btf_types(b);
}

static void
test_members(void)
{
  g_auto(FakeBtf) b = fake_btf_new();
  g_autoptr(DacsaTypes) types = task_types(&b);
  g_autoptr(GError) error = NULL;
  uint32_t size;

  check_member(types, "task", "pid", 0, 4, 0);
  check_member(types, "task", "a", 8, 4, 0);
  check_member(types, "task", "b", 16, 8, 0);
  check_member(types, "task", "c", 16, 4, 0);
  check_member(types, "task", "d", 20, 4, 0);
  check_member(types, "task", "tasks", 24, 16, 0);
  check_member(types, "task", "tasks.prev", 32, 8, 0);
  check_member(types, "task", "comm", 40, 16, 16);
  check_member(types, "task", "t", 56, 48, 2);
  check_member(types, "list_head", "prev", 8, 8, 0);
  CHECK_OK(dacsa_types_size(types, "task", &size, &error), error);
  g_assert_cmpuint(size, ==, 112);
  CHECK_FAILS(dacsa_types_size(types, "list_t", &size, &error), error, DACSA_ERROR_NOT_FOUND);
  CHECK_FAILS(dacsa_types_size(types, "", &size, &error), error, DACSA_ERROR_NOT_FOUND);
}

static void
test_no_such_member(void)
{
  static const char *const cases[][2] = {
      {"task", "pi"},           {"task", "pidd"},   {"task", ""},     {"task", "."},
      {"task", "pid.x"},        {"task", "tasks."}, {"task", ".pid"}, {"task", "tasks..next"},
      {"task", "tasks.next.x"}, {"no_such", "pid"}, {"", "pid"},      {"unsigned int", "x"},
      {"task", "comm.x"},
  };
  g_auto(FakeBtf) b = fake_btf_new();
  g_autoptr(DacsaTypes) types = task_types(&b);

  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
    check_none(types, cases[i][0], cases[i][1]);
}

/* struct { struct <itself>; struct <itself>; u32 found; }: two ways at each depth. */
static void
test_self_reference(void)
{
  g_auto(FakeBtf) b = fake_btf_new();
  int self = fake_btf_struct(&b, NULL, 8);
  for (int i = 0; i < 100; i++)
    fake_btf_field(&b, NULL, self, 0);
  fake_btf_field(&b, "deep", b.u32, 4);
  fake_btf_struct(&b, "knot", 8);
  fake_btf_field(&b, NULL, self, 0);
  fake_btf_field(&b, "after", b.u32, 4);
  g_autoptr(DacsaTypes) types = fake_btf_types(&b);

  check_member(types, "knot", "deep", 4, 4, 0);
  check_none(types, "knot", "absent");
}

/* A chain of typedefs that comes back to its beginning, and one that leaves the table. */
static void
test_typedef_loop(void)
{
  g_auto(FakeBtf) b = fake_btf_new();
  int first = btf__type_cnt(b.btf);
  g_assert_cmpint(btf__add_typedef(b.btf, "x", first + 1), ==, first);
  g_assert_cmpint(btf__add_typedef(b.btf, "y", first), ==, first + 1);
  int nowhere = btf__add_typedef(b.btf, "z", 0x1000000);
  int endless = btf__type_cnt(b.btf);
  g_assert_cmpint(btf__add_array(b.btf, b.u32, endless, 2), ==, endless);
  fake_btf_struct(&b, "knot", 32);
  fake_btf_field(&b, "loop", first, 8);
  fake_btf_field(&b, "nowhere", nowhere, 16);
  fake_btf_field(&b, "endless", endless, 24);
  fake_btf_field(&b, NULL, first, 0);
  fake_btf_field(&b, NULL, nowhere, 0);
  g_autoptr(DacsaTypes) types = fake_btf_types(&b);

  check_member(types, "knot", "loop", 8, 0, 0);
  check_member(types, "knot", "nowhere", 16, 0, 0);
  check_none(types, "knot", "loop.x");
  check_none(types, "knot", "nowhere.x");
  check_none(types, "knot", "endless.x");
  check_member(types, "knot", "endless", 24, 0, 2);
}

static void
test_huge_array(void)
{
  g_auto(FakeBtf) b = fake_btf_new();
  int huge = btf__add_array(b.btf, b.u32, b.u64, UINT32_MAX);
  fake_btf_struct(&b, "big", 8);
  fake_btf_field(&b, "huge", huge, 0);
  g_autoptr(DacsaTypes) types = fake_btf_types(&b);

  /* 32 GiB do not fit a size: none, rather than what is left of it. */
  check_member(types, "big", "huge", 0, 0, UINT32_MAX);
}

static void
test_not_btf(void)
{
  static const uint8_t junk[64] = {0x9f, 0xeb, 1, 0, 0xff, 0xff, 0xff, 0xff};
  g_autoptr(GError) error = NULL;
  DacsaTypes *types = NULL;

  CHECK_FAILS(dacsa_types_new(junk, 0, &types, &error), error, DACSA_ERROR_BAD_DATA);
  CHECK_FAILS(dacsa_types_new(junk, 3, &types, &error), error, DACSA_ERROR_BAD_DATA);
  CHECK_FAILS(dacsa_types_new(junk, sizeof(junk), &types, &error), error, DACSA_ERROR_BAD_DATA);
  g_assert_null(types);
}

static void
check_bits(const DacsaTypes *types, const char *member, uint32_t offset, uint32_t size,
           uint8_t bits, uint8_t shift)
{
  g_autoptr(GError) error = NULL;
  DacsaMember got;

  CHECK_OK(dacsa_types_member(types, "flags", member, &got, &error), error);
  g_assert_true(got.known);
  g_assert_cmpuint(got.offset, ==, offset);
  g_assert_cmpuint(got.size, ==, size);
  g_assert_cmpuint(got.bits, ==, bits);
  g_assert_cmpuint(got.shift, ==, shift);
}

/* struct flags { u32 whole; u32 one:1, five:5, :26; u64 wide:40; }; */
static void
test_bit_fields(void)
{
  g_auto(FakeBtf) b = fake_btf_new();
  fake_btf_struct(&b, "flags", 16);
  fake_btf_field(&b, "whole", b.u32, 0);
  g_assert_cmpint(btf__add_field(b.btf, "one", b.u32, 32, 1), ==, 0);
  g_assert_cmpint(btf__add_field(b.btf, "five", b.u32, 33, 5), ==, 0);
  g_assert_cmpint(btf__add_field(b.btf, "wide", b.u64, 64, 40), ==, 0);
  g_autoptr(DacsaTypes) types = fake_btf_types(&b);
  check_bits(types, "whole", 0, 4, 0, 0);
  check_bits(types, "one", 4, 4, 1, 0);
  check_bits(types, "five", 4, 4, 5, 1);
  check_bits(types, "wide", 8, 8, 40, 0);
}

static void
test_enumerators(void)
{
  g_auto(FakeBtf) b = fake_btf_new();
  g_autoptr(GError) error = NULL;
  int64_t value;

  g_assert_cmpint(btf__add_enum(b.btf, "pid_type", 4), >, 0);
  g_assert_cmpint(btf__add_enum_value(b.btf, "PIDTYPE_PID", 0), ==, 0);
  g_assert_cmpint(btf__add_enum_value(b.btf, "PIDTYPE_NONE", -1), ==, 0);
  g_assert_cmpint(btf__add_enum64(b.btf, "wide", 8, true), >, 0);
  g_assert_cmpint(btf__add_enum64_value(b.btf, "WIDE", UINT64_C(1) << 40), ==, 0);
  g_autoptr(DacsaTypes) types = fake_btf_types(&b);
  CHECK_OK(dacsa_types_enumerator(types, "PIDTYPE_PID", &value, &error), error);
  g_assert_cmpint(value, ==, 0);
  CHECK_OK(dacsa_types_enumerator(types, "PIDTYPE_NONE", &value, &error), error);
  g_assert_cmpint(value, ==, -1);
  CHECK_OK(dacsa_types_enumerator(types, "WIDE", &value, &error), error);
  g_assert_cmpint(value, ==, INT64_C(1) << 40);
  CHECK_FAILS(dacsa_types_enumerator(types, "pid_type", &value, &error), error,
              DACSA_ERROR_NOT_FOUND);
}

/* Real BTF with one byte changed, or cut short, at every place: refused or read, never a crash. */
static void
test_damaged(void)
{
  g_auto(FakeBtf) b = fake_btf_new();
  int list = fake_btf_struct(&b, "list_head", 16);
  fake_btf_field(&b, "next", b.ptr, 0);
  fake_btf_struct(&b, "task", 24);
  fake_btf_field(&b, "pid", b.u32, 0);
  fake_btf_field(&b, "tasks", list, 8);
  __u32 size;
  const void *raw = btf__raw_data(b.btf, &size);
  unsigned refused = 0;

  for (__u32 i = 0; i < 2 * size; i++) {
    g_autofree uint8_t *data = g_memdup2(raw, size);
    g_autoptr(GError) error = NULL;
    g_autoptr(DacsaTypes) types = NULL;
    DacsaMember member;

    if (i < size)
      data[i] ^= 0xff;
    if (!dacsa_types_new(data, i < size ? size : i - size, &types, &error)) {
      g_assert_error(error, DACSA_ERROR, DACSA_ERROR_BAD_DATA);
      refused++;
    } else if (!dacsa_types_member(types, "task", "tasks.next", &member, &error)) {
      g_assert_error(error, DACSA_ERROR, DACSA_ERROR_NOT_FOUND);
    }
  }
  g_assert_cmpuint(refused, >=, size); /* every cut */
}

/* In a kernel BTF may begin anywhere. */
static void
test_unaligned(void)
{
  g_auto(FakeBtf) b = fake_btf_new();
  __u32 size;

  fake_btf_struct(&b, "task", 24);
  fake_btf_field(&b, "pid", b.u32, 4);
  const void *raw = btf__raw_data(b.btf, &size);
  for (size_t shift = 0; shift < 4; shift++) {
    g_autofree uint8_t *data = g_malloc(size + shift);
    g_autoptr(DacsaTypes) types = NULL;
    g_autoptr(GError) error = NULL;

    memcpy(data + shift, raw, size);
    CHECK_OK(dacsa_types_new(data + shift, size, &types, &error), error);
    check_member(types, "task", "pid", 4, 4, 0);
  }
}

/* A hundred thousand of one name take no time that grows with their square; the first is found. */
static void
test_one_name_for_all(void)
{
  g_auto(FakeBtf) b = fake_btf_new();

  g_assert_cmpint(btf__add_enum(b.btf, "numbers", 4), >, 0);
  for (int i = 0; i < 60000; i++)
    g_assert_cmpint(btf__add_enum_value(b.btf, "NUMBER", i), ==, 0);
  g_assert_cmpint(btf__add_enum(b.btf, "others", 4), >, 0);
  for (int i = 0; i < 40000; i++)
    g_assert_cmpint(btf__add_enum_value(b.btf, "NUMBER", 100000 + i), ==, 0);
  fake_btf_struct(&b, "NUMBER", 48);
  fake_btf_struct(&b, "after", 24);
  g_autoptr(DacsaTypes) types = fake_btf_types(&b);
  g_autoptr(GError) error = NULL;
  uint32_t size;
  int64_t value;

  CHECK_OK(dacsa_types_enumerator(types, "NUMBER", &value, &error), error);
  g_assert_cmpint(value, ==, 0);
  CHECK_OK(dacsa_types_size(types, "after", &size, &error), error);
  g_assert_cmpuint(size, ==, 24);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/types/members", test_members);
  g_test_add_func("/types/no-such-member", test_no_such_member);
  g_test_add_func("/types/self-reference", test_self_reference);
  g_test_add_func("/types/typedef-loop", test_typedef_loop);
  g_test_add_func("/types/huge-array", test_huge_array);
  g_test_add_func("/types/not-btf", test_not_btf);
  g_test_add_func("/types/bit-fields", test_bit_fields);
  g_test_add_func("/types/enumerators", test_enumerators);
  g_test_add_func("/types/damaged", test_damaged);
  g_test_add_func("/types/unaligned", test_unaligned);
  g_test_add_func("/types/one-name-for-all", test_one_name_for_all);
  return g_test_run();
}
