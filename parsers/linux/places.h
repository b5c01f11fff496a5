/* Names of dentries, and where file systems are mounted. */
#pragma once

#include "parsers/linux/view.h"

#define DACSA_LINUX_MAX_NAME 255u /* NAME_MAX */

/* A dentry's own name; owned. BAD_DATA: it has none, or a longer one than there can be. */
bool dacsa_linux_name(const DacsaLinux *l, uint64_t dentry, char **ret, GError **error);

/* The path at which each superblock, a struct super_block's gva, is mounted first as the guest's
 * init sees it: only where all of it is, and the path is no longer than a name. Owned, the paths by
 * the table. What is cut short is noted as `where`'s. */
GHashTable *dacsa_linux_places(DacsaLinux *l, const char *where);
