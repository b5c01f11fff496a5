/* The FUSE mount, made without fusermount so that the process that serves it needs no privilege. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Opens /dev/fuse and mounts it; mounts that earlier daemons left there are taken away first, so
 * the caller must know (snap/state.h) that none of them lives. options: further mount options,
 * comma-separated, or NULL. *ret_fd is owned. */
bool dacsa_mountpoint_mount(const char *path, const char *options, int *ret_fd,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Whether the file system on top at the path, or around it, is dacsa's. It is asked nothing: its
 * daemon may be dead. */
bool dacsa_mountpoint_is_ours(const char *path);

/* Unmounts at once, if what is mounted there is dacsa; what is still open there keeps working until
 * it is closed. */
void dacsa_mountpoint_unmount(const char *path);
