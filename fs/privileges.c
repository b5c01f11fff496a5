/* Becoming nobody: capabilities(7), credentials(7). */
#include "fs/privileges.h"

#include "snap/error.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOBODY 65534

/* What no program could get back by being executed. There are as many as the kernel knows. */
static bool
empty_bounding_set(GError **error)
{
  int in_set;

  for (unsigned long cap = 0; (in_set = prctl(PR_CAPBSET_READ, cap, 0, 0, 0)) >= 0; cap++)
    if (in_set == 1 && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
      return dacsa_fail_errno(error, errno,
                              "cannot give up capability %lu for good; leave `dacsa mount` "
                              "CAP_SETPCAP",
                              cap);
  return true;
}

static bool
become_nobody(GError **error)
{
  if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
      setresuid(NOBODY, NOBODY, NOBODY) < 0)
    return dacsa_fail_errno(error, errno, "cannot become nobody");
  return true;
}

/* Of all sets, the inheritable one too, which a change of user leaves as it is; the ambient set
 * goes with it. */
static bool
empty_other_sets(GError **error)
{
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

  if (syscall(SYS_capset, &header, none) < 0)
    return dacsa_fail_errno(error, errno, "cannot give up capabilities");
  return true;
}

bool
dacsa_privileges_drop(GError **error)
{
  if (!empty_bounding_set(error) || !become_nobody(error) || !empty_other_sets(error))
    return false;
  /* A change of user sets dumpable anew, so this comes last. */
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
    return dacsa_fail_errno(error, errno, "cannot give up privileges");
  return true;
}
