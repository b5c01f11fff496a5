/* The read interface's typed reads, on top of an implementation's one read. */
#include "snap/mem.h"

#include "snap/error.h"

#include <string.h>

#define PAGE 4096u

void
dacsa_mem_init(DacsaMem *mem, const DacsaMemOps *ops)
{
  mem->ops = ops;
  g_atomic_ref_count_init(&mem->refs);
}

DacsaMem *
dacsa_mem_ref(DacsaMem *mem)
{
  g_atomic_ref_count_inc(&mem->refs);
  return mem;
}

void
dacsa_mem_unref(DacsaMem *mem)
{
  if (mem && g_atomic_ref_count_dec(&mem->refs))
    mem->ops->free(mem);
}

bool
dacsa_mem_read(DacsaMem *mem, uint64_t addr, void *buf, size_t len, GError **error)
{
  if (len > 0 && addr + (len - 1) < addr)
    return dacsa_fail(error, DACSA_ERROR_FAULT, "read of %zu bytes at 0x%" PRIx64 " wraps around",
                      len, addr);
  return mem->ops->read(mem, addr, buf, len, error);
}

bool
dacsa_mem_next(DacsaMem *mem, uint64_t addr, uint64_t *ret_start, uint64_t *ret_end)
{
  return mem->ops->next(mem, addr, ret_start, ret_end);
}

bool
dacsa_mem_read_u8(DacsaMem *mem, uint64_t addr, uint8_t *ret, GError **error)
{
  return dacsa_mem_read(mem, addr, ret, 1, error);
}

bool
dacsa_mem_read_u16(DacsaMem *mem, uint64_t addr, uint16_t *ret, GError **error)
{
  uint16_t v;

  if (!dacsa_mem_read(mem, addr, &v, sizeof(v), error))
    return false;
  *ret = GUINT16_FROM_LE(v);
  return true;
}

bool
dacsa_mem_read_u32(DacsaMem *mem, uint64_t addr, uint32_t *ret, GError **error)
{
  uint32_t v;

  if (!dacsa_mem_read(mem, addr, &v, sizeof(v), error))
    return false;
  *ret = GUINT32_FROM_LE(v);
  return true;
}

bool
dacsa_mem_read_u64(DacsaMem *mem, uint64_t addr, uint64_t *ret, GError **error)
{
  uint64_t v;

  if (!dacsa_mem_read(mem, addr, &v, sizeof(v), error))
    return false;
  *ret = GUINT64_FROM_LE(v);
  return true;
}

bool
dacsa_mem_read_string(DacsaMem *mem, uint64_t addr, size_t max, char **ret, GError **error)
{
  g_autoptr(GString) text = g_string_new(NULL);
  g_autoptr(GError) fault = NULL;
  char piece[256];

  while (text->len < max) {
    size_t n = MIN(sizeof(piece) - addr % sizeof(piece), max - text->len);

    if (!dacsa_mem_read(mem, addr, piece, n, &fault)) {
      if (text->len > 0)
        break;
      g_propagate_error(error, g_steal_pointer(&fault));
      return false;
    }
    const char *end = memchr(piece, 0, n);
    g_string_append_len(text, piece, end ? end - piece : (gssize)n);
    if (end || addr + n < addr)
      break;
    addr += n;
  }
  *ret = g_string_free(g_steal_pointer(&text), FALSE);
  return true;
}

size_t
dacsa_mem_read_some(DacsaMem *mem, uint64_t addr, void *buf, size_t len)
{
  size_t done = 0;

  if (dacsa_mem_read(mem, addr, buf, len, NULL))
    return len;
  if (len > 0 && addr + (len - 1) < addr)
    len = (size_t)-addr; /* up to the end of the address space */
  while (done < len) {
    size_t n = MIN(PAGE - (addr + done) % PAGE, len - done);

    if (!dacsa_mem_read(mem, addr + done, (char *)buf + done, n, NULL))
      break;
    done += n;
  }
  return done;
}
