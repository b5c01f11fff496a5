/* Symbol tables found by their shape, and what only looks like them. */
#include "check.h"
#include "fake-kallsyms.h"
#include "fake-mem.h"

#include "parsers/kallsyms-find.h"

#include <string.h>

#define GVA UINT64_C(0xffffffff82000000) /* of the read-only data */
#define BASE UINT64_C(0xffffffff81000000)
#define N 3000u

typedef struct {
  GByteArray *data;
  GArray *symbols;
  DacsaKallsymsTables tables;
} Fixture;

static void
append_noise(GByteArray *data, size_t len, uint32_t seed)
{
  g_autoptr(GRand) rand = g_rand_new_with_seed(seed);

  for (size_t i = 0; i < len; i++)
    g_byte_array_append(data, &(uint8_t){(uint8_t)g_rand_int(rand)}, 1);
}

/* What else is in a kernel's read-only data: texts, pointers, small numbers, and zeros. */
static void
append_rodata(GByteArray *data)
{
  static const uint8_t zeros[8192];

  append_noise(data, 4096, 1);
  for (uint64_t i = 0; i < 512; i++)
    g_byte_array_append(data, (const uint8_t *)&(uint64_t){i * 300}, 8);
  for (unsigned i = 0; i < 2048; i++)
    g_byte_array_append(data, (const uint8_t *)&(uint16_t){(uint16_t)(i % 300 * 3)}, 2);
  g_byte_array_append(data, zeros, sizeof(zeros));
}

static void
set_up(Fixture *f, FakeKallsymsOrder order, bool percpu)
{
  f->data = g_byte_array_new();
  f->symbols = fake_kallsyms_symbols(BASE, N, percpu);
  append_rodata(f->data);
  f->tables = fake_kallsyms_append(f->data, GVA, order, BASE, percpu, f->symbols);
  append_rodata(f->data);
}

static void
tear_down(Fixture *f)
{
  g_byte_array_unref(f->data);
  g_array_unref(f->symbols);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Fixture, tear_down)

typedef struct {
  DacsaKallsymsTables tables;
  unsigned calls, refuse; /* refuse: so many before it is content */
} Visits;

static bool
visit(const DacsaKallsymsTables *tables, void *data)
{
  Visits *v = data;

  v->tables = *tables;
  return v->calls++ >= v->refuse;
}

static bool
find(const Fixture *f, Visits *v)
{
  return dacsa_kallsyms_find_tables(dacsa_bytes(f->data->data, f->data->len), GVA, visit, v);
}

static void
check_found(const Fixture *f)
{
  Visits v = {0};

  g_assert_true(find(f, &v));
  g_assert_cmphex(v.tables.names, ==, f->tables.names);
  g_assert_cmphex(v.tables.token_table, ==, f->tables.token_table);
  g_assert_cmphex(v.tables.token_index, ==, f->tables.token_index);
  g_assert_cmphex(v.tables.offsets, ==, f->tables.offsets);
  g_assert_cmphex(v.tables.relative_base, ==, f->tables.relative_base);
  g_assert_cmpuint(v.tables.num_syms, ==, f->tables.num_syms);
}

static void
check_not_found(const Fixture *f)
{
  Visits v = {0};

  g_assert_false(find(f, &v));
  g_assert_cmpuint(v.calls, ==, 0);
}

/* The byte of a table. */
static uint8_t *
byte_at(Fixture *f, uint64_t gva)
{
  g_assert_cmpuint(gva - GVA, <, f->data->len);
  return f->data->data + (gva - GVA);
}

/* Where the name of a symbol begins. */
static uint64_t
name_at(const Fixture *f, guint i)
{
  uint64_t at = f->tables.names;

  for (guint n = 0; n < i; n++) {
    size_t len = strlen(g_array_index(f->symbols, FakeSymbol, n).name);
    at += len + (len < 0x80 ? 1 : 2);
  }
  return at;
}

static void
test_orders(void)
{
  for (FakeKallsymsOrder order = 0; order < FAKE_KALLSYMS_N_ORDERS; order++) {
    for (int percpu = 0; percpu < (order == FAKE_KALLSYMS_PLACE ? 1 : 2); percpu++) {
      g_auto(Fixture) f;

      g_test_message("order %d, percpu %d", order, percpu);
      set_up(&f, order, percpu);
      check_found(&f);
    }
  }
}

/* What was found can be loaded, and says what was written. */
static void
test_load(void)
{
  for (FakeKallsymsOrder order = 0; order < FAKE_KALLSYMS_N_ORDERS; order++) {
    const DacsaKallsymsAnchor anchor = {"_stext", BASE, GVA};
    g_auto(Fixture) f;
    g_autoptr(DacsaMem) mem = fake_mem_new();
    g_autoptr(DacsaKallsyms) k = NULL;
    g_autoptr(GError) error = NULL;
    Visits v = {0};

    set_up(&f, order, order != FAKE_KALLSYMS_PLACE);
    fake_mem_write(mem, GVA, f.data->data, f.data->len);
    g_assert_true(find(&f, &v));
    CHECK_OK(dacsa_kallsyms_load(mem, &v.tables, &anchor, &k, &error), error);
    g_assert_cmpuint(dacsa_kallsyms_count(k), ==, f.symbols->len);
    for (guint i = 0; i < f.symbols->len; i++) {
      const FakeSymbol *symbol = &g_array_index(f.symbols, FakeSymbol, i);
      uint64_t address;
      char type;
      g_autofree char *name = dacsa_kallsyms_symbol(k, i, &address, &type);

      g_assert_cmpstr(name, ==, symbol->name + 1);
      g_assert_cmpint(type, ==, symbol->name[0]);
      g_assert_cmphex(address, ==, symbol->address);
    }
  }
}

/* Names whose number is a multiple of the markers' step, or one beside it. */
static void
test_edges(void)
{
  static const unsigned numbers[] = {1024, 1025, 1279, 1280, 1281};

  for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
    for (FakeKallsymsOrder order = 0; order < FAKE_KALLSYMS_N_ORDERS; order++) {
      g_auto(Fixture) f = {.data = g_byte_array_new()};

      g_test_message("%u symbols, order %d", numbers[i], order);
      f.symbols = fake_kallsyms_symbols(BASE, numbers[i], false);
      f.tables = fake_kallsyms_append(f.data, GVA, order, BASE, false, f.symbols);
      check_found(&f);
    }
  }
}

/* One byte that is wrong. */
static void
test_near_misses(void)
{
  for (FakeKallsymsOrder order = 0; order < FAKE_KALLSYMS_N_ORDERS; order++) {
    g_auto(Fixture) f;

    set_up(&f, order, false);
    const uint64_t broken[] = {
        f.tables.token_index + 100, /* the tokens are no longer ascending */
        f.tables.token_table + 6,   /* the end of the first token */
        f.tables.names,             /* a name of another length */
        name_at(&f, 1500),          /* the same, in their midst */
        f.tables.names - 4 - (order == FAKE_KALLSYMS_PLACE ? 0 : 4), /* one symbol more */
        f.tables.offsets + 4 * 1500 + 3,                             /* addresses out of order */
    };
    for (size_t i = 0; i < G_N_ELEMENTS(broken); i++) {
      uint8_t *byte = byte_at(&f, broken[i]);

      g_test_message("order %d, case %zu", order, i);
      *byte ^= 0x5a;
      check_not_found(&f);
      *byte ^= 0x5a;
    }
    check_found(&f);
    if (f.tables.relative_base) { /* a base that is not in the kernel's image is none */
      Visits v = {.refuse = G_MAXUINT};

      *byte_at(&f, f.tables.relative_base + 5) ^= 1;
      g_assert_false(find(&f, &v));
      g_assert_cmphex(v.tables.relative_base, ==, 0);
    }
  }
}

/* Cut at any place, nothing is found and nothing read beyond the end. */
static void
test_cut(void)
{
  g_auto(Fixture) f;

  set_up(&f, FAKE_KALLSYMS_BASE_LAST, false);
  const size_t end = (size_t)(f.tables.relative_base + 8 - GVA);
  for (size_t len = 0; len < end; len += 997) {
    g_autofree uint8_t *copy = g_memdup2(f.data->data, len); /* for the sanitizer to watch */
    Visits v = {0};

    g_assert_false(dacsa_kallsyms_find_tables(dacsa_bytes(copy, len), GVA, visit, &v));
  }
}

/* Tables that hold together but are not the kernel's: the search goes on behind them. */
static void
test_refused(void)
{
  g_auto(Fixture) f;
  Visits v = {.refuse = 1};

  set_up(&f, FAKE_KALLSYMS_BASE_FIRST, false);
  while (f.data->len % 8 != 0)
    g_byte_array_append(f.data, (const uint8_t *)"", 1);
  f.tables = fake_kallsyms_append(f.data, GVA, FAKE_KALLSYMS_BASE_LAST, BASE, false, f.symbols);
  g_assert_true(find(&f, &v));
  g_assert_cmpuint(v.calls, ==, 2);
  g_assert_cmphex(v.tables.names, ==, f.tables.names);
}

/* A guest that has nothing but tables: the search ends. */
static void
test_endless(void)
{
  g_auto(Fixture) f = {.data = g_byte_array_new()};
  Visits v = {.refuse = G_MAXUINT};

  f.symbols = fake_kallsyms_symbols(BASE, 1100, false);
  for (unsigned i = 0; i < 300; i++) {
    while (f.data->len % 8 != 0)
      g_byte_array_append(f.data, (const uint8_t *)"", 1);
    f.tables = fake_kallsyms_append(f.data, GVA, FAKE_KALLSYMS_BASE_LAST, BASE, false, f.symbols);
  }
  g_assert_false(find(&f, &v));
  g_assert_cmpuint(v.calls, >, 1);
  g_assert_cmpuint(v.calls, <, 300);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/kallsyms-find/orders", test_orders);
  g_test_add_func("/kallsyms-find/load", test_load);
  g_test_add_func("/kallsyms-find/edges", test_edges);
  g_test_add_func("/kallsyms-find/near-misses", test_near_misses);
  g_test_add_func("/kallsyms-find/cut", test_cut);
  g_test_add_func("/kallsyms-find/refused", test_refused);
  g_test_add_func("/kallsyms-find/endless", test_endless);
  return g_test_run();
}
