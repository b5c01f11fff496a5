/* `info mtree -f`, as QEMU 7.2 prints it, and text that is something else. */
#include "check.h"

#include "snap/mtree.h"

#define SMM_VIEW                                                                                   \
  "FlatView #0\n"                                                                                  \
  " AS \"cpu-smm-0\", root: memory\n"                                                              \
  " Root memory region: memory\n"                                                                  \
  "  0000000000000000-00000000000bffff (prio 0, ram): pc.ram\n"                                    \
  "  00000000000c0000-00000000000dffff (prio 1, rom): pc.rom\n"                                    \
  "  0000000000100000-000000007fffffff (prio 0, ram): smram @0000000000100000\n"                   \
  "\n"
#define NO_VIEW                                                                                    \
  "FlatView #1\n"                                                                                  \
  " AS \"mch\", root: bus master container\n"                                                      \
  " AS \"ICH9-LPC\", root: bus master container\n"                                                 \
  " Root memory region: (none)\n"                                                                  \
  "  No rendered FlatView\n"                                                                       \
  "\n"
#define IO_VIEW                                                                                    \
  "FlatView #2\n"                                                                                  \
  " AS \"I/O\", root: io\n"                                                                        \
  " Root memory region: io\n"                                                                      \
  "  0000000000000000-0000000000000007 (prio 0, i/o): dma-chan\n"                                  \
  "  0000000000000010-000000000000001f (prio 0, i/o): io @0000000000000010\n"                      \
  "\n"
#define MEMORY_HEAD                                                                                \
  "FlatView #3\n"                                                                                  \
  " AS \"memory\", root: system\n"                                                                 \
  " AS \"cpu-memory-0\", root: system\n"                                                           \
  " Root memory region: system\n"
#define KVM_VIEW                                                                                   \
  MEMORY_HEAD                                                                                      \
  "  0000000000000000-00000000000bffff (prio 0, ram): pc.ram KVM\n"                                \
  "  00000000000c0000-00000000000dffff (prio 1, rom): pc.rom KVM\n"                                \
  "  00000000000e0000-00000000000fffff (prio 0, rom): pc.bios @0000000000020000 KVM\n"             \
  "  0000000000100000-000000007fffffff (prio 0, ram): pc.ram @0000000000100000 KVM\n"              \
  "  00000000fd000000-00000000fdffffff (prio 1, romd): flash KVM\n"                                \
  "  00000000fec00000-00000000fec00fff (prio 0, i/o): kvm-ioapic\n"                                \
  "  00000000fee00000-00000000feefffff (prio 4096, i/o): kvm-apic-msi\n"                           \
  "  00000000fffc0000-00000000ffffffff (prio 0, rom): pc.bios KVM\n"                               \
  "  0000000100000000-00000001bfffffff (prio 0, ram): pc.ram @0000000080000000 KVM\n"              \
  "\n"
#define LATER_VIEW                                                                                 \
  "FlatView #4\n"                                                                                  \
  " AS \"later\", root: other\n"                                                                   \
  "  0000000800000000-00000008ffffffff (prio 0, ram): not.ours\n"

static const DacsaMtreeRange expected[] = {
    {0, 0xbffff, 0, (char *)"pc.ram", false},
    {0xc0000, 0xdffff, 0, (char *)"pc.rom", true},
    {0xe0000, 0xfffff, 0x20000, (char *)"pc.bios", true},
    {0x100000, 0x7fffffff, 0x100000, (char *)"pc.ram", false},
    {0xfffc0000, 0xffffffff, 0, (char *)"pc.bios", true},
    {0x100000000, 0x1bfffffff, 0x80000000, (char *)"pc.ram", false},
};

static void
check_expected(const char *text)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GArray) ranges = NULL;

  CHECK_OK(dacsa_mtree_parse(text, &ranges, &error), error);
  g_assert_cmpuint(ranges->len, ==, G_N_ELEMENTS(expected));
  for (guint i = 0; i < ranges->len; i++) {
    const DacsaMtreeRange *r = &g_array_index(ranges, DacsaMtreeRange, i);

    g_assert_cmphex(r->start, ==, expected[i].start);
    g_assert_cmphex(r->end, ==, expected[i].end);
    g_assert_cmphex(r->block_offset, ==, expected[i].block_offset);
    g_assert_cmpstr(r->block, ==, expected[i].block);
    g_assert_cmpint(r->rom, ==, expected[i].rom);
  }
}

static void
test_kvm(void)
{
  check_expected(SMM_VIEW NO_VIEW IO_VIEW KVM_VIEW LATER_VIEW);
  check_expected(KVM_VIEW SMM_VIEW);
}

/* The same without the accelerator's mark, and with \r\n line ends. */
static void
test_tcg(void)
{
  g_auto(GStrv) parts = g_strsplit(SMM_VIEW NO_VIEW IO_VIEW KVM_VIEW LATER_VIEW, " KVM", -1);
  g_autofree char *plain = g_strjoinv("", parts);
  g_auto(GStrv) lines = g_strsplit(plain, "\n", -1);
  g_autofree char *crlf = g_strjoinv("\r\n", lines);

  check_expected(plain);
  check_expected(crlf);
}

static void
test_odd_names(void)
{
  static const char text[] = MEMORY_HEAD
      "  0000000000000000-000000000009ffff (prio 0, ram): /objects/my ram @0000000000001000 KVM\n"
      "  00000000000a0000-00000000000bffff (prio -1, ram): a@b\n"
      "  00000000000c0000-00000000000dffff (prio 0, ram): KVM KVM\n";
  g_autoptr(GError) error = NULL;
  g_autoptr(GArray) ranges = NULL;

  CHECK_OK(dacsa_mtree_parse(text, &ranges, &error), error);
  g_assert_cmpuint(ranges->len, ==, 3);
  g_assert_cmpstr(g_array_index(ranges, DacsaMtreeRange, 0).block, ==, "/objects/my ram");
  g_assert_cmphex(g_array_index(ranges, DacsaMtreeRange, 0).block_offset, ==, 0x1000);
  g_assert_cmpstr(g_array_index(ranges, DacsaMtreeRange, 1).block, ==, "a@b");
  g_assert_cmpstr(g_array_index(ranges, DacsaMtreeRange, 2).block, ==, "KVM");
}

static void
test_refused(void)
{
  static const char *const cases[] = {
      "",
      "info: unknown command\n",
      SMM_VIEW NO_VIEW IO_VIEW, /* no such view */
      MEMORY_HEAD "\n",
      MEMORY_HEAD "  No rendered FlatView\n\n" LATER_VIEW,
      MEMORY_HEAD "  00000000fec00000-00000000fec00fff (prio 0, i/o): kvm-ioapic\n",
      MEMORY_HEAD "  0000000000002000-0000000000001fff (prio 0, ram): backwards\n",
      MEMORY_HEAD "  0000000000000000-0000000000001fff (prio 0, ram) no colon\n",
      "  0000000000000000-00000000000bffff (prio 0, ram): before.any.view\n",
  };
  g_autoptr(GError) error = NULL;
  GArray *ranges = NULL;

  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_test_message("case %zu", i);
    CHECK_FAILS(dacsa_mtree_parse(cases[i], &ranges, &error), error, DACSA_ERROR_BAD_DATA);
    g_assert_null(ranges);
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/mtree/kvm", test_kvm);
  g_test_add_func("/mtree/tcg", test_tcg);
  g_test_add_func("/mtree/odd-names", test_odd_names);
  g_test_add_func("/mtree/refused", test_refused);
  return g_test_run();
}
