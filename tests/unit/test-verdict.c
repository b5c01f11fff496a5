/* Which method the preflight's findings leave to a VM, and what is told of it. */
#include "snap/verdict.h"

#include <string.h>

#define FORK DACSA_METHOD_FORK
#define COPY DACSA_METHOD_COPY

static const char *const only_fork[] = {"fork", NULL};
static const char *const only_copy[] = {"copy", NULL};
static const char *const fork_first[] = {"fork", "copy", NULL};
static const char *const copy_first[] = {"copy", "fork", NULL};

static void
add(GPtrArray *findings, const char *reason, bool refuses, unsigned methods)
{
  g_ptr_array_add(findings, dacsa_finding_new(reason, "remedy", refuses, methods));
}

static GPtrArray *
nothing(void)
{
  return g_ptr_array_new_with_free_func((GDestroyNotify)dacsa_finding_free);
}

/* The method chosen, and what each finding says: `!` before what refuses. */
static void
check(GPtrArray *findings, const char *const *methods, const char *method, const char *told)
{
  g_autoptr(GPtrArray) list = findings;
  const DacsaMethod *chosen = dacsa_verdict_reach(list, methods, UINT64_C(300) << 20);
  g_autoptr(GString) text = g_string_new(NULL);

  for (guint i = 0; i < list->len; i++) {
    const DacsaFinding *finding = g_ptr_array_index(list, i);

    g_string_append_printf(text, "%s%.30s|", finding->refuses ? "!" : "", finding->reason);
  }
  g_assert_cmpstr(chosen ? chosen->name : "none", ==, method);
  g_assert_cmpstr(text->str, ==, told);
}

static void
test_nothing(void)
{
  check(nothing(), only_fork, "fork", "");
  check(nothing(), fork_first, "fork", "");
  check(nothing(), only_copy, "copy", "a snapshot is a full copy, and|");
  check(nothing(), copy_first, "copy", "a snapshot is a full copy, and|");
}

static GPtrArray *
shared(void)
{
  GPtrArray *findings = nothing();

  add(findings, "shared", true, FORK);
  add(findings, "costs", false, FORK);
  return findings;
}

static void
test_no_fork(void)
{
  check(shared(), only_fork, "none", "!shared|costs|");
  check(shared(), fork_first, "copy",
        "a snapshot is a full copy, and|no snapshot by a fork: shared|");
  check(shared(), only_copy, "copy", "a snapshot is a full copy, and|");
  check(shared(), copy_first, "copy", "a snapshot is a full copy, and|");
}

static GPtrArray *
no_room(void)
{
  GPtrArray *findings = nothing();

  add(findings, "no room", true, COPY);
  return findings;
}

static void
test_no_copy(void)
{
  GPtrArray *both = shared();

  check(no_room(), only_fork, "fork", "");
  check(no_room(), fork_first, "fork", "");
  check(no_room(), only_copy, "none", "!no room|");
  check(no_room(), copy_first, "fork", "no snapshot by a copy: no room|");
  add(both, "no room", true, COPY);
  check(both, fork_first, "none", "!no room|!shared|costs|");
}

static void
test_neither(void)
{
  for (size_t i = 0; i < 3; i++) {
    GPtrArray *findings = nothing();

    add(findings, "vfio", true, FORK | COPY);
    check(findings, ((const char *const *[]){only_fork, only_copy, fork_first})[i], "none",
          "!vfio|");
  }
}

/* Who is refused a fork is told of the copy where that would do, and only there. */
static void
test_hint(void)
{
  g_autoptr(GPtrArray) one = shared();
  g_autoptr(GPtrArray) two = shared();

  g_assert_null(dacsa_verdict_reach(one, only_fork, 0));
  g_assert_nonnull(strstr(((DacsaFinding *)one->pdata[0])->remedy, "--method fork,copy"));
  add(two, "no room", true, COPY);
  g_assert_null(dacsa_verdict_reach(two, only_fork, 0));
  g_assert_cmpuint(two->len, ==, 2);
  g_assert_cmpstr(((DacsaFinding *)two->pdata[0])->remedy, ==, "remedy");
  g_autoptr(GPtrArray) three = shared();
  ((DacsaFinding *)three->pdata[0])->passing = true;
  g_assert_null(dacsa_verdict_reach(three, only_fork, 0));
  g_assert_cmpstr(((DacsaFinding *)three->pdata[0])->remedy, ==, "remedy");
}

static void
test_estimate(void)
{
  g_autoptr(GPtrArray) findings = shared();

  g_assert_nonnull(dacsa_verdict_reach(findings, fork_first, UINT64_C(300) << 20));
  g_assert_nonnull(strstr(((DacsaFinding *)findings->pdata[0])->reason, "at most 300 MiB"));
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/verdict/nothing", test_nothing);
  g_test_add_func("/verdict/no-fork", test_no_fork);
  g_test_add_func("/verdict/no-copy", test_no_copy);
  g_test_add_func("/verdict/neither", test_neither);
  g_test_add_func("/verdict/hint", test_hint);
  g_test_add_func("/verdict/estimate", test_estimate);
  return g_test_run();
}
