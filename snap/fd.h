/* Reads of a descriptor's bytes at an offset, which the kernel may cut short or interrupt. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads len bytes at offset, or as many as there are. *ret: how many, also where it fails. false:
 * errno tells why. */
bool dacsa_fd_read(int fd, uint64_t offset, void *buf, size_t len,
                   size_t *ret) G_GNUC_WARN_UNUSED_RESULT;

/* The same where all of them must be there. false: errno tells why; ENODATA: they end before. */
bool dacsa_fd_read_all(int fd, uint64_t offset, void *buf, size_t len) G_GNUC_WARN_UNUSED_RESULT;
