/* Lines of status about memory: fs/proc/task_mmu.c, task_mem, and fs/proc/array.c. */
#include "parsers/linux/status.h"

#include "snap/error.h"

#define KIB_PER_PAGE 4u
#define MMF_DISABLE_THP 24u /* include/linux/mm_types.h; since 6.18 MMF_DISABLE_THP_COMPLETELY */

static void
append_kib(GString *out, uint64_t kib)
{
  g_string_append_printf(out, "%8" PRIu64 " kB", kib);
}

bool
dacsa_linux_status_pages(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out, GError **error)
{
  uint64_t pages;

  if (!dacsa_linux_get(s->l, s->mm, member, &pages, error))
    return false;
  append_kib(out, pages * KIB_PER_PAGE);
  return true;
}

bool
dacsa_linux_status_bytes(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out, GError **error)
{
  uint64_t bytes;

  if (!dacsa_linux_get(s->l, s->mm, member, &bytes, error))
    return false;
  append_kib(out, bytes >> 10);
  return true;
}

bool
dacsa_linux_status_counter(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out,
                           GError **error)
{
  uint64_t pages;

  if (!dacsa_linux_mm_counter(s->l, s->mm, (DacsaLinuxEnumerator)member, &pages, error))
    return false;
  append_kib(out, pages * KIB_PER_PAGE);
  return true;
}

static bool
get_rss(DacsaLinuxStatus *s, uint64_t *ret, GError **error)
{
  uint64_t anon, file, shmem;

  if (!dacsa_linux_mm_counter(s->l, s->mm, E_MM_ANONPAGES, &anon, error) ||
      !dacsa_linux_mm_counter(s->l, s->mm, E_MM_FILEPAGES, &file, error) ||
      !dacsa_linux_mm_counter(s->l, s->mm, E_MM_SHMEMPAGES, &shmem, error))
    return false;
  *ret = anon + file + shmem;
  return true;
}

bool
dacsa_linux_status_vm_peak(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out,
                           GError **error)
{
  uint64_t total, peak;

  if (!dacsa_linux_get(s->l, s->mm, M_MM_TOTAL_VM, &total, error) ||
      !dacsa_linux_get(s->l, s->mm, member, &peak, error))
    return false;
  append_kib(out, MAX(total, peak) * KIB_PER_PAGE);
  return true;
}

bool
dacsa_linux_status_vm_hwm(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out,
                          GError **error)
{
  uint64_t rss, peak;

  if (!get_rss(s, &rss, error) || !dacsa_linux_get(s->l, s->mm, member, &peak, error))
    return false;
  append_kib(out, MAX(rss, peak) * KIB_PER_PAGE);
  return true;
}

bool
dacsa_linux_status_vm_rss(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out,
                          GError **error)
{
  uint64_t rss;

  (void)member;
  if (!get_rss(s, &rss, error))
    return false;
  append_kib(out, rss * KIB_PER_PAGE);
  return true;
}

/* Executable memory in bytes: the program's own, and all of it. */
static bool
get_text(DacsaLinuxStatus *s, uint64_t *ret_own, uint64_t *ret_all, GError **error)
{
  uint64_t start, end, exec;

  if (!dacsa_linux_get(s->l, s->mm, M_MM_START_CODE, &start, error) ||
      !dacsa_linux_get(s->l, s->mm, M_MM_END_CODE, &end, error) ||
      !dacsa_linux_get(s->l, s->mm, M_MM_EXEC_VM, &exec, error))
    return false;
  end = (end + DACSA_PAGE_SIZE - 1) & ~(DACSA_PAGE_SIZE - 1);
  *ret_all = exec * DACSA_PAGE_SIZE;
  *ret_own = MIN(end - (start & ~(DACSA_PAGE_SIZE - 1)), *ret_all);
  return true;
}

bool
dacsa_linux_status_vm_exe(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out,
                          GError **error)
{
  uint64_t own, all;

  (void)member;
  if (!get_text(s, &own, &all, error))
    return false;
  append_kib(out, own >> 10);
  return true;
}

bool
dacsa_linux_status_vm_lib(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out,
                          GError **error)
{
  uint64_t own, all;

  (void)member;
  if (!get_text(s, &own, &all, error))
    return false;
  append_kib(out, (all - own) >> 10);
  return true;
}

/* The state of a core dump moved from the mm to the signals. */
bool
dacsa_linux_status_core_dumping(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out,
                                GError **error)
{
  bool in_mm = dacsa_linux_has(s->l, M_MM_CORE_STATE);
  uint64_t state;

  (void)member;
  if (!dacsa_linux_get(s->l, in_mm ? s->mm : s->signal,
                       in_mm ? M_MM_CORE_STATE : M_SIGNAL_CORE_STATE, &state, error))
    return false;
  g_string_append(out, state ? "1" : "0");
  return true;
}

bool
dacsa_linux_status_thp(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out, GError **error)
{
  uint64_t flags;

  if (!dacsa_linux_get(s->l, s->mm, member, &flags, error))
    return false;
  bool enabled = dacsa_linux_symbol(s->l, S_THP_FLAGS) != 0 && !(flags >> MMF_DISABLE_THP & 1);
  g_string_append(out, enabled ? "1" : "0");
  return true;
}

/* include/linux/mmu_context.h: all bits count unless the kernel knows linear address masking. */
bool
dacsa_linux_status_untag_mask(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out,
                              GError **error)
{
  uint64_t mask = UINT64_MAX;

  if (dacsa_linux_has(s->l, member) && !dacsa_linux_get(s->l, s->mm, member, &mask, error))
    return false;
  g_string_append_printf(out, "%#" PRIx64, mask);
  return true;
}
