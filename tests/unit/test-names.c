/* File names for what is no file name. */
#include "check.h"

#include "fs/names.h"

static void
test_escape(void)
{
  static const char *const cases[][2] = {{"", "%"},
                                         {"web", "web"},
                                         {"a b", "a b"},
                                         {"a/b", "a%2Fb"},
                                         {"..", "%2E%2E"},
                                         {".", "%2E"},
                                         {"...", "..."},
                                         {".hidden", ".hidden"},
                                         {"100%", "100%25"},
                                         {"a%2Fb", "a%252Fb"},
                                         {"n\nl", "n%0Al"},
                                         {"\x7f", "%7F"},
                                         {"\x1b[0m", "%1B[0m"},
                                         {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"}};

  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *got = dacsa_name_escape(cases[i][0]);
    g_autofree char *back = dacsa_name_unescape(got);
    g_assert_cmpstr(got, ==, cases[i][1]);
    g_assert_cmpstr(back, ==, cases[i][0]);
  }
}

/* Each name has one spelling: others are no names. */
static void
test_not_escaped(void)
{
  static const char *const names[] = {"a/b", "%41", "%2f", "%2",  "100%",
                                      "%zz", ".",   "..",  "%00", "%%"};

  for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
    g_assert_null(dacsa_name_unescape(names[i]));
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/names/escape", test_escape);
  g_test_add_func("/names/not-escaped", test_not_escaped);
  return g_test_run();
}
