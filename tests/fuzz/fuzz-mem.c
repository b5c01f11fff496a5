/* Memory whose content is the input. */
#include "fuzz-mem.h"

#include "snap/error.h"

#include <string.h>

#define PAGE 4096u
#define MAX_READ (8u << 20) /* more at once is a fault: nobody waits for a copy of zeros */

typedef struct {
  DacsaMem mem;
  const uint8_t *data;
  size_t size;
  bool wrapped;
} FuzzMem;

static bool
is_fault(const FuzzMem *self, uint64_t addr, size_t len)
{
  if (!self->wrapped)
    return addr > self->size || len > self->size - addr;
  if (self->size == 0 || len > MAX_READ)
    return true;
  for (uint64_t page = addr / PAGE; page <= (addr + (len - 1)) / PAGE; page++)
    if (page == 0 || page % 16 == 13)
      return true;
  return false;
}

static bool
fuzz_mem_read(DacsaMem *mem, uint64_t addr, void *buf, size_t len, GError **error)
{
  const FuzzMem *self = (FuzzMem *)mem;
  char *to = buf;

  if (len == 0)
    return true;
  if (is_fault(self, addr, len))
    return dacsa_fail(error, DACSA_ERROR_FAULT, "nothing at 0x%" PRIx64, addr);
  while (len > 0) {
    size_t from = (size_t)(addr % self->size);
    size_t n = MIN(len, self->size - from);

    memcpy(to, self->data + from, n);
    to += n;
    len -= n;
    addr += n;
  }
  return true;
}

static bool
fuzz_mem_next(DacsaMem *mem, uint64_t addr, uint64_t *ret_start, uint64_t *ret_end)
{
  const FuzzMem *self = (FuzzMem *)mem;

  if (addr >= self->size)
    return false;
  *ret_start = addr;
  *ret_end = self->size;
  return true;
}

static void
fuzz_mem_free(DacsaMem *mem)
{
  g_free(mem);
}

static DacsaMem *
mem_new(const uint8_t *data, size_t size, bool wrapped)
{
  static const DacsaMemOps ops = {fuzz_mem_read, fuzz_mem_next, fuzz_mem_free};
  FuzzMem *self = g_new0(FuzzMem, 1);

  dacsa_mem_init(&self->mem, &ops);
  self->data = data;
  self->size = size;
  self->wrapped = wrapped;
  return &self->mem;
}

DacsaMem *
fuzz_mem_new(const uint8_t *data, size_t size)
{
  return mem_new(data, size, false);
}

DacsaMem *
fuzz_mem_new_wrapped(const uint8_t *data, size_t size)
{
  return mem_new(data, size, true);
}
