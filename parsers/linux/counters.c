/* The counters of an mm's pages (include/linux/mm.h, get_mm_counter). */
#include "parsers/linux/behaviour.h"
#include "parsers/linux/process.h"

#include "snap/error.h"

/* lib/percpu_counter.c, __percpu_counter_sum: what the CPUs have not added to the count yet. */
static bool
sum_of_cpus(const DacsaLinux *l, uint64_t counter, int64_t *count, GError **error)
{
  uint64_t offsets = dacsa_linux_symbol(l, S_PER_CPU_OFFSET);
  uint64_t online = dacsa_linux_symbol(l, S_CPU_ONLINE_MASK);
  uint64_t counters, offset;
  uint32_t n, part;
  uint8_t bits = 0;

  if (offsets == 0 || online == 0)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "the kernel has no __per_cpu_offset");
  if (!dacsa_linux_nr_cpus(l, &n, error) ||
      !dacsa_linux_get(l, counter, M_PERCPU_COUNTER_COUNTERS, &counters, error))
    return false;
  for (uint32_t cpu = 0; cpu < n; cpu++) {
    if (cpu % 8 == 0 && !dacsa_mem_read_u8(l->memory, online + cpu / 8, &bits, error))
      return false;
    if (!(bits >> cpu % 8 & 1))
      continue;
    if (!dacsa_mem_read_u64(l->memory, offsets + cpu * 8, &offset, error) ||
        !dacsa_mem_read_u32(l->memory, counters + offset, &part, error))
      return false;
    *count = (int64_t)((uint64_t)*count + (uint64_t)(int64_t)(int32_t)part);
  }
  return true;
}

/* Since 6.2: an array of struct percpu_counter. */
static bool
percpu_counter(DacsaLinux *l, uint64_t mm, uint64_t i, int64_t *ret, GError **error)
{
  const DacsaMember *stat = &l->kernel->members[M_MM_RSS_STAT];
  uint64_t count;

  if (i >= stat->elements)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "the kernel does not count such pages");
  uint64_t counter = mm + stat->offset + i * (stat->size / stat->elements);
  if (!dacsa_linux_get(l, counter, M_PERCPU_COUNTER_COUNT, &count, error))
    return false;
  *ret = (int64_t)count;
  return !dacsa_linux_behaviour(l)->counters_are_summed || sum_of_cpus(l, counter, ret, error);
}

bool
dacsa_linux_mm_counter(DacsaLinux *l, uint64_t mm, DacsaLinuxEnumerator kind, uint64_t *ret,
                       GError **error)
{
  uint64_t i = (uint64_t)l->kernel->enumerators[kind];
  uint64_t stat = mm + dacsa_linux_offset(l, M_MM_RSS_STAT);
  int64_t count = 0;

  if (l->kernel->members[M_MM_RSS_STAT].elements > 0) {
    if (!percpu_counter(l, mm, i, &count, error))
      return false;
  } else {
    uint64_t value;

    if (!dacsa_linux_get_element(l, stat, M_MM_RSS_COUNT, i, &value, error))
      return false;
    count = (int64_t)value;
  }
  *ret = (uint64_t)MAX(count, INT64_C(0)); /* tasks and CPUs keep some of it to themselves */
  return true;
}
