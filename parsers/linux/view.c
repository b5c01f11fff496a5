/* Reads of the kernel's structures. */
#include "parsers/linux/view.h"

bool
dacsa_linux_u64(const DacsaLinux *l, uint64_t base, int32_t offset, uint64_t *ret, GError **error)
{
  return dacsa_mem_read_u64(l->memory, base + (uint64_t)offset, ret, error);
}

bool
dacsa_linux_u32(const DacsaLinux *l, uint64_t base, int32_t offset, uint32_t *ret, GError **error)
{
  return dacsa_mem_read_u32(l->memory, base + (uint64_t)offset, ret, error);
}
