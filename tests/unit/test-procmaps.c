/* smaps text, and what /proc tells of this very process. */
#include "check.h"

#include "snap/procmaps.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char smaps[] =
    "55d0c0a00000-55d0c0a21000 r-xp 00002000 08:01 131090                     /opt/my qemu "
    "(deleted)\n"
    "Size:                132 kB\n"
    "Rss:                 100 kB\n"
    "THPeligible:           0\n"
    "VmFlags: rd ex mr mw me \n"
    "7f0000000000-7f0040000000 rw-p 00000000 00:00 0 \n"
    "Size:            1048576 kB\n"
    "Rss:              524288 kB\n"
    "Anonymous:        524288 kB\n"
    "VmFlags: rd wr mr mw me dc dd hg \n"
    "7f0040000000-7f0080000000 rw-s 00000000 00:01 2048                       /memfd:ram\n"
    "Rss:                   0 kB\n"
    "VmFlags: rd wr sh mr mw me ms \n"
    "7f0080000000-7f00c0000000 rw-p 00000000 00:0f 33                         /anon_hugepage "
    "(deleted)\n"
    "Rss:                   0 kB\n"
    "VmFlags: rd wr mr mw me um de ht nh \n"
    "7ffd00000000-7ffd00004000 r--p 00000000 00:00 0                          [vvar]\n"
    "VmFlags: rd mr pf io de dd \n"
    "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n"
    "VmFlags: ex \n";

static void
test_parse(void)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GArray) vmas = NULL;

  CHECK_OK(dacsa_procmaps_parse(smaps, &vmas, &error), error);
  g_assert_cmpuint(vmas->len, ==, 6);
  const DacsaHostVma *v = &g_array_index(vmas, DacsaHostVma, 0);
  g_assert_cmphex(v[0].start, ==, 0x55d0c0a00000);
  g_assert_cmphex(v[0].end, ==, 0x55d0c0a21000);
  g_assert_true(v[0].readable && !v[0].writable && v[0].executable && !v[0].shared);
  g_assert_cmpuint(v[0].rss, ==, 100 * 1024);
  g_assert_cmpstr(v[0].path, ==, "/opt/my qemu (deleted)");
  g_assert_true(v[1].dont_fork && !v[1].shared && !v[1].hugetlb && !v[1].userfaultfd);
  g_assert_cmpuint(v[1].rss, ==, 524288 * 1024);
  g_assert_true(v[1].huge_pages && !v[1].no_huge_pages && !v[2].huge_pages);
  g_assert_null(v[1].path);
  g_assert_true(v[2].shared && !v[2].dont_fork);
  g_assert_true(v[3].hugetlb && v[3].userfaultfd && !v[3].shared && v[3].no_huge_pages);
  g_assert_cmpstr(v[5].path, ==, "[vsyscall]");
  g_assert_false(v[5].readable);
  g_assert_true(v[4].io && v[4].device && !v[3].io && !v[3].device);
}

static void
test_find(void)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GArray) vmas = NULL;

  CHECK_OK(dacsa_procmaps_parse(smaps, &vmas, &error), error);
  const DacsaHostVma *v = &g_array_index(vmas, DacsaHostVma, 0);
  g_assert_true(dacsa_procmaps_find(vmas, 0x7f0000000000) == &v[1]);
  g_assert_true(dacsa_procmaps_find(vmas, 0x7f003fffffff) == &v[1]);
  g_assert_true(dacsa_procmaps_find(vmas, 0x7f0040000000) == &v[2]);
  g_assert_null(dacsa_procmaps_find(vmas, 0x55d0c0a21000));
  g_assert_null(dacsa_procmaps_find(vmas, 0));
  g_assert_null(dacsa_procmaps_find(vmas, UINT64_MAX));
}

static void
test_not_smaps(void)
{
  static const char *const cases[] = {"", "\n\n", "VmFlags: rd\nRss: 4 kB\n",
                                      "garbage-garbage rwxp", "1000-2000 rw 0 0:0 0\n"};
  g_autoptr(GError) error = NULL;
  GArray *vmas = NULL;

  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
    CHECK_FAILS(dacsa_procmaps_parse(cases[i], &vmas, &error), error, DACSA_ERROR_BAD_DATA);
}

static void
test_this_process(void)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GArray) vmas = NULL;
  g_autofree char *name = NULL;
  char *none = NULL;
  uint64_t start = 0, again = 1;
  char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  g_assert_true(page != MAP_FAILED && madvise(page, 4096, MADV_DONTFORK) == 0);
  page[0] = 1;
  CHECK_OK(dacsa_procmaps_read(getpid(), &vmas, &error), error);
  const DacsaHostVma *vma = dacsa_procmaps_find(vmas, (uintptr_t)page);
  g_assert_true(vma && vma->dont_fork && vma->writable && vma->rss >= 4096);
  CHECK_OK(dacsa_procmaps_status(getpid(), "Name", &name, &error), error);
  g_assert_cmpstr(name, ==, "test-procmaps");
  CHECK_FAILS(dacsa_procmaps_status(getpid(), "Nam", &none, &error), error, DACSA_ERROR_NOT_FOUND);
  CHECK_OK(dacsa_procmaps_start_time(getpid(), &start, &error), error);
  CHECK_OK(dacsa_procmaps_start_time(getpid(), &again, &error), error);
  g_assert_cmpuint(start, >, 0);
  g_assert_cmpuint(start, ==, again);
  munmap(page, 4096);
}

static void
test_no_process(void)
{
  g_autoptr(GError) error = NULL;
  GArray *vmas = NULL;
  uint64_t start;

  CHECK_FAILS(dacsa_procmaps_read(0x3fffffff, &vmas, &error), error, DACSA_ERROR_NOT_FOUND);
  CHECK_FAILS(dacsa_procmaps_start_time(0x3fffffff, &start, &error), error, DACSA_ERROR_NOT_FOUND);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/procmaps/parse", test_parse);
  g_test_add_func("/procmaps/find", test_find);
  g_test_add_func("/procmaps/not-smaps", test_not_smaps);
  g_test_add_func("/procmaps/this-process", test_this_process);
  g_test_add_func("/procmaps/no-process", test_no_process);
  return g_test_run();
}
