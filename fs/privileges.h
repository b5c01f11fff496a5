/* What a process can be by its user, groups and capabilities: given up for good. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/*
 * Becomes nobody: user, group, no further groups, no capability in any set nor a way to get one, no
 * new privileges; it cannot be traced by other processes of that user, nor dump core. Needs root.
 * OS: something could not be given up; the process must not go on.
 */
bool dacsa_privileges_drop(GError **error) G_GNUC_WARN_UNUSED_RESULT;
