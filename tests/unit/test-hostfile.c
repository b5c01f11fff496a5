/* Lines and numbers of small files of /proc. */
#include "check.h"

#include "snap/hostfile.h"

#include <glib/gstdio.h>
#include <unistd.h>

static const char text[] =
    "Name:\tqemu\nUid:\t64055\t64055\t64055\t64055\nVmRSS:\t  1024 kB\n"
    "Max processes             63000                96365                processes\n"
    "Max file size             unlimited            unlimited            bytes\n"
    "inactive_file 4096\nnegative: -1\nodd: 12x\nempty:";

static void
test_line(void)
{
  g_autofree char *name = dacsa_hostfile_line(text, "Name");
  g_autofree char *inactive = dacsa_hostfile_line(text, "inactive_file");
  g_autofree char *empty = dacsa_hostfile_line(text, "empty");

  g_assert_cmpstr(name, ==, "qemu");
  g_assert_cmpstr(inactive, ==, "4096");
  g_assert_cmpstr(empty, ==, "");
  g_assert_null(dacsa_hostfile_line(text, "Nam"));
  g_assert_null(dacsa_hostfile_line(text, "active_file"));
  g_assert_null(dacsa_hostfile_line(NULL, "Name"));
  g_assert_null(dacsa_hostfile_line("", "Name"));
}

static void
test_number(void)
{
  uint64_t n = 0;

  g_assert_true(dacsa_hostfile_number(text, "Uid", &n) && n == 64055);
  g_assert_true(dacsa_hostfile_number(text, "VmRSS", &n) && n == 1024);
  g_assert_true(dacsa_hostfile_number(text, "Max processes", &n) && n == 63000);
  g_assert_false(dacsa_hostfile_number(text, "Max file size", &n));
  g_assert_false(dacsa_hostfile_number(text, "negative", &n));
  g_assert_false(dacsa_hostfile_number(text, "odd", &n));
  g_assert_false(dacsa_hostfile_number(text, "empty", &n));
  g_assert_false(dacsa_hostfile_number(text, "none", &n));
  g_assert_false(dacsa_hostfile_number(NULL, "Uid", &n));
}

static void
test_limit(void)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *root = g_dir_make_tmp("dacsa-test-XXXXXX", &error);
  g_autofree char *path = g_build_filename(root, "limit", NULL);
  uint64_t n = 0;

  g_assert_no_error(error);
  g_assert_false(dacsa_hostfile_limit(root, "/limit", &n));
  g_assert_true(g_file_set_contents(path, "max\n", -1, NULL));
  g_assert_true(dacsa_hostfile_limit(root, "/limit", &n) && n == UINT64_MAX);
  g_assert_true(g_file_set_contents(path, "9223372036854771712\n", -1, NULL));
  g_assert_true(dacsa_hostfile_limit(root, "/limit", &n) && n == UINT64_C(9223372036854771712));
  g_assert_true(g_file_set_contents(path, "maximum\n", -1, NULL));
  g_assert_false(dacsa_hostfile_limit(root, "/limit", &n));
  g_remove(path);
  g_rmdir(root);
}

/* The real one, of this very process. */
static void
test_this_process(void)
{
  g_autofree char *status = dacsa_hostfile_process("", getpid(), "status");
  g_autofree char *name = dacsa_hostfile_line(status, "Name");
  g_autofree char *limits = dacsa_hostfile_process("", getpid(), "limits");
  g_autofree char *processes = dacsa_hostfile_line(limits, "Max processes");
  uint64_t uid = 1;

  g_assert_cmpstr(name, ==, "test-hostfile");
  g_assert_true(dacsa_hostfile_number(status, "Uid", &uid) && uid == getuid());
  g_assert_nonnull(processes);
  g_assert_null(dacsa_hostfile_process("", 0x3fffffff, "status"));
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/hostfile/line", test_line);
  g_test_add_func("/hostfile/number", test_number);
  g_test_add_func("/hostfile/limit", test_limit);
  g_test_add_func("/hostfile/this-process", test_this_process);
  return g_test_run();
}
