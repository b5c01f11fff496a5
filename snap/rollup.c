/* smaps_rollup, and the sum of several. */
#include "snap/rollup.h"

#include "snap/hostfile.h"

#define KIB UINT64_C(1024)

bool
dacsa_rollup_parse(const char *text, DacsaRollup *ret)
{
  uint64_t clean, dirty, anon, pss;

  if (!dacsa_hostfile_number(text, "Private_Clean", &clean) ||
      !dacsa_hostfile_number(text, "Private_Dirty", &dirty) ||
      !dacsa_hostfile_number(text, "Anonymous", &anon) ||
      !dacsa_hostfile_number(text, "Pss_Anon", &pss))
    return false;
  *ret = (DacsaRollup){(clean + dirty) * KIB, anon * KIB, pss * KIB};
  return true;
}

bool
dacsa_rollup_read(const char *root, pid_t pid, DacsaRollup *ret)
{
  g_autofree char *text = dacsa_hostfile_process(root, pid, "smaps_rollup");

  return text && dacsa_rollup_parse(text, ret);
}

uint64_t
dacsa_rollup_cost(const DacsaRollup *snapshots, size_t n, const DacsaRollup *qemu)
{
  uint64_t least = 0, most = 0, pss = qemu ? qemu->anon_pss : 0;
  const uint64_t of_qemu = qemu ? qemu->anon_bytes : 0;

  for (size_t i = 0; i < n; i++) {
    least += snapshots[i].private_bytes;
    most += MAX(snapshots[i].anon_bytes, snapshots[i].private_bytes);
    pss += snapshots[i].anon_pss;
  }
  if (n <= 1)
    return least;
  return CLAMP(pss > of_qemu ? pss - of_qemu : 0, least, most);
}
