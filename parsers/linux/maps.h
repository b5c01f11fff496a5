/* The mappings of a process, as /proc/PID/maps shows them. */
#pragma once

#include "parsers/linux/view.h"

typedef struct {
  uint64_t start, end, flags, offset, ino; /* flags: vm_flags */
  uint32_t major, minor;
  char *name;    /* or NULL */
  uint64_t vma;  /* gva of its struct vm_area_struct */
  uint64_t file; /* of its struct file; 0: none */
} DacsaLinuxMapping;

/* false: no room for more. */
typedef bool (*DacsaLinuxMappingVisit)(const DacsaLinuxMapping *mapping, void *data);

/* What a walk over mappings that cannot be followed adds to ret_failures; a mapping that cannot be
 * read adds 1. */
#define DACSA_LINUX_WALK_FAILURE 4096u

/*
 * Calls visit for every mapping, ascending; what it is given is gone afterwards. One that cannot be
 * read is left out and noted as `where`'s; a kernel thread has none. ret_failures (NULL: not
 * wanted) is increased for what went wrong: who asks for many processes' mappings can tell when to
 * stop.
 */
bool dacsa_linux_mappings_each(DacsaLinux *l, uint64_t task, const char *where,
                               DacsaLinuxMappingVisit visit, void *data, guint *ret_failures,
                               GError **error);

/* `r-xp` */
void dacsa_linux_mapping_perms(const DacsaLinuxMapping *mapping, char ret[5]);
