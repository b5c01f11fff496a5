/* Symbol tables as scripts/kallsyms.c makes them, and damaged ones. */
#include "check.h"
#include "fake-mem.h"

#include "parsers/kallsyms.h"

#include <string.h>

#define NAMES 0x1000000u
#define TOKEN_TABLE 0x2000000u
#define TOKEN_INDEX 0x2100000u
#define OFFSETS (BASE + 0x2000000)
#define RELATIVE_BASE 0x4000000u
#define BASE UINT64_C(0xffffffff81000000)

/* A token of several letters, beside those that stand for one. */
#define LONG_TOKEN 1u
#define LONG_TOKEN_TEXT "Tinit_"

typedef struct {
  const char *name; /* with its type letter */
  uint64_t address;
} Symbol;

typedef enum { FROM_BASE, ABSOLUTE_PERCPU, FROM_PLACE, N_MODES } Mode;

typedef struct {
  DacsaMem *mem;
  DacsaKallsymsTables tables;
} Fixture;

static const Symbol symbols[] = {
    {"Afixed_percpu_data", 0},        {"T_stext", BASE},
    {"Tinit_task", BASE + 0x1a00000}, {"tlocal", BASE + 0x100},
    {"Tinit_top", BASE + 0x200},      {"tlocal", BASE + 0x300},
    {"bfar_away", BASE + 0x7fffffff}, {"D", BASE + 8}, /* a symbol without a name */
};

static void
write_tokens(DacsaMem *mem)
{
  uint64_t at = TOKEN_TABLE;

  for (unsigned i = 0; i < 256; i++) {
    const char one[2] = {(char)(i >= 0x20 && i < 0x7f ? i : 0), 0};
    const char *text = i == LONG_TOKEN ? LONG_TOKEN_TEXT : one;

    fake_mem_u16(mem, TOKEN_INDEX + i * 2, (uint16_t)(at - TOKEN_TABLE));
    fake_mem_string(mem, at, text);
    at += strlen(text) + 1;
  }
}

/* Returns where the next name goes. */
static uint64_t
write_name(DacsaMem *mem, uint64_t at, const char *name)
{
  g_autoptr(GByteArray) tokens = g_byte_array_new();
  size_t skip = g_str_has_prefix(name, LONG_TOKEN_TEXT) ? strlen(LONG_TOKEN_TEXT) : 0;

  if (skip)
    g_byte_array_append(tokens, &(uint8_t){LONG_TOKEN}, 1);
  g_byte_array_append(tokens, (const uint8_t *)name + skip, (guint)strlen(name + skip));
  if (tokens->len < 0x80) {
    fake_mem_u8(mem, at++, (uint8_t)tokens->len);
  } else {
    fake_mem_u8(mem, at++, (uint8_t)(tokens->len | 0x80));
    fake_mem_u8(mem, at++, (uint8_t)(tokens->len >> 7));
  }
  fake_mem_write(mem, at, tokens->data, tokens->len);
  return at + tokens->len;
}

static void
write_symbols(Fixture *f, const Symbol *table, size_t n, Mode mode)
{
  uint64_t at = NAMES;

  for (size_t i = 0; i < n; i++) {
    uint32_t offset = (uint32_t)(table[i].address - BASE);

    if (mode == ABSOLUTE_PERCPU)
      offset = table[i].address >= BASE ? (uint32_t)(BASE - 1 - table[i].address)
                                        : (uint32_t)table[i].address;
    else if (mode == FROM_PLACE)
      offset = (uint32_t)(table[i].address - (f->tables.offsets + i * 4));
    at = write_name(f->mem, at, table[i].name);
    fake_mem_u32(f->mem, OFFSETS + i * 4, offset);
  }
  f->tables.num_syms = n;
}

static void
set_up(Fixture *f, Mode mode)
{
  f->mem = fake_mem_new();
  f->tables = (DacsaKallsymsTables){NAMES, TOKEN_TABLE, TOKEN_INDEX, OFFSETS, RELATIVE_BASE, 0};
  if (mode == FROM_PLACE)
    f->tables.relative_base = 0;
  else
    fake_mem_u64(f->mem, RELATIVE_BASE, BASE);
  write_tokens(f->mem);
  write_symbols(f, symbols, G_N_ELEMENTS(symbols), mode);
}

static void
tear_down(Fixture *f)
{
  dacsa_mem_unref(f->mem);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Fixture, tear_down)

static bool
load(const Fixture *f, const char *anchor, uint64_t address, DacsaKallsyms **ret, GError **error)
{
  const DacsaKallsymsAnchor exact = {anchor, address, address};

  return dacsa_kallsyms_load(f->mem, &f->tables, &exact, ret, error);
}

static void
check_bad(Fixture *f, const char *anchor, uint64_t address, DacsaError code)
{
  g_autoptr(GError) error = NULL;
  DacsaKallsyms *k = NULL;

  CHECK_FAILS(load(f, anchor, address, &k, &error), error, code);
  g_assert_null(k);
}

static void
check_all(const DacsaKallsyms *k, Mode mode)
{
  g_assert_cmpuint(dacsa_kallsyms_count(k), ==, G_N_ELEMENTS(symbols));
  /* The first is below the base: only one of the modes can say so. */
  for (uint32_t i = mode == ABSOLUTE_PERCPU ? 0 : 1; i < G_N_ELEMENTS(symbols); i++) {
    uint64_t address;
    char type;
    g_autofree char *name = dacsa_kallsyms_symbol(k, i, &address, &type);

    g_assert_cmpstr(name, ==, symbols[i].name + 1);
    g_assert_cmpint(type, ==, symbols[i].name[0]);
    g_assert_cmphex(address, ==, symbols[i].address);
  }
}

static void
test_modes(void)
{
  for (Mode mode = 0; mode < N_MODES; mode++) {
    g_auto(Fixture) f;
    g_autoptr(GError) error = NULL;
    g_autoptr(DacsaKallsyms) k = NULL;
    uint64_t address;

    set_up(&f, mode);
    CHECK_OK(load(&f, "_stext", BASE, &k, &error), error);
    check_all(k, mode);
    CHECK_OK(dacsa_kallsyms_find(k, "init_task", &address, &error), error);
    g_assert_cmphex(address, ==, BASE + 0x1a00000);
    CHECK_OK(dacsa_kallsyms_find(k, "local", &address, &error), error);
    g_assert_cmphex(address, ==, BASE + 0x100); /* the first of that name */
    g_assert_cmphex(dacsa_kallsyms_find_optional(k, "init_top"), ==, BASE + 0x200);
    g_assert_cmphex(dacsa_kallsyms_find_optional(k, "init_"), ==, 0);
    g_assert_cmphex(dacsa_kallsyms_find_optional(k, "Tinit_top"), ==, 0);
    g_assert_cmphex(dacsa_kallsyms_find_optional(k, "loca"), ==, 0);
    CHECK_FAILS(dacsa_kallsyms_find(k, "init_tas", &address, &error), error, DACSA_ERROR_NOT_FOUND);
  }
}

static void
test_big_names(void)
{
  g_auto(Fixture) f;
  g_autoptr(GError) error = NULL;
  g_autoptr(DacsaKallsyms) k = NULL;
  g_autofree char *edge = g_strnfill(127, 'e');
  g_autofree char *over = g_strnfill(128, 'o');
  g_autofree char *big = g_strnfill(500, 'B');
  const Symbol table[] = {{edge, BASE + 1}, {over, BASE + 2}, {big, BASE + 3}, {"T_stext", BASE}};

  set_up(&f, FROM_BASE);
  write_symbols(&f, table, G_N_ELEMENTS(table), FROM_BASE);
  CHECK_OK(load(&f, "_stext", BASE, &k, &error), error);
  g_assert_cmphex(dacsa_kallsyms_find_optional(k, edge + 1), ==, BASE + 1);
  g_assert_cmphex(dacsa_kallsyms_find_optional(k, over + 1), ==, BASE + 2);
  g_assert_cmphex(dacsa_kallsyms_find_optional(k, big + 1), ==, BASE + 3);
}

static void
test_wrong_anchor(void)
{
  g_auto(Fixture) f;

  set_up(&f, ABSOLUTE_PERCPU);
  check_bad(&f, "_stext", BASE + 0x1000, DACSA_ERROR_BAD_DATA);
  check_bad(&f, "no_such", BASE, DACSA_ERROR_BAD_DATA);
  check_bad(&f, "", BASE, DACSA_ERROR_BAD_DATA);
}

/* An anchor need not be known exactly. */
static void
test_anchor_range(void)
{
  for (Mode mode = 0; mode < N_MODES; mode++) {
    const DacsaKallsymsAnchor range = {"init_task", BASE, BASE + 0x1a00000};
    const DacsaKallsymsAnchor below = {"init_task", BASE, BASE + 0x19fffff};
    g_auto(Fixture) f;
    g_autoptr(GError) error = NULL;
    g_autoptr(DacsaKallsyms) k = NULL;

    set_up(&f, mode);
    CHECK_OK(dacsa_kallsyms_load(f.mem, &f.tables, &range, &k, &error), error);
    check_all(k, mode);
    CHECK_FAILS(dacsa_kallsyms_load(f.mem, &f.tables, &below, &k, &error), error,
                DACSA_ERROR_BAD_DATA);
  }
}

static void
test_impossible_counts(void)
{
  static const uint64_t counts[] = {0, (2u << 20) + 1, UINT32_MAX, UINT64_MAX};
  g_auto(Fixture) f;

  set_up(&f, FROM_BASE);
  for (size_t i = 0; i < G_N_ELEMENTS(counts); i++) {
    f.tables.num_syms = counts[i];
    check_bad(&f, "_stext", BASE, DACSA_ERROR_BAD_DATA);
  }
}

static void
test_names_run_out(void)
{
  g_auto(Fixture) f;

  set_up(&f, FROM_BASE);
  f.tables.num_syms++; /* the next name's length is 0 */
  check_bad(&f, "_stext", BASE, DACSA_ERROR_BAD_DATA);
  f.tables.num_syms--;
  f.tables.token_table = NAMES + 20; /* the names end there, in the midst of one */
  check_bad(&f, "_stext", BASE, DACSA_ERROR_BAD_DATA);
  set_up((tear_down(&f), &f), FROM_BASE);
  fake_mem_u8(f.mem, NAMES, 0xff); /* a name that is longer than the page that is there */
  fake_mem_u8(f.mem, NAMES + 1, 0xff);
  check_bad(&f, "_stext", BASE, DACSA_ERROR_BAD_DATA);
  set_up((tear_down(&f), &f), FROM_BASE);
  fake_mem_cut(f.mem, NAMES + 1); /* the first name's tokens are not in memory */
  check_bad(&f, "_stext", BASE, DACSA_ERROR_BAD_DATA);
}

static void
test_tables_missing(void)
{
  g_auto(Fixture) f;

  set_up(&f, FROM_BASE);
  const DacsaKallsymsTables good = f.tables;
  f.tables.names = 0x9000000;
  check_bad(&f, "_stext", BASE, DACSA_ERROR_BAD_DATA);
  f.tables = good;
  f.tables.token_table = UINT64_MAX - 1;
  check_bad(&f, "_stext", BASE, DACSA_ERROR_BAD_DATA);
  f.tables = good;
  f.tables.token_index = UINT64_MAX - 1;
  check_bad(&f, "_stext", BASE, DACSA_ERROR_FAULT);
  f.tables = good;
  f.tables.offsets = 0x9000000;
  check_bad(&f, "_stext", BASE, DACSA_ERROR_FAULT);
  f.tables = good;
  f.tables.relative_base = 0x9000000;
  check_bad(&f, "_stext", BASE, DACSA_ERROR_FAULT);
}

static void
test_tokens_without_end(void)
{
  g_auto(Fixture) f;
  g_autofree char *letters = g_strnfill(4096, 'x');

  set_up(&f, FROM_BASE);
  fake_mem_write(f.mem, TOKEN_TABLE + 0x1000, letters, 4096);
  fake_mem_u16(f.mem, TOKEN_INDEX + 2 * 'a', 0x1000); /* to the end of memory */
  check_bad(&f, "_stext", BASE, DACSA_ERROR_BAD_DATA);
  fake_mem_u8(f.mem, TOKEN_TABLE + 0x1000 + 256, 0); /* an end, but 256 letters */
  check_bad(&f, "_stext", BASE, DACSA_ERROR_BAD_DATA);
  fake_mem_u8(f.mem, TOKEN_TABLE + 0x1000 + 255, 0); /* 255: a token may be so long */
  g_autoptr(GError) error = NULL;
  g_autoptr(DacsaKallsyms) k = NULL;
  CHECK_OK(load(&f, "_stext", BASE, &k, &error), error);
  fake_mem_u16(f.mem, TOKEN_INDEX + 2 * 'a', 0xffff); /* behind the table */
  check_bad(&f, "_stext", BASE, DACSA_ERROR_BAD_DATA);
}

/* Half a million symbols of one name must not take time that grows with their square. */
static void
test_one_name_for_all(void)
{
  const uint32_t n = 500000;
  g_auto(Fixture) f;
  g_autoptr(GError) error = NULL;
  g_autoptr(DacsaKallsyms) k = NULL;
  g_autoptr(GByteArray) names = g_byte_array_new();
  g_autofree uint8_t *offsets = g_malloc0(n * 4);

  set_up(&f, FROM_BASE);
  for (uint32_t i = 0; i < n; i++)
    g_byte_array_append(names, (const uint8_t[]){1, LONG_TOKEN}, 2);
  fake_mem_write(f.mem, NAMES, names->data, names->len);
  fake_mem_write(f.mem, OFFSETS, offsets, n * 4);
  fake_mem_u32(f.mem, OFFSETS, 0x40);
  f.tables.num_syms = n;
  CHECK_OK(load(&f, "init_", BASE + 0x40, &k, &error), error);
  g_assert_cmphex(dacsa_kallsyms_find_optional(k, "init_"), ==, BASE + 0x40);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/kallsyms/modes", test_modes);
  g_test_add_func("/kallsyms/big-names", test_big_names);
  g_test_add_func("/kallsyms/wrong-anchor", test_wrong_anchor);
  g_test_add_func("/kallsyms/anchor-range", test_anchor_range);
  g_test_add_func("/kallsyms/impossible-counts", test_impossible_counts);
  g_test_add_func("/kallsyms/names-run-out", test_names_run_out);
  g_test_add_func("/kallsyms/tables-missing", test_tables_missing);
  g_test_add_func("/kallsyms/tokens-without-end", test_tokens_without_end);
  g_test_add_func("/kallsyms/one-name-for-all", test_one_name_for_all);
  return g_test_run();
}
