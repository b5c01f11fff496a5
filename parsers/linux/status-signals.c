/* Lines of status about signals: fs/proc/array.c, task_sig. */
#include "parsers/linux/status.h"

#include "snap/error.h"

#include <string.h>

#define N_SIGNALS 64u
#define RLIMIT_SIGPENDING 11u /* include/uapi/asm-generic/resource.h */
#define SIG_DFL_HANDLER 0u
#define SIG_IGN_HANDLER 1u
#define MAX_SIGACTION 256u

/* Without a sighand (the process is on its way out) the kernel prints zeros. */

bool
dacsa_linux_status_threads(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out,
                           GError **error)
{
  uint64_t n = 0;

  if (s->sighand != 0 && !dacsa_linux_get(s->l, s->signal, member, &n, error))
    return false;
  g_string_append_printf(out, "%" PRIu64, n);
  return true;
}

/* How many signals the process's user has queued: of the user, or since 5.14 of its ucounts. */
static bool
get_queued(const DacsaLinuxStatus *s, uint32_t *ret, GError **error)
{
  const DacsaLinux *l = s->l;
  uint64_t of, n;
  bool ok;

  if (dacsa_linux_has(l, M_USER_SIGPENDING))
    ok = dacsa_linux_get(l, s->cred, M_CRED_USER, &of, error) &&
         dacsa_linux_get(l, of, M_USER_SIGPENDING, &n, error);
  else
    ok = dacsa_linux_get(l, s->cred, M_CRED_UCOUNTS, &of, error) &&
         dacsa_linux_get_element(l, of, M_UCOUNTS_RLIMIT,
                                 (uint64_t)l->kernel->enumerators[E_UCOUNT_RLIMIT_SIGPENDING], &n,
                                 error);
  if (ok)
    *ret = (uint32_t)n;
  return ok;
}

bool
dacsa_linux_status_queue(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out, GError **error)
{
  uint64_t rlim = s->signal + dacsa_linux_offset(s->l, member) +
                  RLIMIT_SIGPENDING * (uint64_t)dacsa_linux_size(s->l, T_RLIMIT);
  uint64_t limit = 0;
  uint32_t queued = 0;

  if (s->sighand != 0 &&
      (!get_queued(s, &queued, error) || !dacsa_linux_get(s->l, rlim, M_RLIMIT_CUR, &limit, error)))
    return false;
  g_string_append_printf(out, "%u/%" PRIu64, queued, limit);
  return true;
}

static bool
append_set(const DacsaLinuxStatus *s, uint64_t base, DacsaLinuxMember member, GString *out,
           GError **error)
{
  uint64_t set = 0;

  if (s->sighand != 0 && !dacsa_linux_get(s->l, base, member, &set, error))
    return false;
  g_string_append_printf(out, "%016" PRIx64, set);
  return true;
}

bool
dacsa_linux_status_task_signals(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out,
                                GError **error)
{
  return append_set(s, s->task, member, out, error);
}

bool
dacsa_linux_status_group_signals(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out,
                                 GError **error)
{
  return append_set(s, s->signal, member, out, error);
}

/* The signals that are ignored and those that are caught; read in one go. */
static bool
get_handlers(const DacsaLinuxStatus *s, uint64_t *ret_ignored, uint64_t *ret_caught, GError **error)
{
  const DacsaLinux *l = s->l;
  uint32_t size = dacsa_linux_size(l, T_K_SIGACTION);
  uint64_t at = dacsa_linux_offset(l, M_K_SIGACTION_HANDLER);
  uint8_t actions[N_SIGNALS * MAX_SIGACTION];
  uint64_t handler;

  *ret_ignored = *ret_caught = 0;
  if (s->sighand == 0)
    return true;
  if (size > MAX_SIGACTION || at + sizeof(handler) > size)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "the kernel has no k_sigaction");
  if (!dacsa_mem_read(l->memory, s->sighand + dacsa_linux_offset(l, M_SIGHAND_ACTION), actions,
                      (size_t)N_SIGNALS * size, error))
    return false;
  for (unsigned i = 0; i < N_SIGNALS; i++) {
    memcpy(&handler, actions + (size_t)i * size + at, sizeof(handler));
    handler = GUINT64_FROM_LE(handler);
    if (handler == SIG_IGN_HANDLER)
      *ret_ignored |= UINT64_C(1) << i;
    else if (handler != SIG_DFL_HANDLER)
      *ret_caught |= UINT64_C(1) << i;
  }
  return true;
}

bool
dacsa_linux_status_ignored(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out,
                           GError **error)
{
  uint64_t ignored, caught;

  (void)member;
  if (!get_handlers(s, &ignored, &caught, error))
    return false;
  g_string_append_printf(out, "%016" PRIx64, ignored);
  return true;
}

bool
dacsa_linux_status_caught(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out,
                          GError **error)
{
  uint64_t ignored, caught;

  (void)member;
  if (!get_handlers(s, &ignored, &caught, error))
    return false;
  g_string_append_printf(out, "%016" PRIx64, caught);
  return true;
}
