/*
 * The read interface. A guest's physical memory, a virtual address space and a cache in front of
 * either are all a DacsaMem, so that they stack: an implementation embeds one as its first member.
 * Every implementation may be read from several threads at once.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <inttypes.h>
#include <stdint.h>

typedef struct DacsaMem DacsaMem;

typedef struct {
  /* Reads exactly len bytes at addr, or fails with FAULT (nothing there) or another error. */
  bool (*read)(DacsaMem *self, uint64_t addr, void *buf, size_t len, GError **error);
  /* The first backed run at or after addr: [*ret_start, *ret_end). false: none is left. */
  bool (*next)(DacsaMem *self, uint64_t addr, uint64_t *ret_start, uint64_t *ret_end);
  void (*free)(DacsaMem *self);
} DacsaMemOps;

struct DacsaMem {
  const DacsaMemOps *ops;
  gatomicrefcount refs;
};

/* For implementations: makes mem the sole reference. */
void dacsa_mem_init(DacsaMem *mem, const DacsaMemOps *ops);
DacsaMem *dacsa_mem_ref(DacsaMem *mem);
void dacsa_mem_unref(DacsaMem *mem);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaMem, dacsa_mem_unref)

bool dacsa_mem_read(DacsaMem *mem, uint64_t addr, void *buf, size_t len,
                    GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool dacsa_mem_next(DacsaMem *mem, uint64_t addr, uint64_t *ret_start, uint64_t *ret_end);

bool dacsa_mem_read_u8(DacsaMem *mem, uint64_t addr, uint8_t *ret,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool dacsa_mem_read_u16(DacsaMem *mem, uint64_t addr, uint16_t *ret,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool dacsa_mem_read_u32(DacsaMem *mem, uint64_t addr, uint32_t *ret,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool dacsa_mem_read_u64(DacsaMem *mem, uint64_t addr, uint64_t *ret,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * The zero-terminated string at addr, at most max bytes of it (a longer one is cut there). Owned by
 * the caller. Fails only where its first byte cannot be read; a fault further on ends the string.
 */
bool dacsa_mem_read_string(DacsaMem *mem, uint64_t addr, size_t max, char **ret,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* As much of [addr, addr + len) as can be read from its start on: the number of bytes. */
size_t dacsa_mem_read_some(DacsaMem *mem, uint64_t addr, void *buf, size_t len);
