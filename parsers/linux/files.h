/* The files that the guest's page cache holds, and the executables of its processes: the functions
 * are those of DacsaGuestOs. */
#pragma once

#include "parsers/linux/view.h"

bool dacsa_linux_files(DacsaGuest *guest, uint32_t directory, GArray **ret, GError **error);
bool dacsa_linux_file_lookup(DacsaGuest *guest, uint32_t directory, const char *name,
                             DacsaGuestFile *ret, GError **error);
bool dacsa_linux_file(DacsaGuest *guest, uint32_t id, DacsaGuestFile *ret, GError **error);
bool dacsa_linux_file_content(DacsaGuest *guest, uint32_t id, DacsaRuns **ret, GError **error);

bool dacsa_linux_has_exe(DacsaGuest *guest, uint32_t pid);
bool dacsa_linux_exe(DacsaGuest *guest, uint32_t pid, DacsaRuns **ret, GError **error);
