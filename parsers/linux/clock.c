/* The kernel's clocks (include/linux/timekeeper_internal.h). */
#include "parsers/linux/process.h"

#include "snap/error.h"

#define NSEC_PER_SEC UINT64_C(1000000000)

bool
dacsa_linux_boot_time(const DacsaLinux *l, int64_t *ret, GError **error)
{
  uint64_t timekeeper = dacsa_linux_symbol(l, S_SHADOW_TIMEKEEPER);
  uint64_t real, boot;

  /* To 6.12 a symbol of its own; then a member of what tk_core is, which got a type for that. */
  if (timekeeper == 0 && dacsa_linux_has(l, M_TK_DATA_TIMEKEEPER) &&
      dacsa_linux_symbol(l, S_TIMEKEEPER_DATA) != 0)
    timekeeper =
        dacsa_linux_symbol(l, S_TIMEKEEPER_DATA) + dacsa_linux_offset(l, M_TK_DATA_TIMEKEEPER);
  if (timekeeper == 0)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "the kernel's clock was not found");
  if (!dacsa_linux_get(l, timekeeper, M_TIMEKEEPER_OFFS_REAL, &real, error) ||
      !dacsa_linux_get(l, timekeeper, M_TIMEKEEPER_OFFS_BOOT, &boot, error))
    return false;
  *ret = (int64_t)(real - boot);
  return true;
}

char *
dacsa_linux_seconds(uint64_t ns)
{
  return g_strdup_printf("%" PRIu64 ".%06" PRIu64, ns / NSEC_PER_SEC, ns % NSEC_PER_SEC / 1000);
}

char *
dacsa_linux_date(int64_t ns)
{
  int64_t us = ns / 1000;
  g_autoptr(GDateTime) seconds = g_date_time_new_from_unix_utc(us / G_USEC_PER_SEC);

  if (!seconds || us < 0)
    return NULL;
  g_autofree char *date = g_date_time_format(seconds, "%Y-%m-%dT%H:%M:%S");
  return g_strdup_printf("%s.%06" PRId64 "Z", date, us % G_USEC_PER_SEC);
}
