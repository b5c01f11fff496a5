/* struct pid (include/linux/pid.h): a number in each namespace from the first one down. */
#include "parsers/linux/process.h"

#include "snap/error.h"

#define MAX_LEVEL 32u /* MAX_PID_NS_LEVEL */

bool
dacsa_linux_group_pid(const DacsaLinux *l, uint64_t signal, DacsaLinuxEnumerator kind,
                      uint64_t *ret, GError **error)
{
  return dacsa_linux_get_element(l, signal, M_SIGNAL_PIDS, (uint64_t)l->kernel->enumerators[kind],
                                 ret, error);
}

bool
dacsa_linux_pid_level(const DacsaLinux *l, uint64_t pid, uint64_t *ret, GError **error)
{
  if (!dacsa_linux_get(l, pid, M_PID_LEVEL, ret, error))
    return false;
  if (*ret > MAX_LEVEL)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "a pid of %" PRIu64 " levels cannot be", *ret);
  return true;
}

bool
dacsa_linux_pid_at(const DacsaLinux *l, uint64_t pid, uint64_t level, uint64_t *ret_number,
                   uint64_t *ret_ns, GError **error)
{
  uint64_t upid = pid + dacsa_linux_offset(l, M_PID_NUMBERS) + level * dacsa_linux_size(l, T_UPID);

  return dacsa_linux_get(l, upid, M_UPID_NR, ret_number, error) &&
         dacsa_linux_get(l, upid, M_UPID_NS, ret_ns, error);
}

/* kernel/pid.c, pid_nr_ns. */
bool
dacsa_linux_pid_in(const DacsaLinux *l, uint64_t pid, uint64_t level, uint64_t ns, uint64_t *ret,
                   GError **error)
{
  uint64_t own_level, number, own_ns;

  *ret = 0;
  if (pid == 0)
    return true;
  if (!dacsa_linux_pid_level(l, pid, &own_level, error))
    return false;
  if (level > own_level)
    return true;
  if (!dacsa_linux_pid_at(l, pid, level, &number, &own_ns, error))
    return false;
  *ret = own_ns == ns ? number : 0;
  return true;
}
