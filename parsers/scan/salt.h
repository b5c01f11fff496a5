/*
 * Short names for what is scanned: of a page's content, and of pages that follow each other. They
 * are keyed with a secret, so that whoever makes the content cannot make another of the same name.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The most pages in a window: so many that 16 KiB from any byte of the first lie in it. */
#define DACSA_SCAN_WINDOW 5u
#define DACSA_SCAN_PAGE ((size_t)4096)

typedef struct {
  uint64_t a, b;
} DacsaScanKey;

typedef struct {
  uint8_t content[32];
  uint64_t sequence[2 * DACSA_SCAN_WINDOW];
} DacsaScanSalt;

/* From the kernel's random numbers. */
void dacsa_scan_salt_init(DacsaScanSalt *salt);

/* The key of some content: the first half of SHA-256(salt, bytes). */
void dacsa_scan_key_content(const DacsaScanSalt *salt, const void *bytes, size_t len,
                            DacsaScanKey *ret);

/* The key of n pages that follow each other, 1 <= n <= DACSA_SCAN_WINDOW: the universal hash NH
 * (RFC 4418, section 5.2) with words of 64 bits. Two sequences collide with probability 2^-64. */
void dacsa_scan_key_sequence(const DacsaScanSalt *salt, const DacsaScanKey *pages, guint n,
                             DacsaScanKey *ret);

/* For hash tables of keys. */
guint dacsa_scan_key_hash(gconstpointer key);
gboolean dacsa_scan_key_equal(gconstpointer a, gconstpointer b);

/* The key of a page that is told by its frame number alone. */
static inline DacsaScanKey
dacsa_scan_key_frame(uint64_t frame)
{
  return (DacsaScanKey){frame + 1, 1};
}
