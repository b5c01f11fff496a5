/* Settings per VM. */
#include "snap/policy.h"

#include "snap/error.h"
#include "snap/method.h"

#include <string.h>

#define KEEP_DEFAULT 3
#define KEEP_MAX 1000
#define EVERY_MIN_US G_USEC_PER_SEC
#define EVERY_MAX_US (366 * INT64_C(86400) * G_USEC_PER_SEC)

/* -- values -- */

/* A decimal number and the unit after it, one of units' letters or none. */
static bool
parse_number(const char *text, const char *units, uint64_t *ret, char *ret_unit)
{
  char *end;

  if (!g_ascii_isdigit(text[0]))
    return false;
  guint64 number = g_ascii_strtoull(text, &end, 10);
  *ret = number;
  *ret_unit = *end;
  return number < G_MAXUINT64 && (*end == '\0' || (strchr(units, *end) && end[1] == '\0'));
}

bool
dacsa_amount_parse(const char *text, DacsaAmount *ret, GError **error)
{
  static const char units[] = "KMGT%";
  uint64_t number;
  char unit;

  bool ok = parse_number(text, units, &number, &unit) && number > 0;
  if (ok && unit == '%') {
    *ret = (DacsaAmount){.percent = (unsigned)MIN(number, 101)};
    ok = number <= 100;
  } else if (ok) {
    const unsigned shift = unit ? 10 * (unsigned)(strchr(units, unit) - units + 1) : 0;

    *ret = (DacsaAmount){.bytes = number << shift};
    ok = number << shift >> shift == number;
  }
  return ok || dacsa_fail(error, DACSA_ERROR_BAD_DATA,
                          "%s: write an amount of memory as 512M or 4G, or 1%% to 100%%", text);
}

uint64_t
dacsa_amount_of(DacsaAmount amount, uint64_t whole)
{
  if (amount.percent)
    return whole / 100 * amount.percent;
  return amount.bytes ? amount.bytes : UINT64_MAX;
}

static bool
set_method(const char *text, DacsaPolicy *policy, GError **error)
{
  g_auto(GStrv) names = g_strsplit(text, ",", -1);
  const guint n = g_strv_length(names);
  bool ok = n > 0 && n <= DACSA_POLICY_MAX_METHODS;

  for (guint i = 0; ok && i < n; i++)
    ok = dacsa_method_find(names[i]) != NULL;
  if (!ok) {
    g_autofree char *known = dacsa_method_names();

    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "%s: write one or more of %s", text, known);
  }
  dacsa_policy_clear(policy);
  for (guint i = 0; i < n; i++)
    policy->methods[i] = g_strdup(names[i]);
  return true;
}

static bool
set_cow_limit(const char *text, DacsaPolicy *policy, GError **error)
{
  return dacsa_amount_parse(text, &policy->cow_limit, error);
}

static bool
set_every(const char *text, DacsaPolicy *policy, GError **error)
{
  static const struct {
    char unit;
    int64_t seconds;
  } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
  uint64_t number;
  char unit;

  if (parse_number(text, "smhd", &number, &unit) && number <= EVERY_MAX_US / EVERY_MIN_US)
    for (size_t i = 0; i < G_N_ELEMENTS(units); i++)
      if (units[i].unit == unit)
        policy->every_us = (int64_t)number * units[i].seconds * G_USEC_PER_SEC;
  if (policy->every_us >= EVERY_MIN_US && policy->every_us <= EVERY_MAX_US)
    return true;
  return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "%s: write a time as 30s, 10m, 2h or 1d", text);
}

static bool
set_keep(const char *text, DacsaPolicy *policy, GError **error)
{
  guint64 number;

  if (!g_ascii_string_to_unsigned(text, 10, 1, KEEP_MAX, &number, NULL))
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "%s: write a number from 1 to %d", text,
                      KEEP_MAX);
  policy->keep = (unsigned)number;
  return true;
}

static bool (*const setters[])(const char *text, DacsaPolicy *policy, GError **error) = {
    [DACSA_POLICY_METHOD] = set_method,
    [DACSA_POLICY_COW_LIMIT] = set_cow_limit,
    [DACSA_POLICY_EVERY] = set_every,
    [DACSA_POLICY_KEEP] = set_keep,
};

/* -- [VM=]VALUE -- */

/* No value has a `=` in it, names may: the last one counts. */
static const char *
value_of(const char *setting)
{
  const char *equals = strrchr(setting, '=');

  return equals ? equals + 1 : setting;
}

static bool
is_for(const char *setting, const char *vm)
{
  const char *value = value_of(setting);
  const size_t len = strlen(vm);

  return value == setting || ((size_t)(value - setting) == len + 1 && !memcmp(setting, vm, len));
}

bool
dacsa_policy_check(DacsaPolicyKind kind, const char *value, GError **error)
{
  g_auto(DacsaPolicy) policy = {0};

  if (value[0] == '=')
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "%s: name the VM before the =", value);
  return setters[kind](value_of(value), &policy, error);
}

void
dacsa_policy_find(const DacsaPolicies *policies, const char *vm, DacsaPolicy *ret)
{
  *ret = (DacsaPolicy){.methods = {g_strdup("fork")}, .keep = KEEP_DEFAULT};
  for (int kind = 0; kind < DACSA_N_POLICIES; kind++)
    for (int named = 0; named <= 1; named++)
      for (size_t i = 0; policies->lists[kind] && policies->lists[kind][i]; i++) {
        const char *setting = policies->lists[kind][i];
        const char *value = value_of(setting);

        if ((value != setting) == named && is_for(setting, vm) && !setters[kind](value, ret, NULL))
          g_warning("%s: not understood", setting);
      }
}

void
dacsa_policy_clear(DacsaPolicy *policy)
{
  for (size_t i = 0; i < DACSA_POLICY_MAX_METHODS; i++)
    g_clear_pointer(&policy->methods[i], g_free);
}
