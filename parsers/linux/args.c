/* A process's arguments and environment, from its own memory. */
#include "parsers/linux/process.h"

#include <string.h>

#define MAX_ARGUMENTS (8u << 20) /* fs/exec.c: 3/4 of _STK_LIM, 6 MiB, is the most */

/* Appends [start, end) of a process's memory; what cannot be read ends it and is noted. */
static void
append_user(DacsaLinux *l, DacsaMem *space, uint64_t start, uint64_t end, const char *where,
            GString *out)
{
  size_t want = (size_t)MIN(end - start, (uint64_t)MAX_ARGUMENTS);
  g_autofree char *buf = g_malloc(want);
  size_t got = dacsa_mem_read_some(space, start, buf, want);

  g_string_append_len(out, buf, (gssize)got);
  if (got < want)
    dacsa_errors_add(l->errors, where, "cut short: the rest is not in memory");
  else if (want < end - start)
    dacsa_errors_add(l->errors, where, "cut short: it is too long");
}

/* fs/proc/base.c, get_mm_cmdline and get_mm_proctitle: a process may have written over its
 * arguments, and past them into the environment. */
static void
append_cmdline(DacsaLinux *l, DacsaMem *space, const uint64_t arg[2], const uint64_t env[2],
               const char *where, GString *out)
{
  uint64_t end = env[0] != arg[1] || env[1] < env[0] ? arg[1] : env[1];
  uint8_t last = 0;

  if (dacsa_mem_read_u8(space, arg[1] - 1, &last, NULL) && last != 0) {
    gsize before = out->len;

    append_user(l, space, arg[0], MIN(end, arg[0] + DACSA_PAGE_SIZE), where, out);
    const char *zero = memchr(out->str + before, 0, out->len - before);
    if (zero)
      g_string_truncate(out, (gsize)(zero - out->str) + 1);
  } else {
    append_user(l, space, arg[0], arg[1], where, out);
  }
}

static bool
get_range(const DacsaLinux *l, uint64_t mm, DacsaLinuxMember start, DacsaLinuxMember end,
          uint64_t ret[2], GError **error)
{
  return dacsa_linux_get(l, mm, start, &ret[0], error) &&
         dacsa_linux_get(l, mm, end, &ret[1], error);
}

bool
dacsa_linux_mm_cmdline(DacsaLinux *l, uint64_t mm, const char *where, GString *out, GError **error)
{
  DacsaX86_64Tables tables;
  uint64_t arg[2], env[2];

  if (mm == 0)
    return true;
  if (!get_range(l, mm, M_MM_ARG_START, M_MM_ARG_END, arg, error) ||
      !get_range(l, mm, M_MM_ENV_START, M_MM_ENV_END, env, error) ||
      !dacsa_linux_mm_tables(l, mm, &tables, error))
    return false;
  if (arg[0] >= arg[1])
    return true;
  g_autoptr(DacsaMem) space = dacsa_x86_64_space_new(&tables);
  append_cmdline(l, space, arg, env, where, out);
  return true;
}

bool
dacsa_linux_cmdline(DacsaGuest *guest, uint32_t pid, GString *out, GError **error)
{
  DacsaLinux *l = (DacsaLinux *)guest;
  g_autofree char *where = g_strdup_printf("processes/%u/cmdline", pid);
  uint64_t task, mm;

  return dacsa_linux_task(l, pid, &task, error) && dacsa_linux_task_mm(l, task, &mm, error) &&
         dacsa_linux_mm_cmdline(l, mm, where, out, error);
}

/* fs/proc/base.c, environ_read. */
bool
dacsa_linux_environ(DacsaGuest *guest, uint32_t pid, GString *out, GError **error)
{
  DacsaLinux *l = (DacsaLinux *)guest;
  g_autofree char *where = g_strdup_printf("processes/%u/environ", pid);
  DacsaX86_64Tables tables;
  uint64_t task, mm;
  uint64_t env[2];

  if (!dacsa_linux_task(l, pid, &task, error) || !dacsa_linux_task_mm(l, task, &mm, error))
    return false;
  if (mm == 0)
    return true;
  if (!get_range(l, mm, M_MM_ENV_START, M_MM_ENV_END, env, error) ||
      !dacsa_linux_mm_tables(l, mm, &tables, error))
    return false;
  if (env[0] >= env[1])
    return true;
  g_autoptr(DacsaMem) space = dacsa_x86_64_space_new(&tables);
  append_user(l, space, env[0], env[1], where, out);
  return true;
}
