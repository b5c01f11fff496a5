/* The project's one error domain, how its errors are made, and their map to errno. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define DACSA_ERROR (dacsa_error_quark())

typedef enum {
  DACSA_ERROR_FAULT,       /* an address that is not backed, or whose page cannot be read */
  DACSA_ERROR_BAD_DATA,    /* input that is not what it should be: guest bytes, a monitor's reply */
  DACSA_ERROR_NOT_FOUND,   /* no such VM, snapshot, symbol, member */
  DACSA_ERROR_UNSUPPORTED, /* cannot be done with this VM, host or kernel */
  DACSA_ERROR_BUSY,        /* cannot be done now; trying again may help */
  DACSA_ERROR_OS,          /* the host's operating system said no */
  DACSA_ERROR_STALE,       /* it was there, and its snapshot is gone */
} DacsaError;

GQuark dacsa_error_quark(void);

/* Sets *error and returns false, so that a failing function ends in `return dacsa_fail(...)`. */
bool dacsa_fail(GError **error, DacsaError code, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* The same with code OS (or BUSY, NOT_FOUND where errsv says so) and strerror(errsv) appended. */
bool dacsa_fail_errno(GError **error, int errsv, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* The errno a file system operation that failed with this error answers: positive. */
int dacsa_error_errno(const GError *error);
