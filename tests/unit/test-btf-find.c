/* BTF found by its header. */
#include "check.h"

#include "parsers/btf-find.h"

/* A header, types (or what stands for them), strings. */
static void
append_btf(GByteArray *data, uint32_t type_len, uint32_t str_len)
{
  const uint32_t header[] = {
      GUINT32_TO_LE(0x0001eb9f), GUINT32_TO_LE(24),       0,
      GUINT32_TO_LE(type_len),   GUINT32_TO_LE(type_len), GUINT32_TO_LE(str_len)};
  g_autofree uint8_t *types = g_malloc(type_len);
  g_autofree uint8_t *strings = g_malloc(str_len);

  memset(types, 0xee, type_len);
  memset(strings, 'x', str_len);
  strings[0] = strings[str_len - 1] = 0;
  g_byte_array_append(data, (const uint8_t *)header, sizeof(header));
  g_byte_array_append(data, types, type_len);
  g_byte_array_append(data, strings, str_len);
}

static GByteArray *
make(void)
{
  GByteArray *data = g_byte_array_new();

  g_byte_array_append(data, (const uint8_t *)"\x9f\xeb\x01\x00 text", 9); /* only the magic */
  append_btf(data, 40, 10);                                               /* a module's, built in */
  append_btf(data, 400, 100);
  append_btf(data, 80, 20);
  return data;
}

static void
test_largest(void)
{
  g_autoptr(GByteArray) data = make();
  size_t at, len;

  g_assert_true(dacsa_btf_find(dacsa_bytes(data->data, data->len), &at, &len));
  g_assert_cmpuint(at, ==, 9 + 24 + 50);
  g_assert_cmpuint(len, ==, 24 + 500);
}

static void
test_damaged(void)
{
  static const struct {
    unsigned at;
    uint8_t value;
  } damages[] = {{0, 0},    {2, 2},    {3, 1},    {4, 8},          {7, 0x80},      {8, 1},
                 {12, 0},   {11, 255}, {15, 255}, {16, 0},         {16, 0x9c},     {19, 255},
                 {20, 101}, {23, 255}, {20, 1},   {24 + 400, 'x'}, {24 + 499, 'x'}};
  g_autoptr(GByteArray) data = g_byte_array_new();
  size_t at, len;

  append_btf(data, 400, 100);
  for (size_t i = 0; i < G_N_ELEMENTS(damages); i++) {
    uint8_t good = data->data[damages[i].at];

    g_test_message("case %zu", i);
    data->data[damages[i].at] = damages[i].value;
    g_assert_false(dacsa_btf_find(dacsa_bytes(data->data, data->len), &at, &len));
    data->data[damages[i].at] = good;
  }
  g_assert_true(dacsa_btf_find(dacsa_bytes(data->data, data->len), &at, &len));
}

static void
test_cut(void)
{
  g_autoptr(GByteArray) data = g_byte_array_new();
  size_t at, length;

  append_btf(data, 400, 100);
  for (size_t len = 0; len < data->len; len++) {
    g_autofree uint8_t *copy = g_memdup2(data->data, len);

    g_assert_false(dacsa_btf_find(dacsa_bytes(copy, len), &at, &length));
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/btf-find/largest", test_largest);
  g_test_add_func("/btf-find/damaged", test_damaged);
  g_test_add_func("/btf-find/cut", test_cut);
  return g_test_run();
}
