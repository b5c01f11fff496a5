/* The log of the kernel, as rings built by hand: records of all states, a text that goes round the
 * end, and rings that lie. */
#include "check.h"
#include "fake-linux.h"

#include "parsers/linux/system.h"

#include <string.h>

#define RB UINT64_C(0xffff888000010000)
#define DESCS UINT64_C(0xffff888000020000)
#define INFOS UINT64_C(0xffff888000030000)
#define DATA UINT64_C(0xffff888000040000)
#define PRB UINT64_C(0xffffffff81000000)
#define LOG(n) (UINT64_C(0xffffffff81001000) + (n)*8u)

#define COUNT_BITS 3u
#define SIZE_BITS 7u /* 128 bytes of texts */
#define DESC_SIZE 24u
#define INFO_SIZE 96u

enum { RESERVED, COMMITTED, FINALIZED, REUSABLE };

static const FakeMember members[] = {
    {M_PRB_COUNT_BITS, 0, 4, 0},
    {M_PRB_DESCS, 8, 8, 0},
    {M_PRB_INFOS, 16, 8, 0},
    {M_PRB_HEAD_ID, 24, 8, 0},
    {M_PRB_TAIL_ID, 32, 8, 0},
    {M_PRB_SIZE_BITS, 48, 4, 0},
    {M_PRB_DATA, 56, 8, 0},
    {M_PRB_DESC_STATE, 0, 8, 0},
    {M_PRB_DESC_BEGIN, 8, 8, 0},
    {M_PRB_DESC_NEXT, 16, 8, 0},
    {M_PRINTK_INFO_SEQ, 0, 8, 0},
    {M_PRINTK_INFO_TS, 8, 8, 0},
    {M_PRINTK_INFO_LEN, 16, 2, 0},
    {M_PRINTK_INFO_FACILITY, 18, 1, 0},
    {M_PRINTK_INFO_LEVEL, 19, 1, 0},
    {M_PRINTK_INFO_CALLER, 20, 4, 0},
    {M_PRINTK_INFO_SUBSYSTEM, 24, 16, 0},
    {M_PRINTK_INFO_DEVICE, 40, 48, 0},
    {M_PRINTK_LOG_TS, 0, 8, 0},
    {M_PRINTK_LOG_LEN, 8, 2, 0},
    {M_PRINTK_LOG_TEXT_LEN, 10, 2, 0},
    {M_PRINTK_LOG_FACILITY, 14, 1, 0},
    {M_PRINTK_LOG_LEVEL, 15, 1, 0},
};

static void
set_up(FakeLinux *f)
{
  fake_linux_init(f, members, G_N_ELEMENTS(members));
  f->kernel.types[T_PRB_DESC] = DESC_SIZE;
  f->kernel.types[T_PRINTK_INFO] = INFO_SIZE;
  f->kernel.types[T_PRINTK_LOG] = 16;
  f->kernel.enumerators[E_DESC_COMMITTED] = COMMITTED;
  f->kernel.enumerators[E_DESC_FINALIZED] = FINALIZED;
  f->kernel.members[M_PRINTK_INFO_LEVEL].bits = 3;
  f->kernel.members[M_PRINTK_INFO_LEVEL].shift = 5;
  f->kernel.symbols[S_PRB] = PRB;
  fake_mem_u64(f->l.memory, PRB, RB);
  fake_linux_put(f, RB, M_PRB_COUNT_BITS, COUNT_BITS);
  fake_linux_put(f, RB, M_PRB_SIZE_BITS, SIZE_BITS);
  fake_linux_put(f, RB, M_PRB_DESCS, DESCS);
  fake_linux_put(f, RB, M_PRB_INFOS, INFOS);
  fake_linux_put(f, RB, M_PRB_DATA, DATA);
  for (unsigned i = 0; i < 1u << COUNT_BITS; i++)
    fake_linux_put(f, DESCS + i * DESC_SIZE, M_PRB_DESC_STATE, (uint64_t)REUSABLE << 62);
  for (unsigned i = 0; i < 1u << SIZE_BITS; i++)
    fake_mem_u8(f->l.memory, DATA + i, 0xee);
}

static void
put_range(FakeLinux *f, uint64_t tail, uint64_t head)
{
  fake_linux_put(f, RB, M_PRB_TAIL_ID, tail);
  fake_linux_put(f, RB, M_PRB_HEAD_ID, head);
}

static void
put_descriptor(FakeLinux *f, uint64_t id, unsigned state, uint64_t begin, uint64_t next,
               unsigned len)
{
  const uint64_t i = id & ((1u << COUNT_BITS) - 1);
  const uint64_t desc = DESCS + i * DESC_SIZE;
  const uint64_t info = INFOS + i * INFO_SIZE;

  fake_linux_put(f, desc, M_PRB_DESC_STATE, (uint64_t)state << 62 | id);
  fake_linux_put(f, desc, M_PRB_DESC_BEGIN, begin);
  fake_linux_put(f, desc, M_PRB_DESC_NEXT, next);
  fake_linux_put(f, info, M_PRINTK_INFO_SEQ, id);
  fake_linux_put(f, info, M_PRINTK_INFO_TS, id * 1000001000u);
  fake_linux_put(f, info, M_PRINTK_INFO_LEN, len);
  fake_linux_put(f, info, M_PRINTK_INFO_FACILITY, 3);
  fake_linux_put(f, info, M_PRINTK_INFO_LEVEL, 6u << 5 | 1);
}

/* A text in a block that stands, whole, at `at`. */
static void
put_text(FakeLinux *f, uint64_t at, uint64_t id, const char *text)
{
  fake_mem_u64(f->l.memory, DATA + at, id);
  fake_mem_write(f->l.memory, DATA + at + 8, text, strlen(text));
}

static void
test_records(void)
{
  g_auto(FakeLinux) f;

  set_up(&f);
  put_range(&f, 1, 6);
  put_descriptor(&f, 1, FINALIZED, 0, 24, 11);
  put_text(&f, 0, 1, "hello world");
  put_descriptor(&f, 2, COMMITTED, 24, 48, 9);
  put_text(&f, 24, 2, "to be ...");
  put_descriptor(&f, 3, RESERVED, 48, 64, 3);
  put_descriptor(&f, 4, REUSABLE, 0, 24, 11);
  put_descriptor(&f, 5, FINALIZED, 3, 3, 0); /* an empty line */
  put_descriptor(&f, 6, FINALIZED, 1, 1, 9); /* there was no room for its text */
  fake_linux_check(&f, dacsa_linux_dmesg,
                   "[    1.000001] hello world\n[    2.000002] to be ...\n[    5.000005] \n");
  fake_linux_check_errors(&f, NULL);
}

/* Blocks that lie in one another: a ring of 128 MiB would be 64 GiB of texts. */
static void
test_overlapping(void)
{
  g_auto(FakeLinux) f;
  g_autoptr(GString) out = g_string_new(NULL);
  g_autoptr(GError) error = NULL;

  set_up(&f);
  put_range(&f, 1, 3);
  for (unsigned i = 0; i < 3; i++) {
    put_descriptor(&f, i + 1, FINALIZED, i * 8, i * 8 + 112, 104);
    put_text(&f, i * 8, i + 1, "");
  }
  CHECK_OK(dacsa_linux_dmesg(&f.l.guest, out, &error), error);
  g_assert_nonnull(strstr(out->str, "[    2.000002] "));
  g_assert_null(strstr(out->str, "[    3.000003] "));
  g_autofree char *errors = dacsa_errors_text(f.l.errors);
  g_assert_cmpstr(errors, ==, "kernel/dmesg: cut short: the log's texts overlap\n");
}

static void
test_wrapped(void)
{
  g_auto(FakeLinux) f;

  set_up(&f);
  put_range(&f, 8, 10);
  put_descriptor(&f, 8, FINALIZED, 128 + 88, 128 + 112, 15);
  put_text(&f, 88, 8, "before the end.");
  put_descriptor(&f, 9, FINALIZED, 128 + 112, 256 + 24,
                 14); /* has no room at the end: at the start */
  put_text(&f, 0, 9, "from the start");
  put_descriptor(&f, 10, FINALIZED, 256 + 24, 256 + 128, 5); /* up to the very end */
  put_text(&f, 24, 10, "last.");
  fake_linux_check(&f, dacsa_linux_dmesg,
                   "[    8.000008] before the end.\n[    9.000009] from the start\n"
                   "[   10.000010] last.\n");
  fake_linux_check_errors(&f, NULL);
}

/* The last id there can be is followed by 0. */
static void
test_ids_wrap(void)
{
  const uint64_t last = (UINT64_C(1) << 62) - 1;
  g_auto(FakeLinux) f;

  set_up(&f);
  put_range(&f, last, 0);
  put_descriptor(&f, last, FINALIZED, 0, 16, 1);
  put_text(&f, 0, last, "a");
  put_descriptor(&f, 0, FINALIZED, 16, 32, 1);
  put_text(&f, 16, 0, "b");
  g_autofree char *text = fake_linux_text(&f, dacsa_linux_dmesg);
  g_assert_true(g_str_has_suffix(text, "] a\n[    0.000000] b\n"));
}

static void
test_texts(void)
{
  g_auto(FakeLinux) f;

  set_up(&f);
  put_range(&f, 1, 2);
  put_descriptor(&f, 1, FINALIZED, 0, 40, 21);
  put_text(&f, 0, 1, "one\ntwo \x1b[2J \xff \xc3\xa9 \t.\n");
  put_descriptor(&f, 2, FINALIZED, 40, 64, 400); /* longer than its block */
  put_text(&f, 40, 2, "0123456789abcdefXXXX");
  fake_linux_check(&f, dacsa_linux_dmesg,
                   "[    1.000001] one\n[    1.000001] two \\x1b[2J \\xff \xc3\xa9 \t.\n"
                   "[    2.000002] 0123456789abcdef\n");
}

static void
test_json(void)
{
  g_auto(FakeLinux) f;

  set_up(&f);
  put_range(&f, 1, 1);
  put_descriptor(&f, 1, FINALIZED, 0, 16, 2);
  put_text(&f, 0, 1, "hi");
  fake_linux_put(&f, INFOS + INFO_SIZE, M_PRINTK_INFO_CALLER, 0x80000002);
  fake_mem_string(f.l.memory, INFOS + INFO_SIZE + 24, "pci");
  fake_mem_string(f.l.memory, INFOS + INFO_SIZE + 40, "+pci:0000:00:01.0");
  fake_linux_check(
      &f, dacsa_linux_json_dmesg,
      "{\"seq\":1,\"timestamp_ns\":1000001000,\"facility\":3,\"level\":6,\"caller\":\"C2\","
      "\"subsystem\":\"pci\",\"device\":\"+pci:0000:00:01.0\",\"text\":\"hi\"}\n");
}

static void
test_lies(void)
{
  g_auto(FakeLinux) f;

  set_up(&f);
  put_range(&f, 1, UINT64_C(1) << 60); /* more than there is room for */
  put_descriptor(&f, 1, FINALIZED, 0, 16, 2);
  put_text(&f, 0, 77, "xx"); /* somebody else's text */
  put_descriptor(&f, 2, FINALIZED, 16, UINT64_C(1) << 40, 2);
  put_descriptor(&f, 3, FINALIZED, 24, 40, 2);
  put_text(&f, 24, 3, "ok");
  fake_linux_check(&f, dacsa_linux_dmesg, "[    3.000003] ok\n");
  fake_linux_check_errors(&f, "more records than it has room for");
  fake_linux_check_errors(&f, "a record whose text is not there");
  fake_linux_check_errors(&f, "a record of impossible length");
}

static void
test_sizes_lie(void)
{
  g_auto(FakeLinux) f;

  set_up(&f);
  put_range(&f, 1, 1);
  fake_linux_put(&f, RB, M_PRB_SIZE_BITS, 63);
  fake_linux_check(&f, dacsa_linux_dmesg, "");
  fake_linux_check_errors(&f, "the log has an impossible size");
}

/* -- the records before 5.10 -- */

static void
put_log(FakeLinux *f, uint32_t size, uint32_t first, uint32_t next)
{
  static const DacsaLinuxSymbol symbols[] = {S_LOG_BUF, S_LOG_BUF_LEN, S_LOG_FIRST_SEQ,
                                             S_LOG_FIRST_IDX, S_LOG_NEXT_IDX};

  f->kernel.symbols[S_PRB] = 0;
  for (unsigned i = 0; i < G_N_ELEMENTS(symbols); i++)
    f->kernel.symbols[symbols[i]] = LOG(i);
  fake_mem_u64(f->l.memory, LOG(0), DATA);
  fake_mem_u32(f->l.memory, LOG(1), size);
  fake_mem_u64(f->l.memory, LOG(2), 40);
  fake_mem_u32(f->l.memory, LOG(3), first);
  fake_mem_u32(f->l.memory, LOG(4), next);
}

static void
put_log_record(FakeLinux *f, uint64_t at, uint16_t len, uint16_t text_len, const char *text)
{
  fake_linux_put(f, DATA + at, M_PRINTK_LOG_TS, 7000000);
  fake_linux_put(f, DATA + at, M_PRINTK_LOG_LEN, len);
  fake_linux_put(f, DATA + at, M_PRINTK_LOG_TEXT_LEN, text_len);
  fake_linux_put(f, DATA + at, M_PRINTK_LOG_FACILITY, 0);
  fake_linux_put(f, DATA + at, M_PRINTK_LOG_LEVEL, 4);
  fake_mem_write(f->l.memory, DATA + at + 16, text, strlen(text));
}

static void
test_old_log(void)
{
  g_auto(FakeLinux) f;

  set_up(&f);
  put_log(&f, 128, 64, 24);
  put_log_record(&f, 64, 32, 5, "first");
  fake_linux_put(&f, DATA + 96, M_PRINTK_LOG_LEN, 0); /* continued at the start */
  put_log_record(&f, 0, 24, 6, "second");
  fake_linux_check(&f, dacsa_linux_dmesg, "[    0.007000] first\n[    0.007000] second\n");
  fake_linux_check_errors(&f, NULL);
}

static void
test_old_log_lies(void)
{
  g_auto(FakeLinux) f;
  g_auto(FakeLinux) circle;

  set_up(&f);
  put_log(&f, 128, 0, 100);
  put_log_record(&f, 0, 24, 2, "ok");
  put_log_record(&f, 24, 24, 9, "too long");
  fake_linux_check(&f, dacsa_linux_dmesg, "[    0.007000] ok\n");
  fake_linux_check_errors(&f, "a record of impossible length");
  set_up(&circle);
  put_log(&circle, 128, 0, 64);
  fake_linux_put(&circle, DATA, M_PRINTK_LOG_LEN, 0); /* continued at the start, for ever */
  fake_linux_check(&circle, dacsa_linux_dmesg, "");
  fake_linux_check_errors(&circle, "the log has no end");
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/printk/records", test_records);
  g_test_add_func("/printk/overlapping", test_overlapping);
  g_test_add_func("/printk/wrapped", test_wrapped);
  g_test_add_func("/printk/ids-wrap", test_ids_wrap);
  g_test_add_func("/printk/texts", test_texts);
  g_test_add_func("/printk/json", test_json);
  g_test_add_func("/printk/lies", test_lies);
  g_test_add_func("/printk/sizes-lie", test_sizes_lie);
  g_test_add_func("/printk/old-log", test_old_log);
  g_test_add_func("/printk/old-log/lies", test_old_log_lies);
  return g_test_run();
}
