/* The error domain. */
#include "snap/error.h"

#include <errno.h>

/* clang-format off */
G_DEFINE_QUARK(dacsa-error-quark, dacsa_error)
/* clang-format on */

bool
dacsa_fail(GError **error, DacsaError code, const char *format, ...)
{
  va_list args;

  va_start(args, format);
  g_autofree char *text = g_strdup_vprintf(format, args);
  va_end(args);
  g_set_error_literal(error, DACSA_ERROR, (int)code, text);
  return false;
}

bool
dacsa_fail_errno(GError **error, int errsv, const char *format, ...)
{
  DacsaError code = DACSA_ERROR_OS;
  va_list args;

  if (errsv == EBUSY || errsv == EAGAIN)
    code = DACSA_ERROR_BUSY;
  else if (errsv == ENOENT || errsv == ESRCH)
    code = DACSA_ERROR_NOT_FOUND;
  va_start(args, format);
  g_autofree char *text = g_strdup_vprintf(format, args);
  va_end(args);
  g_set_error(error, DACSA_ERROR, (int)code, "%s: %s", text, g_strerror(errsv));
  return false;
}

int
dacsa_error_errno(const GError *error)
{
  static const int map[] = {
      [DACSA_ERROR_FAULT] = EIO,        [DACSA_ERROR_BAD_DATA] = EIO,
      [DACSA_ERROR_NOT_FOUND] = ENOENT, [DACSA_ERROR_UNSUPPORTED] = EOPNOTSUPP,
      [DACSA_ERROR_BUSY] = EBUSY,       [DACSA_ERROR_OS] = EIO,
      [DACSA_ERROR_STALE] = ESTALE,
  };

  if (!error || error->domain != DACSA_ERROR || error->code < 0 ||
      (size_t)error->code >= G_N_ELEMENTS(map))
    return EIO;
  return map[error->code];
}
