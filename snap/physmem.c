/* DacsaMem over a descriptor and a layout. */
#include "snap/physmem.h"

#include "snap/error.h"
#include "snap/fd.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

typedef struct {
  DacsaMem mem;
  int fd;
  DacsaLayout *layout;
} Physmem;

static bool
read_range(const Physmem *self, uint64_t gpa, uint64_t offset, char *buf, size_t len,
           GError **error)
{
  size_t n;
  const bool ok = dacsa_fd_read(self->fd, offset, buf, len, &n);

  return (ok && n == len) ||
         dacsa_fail(error, DACSA_ERROR_FAULT, "cannot read guest-physical 0x%" PRIx64 ": %s",
                    gpa + n, ok ? "the snapshot is gone" : g_strerror(errno));
}

static bool
physmem_read(DacsaMem *mem, uint64_t addr, void *buf, size_t len, GError **error)
{
  Physmem *self = (Physmem *)mem;
  char *to = buf;

  while (len > 0) {
    const DacsaRange *r = dacsa_layout_find(self->layout, addr);

    if (!r || r->gpa > addr)
      return dacsa_fail(error, DACSA_ERROR_FAULT, "guest-physical 0x%" PRIx64 " is not memory",
                        addr);
    size_t n = (size_t)MIN((uint64_t)len, r->gpa + r->size - addr);
    if (!read_range(self, addr, r->offset + (addr - r->gpa), to, n, error))
      return false;
    to += n;
    len -= n;
    addr += n;
  }
  return true;
}

static bool
physmem_next(DacsaMem *mem, uint64_t addr, uint64_t *ret_start, uint64_t *ret_end)
{
  Physmem *self = (Physmem *)mem;
  const DacsaRange *r = dacsa_layout_find(self->layout, addr);

  if (!r)
    return false;
  *ret_start = MAX(addr, r->gpa);
  *ret_end = r->gpa + r->size;
  /* Ranges that continue one another (RAM beside ROM) are one run. */
  for (r = dacsa_layout_find(self->layout, *ret_end); r && r->gpa == *ret_end;
       r = dacsa_layout_find(self->layout, *ret_end))
    *ret_end = r->gpa + r->size;
  return true;
}

static void
physmem_free(DacsaMem *mem)
{
  Physmem *self = (Physmem *)mem;

  close(self->fd);
  dacsa_layout_free(self->layout);
  g_free(self);
}

DacsaMem *
dacsa_physmem_new(int fd, const DacsaLayout *layout)
{
  static const DacsaMemOps ops = {physmem_read, physmem_next, physmem_free};
  Physmem *self = g_new0(Physmem, 1);

  dacsa_mem_init(&self->mem, &ops);
  self->fd = fd;
  self->layout = dacsa_layout_copy(layout);
  return &self->mem;
}
