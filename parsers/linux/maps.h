/* The mappings of a process, as /proc/PID/maps shows them. */
#pragma once

#include "parsers/linux/view.h"

typedef struct {
  uint64_t start, end, flags, offset, ino; /* flags: vm_flags */
  uint32_t major, minor;
  char *name; /* or NULL */
} DacsaLinuxMapping;

/* false: no room for more. */
typedef bool (*DacsaLinuxMappingVisit)(const DacsaLinuxMapping *mapping, void *data);

/* Calls visit for every mapping, ascending; what it is given is gone afterwards. One that cannot be
 * read is left out and noted as `where`'s; a kernel thread has none. */
bool dacsa_linux_mappings_each(DacsaLinux *l, uint64_t task, const char *where,
                               DacsaLinuxMappingVisit visit, void *data, GError **error);

/* `r-xp` */
void dacsa_linux_mapping_perms(const DacsaLinuxMapping *mapping, char ret[5]);
