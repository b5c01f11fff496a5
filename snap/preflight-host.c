/* Whether dacsa, as it was started on this host, may trace QEMU at all. */
#include "snap/hostfile.h"
#include "snap/preflight-checks.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>

static char *
own_status(const DacsaPreflight *p, const char *key)
{
  g_autofree char *status = dacsa_hostfile_read(p->root, "/proc/self/status");

  return dacsa_hostfile_line(status, key);
}

char *
dacsa_preflight_ptrace_scope(const DacsaPreflight *p)
{
  g_autofree char *scope = dacsa_hostfile_read(p->root, "/proc/sys/kernel/yama/ptrace_scope");

  if (!scope || strcmp(scope, "3") != 0)
    return NULL;
  return g_strdup("the host forbids all tracing (kernel.yama.ptrace_scope is 3)");
}

char *
dacsa_preflight_own_seccomp(const DacsaPreflight *p)
{
  g_autofree char *ours = own_status(p, "Seccomp");

  if (!ours || strcmp(ours, "0") == 0)
    return NULL;
  return g_strdup("dacsa itself runs under a seccomp filter, so it cannot suspend QEMU's");
}

/* PTRACE_O_SUSPEND_SECCOMP asks for CAP_SYS_ADMIN in the initial user namespace: the one whose map
 * is all numbers to themselves. */
char *
dacsa_preflight_user_namespace(const DacsaPreflight *p)
{
  g_autofree char *map = dacsa_hostfile_read(p->root, "/proc/self/uid_map");
  unsigned long inside, outside, count;

  if (!map || sscanf(map, "%lu %lu %lu", &inside, &outside, &count) != 3 ||
      (inside == 0 && outside == 0 && count == 4294967295u))
    return NULL;
  return g_strdup("dacsa runs in a user namespace, so it cannot suspend QEMU's seccomp filter");
}

char *
dacsa_preflight_capabilities(const DacsaPreflight *p)
{
  static const struct {
    int number;
    const char *name;
  } needed[] = {{CAP_SYS_PTRACE, "CAP_SYS_PTRACE"}, {CAP_SYS_ADMIN, "CAP_SYS_ADMIN"}};
  g_autofree char *effective = own_status(p, "CapEff");
  g_autoptr(GPtrArray) lacking = g_ptr_array_new();

  for (size_t i = 0; effective && i < G_N_ELEMENTS(needed); i++)
    if (!(g_ascii_strtoull(effective, NULL, 16) >> needed[i].number & 1))
      g_ptr_array_add(lacking, (char *)needed[i].name);
  if (lacking->len == 0)
    return NULL;
  g_ptr_array_add(lacking, NULL);
  g_autofree char *names = g_strjoinv(" and ", (char **)lacking->pdata);
  return g_strdup_printf("dacsa lacks %s, without which QEMU cannot be traced", names);
}

static bool
is_denied(const DacsaPreflight *p)
{
  return p->attach_errno == EACCES || p->attach_errno == EPERM;
}

/* The security module's label of dacsa where it confines: AppArmor writes `profile (mode)`, SELinux
 * a context. Owned, or NULL. */
static char *
own_label(const DacsaPreflight *p)
{
  g_autofree char *label = dacsa_hostfile_read(p->root, "/proc/self/attr/apparmor/current");

  if (!label)
    label = dacsa_hostfile_read(p->root, "/proc/self/attr/current");
  if (!label || label[0] == '\0' || strcmp(label, "unconfined") == 0 ||
      g_str_has_suffix(label, " (unconfined)") || g_str_has_suffix(label, " (complain)") ||
      strstr(label, ":unconfined_t:"))
    return NULL;
  return g_steal_pointer(&label);
}

/* What a profile allows cannot be read; but opening /proc/PID/mem asks the security modules for the
 * very right that tracing needs (ptrace(2), PTRACE_MODE_ATTACH). */
char *
dacsa_preflight_confined(const DacsaPreflight *p)
{
  g_autofree char *label = is_denied(p) ? own_label(p) : NULL;

  return label ? g_strdup_printf("dacsa is confined (%s) and may not trace QEMU", label) : NULL;
}

/* Denied, and none of the above is why. */
char *
dacsa_preflight_attach(const DacsaPreflight *p)
{
  g_autofree char *scope = dacsa_preflight_ptrace_scope(p);
  g_autofree char *capabilities = dacsa_preflight_capabilities(p);
  g_autofree char *confined = dacsa_preflight_confined(p);

  if (!is_denied(p) || scope || capabilities || confined)
    return NULL;
  return g_strdup_printf("the kernel does not let dacsa trace QEMU (%s)",
                         g_strerror(p->attach_errno));
}

/* QEMU is stopped while it is made to fork, and its child is killed where the snapshot is dropped.
 */
char *
dacsa_preflight_signal(const DacsaPreflight *p)
{
  g_autofree char *label = p->signal_errno ? own_label(p) : NULL;

  if (!p->signal_errno)
    return NULL;
  return label ? g_strdup_printf("dacsa is confined (%s) and may not send signals to QEMU", label)
               : g_strdup_printf("dacsa may not send signals to QEMU (%s)",
                                 g_strerror(p->signal_errno));
}
