/* The configuration file: what it tells, what the command line tells over it, and its errors. */
#include "check.h"

#include "fs/config.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

static void
read_text(const char *text, DacsaConfig *ret)
{
  g_autoptr(GError) error = NULL;

  CHECK_OK(dacsa_config_from_text(text, strlen(text), "x.conf", ret, &error), error);
}

static void
test_all_keys(void)
{
  g_auto(DacsaConfig) c = {0};

  read_text("# a comment\n\n[mount]\nconnect = none\nqmp=a=/run/a.qmp;b=/run/b=c.qmp\n"
            "  group=0\noptions=max_read=4096\nshow-all=true\ndrop-on-exit=1\n",
            &c);
  g_assert_cmpstr(c.connect, ==, "none");
  g_assert_cmpuint(g_strv_length(c.qmp), ==, 2);
  g_assert_cmpstr(c.qmp[0], ==, "a=/run/a.qmp");
  g_assert_cmpstr(c.qmp[1], ==, "b=/run/b=c.qmp");
  g_assert_cmpstr(c.group, ==, "0");
  g_assert_cmpstr(c.options, ==, "max_read=4096");
  g_assert_true(c.show_all);
  g_assert_true(c.drop_on_exit);
}

static void
test_nothing_told(void)
{
  static const char *const texts[] = {"",          "\n",      "# nothing\n",
                                      "[mount]\n", "[mount]", "[mount]\r\nshow-all=false\r\n"};

  for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
    g_auto(DacsaConfig) c = {0};

    read_text(texts[i], &c);
    g_assert_null(c.connect);
    g_assert_null(c.qmp);
    g_assert_false(c.show_all);
  }
}

#define FIFTY "01234567890123456789012345678901234567890123456789"
#define LONG FIFTY FIFTY FIFTY

/* Each is told with its line, in one line. */
static void
test_errors(void)
{
  static const struct {
    const char *text, *begin;
  } cases[] = {{"[mount]\nfoo=1\n", "x.conf:2: unknown key foo"},
               {"[mount]\n\nshow_all=true\n", "x.conf:3: unknown key show_all"},
               {"[mount]\nforeground=true\n", "x.conf:2: unknown key foreground"},
               {"[mount]\nconnect[de]=none\n", "x.conf:2: unknown key connect[de]"},
               {"[other]\n", "x.conf:1: unknown group [other]"},
               {"[mount]\n[mount\n", "x.conf:2: unknown group [mount;"},
               {"connect=none\n", "x.conf:1: a key before"},
               {"[mount]\nwhat\n", "x.conf:2: what: write key=value"},
               {"[mount]\nshow-all=perhaps\n", "x.conf:2: show-all: write true or false"},
               {"[mount]\nshow-all=\n", "x.conf:2: show-all: write true or false"},
               {"[mount]\nconnect=\n", "x.conf:2: connect: it is empty"},
               {"[mount]\n#\nqmp=a=/x;b\n", "x.conf:3: qmp: b: write NAME=SOCKET"},
               {"[mount]\nqmp=\n", "x.conf:2: qmp: it is empty"},
               {"[mount]\nqmp==/x\n", "x.conf:2: qmp: =/x: write"},
               {"[mount]\nqmp=a=/" LONG "\n", "x.conf:2: qmp: a=/" LONG ": a socket's path has at"},
               {"[mount]\nqmp=a=/x\nqmp=b=/y\n", "x.conf:3: qmp is in line 2 already; put a ;"},
               {"[mount]\ngroup=no such group\n", "x.conf:2: group: no such group: there is no"},
               {"[mount]\ngroup=-1\n", "x.conf:2: group: -1: there is no"},
               {"[mount]\noptions=a\\qb\n", "x.conf:2: options: "},
               {"[mount]\nconnect=\xff\n", "x.conf:2: not UTF-8"}};

  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GError) error = NULL;
    g_auto(DacsaConfig) c = {0};

    g_assert_false(
        dacsa_config_from_text(cases[i].text, strlen(cases[i].text), "x.conf", &c, &error));
    g_assert_error(error, DACSA_ERROR, (int)DACSA_ERROR_BAD_DATA);
    g_test_message("%s", error->message);
    g_assert_true(g_str_has_prefix(error->message, cases[i].begin));
    g_assert_null(strpbrk(error->message, "\r\n"));
    g_assert_null(c.connect);
    g_assert_null(c.qmp);
  }
}

static void
test_not_a_text(void)
{
  g_autoptr(GError) error = NULL;
  g_auto(DacsaConfig) c = {0};

  CHECK_FAILS(dacsa_config_from_text("[mount]\n\0connect=x\n", 19, "x.conf", &c, &error), error,
              DACSA_ERROR_BAD_DATA);
}

static void
test_command_line_wins(void)
{
  g_auto(DacsaConfig) told = {.connect = g_strdup("none"), .show_all = TRUE};
  g_auto(DacsaConfig) file = {0};

  read_text("[mount]\nconnect=qemu:///system\ngroup=0\nqmp=a=/x\ndrop-on-exit=true\n", &file);
  dacsa_config_complete(&told, &file);
  g_assert_cmpstr(told.connect, ==, "none");
  g_assert_cmpstr(told.group, ==, "0");
  g_assert_cmpstr(told.qmp[0], ==, "a=/x");
  g_assert_true(told.qmp_of_file);
  g_assert_true(told.show_all);
  g_assert_true(told.drop_on_exit);
}

static void
test_list_is_not_mixed(void)
{
  g_auto(DacsaConfig) told = {.qmp = g_strsplit("b=/y", "\n", -1)};
  g_auto(DacsaConfig) file = {0};

  read_text("[mount]\nqmp=a=/x;c=/z\n", &file);
  dacsa_config_complete(&told, &file);
  g_assert_cmpuint(g_strv_length(told.qmp), ==, 1);
  g_assert_cmpstr(told.qmp[0], ==, "b=/y");
  g_assert_false(told.qmp_of_file);
}

static void
test_load(void)
{
  g_autofree char *dir = g_dir_make_tmp("test-config-XXXXXX", NULL);
  g_autofree char *path = g_build_filename(dir, "dacsa.conf", NULL);
  g_autoptr(GError) error = NULL;
  g_auto(DacsaConfig) c = {0};

  CHECK_FAILS(dacsa_config_load(path, &c, &error), error, DACSA_ERROR_OS);
  CHECK_OK(dacsa_config_load("none", &c, &error), error);
  g_assert_null(c.connect);
  g_assert_true(g_file_set_contents(path, "[mount]\nconnect=none\n", -1, NULL));
  CHECK_OK(dacsa_config_load(path, &c, &error), error);
  g_assert_cmpstr(c.connect, ==, "none");
  g_unlink(path);
  g_rmdir(dir);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/config/all-keys", test_all_keys);
  g_test_add_func("/config/nothing-told", test_nothing_told);
  g_test_add_func("/config/errors", test_errors);
  g_test_add_func("/config/not-a-text", test_not_a_text);
  g_test_add_func("/config/command-line-wins", test_command_line_wins);
  g_test_add_func("/config/list-is-not-mixed", test_list_is_not_mixed);
  g_test_add_func("/config/load", test_load);
  return g_test_run();
}
