/* The symbol table for Volatility, of BTF that is made here, some of it to do harm. */
#include "check.h"
#include "fake-btf.h"
#include "fake-kallsyms.h"
#include "fake-mem.h"

#include "parsers/linux/isf.h"

#include <json-glib/json-glib.h>
#include <string.h>

#define LIMIT (1u << 20)
#define BASE UINT64_C(0xffffffff85000000)
#define SHIFT 0x4000000u
#define TABLES UINT64_C(0xffffffff86000000)

/* The document; it has to be JSON, and ASCII. symbols, ret_omitted: may be NULL. */
static JsonNode *
write_document(FakeBtf *b, const DacsaIsfSymbols *symbols, gsize limit, guint *ret_omitted)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(DacsaTypes) types = fake_btf_types(b);
  g_autoptr(DacsaIsfNames) names = dacsa_isf_names_new(types);
  g_autoptr(GString) out = g_string_new(NULL);
  g_auto(DacsaIsf) isf = {0};

  dacsa_isf_init(&isf, types, names, out, limit);
  dacsa_json_open(&isf.json);
  dacsa_isf_write_types(&isf);
  if (symbols)
    dacsa_isf_write_symbols(&isf, symbols);
  dacsa_json_close(&isf.json);
  if (ret_omitted)
    *ret_omitted = isf.omitted;
  g_assert_true(g_str_is_ascii(out->str));
  g_assert_cmpuint(strlen(out->str), ==, out->len);
  JsonNode *root = json_from_string(out->str, &error);
  g_assert_no_error(error);
  return root;
}

/* Of the types alone. */
static JsonNode *
write_types(FakeBtf *b, guint *ret_omitted)
{
  return write_document(b, NULL, LIMIT, ret_omitted);
}

/* What is at a path of keys with slashes between them; NULL: nothing. Borrowed. */
static JsonNode *
at(JsonNode *root, const char *path)
{
  g_auto(GStrv) keys = g_strsplit(path, "/", -1);
  JsonNode *node = root;

  for (char **key = keys; *key && node; key++)
    node = JSON_NODE_HOLDS_OBJECT(node) ? json_object_get_member(json_node_get_object(node), *key)
                                        : NULL;
  return node;
}

static void
check_at(JsonNode *root, const char *path, const char *expected)
{
  JsonNode *node = at(root, path);
  g_autofree char *got = node ? json_to_string(node, FALSE) : NULL;

  g_test_message("%s", path);
  g_assert_cmpstr(got, ==, expected);
}

static guint
count_at(JsonNode *root, const char *path)
{
  return json_object_get_size(json_node_get_object(at(root, path)));
}

#define STRUCT(name) "{\"kind\":\"struct\",\"name\":\"" name "\"}"
#define BASE_TYPE(name) "{\"kind\":\"base\",\"name\":\"" name "\"}"
#define POINTER(to) "{\"kind\":\"pointer\",\"subtype\":" to "}"
#define ARRAY(n, of) "{\"kind\":\"array\",\"count\":" n ",\"subtype\":" of "}"
#define BITS(position, length, unit)                                                               \
  "{\"kind\":\"bitfield\",\"bit_position\":" position ",\"bit_length\":" length                    \
  ",\"type\":" BASE_TYPE(unit) "}"

static void
test_base_types(void)
{
  g_auto(FakeBtf) b = fake_btf_new();
  btf__add_int(b.btf, "unsigned char", 1, 0);
  btf__add_float(b.btf, "double", 8);
  btf__add_int(b.btf, "pointer", 3, 0); /* a guest may not say what a pointer is */
  g_autoptr(JsonNode) root = write_types(&b, NULL);

  check_at(root, "base_types/int",
           "{\"size\":4,\"signed\":true,\"kind\":\"int\",\"endian\":\"little\"}");
  check_at(root, "base_types/unsigned char/kind", "\"char\"");
  check_at(root, "base_types/_Bool/kind", "\"bool\"");
  check_at(root, "base_types/double/kind", "\"float\"");
  check_at(root, "base_types/pointer/size", "8");
  check_at(root, "base_types/void/size", "0");
  check_at(root, "base_types/short unsigned int/size", "2"); /* BTF had none */
}

static void
test_fields(void)
{
  g_auto(FakeBtf) b = fake_btf_new();
  guint omitted;
  int list = fake_btf_struct(&b, "list_head", 16);
  fake_btf_field(&b, "next", b.ptr, 0);
  int list_ptr = btf__add_ptr(b.btf, list);
  int list_alias = btf__add_typedef(b.btf, "list_t", btf__add_const(b.btf, list));
  int row = btf__add_array(b.btf, b.u32, b.u64, 3);
  int table = btf__add_array(b.btf, b.u32, row, 2);
  int call = btf__add_ptr(b.btf, btf__add_func_proto(b.btf, 0));
  int known = btf__add_ptr(b.btf, btf__add_fwd(b.btf, "list_head", BTF_FWD_STRUCT));
  int unknown = btf__add_ptr(b.btf, btf__add_fwd(b.btf, "elsewhere", BTF_FWD_STRUCT));
  int inner = btf__add_union(b.btf, NULL, 8);
  fake_btf_field(&b, "a", b.u32, 0);
  fake_btf_field(&b, "b", b.u64, 0);
  fake_btf_struct(&b, "task", 128);
  fake_btf_field(&b, "tasks", list_alias, 8);
  fake_btf_field(&b, "pid", b.u32, 4);
  fake_btf_field(&b, "entry", list_ptr, 24);
  fake_btf_field(&b, "t", table, 32);
  fake_btf_field(&b, "call", call, 80);
  fake_btf_field(&b, "known", known, 88);
  fake_btf_field(&b, "unknown", unknown, 96);
  fake_btf_field(&b, NULL, inner, 104);
  g_autoptr(JsonNode) root = write_types(&b, &omitted);

  check_at(root, "user_types/task/kind", "\"struct\"");
  check_at(root, "user_types/task/size", "128");
  check_at(root, "user_types/task/fields/pid/offset", "4");
  check_at(root, "user_types/task/fields/pid/type", BASE_TYPE("unsigned int"));
  check_at(root, "user_types/task/fields/tasks/type", STRUCT("list_head"));
  check_at(root, "user_types/task/fields/entry/type", POINTER(STRUCT("list_head")));
  check_at(root, "user_types/task/fields/t/type",
           ARRAY("2", ARRAY("3", BASE_TYPE("long unsigned int"))));
  check_at(root, "user_types/task/fields/call/type", POINTER("{\"kind\":\"function\"}"));
  check_at(root, "user_types/task/fields/known/type", POINTER(STRUCT("list_head")));
  check_at(root, "user_types/task/fields/unknown/type", POINTER(BASE_TYPE("void")));
  check_at(root, "user_types/elsewhere", NULL);
  check_at(root, "user_types/task/fields/unnamed_field_7/anonymous", "true");
  check_at(root, "user_types/task/fields/unnamed_field_7/offset", "104");
  JsonNode *type = at(root, "user_types/task/fields/unnamed_field_7/type/name");
  g_autofree char *path = g_strdup_printf("user_types/%s/kind", json_node_get_string(type));
  check_at(root, path, "\"union\"");
  g_assert_cmpuint(omitted, ==, 0);
}

static void
test_bit_fields(void)
{
  g_auto(FakeBtf) b = fake_btf_new();
  guint omitted;
  fake_btf_struct(&b, "flags", 16);
  fake_btf_bits(&b, "first", b.u32, 0, 1);
  fake_btf_bits(&b, "high", b.u32, 37, 3);
  fake_btf_bits(&b, "true_or_false", b.boolean, 65, 1);
  fake_btf_bits(&b, "negative", b.s32, 96, 32);
  fake_btf_bits(&b, "across", b.u32, 30, 6); /* packed: it does not fit into its aligned integer */
  fake_btf_bits(&b, "wide", b.u32, 39, 30);
  fake_btf_bits(&b, "too_wide", b.u32, 0, 33);
  fake_btf_bits(&b, "of_pointers", b.ptr, 0, 3);
  fake_btf_field(&b, "last", b.u32, 12);
  g_autoptr(JsonNode) root = write_types(&b, &omitted);

  check_at(root, "user_types/flags/fields/first/type", BITS("0", "1", "unsigned int"));
  check_at(root, "user_types/flags/fields/high/type", BITS("5", "3", "unsigned int"));
  check_at(root, "user_types/flags/fields/high/offset", "4");
  check_at(root, "user_types/flags/fields/true_or_false/type", BITS("1", "1", "unsigned char"));
  check_at(root, "user_types/flags/fields/true_or_false/offset", "8");
  check_at(root, "user_types/flags/fields/negative/type", BITS("0", "32", "int"));
  check_at(root, "user_types/flags/fields/across/type", BITS("6", "6", "unsigned int"));
  check_at(root, "user_types/flags/fields/across/offset", "3");
  check_at(root, "user_types/flags/fields/wide/type", BITS("7", "30", "long unsigned int"));
  check_at(root, "user_types/flags/fields/wide/offset", "4");
  check_at(root, "user_types/flags/fields/too_wide", NULL);
  check_at(root, "user_types/flags/fields/of_pointers", NULL);
  check_at(root, "user_types/flags/fields/last/offset", "12");
  g_assert_cmpuint(omitted, ==, 2);
}

static void
test_enums(void)
{
  g_auto(FakeBtf) b = fake_btf_new();
  guint omitted;
  btf__add_enum(b.btf, "plain", 4);
  btf__add_enum_value(b.btf, "NONE", 0);
  btf__add_enum_value(b.btf, "HIGHEST", 0xffffffff);
  btf__add_enum(b.btf, "minus", 4);
  btf__add_enum_value(b.btf, "MINUS", -1); /* this makes it a signed one, and so signs are told */
  btf__add_enum64(b.btf, "large", 8, false);
  btf__add_enum64_value(b.btf, "LARGE", UINT64_MAX);
  int odd = btf__add_enum(b.btf, "odd", 4);
  ((struct btf_type *)btf__type_by_id(b.btf, (__u32)odd))->size = 3;
  int anonymous = btf__add_enum(b.btf, NULL, 1);
  btf__add_enum_value(b.btf, "BYTE", 7);
  btf__add_typedef(b.btf, "byte_t", anonymous);
  g_autoptr(JsonNode) root = write_types(&b, &omitted);

  check_at(root, "enums/plain",
           "{\"size\":4,\"base\":\"unsigned int\",\"constants\":{\"NONE\":0,\"HIGHEST\":"
           "4294967295}}");
  check_at(root, "enums/minus", "{\"size\":4,\"base\":\"int\",\"constants\":{\"MINUS\":-1}}");
  check_at(root, "enums/large/base", "\"long unsigned int\"");
  check_at(root, "enums/odd/size", "4");
  check_at(root, "enums/byte_t/constants/BYTE", "7");
  g_assert_cmpuint(omitted, ==, 1);
}

/* Each type has a name that no other has, and a reference leads to the right one. */
static void
test_same_names(void)
{
  g_auto(FakeBtf) b = fake_btf_new();
  int first = fake_btf_struct(&b, "twice", 4);
  int second = fake_btf_struct(&b, "twice", 8);
  int unnamed = fake_btf_struct(&b, NULL, 12);
  int aliased = fake_btf_struct(&b, NULL, 16);
  btf__add_typedef(b.btf, "twice", unnamed); /* is taken */
  btf__add_typedef(b.btf, "alias_t", aliased);
  int other = btf__add_typedef(b.btf, "other_t", aliased); /* BTF has what is alike but once */
  g_autofree char *taken = g_strdup_printf("twice_%d", second);
  fake_btf_struct(&b, taken, 20);
  fake_btf_struct(&b, "user", 64);
  fake_btf_field(&b, "first", first, 0);
  fake_btf_field(&b, "second", second, 8);
  fake_btf_field(&b, "unnamed", unnamed, 16);
  fake_btf_field(&b, "aliased", aliased, 32);
  fake_btf_field(&b, "other", other, 48);
  g_autoptr(JsonNode) root = write_types(&b, NULL);
  static const char *const members[] = {"first", "second", "unnamed", "aliased"};

  for (guint i = 0; i < G_N_ELEMENTS(members); i++) {
    g_autofree char *member = g_strdup_printf("user_types/user/fields/%s/type/name", members[i]);
    g_autofree char *type =
        g_strdup_printf("user_types/%s/size", json_node_get_string(at(root, member)));
    g_autofree char *size = g_strdup_printf("%u", 4 * (i + 1));

    check_at(root, type, size);
  }
  check_at(root, "user_types/twice/size", "4");
  check_at(root, "user_types/alias_t/size", "16");
  check_at(root, "user_types/other_t/size", "16");
  check_at(root, "user_types/user/fields/aliased/type", STRUCT("alias_t"));
  check_at(root, "user_types/user/fields/other/type", STRUCT("other_t"));
  g_assert_cmpuint(count_at(root, "user_types"), ==, 7);
}

static void
test_hostile_names(void)
{
  g_auto(FakeBtf) b = fake_btf_new();
  guint omitted;
  g_autofree char *long_name = g_strnfill(100000, 'x');
  fake_btf_struct(&b, "\"},{\\\n\x01\x7f", 1);
  fake_btf_struct(&b, "\xff\xc3", 2);
  fake_btf_struct(&b, "\xc3\xa9", 3); /* UTF-8, but bytes all the same */
  fake_btf_struct(&b, long_name, 4);
  fake_btf_struct(&b, "members", 8);
  fake_btf_field(&b, "twice", b.u32, 0);
  fake_btf_field(&b, "twice", b.u64, 0);
  fake_btf_field(&b, long_name, b.u32, 0);
  fake_btf_field(&b, "unnamed_field_4", b.u32, 4);
  fake_btf_field(&b, NULL, b.u32, 4);
  g_autoptr(JsonNode) root = write_types(&b, &omitted);

  check_at(root, "user_types/\"},{\\\n\x01\x7f/size", "1");
  check_at(root, "user_types/\xc3\xbf\xc3\x83/size", "2");
  check_at(root, "user_types/\xc3\x83\xc2\xa9/size", "3");
  g_assert_cmpuint(count_at(root, "user_types"), ==, 5); /* the long name's is made up */
  check_at(root, "user_types/members/fields/twice/type", BASE_TYPE("unsigned int"));
  g_assert_cmpuint(count_at(root, "user_types/members/fields"), ==, 2);
  g_assert_cmpuint(omitted, ==, 3);
}

/* References that lead back, or nowhere. */
static void
test_cycles(void)
{
  g_auto(FakeBtf) b = fake_btf_new();
  guint omitted;
  int x = btf__type_cnt(b.btf);
  btf__add_typedef(b.btf, "x", x + 1);
  btf__add_typedef(b.btf, "y", x);
  int self = btf__type_cnt(b.btf);
  btf__add_typedef(b.btf, "self", self);
  int pointers = btf__type_cnt(b.btf);
  btf__add_ptr(b.btf, pointers);
  int arrays = btf__type_cnt(b.btf);
  btf__add_array(b.btf, b.u32, arrays, UINT32_MAX);
  int nowhere = btf__add_const(b.btf, 0x1000000);
  int inside = fake_btf_struct(&b, NULL, 8);
  fake_btf_field(&b, NULL, inside, 0);
  fake_btf_field(&b, NULL, inside, 0);
  fake_btf_struct(&b, "knot", 64);
  fake_btf_field(&b, "typedefs", x, 0);
  fake_btf_field(&b, "self", self, 8);
  fake_btf_field(&b, "pointers", pointers, 16);
  fake_btf_field(&b, "arrays", arrays, 24);
  fake_btf_field(&b, "nowhere", nowhere, 32);
  fake_btf_field(&b, NULL, inside, 40);
  fake_btf_bits(&b, "bits", x, 384, 3);
  g_autoptr(JsonNode) root = write_types(&b, &omitted);

  check_at(root, "user_types/knot/fields/typedefs/type", BASE_TYPE("void"));
  check_at(root, "user_types/knot/fields/self/type", BASE_TYPE("void"));
  check_at(root, "user_types/knot/fields/nowhere/type", BASE_TYPE("void"));
  check_at(root, "user_types/knot/fields/pointers/type/subtype/kind", "\"pointer\"");
  check_at(root, "user_types/knot/fields/arrays/type/count", "4294967295");
  check_at(root, "user_types/knot/fields/bits", NULL);
  /* Volatility would never end to look into it. */
  check_at(root, "user_types/knot/fields/unnamed_field_5/offset", "40");
  check_at(root, "user_types/knot/fields/unnamed_field_5/anonymous", NULL);
  g_assert_cmpuint(omitted, >, 0);
}

/* A structure of two of the one before, and so on: 2^30 members if one looks into all. */
static void
test_many_members(void)
{
  g_auto(FakeBtf) b = fake_btf_new();
  int before = fake_btf_struct(&b, NULL, 1);
  fake_btf_field(&b, "x", b.chr, 0);
  for (unsigned i = 0; i < 30; i++) {
    int next = fake_btf_struct(&b, NULL, 1);

    fake_btf_field(&b, NULL, before, 0);
    fake_btf_field(&b, NULL, before, 0);
    before = next;
  }
  fake_btf_struct(&b, "all", 1);
  fake_btf_field(&b, NULL, before, 0);
  g_autoptr(JsonNode) root = write_types(&b, NULL);

  check_at(root, "user_types/all/fields/unnamed_field_0/offset", "0");
  check_at(root, "user_types/all/fields/unnamed_field_0/anonymous", NULL);
}

/* What is cut short is a document all the same. */
static void
test_limit(void)
{
  g_auto(FakeBtf) b = fake_btf_new();
  for (unsigned i = 0; i < 100; i++) {
    g_autofree char *name = g_strdup_printf("s%u", i);

    fake_btf_struct(&b, name, 4);
    fake_btf_field(&b, "x", b.u32, 0);
  }
  g_autoptr(JsonNode) root = write_document(&b, NULL, 3000, NULL);
  g_assert_cmpuint(count_at(root, "user_types"), >, 10);
  g_assert_cmpuint(count_at(root, "user_types"), <, 90);
  g_autoptr(JsonNode) nothing = write_document(&b, NULL, 0, NULL);
  g_assert_cmpuint(count_at(nothing, "user_types"), ==, 0);
}

static DacsaKallsyms *
load_symbols(const GArray *symbols)
{
  const DacsaKallsymsAnchor anchor = {"_text", BASE, BASE};
  g_autoptr(GByteArray) data = g_byte_array_new();
  g_autoptr(GError) error = NULL;
  DacsaKallsyms *kallsyms = NULL;
  g_autoptr(DacsaMem) mem = fake_mem_new();
  DacsaKallsymsTables tables =
      fake_kallsyms_append(data, TABLES, FAKE_KALLSYMS_BASE_LAST, BASE, true, symbols);

  fake_mem_write(mem, TABLES, data->data, data->len);
  CHECK_OK(dacsa_kallsyms_load(mem, &tables, &anchor, &kallsyms, &error), error);
  return kallsyms;
}

static void
test_symbols(void)
{
  g_auto(FakeBtf) b = fake_btf_new();
  g_autoptr(GArray) symbols = fake_kallsyms_symbols(BASE + 0x100000, 8, false);
  int task = fake_btf_struct(&b, "task_struct", 4096);
  btf__add_var(b.btf, "current_task", BTF_VAR_GLOBAL_ALLOCATED, btf__add_ptr(b.btf, task));
  btf__add_var(b.btf, "init_task", BTF_VAR_GLOBAL_ALLOCATED, b.u32); /* known better */
  fake_kallsyms_add(symbols, "Acurrent_task", 0x1000);
  fake_kallsyms_add(symbols, "T_text", BASE);
  fake_kallsyms_add(symbols, "tfunction", BASE + 0x10);
  fake_kallsyms_add(symbols, "Dinit_task", BASE + 0x20);
  fake_kallsyms_add(symbols, "dtwice", BASE + 0x30);
  fake_kallsyms_add(symbols, "dtwice", BASE + 0x40);
  fake_kallsyms_add(symbols, "Rlinux_banner", BASE + 0x50);
  fake_kallsyms_add(symbols, "Dmodules", BASE + 0x60); /* of a type that this kernel has not */
  fake_kallsyms_add(symbols, "dsys_call_table", BASE + 0x70);
  fake_kallsyms_add(symbols, "dnext", BASE + 0x88);
  fake_kallsyms_add(symbols, "dq\\", BASE + 0x90);
  g_autoptr(DacsaKallsyms) kallsyms = load_symbols(symbols);
  const DacsaIsfSymbols told = {kallsyms, SHIFT, "Linux\n"};
  g_autoptr(JsonNode) root = write_document(&b, &told, LIMIT, NULL);

  check_at(root, "symbols/current_task/type", POINTER(STRUCT("task_struct")));
  check_at(root, "symbols/current_task/address", "4096");
  check_at(root, "symbols/init_task/type", STRUCT("task_struct"));
  g_assert_cmphex((uint64_t)json_node_get_int(at(root, "symbols/init_task/address")), ==,
                  UINT64_C(0xffffffff81000020));
  check_at(root, "symbols/function/type", NULL);
  check_at(root, "symbols/_text/type", BASE_TYPE("void"));
  g_assert_cmphex((uint64_t)json_node_get_int(at(root, "symbols/twice/address")), ==,
                  UINT64_C(0xffffffff81000030));
  check_at(root, "symbols/linux_banner/constant_data", "\"TGludXgKAA==\"");
  check_at(root, "symbols/linux_banner/type", ARRAY("7", BASE_TYPE("char")));
  check_at(root, "symbols/modules/type", BASE_TYPE("void"));
  check_at(root, "symbols/sys_call_table/type", ARRAY("3", POINTER(BASE_TYPE("void"))));
  g_assert_nonnull(at(root, "symbols/q\\"));
}

static void
test_no_symbols(void)
{
  g_auto(FakeBtf) b = fake_btf_new();
  const DacsaIsfSymbols none = {0};
  g_autoptr(JsonNode) root = write_document(&b, &none, LIMIT, NULL);

  check_at(root, "symbols", "{}");
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/isf/base-types", test_base_types);
  g_test_add_func("/isf/fields", test_fields);
  g_test_add_func("/isf/bit-fields", test_bit_fields);
  g_test_add_func("/isf/enums", test_enums);
  g_test_add_func("/isf/same-names", test_same_names);
  g_test_add_func("/isf/hostile-names", test_hostile_names);
  g_test_add_func("/isf/cycles", test_cycles);
  g_test_add_func("/isf/many-members", test_many_members);
  g_test_add_func("/isf/limit", test_limit);
  g_test_add_func("/isf/symbols", test_symbols);
  g_test_add_func("/isf/no-symbols", test_no_symbols);
  return g_test_run();
}
