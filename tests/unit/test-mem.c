/* The read interface's own part, and spans of bytes. */
#include "check.h"
#include "fake-mem.h"

#include "snap/bytes.h"

static void
test_bytes(void)
{
  static const uint8_t data[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  const DacsaBytes b = dacsa_bytes(data, sizeof(data));
  uint8_t u8 = 0;
  uint16_t u16 = 0;
  uint32_t u32 = 0;
  uint64_t u64 = 0;

  g_assert_true(dacsa_bytes_u8(b, 8, &u8) && u8 == 9);
  g_assert_true(dacsa_bytes_u16(b, 7, &u16) && u16 == 0x0908);
  g_assert_true(dacsa_bytes_u32(b, 5, &u32) && u32 == 0x09080706);
  g_assert_true(dacsa_bytes_u64(b, 1, &u64) && u64 == 0x0908070605040302);
  g_assert_false(dacsa_bytes_u8(b, 9, &u8));
  g_assert_false(dacsa_bytes_u16(b, 8, &u16));
  g_assert_false(dacsa_bytes_u32(b, 6, &u32));
  g_assert_false(dacsa_bytes_u64(b, 2, &u64));
  g_assert_false(dacsa_bytes_u64(b, UINT64_MAX - 3, &u64));
  g_assert_cmphex(u64, ==, 0x0908070605040302); /* left alone */
}

static void
test_bytes_slice(void)
{
  static const uint8_t data[] = {1, 2, 3, 4};
  const DacsaBytes b = dacsa_bytes(data, sizeof(data));

  g_assert_true(dacsa_bytes_slice(b, 1, 3).data == data + 1);
  g_assert_cmpuint(dacsa_bytes_slice(b, 1, 3).len, ==, 3);
  g_assert_true(dacsa_bytes_slice(b, 4, 0).data == data + 4);
  g_assert_null(dacsa_bytes_slice(b, 1, 4).data);
  g_assert_null(dacsa_bytes_slice(b, 5, 0).data);
  g_assert_null(dacsa_bytes_slice(b, 2, UINT64_MAX).data);
  g_assert_null(dacsa_bytes_slice(b, UINT64_MAX, 2).data);
}

static void
test_typed_reads(void)
{
  g_autoptr(DacsaMem) mem = fake_mem_new();
  g_autoptr(GError) error = NULL;
  uint8_t u8;
  uint16_t u16;
  uint32_t u32;
  uint64_t u64;

  fake_mem_u64(mem, 0x1ffc, 0x1122334455667788);
  CHECK_OK(dacsa_mem_read_u8(mem, 0x1ffc, &u8, &error), error);
  CHECK_OK(dacsa_mem_read_u16(mem, 0x1fff, &u16, &error), error);
  CHECK_OK(dacsa_mem_read_u32(mem, 0x1ffe, &u32, &error), error);
  CHECK_OK(dacsa_mem_read_u64(mem, 0x1ffc, &u64, &error), error);
  g_assert_cmphex(u8, ==, 0x88);
  g_assert_cmphex(u16, ==, 0x4455);
  g_assert_cmphex(u32, ==, 0x33445566);
  g_assert_cmphex(u64, ==, 0x1122334455667788);
}

static void
test_faults(void)
{
  g_autoptr(DacsaMem) mem = fake_mem_new();
  g_autoptr(GError) error = NULL;
  char buf[64];
  uint64_t u64 = 7;

  fake_mem_u8(mem, 0x1000, 0);
  fake_mem_u8(mem, UINT64_MAX, 0x5a);
  fake_mem_u8(mem, 0, 0xa5);
  CHECK_FAILS(dacsa_mem_read_u64(mem, 0x1ffc, &u64, &error), error, DACSA_ERROR_FAULT);
  g_assert_cmpuint(u64, ==, 7);
  /* Both ends of the address space are there, but not beside one another. */
  CHECK_FAILS(dacsa_mem_read(mem, UINT64_MAX, buf, 2, &error), error, DACSA_ERROR_FAULT);
  CHECK_OK(dacsa_mem_read(mem, UINT64_MAX, buf, 1, &error), error);
  g_assert_cmphex((uint8_t)buf[0], ==, 0x5a);
  CHECK_OK(dacsa_mem_read(mem, 0x5000, buf, 0, &error), error);
}

static char *
string_at(DacsaMem *mem, uint64_t addr, size_t max)
{
  g_autoptr(GError) error = NULL;
  char *text = NULL;

  CHECK_OK(dacsa_mem_read_string(mem, addr, max, &text, &error), error);
  return text;
}

static void
test_strings(void)
{
  g_autoptr(DacsaMem) mem = fake_mem_new();
  g_autoptr(GError) error = NULL;
  g_autofree char *long_text = g_strnfill(600, 'x');
  char *text = NULL;

  fake_mem_string(mem, 0x10f0, long_text);
  fake_mem_string(mem, 0x2ffa, "across");
  fake_mem_write(mem, 0x4ffc, "tail", 4); /* no zero, and nothing after it */
  fake_mem_write(mem, UINT64_MAX - 2, "end", 3);
  fake_mem_string(mem, 0, "start");
  const struct {
    uint64_t addr;
    size_t max;
    const char *expected;
  } cases[] = {{0x10f0, 1000, long_text},    {0x10f0, 600, long_text}, {0x2ffa, 100, "across"},
               {0x2ffa, 3, "acr"},           {0x2ffa, 0, ""},          {0x3000, 100, ""},
               {0x4ffc, 100, "tail"},        {0x4ffc, 2, "ta"},        {0x10f0 + 597, 100, "xxx"},
               {UINT64_MAX - 2, 100, "end"}, {0x10f0 + 600, 5, ""}};

  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *got = string_at(mem, cases[i].addr, cases[i].max);
    g_assert_cmpstr(got, ==, cases[i].expected);
  }
  CHECK_FAILS(dacsa_mem_read_string(mem, 0x5000, 10, &text, &error), error, DACSA_ERROR_FAULT);
  g_assert_null(text);
}

static void
test_read_some(void)
{
  g_autoptr(DacsaMem) mem = fake_mem_new();
  g_autofree uint8_t *buf = g_malloc(16384);

  fake_mem_u8(mem, 0x1000, 1);
  fake_mem_u8(mem, 0x2000, 2);
  fake_mem_u8(mem, UINT64_MAX, 3);
  fake_mem_u8(mem, 0, 4);
  g_assert_cmpuint(dacsa_mem_read_some(mem, 0x1000, buf, 0x2000), ==, 0x2000);
  g_assert_cmpuint(dacsa_mem_read_some(mem, 0x1800, buf, 0x4000), ==, 0x1800);
  g_assert_cmpuint(buf[0x800], ==, 2);
  g_assert_cmpuint(dacsa_mem_read_some(mem, 0x3000, buf, 10), ==, 0);
  /* What wraps around ends where the address space does. */
  g_assert_cmpuint(dacsa_mem_read_some(mem, UINT64_MAX - 9, buf, 100), ==, 10);
  g_assert_cmpuint(buf[9], ==, 3);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/bytes/reads", test_bytes);
  g_test_add_func("/bytes/slice", test_bytes_slice);
  g_test_add_func("/mem/typed-reads", test_typed_reads);
  g_test_add_func("/mem/faults", test_faults);
  g_test_add_func("/mem/strings", test_strings);
  g_test_add_func("/mem/read-some", test_read_some);
  return g_test_run();
}
