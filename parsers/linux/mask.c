/* Bit masks of CPUs and memory nodes, as the kernel prints them. */
#include "parsers/linux/process.h"

#include "snap/error.h"

#define MAX_BITS 65536u

bool
dacsa_linux_nr_cpus(const DacsaLinux *l, uint32_t *ret, GError **error)
{
  uint64_t at = dacsa_linux_symbol(l, S_NR_CPU_IDS);

  if (at == 0)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "the kernel has no nr_cpu_ids");
  if (!dacsa_mem_read_u32(l->memory, at, ret, error))
    return false;
  if (*ret == 0 || *ret > DACSA_LINUX_MAX_CPUS)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "%u CPUs cannot be", *ret);
  return true;
}

bool
dacsa_linux_mask(const DacsaLinux *l, uint64_t base, DacsaLinuxMember member, GArray **ret,
                 GError **error)
{
  const DacsaMember *m = &l->kernel->members[member];

  if (!m->known || m->size % 8 != 0 || m->size > MAX_BITS / 8)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "the kernel has no mask %s",
                      dacsa_linux_member_name(member));
  g_autoptr(GArray) words = g_array_sized_new(FALSE, TRUE, sizeof(uint64_t), m->size / 8);
  g_array_set_size(words, m->size / 8);
  if (!dacsa_mem_read(l->memory, base + m->offset, words->data, m->size, error))
    return false;
  *ret = g_steal_pointer(&words);
  return true;
}

static uint64_t
word(const GArray *mask, unsigned bit)
{
  return bit / 64 < mask->len ? GUINT64_FROM_LE(g_array_index(mask, uint64_t, bit / 64)) : 0;
}

static bool
is_set(const GArray *mask, unsigned bit)
{
  return word(mask, bit) >> bit % 64 & 1;
}

void
dacsa_linux_mask_print(const GArray *mask, unsigned n, GString *out)
{
  unsigned chunk = n % 32 ? n % 32 : 32; /* bits of the first one */

  for (unsigned bit = (n + 31) / 32 * 32; bit > 0; chunk = 32) {
    const char *separator = bit <= 32 ? "" : ",";

    bit -= 32;
    uint64_t value = word(mask, bit) >> bit % 64 & ((UINT64_C(1) << chunk) - 1);
    g_string_append_printf(out, "%0*" PRIx64 "%s", (int)(chunk + 3) / 4, value, separator);
  }
}

void
dacsa_linux_mask_print_list(const GArray *mask, unsigned n, GString *out)
{
  const char *separator = "";

  for (unsigned bit = 0; bit < n; bit++) {
    unsigned first = bit;

    if (!is_set(mask, bit))
      continue;
    while (bit + 1 < n && is_set(mask, bit + 1))
      bit++;
    g_string_append_printf(out, "%s%u", separator, first);
    if (bit > first)
      g_string_append_printf(out, "-%u", bit);
    separator = ",";
  }
}
