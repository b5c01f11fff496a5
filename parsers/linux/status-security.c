/* Lines of status about what a process may do and what protects it from others: fs/proc/array.c,
 * task_cap and task_seccomp; arch/x86/kernel/cpu/bugs.c, arch_prctl_spec_ctrl_get. */
#include "parsers/linux/status.h"

#include "snap/error.h"

/* Bits of task_struct.atomic_flags (include/linux/sched.h, PFA_*). */
#define NO_NEW_PRIVS (1u << 0)
#define SSB_DISABLE (1u << 3)
#define SSB_FORCE_DISABLE (1u << 4)
#define IB_DISABLE (1u << 5)
#define IB_FORCE_DISABLE (1u << 6)
#define SSB_NOEXEC (1u << 7)

/* Bugs of CPUs (arch/x86/include/asm/cpufeatures.h, X86_BUG_*). */
#define BUG_SPECTRE_V2 16u
#define BUG_STORE_BYPASS 17u

/* Features of threads (arch/x86/include/uapi/asm/prctl.h, ARCH_SHSTK_*). */
#define FEATURE_SHSTK (1u << 0)
#define FEATURE_WRSS (1u << 1)

bool
dacsa_linux_status_capabilities(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out,
                                GError **error)
{
  uint64_t set;

  if (!dacsa_linux_get(s->l, s->cred, member, &set, error))
    return false;
  g_string_append_printf(out, "%016" PRIx64, set);
  return true;
}

bool
dacsa_linux_status_no_new_privs(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out,
                                GError **error)
{
  uint64_t flags;

  if (!dacsa_linux_get(s->l, s->task, member, &flags, error))
    return false;
  g_string_append(out, flags & NO_NEW_PRIVS ? "1" : "0");
  return true;
}

/* One of the kernel's variables of an enum. */
static bool
get_mode(const DacsaLinux *l, DacsaLinuxSymbol symbol, const char *name, int64_t *ret,
         GError **error)
{
  uint64_t at = dacsa_linux_symbol(l, symbol);
  uint32_t mode;

  if (at == 0)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "the kernel has no %s", name);
  if (!dacsa_mem_read_u32(l->memory, at, &mode, error))
    return false;
  *ret = mode;
  return true;
}

static bool
has_bug(const DacsaLinux *l, unsigned bug, bool *ret, GError **error)
{
  uint64_t cpu = dacsa_linux_symbol(l, S_BOOT_CPU_DATA);
  uint64_t word;

  if (!dacsa_linux_get_element(l, cpu, M_CPU_CAPABILITY,
                               (uint64_t)l->kernel->enumerators[E_NR_CPUID_WORDS] + bug / 32, &word,
                               error))
    return false;
  *ret = word >> bug % 32 & 1;
  return true;
}

static bool
is_one_of(const DacsaLinux *l, int64_t mode, DacsaLinuxEnumerator a, DacsaLinuxEnumerator b)
{
  return mode == l->kernel->enumerators[a] || mode == l->kernel->enumerators[b];
}

/* ssb_prctl_get. */
static bool
store_bypass(const DacsaLinuxStatus *s, uint64_t flags, const char **ret, GError **error)
{
  const DacsaLinux *l = s->l;
  int64_t mode;
  bool bug;

  if (!get_mode(l, S_SSB_MODE, "ssb_mode", &mode, error))
    return false;
  if (mode == l->kernel->enumerators[E_SSB_DISABLE]) {
    *ret = "globally mitigated";
  } else if (is_one_of(l, mode, E_SSB_PRCTL, E_SSB_SECCOMP)) {
    *ret = flags & SSB_FORCE_DISABLE ? "thread force mitigated"
           : flags & SSB_NOEXEC      ? "vulnerable"
           : flags & SSB_DISABLE     ? "thread mitigated"
                                     : "thread vulnerable";
  } else {
    if (!has_bug(l, BUG_STORE_BYPASS, &bug, error))
      return false;
    *ret = bug ? "vulnerable" : "not vulnerable";
  }
  return true;
}

bool
dacsa_linux_status_store_bypass(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out,
                                GError **error)
{
  const char *text;
  uint64_t flags;

  if (!dacsa_linux_get(s->l, s->task, member, &flags, error) ||
      !store_bypass(s, flags, &text, error))
    return false;
  g_string_append(out, text);
  return true;
}

/* ib_prctl_get. */
static bool
indirect_branch(const DacsaLinuxStatus *s, uint64_t flags, const char **ret, GError **error)
{
  const DacsaLinux *l = s->l;
  const int64_t *e = l->kernel->enumerators;
  int64_t ibpb, stibp;
  bool bug;

  if (!has_bug(l, BUG_SPECTRE_V2, &bug, error) ||
      !get_mode(l, S_V2_USER_IBPB, "spectre_v2_user_ibpb", &ibpb, error) ||
      !get_mode(l, S_V2_USER_STIBP, "spectre_v2_user_stibp", &stibp, error))
    return false;
  if (!bug)
    *ret = "not affected";
  else if (ibpb == e[E_V2_USER_NONE] && stibp == e[E_V2_USER_NONE])
    *ret = "always enabled";
  else if (is_one_of(l, ibpb, E_V2_USER_PRCTL, E_V2_USER_SECCOMP) ||
           is_one_of(l, stibp, E_V2_USER_PRCTL, E_V2_USER_SECCOMP))
    *ret = flags & IB_FORCE_DISABLE ? "conditional force disabled"
           : flags & IB_DISABLE     ? "conditional disabled"
                                    : "conditional enabled";
  else if (ibpb == e[E_V2_USER_STRICT] ||
           is_one_of(l, stibp, E_V2_USER_STRICT, E_V2_USER_STRICT_PREFERRED))
    *ret = "always disabled";
  else
    *ret = "not affected";
  return true;
}

bool
dacsa_linux_status_indirect_branch(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out,
                                   GError **error)
{
  const char *text;
  uint64_t flags;

  if (!dacsa_linux_get(s->l, s->task, member, &flags, error) ||
      !indirect_branch(s, flags, &text, error))
    return false;
  g_string_append(out, text);
  return true;
}

/* arch/x86/kernel/cpu/proc.c, dump_x86_features. */
bool
dacsa_linux_status_features(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out,
                            GError **error)
{
  uint64_t features;

  if (!dacsa_linux_get(s->l, s->task, member, &features, error))
    return false;
  g_string_append_printf(out, "%s%s", features & FEATURE_SHSTK ? "shstk " : "",
                         features & FEATURE_WRSS ? "wrss " : "");
  return true;
}
