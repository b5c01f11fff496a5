/* A span of untrusted bytes, read only with bounds checks. Little-endian: every guest is, so far.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
  const uint8_t *data; /* borrowed */
  size_t len;          /* bytes */
} DacsaBytes;

static inline DacsaBytes
dacsa_bytes(const void *data, size_t len)
{
  return (DacsaBytes){data, len};
}

/* The part [off, off + len), or an empty span where that is not wholly inside. */
static inline DacsaBytes
dacsa_bytes_slice(DacsaBytes b, uint64_t off, uint64_t len)
{
  if (off > b.len || len > b.len - off)
    return (DacsaBytes){NULL, 0};
  return (DacsaBytes){b.data + off, (size_t)len};
}

static inline bool
dacsa_bytes_copy(DacsaBytes b, uint64_t off, void *ret, size_t len)
{
  if (off > b.len || len > b.len - off)
    return false;
  memcpy(ret, b.data + off, len);
  return true;
}

/* Each returns false, and leaves *ret alone, where the value is not wholly inside the span. */
static inline bool
dacsa_bytes_u8(DacsaBytes b, uint64_t off, uint8_t *ret)
{
  return dacsa_bytes_copy(b, off, ret, 1);
}

static inline bool
dacsa_bytes_u16(DacsaBytes b, uint64_t off, uint16_t *ret)
{
  uint16_t v;

  if (!dacsa_bytes_copy(b, off, &v, sizeof(v)))
    return false;
  *ret = GUINT16_FROM_LE(v);
  return true;
}

static inline bool
dacsa_bytes_u32(DacsaBytes b, uint64_t off, uint32_t *ret)
{
  uint32_t v;

  if (!dacsa_bytes_copy(b, off, &v, sizeof(v)))
    return false;
  *ret = GUINT32_FROM_LE(v);
  return true;
}

static inline bool
dacsa_bytes_u64(DacsaBytes b, uint64_t off, uint64_t *ret)
{
  uint64_t v;

  if (!dacsa_bytes_copy(b, off, &v, sizeof(v)))
    return false;
  *ret = GUINT64_FROM_LE(v);
  return true;
}
