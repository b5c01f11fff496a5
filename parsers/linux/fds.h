/*
 * The open files of a task: its files_struct (include/linux/fdtable.h), and what hangs on it.
 */
#pragma once

#include "parsers/linux/view.h"

typedef struct {
  uint32_t fd;
  bool close_on_exec;
  uint64_t file; /* gva of the struct file */
} DacsaLinuxFd;

/* Numbers in a table; fs.nr_open is 1 << 20 unless raised. */
#define DACSA_LINUX_MAX_FDS (1u << 24)
#define DACSA_LINUX_MAX_ALL_FDS (UINT64_C(1) << 28) /* in the tables of all processes */

/* Appends the open files of the files_struct at `files`, ascending, to ret (DacsaLinuxFd). budget:
 * how many numbers may still be looked at, open or not; what the table has is taken off. On an
 * error, what was found until then stands. */
bool dacsa_linux_fds(const DacsaLinux *l, uint64_t files, uint64_t *budget, GArray *ret,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;
