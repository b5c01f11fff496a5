/* Names of snapshots: the viewer sends them, and nobody believes it. */
#include "check.h"

#include "snap/state.h"

#include <string.h>

static void
test_good(void)
{
  const char *const names[] = {"now", "20261126T052001Z", "a b", "ä", "status.1", "-f", "x@y"};

  for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
    g_assert_true(dacsa_state_is_name("web", names[i]));
}

static void
test_bad(void)
{
  const char *const names[] = {"",       ".",      "..",      ".hidden", "a/b",      "/",
                               "status", "latest", "a\nb: c", "\x7f",    "\xff\xfe", "a\tb"};

  for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
    g_assert_false(dacsa_state_is_name("web", names[i]));
}

/* All files of a snapshot have its name and the VM's in theirs, escaped. */
static void
test_long(void)
{
  g_autofree char *just = g_strnfill(200, 'n');
  g_autofree char *more = g_strnfill(201, 'n');
  g_autofree char *vm = g_strnfill(60, 'v');
  g_autoptr(GString) escaped = g_string_new(NULL);

  for (unsigned i = 0; i < 50; i++)
    g_string_append(escaped, "ä"); /* six bytes each, as %C3%A4 */
  g_assert_true(dacsa_state_is_name("web", just));
  g_assert_false(dacsa_state_is_name("web", more));
  g_assert_false(dacsa_state_is_name(vm, just));
  g_assert_false(dacsa_state_is_name("web", escaped->str));
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/state/good", test_good);
  g_test_add_func("/state/bad", test_bad);
  g_test_add_func("/state/long", test_long);
  return g_test_run();
}
