/* Symbol tables, written the other way round. */
#include "fake-kallsyms.h"

#include <string.h>

#define FIRST_LETTER 0x24u /* `$`: codes below stand for texts of several letters */

static void
append_u16(GByteArray *data, uint16_t v)
{
  v = GUINT16_TO_LE(v);
  g_byte_array_append(data, (uint8_t *)&v, sizeof(v));
}

static void
append_u32(GByteArray *data, uint32_t v)
{
  v = GUINT32_TO_LE(v);
  g_byte_array_append(data, (uint8_t *)&v, sizeof(v));
}

static void
append_u64(GByteArray *data, uint64_t v)
{
  v = GUINT64_TO_LE(v);
  g_byte_array_append(data, (uint8_t *)&v, sizeof(v));
}

static size_t
align(GByteArray *data, FakeKallsymsOrder order)
{
  while (data->len % (order == FAKE_KALLSYMS_PLACE ? 4 : 8) != 0)
    g_byte_array_append(data, (const uint8_t *)"", 1);
  return data->len;
}

static void
append_names(GByteArray *data, const GArray *symbols, GArray *markers)
{
  guint start = data->len;

  for (guint i = 0; i < symbols->len; i++) {
    const char *name = g_array_index(symbols, FakeSymbol, i).name;
    size_t len = strlen(name);
    uint32_t at = data->len - start;

    if (i % 256 == 0)
      g_array_append_val(markers, at);
    if (len >= 0x80) {
      const uint8_t high = (uint8_t)(len >> 7);
      g_byte_array_append(data, &(uint8_t){(uint8_t)(len | 0x80)}, 1);
      g_byte_array_append(data, &high, 1);
    } else {
      g_byte_array_append(data, &(uint8_t){(uint8_t)len}, 1);
    }
    g_byte_array_append(data, (const uint8_t *)name, (guint)len);
  }
}

static void
append_tokens(GByteArray *data, FakeKallsymsOrder order, uint64_t gva, DacsaKallsymsTables *tables)
{
  uint16_t index[256];
  size_t start = align(data, order);

  for (unsigned i = 0; i < 256; i++) {
    char text[16];

    g_snprintf(text, sizeof(text), i >= FIRST_LETTER && i < 0x7f ? "%c" : "token%u", i);
    index[i] = (uint16_t)(data->len - start);
    g_byte_array_append(data, (uint8_t *)text, (guint)strlen(text) + 1);
  }
  tables->token_table = gva + start;
  tables->token_index = gva + align(data, order);
  for (unsigned i = 0; i < 256; i++)
    append_u16(data, index[i]);
}

static void
append_offsets(GByteArray *data, FakeKallsymsOrder order, uint64_t gva, uint64_t base, bool percpu,
               const GArray *symbols, DacsaKallsymsTables *tables)
{
  tables->offsets = gva + align(data, order);
  for (guint i = 0; i < symbols->len; i++) {
    uint64_t address = g_array_index(symbols, FakeSymbol, i).address;

    if (order == FAKE_KALLSYMS_PLACE)
      append_u32(data, (uint32_t)(address - (gva + data->len)));
    else if (!percpu)
      append_u32(data, (uint32_t)(address - base));
    else
      append_u32(data, (uint32_t)(address < base ? address : base - 1 - address));
  }
  if (order == FAKE_KALLSYMS_PLACE)
    return;
  tables->relative_base = gva + align(data, order);
  append_u64(data, base);
}

static void
append_seqs(GByteArray *data, FakeKallsymsOrder order, guint n)
{
  align(data, order);
  for (guint i = 0; i < n; i++) {
    guint seq = (guint)((uint64_t)i * 7919 % n); /* some permutation */
    const uint8_t bytes[] = {(uint8_t)(seq >> 16), (uint8_t)(seq >> 8), (uint8_t)seq};

    g_byte_array_append(data, bytes, sizeof(bytes));
  }
}

DacsaKallsymsTables
fake_kallsyms_append(GByteArray *data, uint64_t gva, FakeKallsymsOrder order, uint64_t base,
                     bool percpu, const GArray *symbols)
{
  DacsaKallsymsTables tables = {.num_syms = symbols->len};
  g_autoptr(GArray) markers = g_array_new(FALSE, FALSE, sizeof(uint32_t));
  bool offsets_first = order == FAKE_KALLSYMS_BASE_FIRST || order == FAKE_KALLSYMS_SEQS;

  if (offsets_first)
    append_offsets(data, order, gva, base, percpu, symbols, &tables);
  align(data, order);
  append_u32(data, symbols->len);
  tables.names = gva + align(data, order);
  append_names(data, symbols, markers);
  align(data, order);
  for (guint i = 0; i < markers->len; i++)
    append_u32(data, g_array_index(markers, uint32_t, i));
  if (order == FAKE_KALLSYMS_SEQS)
    append_seqs(data, order, symbols->len);
  append_tokens(data, order, gva, &tables);
  if (!offsets_first) {
    append_offsets(data, order, gva, base, percpu, symbols, &tables);
    append_seqs(data, order, symbols->len);
  }
  return tables;
}

static void
clear_symbol(void *symbol)
{
  g_free(((FakeSymbol *)symbol)->name);
}

void
fake_kallsyms_add(GArray *symbols, const char *name, uint64_t address)
{
  const FakeSymbol symbol = {g_strdup(name), address};
  guint at = symbols->len;

  while (at > 0 && g_array_index(symbols, FakeSymbol, at - 1).address > address)
    at--;
  g_array_insert_val(symbols, at, symbol);
}

GArray *
fake_kallsyms_symbols(uint64_t base, unsigned n, bool percpu)
{
  GArray *symbols = g_array_new(FALSE, FALSE, sizeof(FakeSymbol));

  g_array_set_clear_func(symbols, clear_symbol);
  for (unsigned i = 0; percpu && i < 10; i++) {
    g_autofree char *name = g_strdup_printf("Apercpu_%u", i);
    fake_kallsyms_add(symbols, name, i * 64);
  }
  fake_kallsyms_add(symbols, "T_stext", base);
  for (unsigned i = 1; i < n; i++) {
    g_autofree char *filler = g_strnfill(i % 97 == 0 ? 200 : i % 13, 'x');
    g_autofree char *name = g_strdup_printf("tfunction_%u_%s", i, filler);
    fake_kallsyms_add(symbols, name, base + i * UINT64_C(64));
  }
  return symbols;
}
