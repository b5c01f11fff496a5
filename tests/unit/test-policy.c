/* The settings per VM: how they are written, and which one counts. */
#include "check.h"

#include "snap/policy.h"

#include <string.h>

#define MINUTE (60 * G_USEC_PER_SEC)

static void
check_values(DacsaPolicyKind kind, const char *const *values, bool good)
{
  for (size_t i = 0; values[i]; i++) {
    g_autoptr(GError) error = NULL;
    const bool ok = dacsa_policy_check(kind, values[i], &error);

    if (ok != good)
      g_error("`%s` is %s", values[i], ok ? "taken" : "refused");
    if (good)
      continue;
    g_assert_error(error, DACSA_ERROR, DACSA_ERROR_BAD_DATA);
    g_assert_nonnull(strstr(error->message, "rite ") ? error->message
                                                     : strstr(error->message, "name the VM"));
    g_assert_null(strchr(error->message, '\n'));
  }
}

static void
test_values(void)
{
  static const struct {
    DacsaPolicyKind kind;
    const char *good[10], *bad[16];
  } kinds[] = {
      {DACSA_POLICY_METHOD,
       {"fork", "copy", "fork,copy", "copy,fork", "vm=copy", "a=b=copy", NULL},
       {"", "vm=", "=fork", "fork,", ",fork", "fork copy", "Fork", "none", "fork,magic",
        "fork,fork,fork,fork,fork", "vm=fork,magic", NULL}},
      {DACSA_POLICY_COW_LIMIT,
       {"1", "4096", "512M", "4G", "1T", "7K", "1%", "100%", "vm=50%", NULL},
       {"", "0", "0M", "-1", "1.5G", "4g", "4GB", "0%", "101%", "G", "%",
        "vm=", "18446744073709551615", "17179869184G", "4 G", NULL}},
      {DACSA_POLICY_EVERY,
       {"1s", "30s", "10m", "2h", "1d", "366d", "vm=5m", NULL},
       {"", "0s", "10", "m", "-1m", "1w", "10 m", "367d", "1h30m", "99999999999999999999s",
        "vm=", NULL}},
      {DACSA_POLICY_KEEP,
       {"1", "3", "1000", "vm=2", NULL},
       {"", "0", "-1", "1001", "3x", "many", " 3", "vm=", "vm=0", NULL}},
  };

  for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
    check_values(kinds[i].kind, kinds[i].good, true);
    check_values(kinds[i].kind, kinds[i].bad, false);
  }
}

static void
test_default(void)
{
  const DacsaPolicies policies = {{NULL}};
  g_auto(DacsaPolicy) policy = {0};

  dacsa_policy_find(&policies, "vm", &policy);
  g_assert_cmpstr(policy.methods[0], ==, "fork");
  g_assert_null(policy.methods[1]);
  g_assert_cmpuint(dacsa_amount_of(policy.cow_limit, 1000), ==, UINT64_MAX);
  g_assert_cmpint(policy.every_us, ==, 0);
  g_assert_cmpuint(policy.keep, ==, 3);
}

static void
check_methods(const char *const *list, const char *vm, const char *wanted)
{
  const DacsaPolicies policies = {.lists = {[DACSA_POLICY_METHOD] = list}};
  g_auto(DacsaPolicy) policy = {0};

  dacsa_policy_find(&policies, vm, &policy);
  g_autofree char *found = g_strjoinv(",", policy.methods);
  g_assert_cmpstr(found, ==, wanted);
}

/* What names a VM wins for it, wherever it stands; of two the later one does. */
static void
test_who(void)
{
  static const char *const one[] = {"copy", NULL};
  static const char *const named[] = {"web=copy", "fork,copy", NULL};
  static const char *const later[] = {"web=copy", "copy", "web=fork", "fork,copy", NULL};
  static const char *const odd[] = {"a=b=copy", "web=fork,copy", NULL};

  check_methods(one, "web", "copy");
  check_methods(named, "web", "copy");
  check_methods(named, "webs", "fork,copy");
  check_methods(named, "we", "fork,copy");
  check_methods(named, "", "fork,copy");
  check_methods(later, "web", "fork");
  check_methods(later, "db", "fork,copy");
  check_methods(odd, "a=b", "copy");
  check_methods(odd, "a", "fork");
  check_methods(odd, "web", "fork,copy");
}

/* Each setting for itself. */
static void
test_all(void)
{
  static const char *const method[] = {"web=copy", NULL};
  static const char *const limit[] = {"25%", "web=1G", NULL};
  static const char *const every[] = {"10m", NULL};
  static const char *const keep[] = {"web=7", NULL};
  const DacsaPolicies policies = {{method, limit, every, keep}};
  g_auto(DacsaPolicy) web = {0};
  g_auto(DacsaPolicy) db = {0};

  dacsa_policy_find(&policies, "web", &web);
  dacsa_policy_find(&policies, "db", &db);
  g_assert_cmpstr(web.methods[0], ==, "copy");
  g_assert_cmpstr(db.methods[0], ==, "fork");
  g_assert_cmpuint(dacsa_amount_of(web.cow_limit, 4000), ==, UINT64_C(1) << 30);
  g_assert_cmpuint(dacsa_amount_of(db.cow_limit, 4000), ==, 1000);
  g_assert_cmpint(web.every_us, ==, 10 * MINUTE);
  g_assert_cmpint(db.every_us, ==, 10 * MINUTE);
  g_assert_cmpuint(web.keep, ==, 7);
  g_assert_cmpuint(db.keep, ==, 3);
}

static void
check_amount(const char *text, uint64_t whole, uint64_t wanted)
{
  g_autoptr(GError) error = NULL;
  DacsaAmount amount;

  CHECK_OK(dacsa_amount_parse(text, &amount, &error), error);
  g_assert_cmpuint(dacsa_amount_of(amount, whole), ==, wanted);
}

static void
test_amounts(void)
{
  check_amount("1", 0, 1);
  check_amount("3K", 0, 3072);
  check_amount("2M", 0, UINT64_C(2) << 20);
  check_amount("4G", 0, UINT64_C(4) << 30);
  check_amount("16T", 0, UINT64_C(16) << 40);
  check_amount("100%", 12345600, 12345600);
  check_amount("1%", 12345600, 123456);
  check_amount("50%", UINT64_MAX, UINT64_MAX / 100 * 50);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/policy/values", test_values);
  g_test_add_func("/policy/default", test_default);
  g_test_add_func("/policy/who", test_who);
  g_test_add_func("/policy/all", test_all);
  g_test_add_func("/policy/amounts", test_amounts);
  return g_test_run();
}
