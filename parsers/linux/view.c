/* Reads of the kernel's structures. */
#include "parsers/linux/view.h"

#include "parsers/work.h"
#include "snap/error.h"

#define NO_OFFSET                                                                                  \
  (UINT64_C(1) << 62) /* makes every address of either half one that is not canonical */
#define MAX_STRING 4096u
#define MAX_RAM_RUNS 4096u

/* The member, or NULL and an error that names it. */
static const DacsaMember *
member_of(const DacsaLinux *l, DacsaLinuxMember member, GError **error)
{
  const DacsaMember *m = &l->kernel->members[member];

  if (m->known)
    return m;
  dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "the kernel has no %s",
             dacsa_linux_member_name(member));
  return NULL;
}

/* A little-endian integer of 1, 2, 4 or 8 bytes. */
static bool
read_integer(const DacsaLinux *l, uint64_t at, uint32_t size, uint64_t *ret, GError **error)
{
  uint64_t v = 0;

  if (size == 0 || size > sizeof(v))
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "an integer of %u bytes cannot be", size);
  if (!dacsa_mem_read(l->memory, at, &v, size, error))
    return false;
  *ret = GUINT64_FROM_LE(v);
  return true;
}

bool
dacsa_linux_get(const DacsaLinux *l, uint64_t base, DacsaLinuxMember member, uint64_t *ret,
                GError **error)
{
  const DacsaMember *m = member_of(l, member, error);
  uint64_t v = 0;

  if (!m || !read_integer(l, base + m->offset, m->size, &v, error))
    return false;
  *ret = m->bits > 0 && m->bits < 64 ? v >> m->shift & ((UINT64_C(1) << m->bits) - 1) : v;
  return true;
}

bool
dacsa_linux_get_element(const DacsaLinux *l, uint64_t base, DacsaLinuxMember member, uint64_t i,
                        uint64_t *ret, GError **error)
{
  const DacsaMember *m = member_of(l, member, error);

  if (!m)
    return false;
  if (i >= m->elements)
    return dacsa_fail(error, DACSA_ERROR_FAULT, "%s has no element %" PRIu64,
                      dacsa_linux_member_name(member), i);
  uint32_t size = m->size / m->elements;
  return read_integer(l, base + m->offset + i * size, size, ret, error);
}

bool
dacsa_linux_get_string(const DacsaLinux *l, uint64_t base, DacsaLinuxMember member, char **ret,
                       GError **error)
{
  const DacsaMember *m = member_of(l, member, error);

  return m &&
         dacsa_mem_read_string(l->memory, base + m->offset, MIN(m->size, MAX_STRING), ret, error);
}

bool
dacsa_linux_has(const DacsaLinux *l, DacsaLinuxMember member)
{
  return l->kernel->members[member].known;
}

uint64_t
dacsa_linux_offset(const DacsaLinux *l, DacsaLinuxMember member)
{
  const DacsaMember *m = &l->kernel->members[member];

  return m->known ? m->offset : NO_OFFSET;
}

uint64_t
dacsa_linux_symbol(const DacsaLinux *l, DacsaLinuxSymbol symbol)
{
  return l->kernel->symbols[symbol];
}

uint32_t
dacsa_linux_size(const DacsaLinux *l, DacsaLinuxType type)
{
  return l->kernel->types[type];
}

uint64_t
dacsa_linux_ram_bytes(const DacsaLinux *l)
{
  uint64_t bytes = 0;
  uint64_t start, end = 0;

  for (unsigned i = 0; i < MAX_RAM_RUNS && dacsa_mem_next(l->phys, end, &start, &end); i++)
    bytes += end - start;
  return bytes;
}

uint64_t
dacsa_linux_allowance(const DacsaLinux *l)
{
  return dacsa_work_allowance(dacsa_linux_ram_bytes(l));
}

const void *
dacsa_linux_once(DacsaLinux *l, DacsaLinuxOnceKey key, void *(*make)(DacsaLinux *l),
                 GDestroyNotify free_value)
{
  DacsaLinuxOnce *once = &l->once[key];
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&once->lock);

  if (!once->value) {
    /* It is kept for all that will ask, so it does not depend on what this one has left. */
    uint64_t left = dacsa_work_begin(dacsa_linux_allowance(l));

    once->value = make(l);
    once->free_value = free_value;
    dacsa_work_begin(left);
  }
  return once->value;
}

void
dacsa_linux_once_init(DacsaLinux *l)
{
  for (size_t i = 0; i < DACSA_LINUX_ONCE_N; i++)
    g_mutex_init(&l->once[i].lock);
}

void
dacsa_linux_once_clear(DacsaLinux *l)
{
  for (size_t i = 0; i < DACSA_LINUX_ONCE_N; i++) {
    if (l->once[i].value)
      l->once[i].free_value(l->once[i].value);
    l->once[i].value = NULL;
    g_mutex_clear(&l->once[i].lock);
  }
}
