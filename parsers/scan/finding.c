/* Findings by content. */
#include "parsers/scan/finding.h"

#include <string.h>

#define MAX_FINDINGS 4096u

struct DacsaScanFindings {
  GMutex lock;
  GPtrArray *all; /* DacsaScanFinding */
};

static void
finding_free(void *data)
{
  DacsaScanFinding *finding = data;

  g_free(finding->signature);
  g_free(finding);
}

DacsaScanFindings *
dacsa_scan_findings_new(void)
{
  DacsaScanFindings *findings = g_new0(DacsaScanFindings, 1);

  g_mutex_init(&findings->lock);
  findings->all = g_ptr_array_new_with_free_func(finding_free);
  return findings;
}

void
dacsa_scan_findings_free(DacsaScanFindings *findings)
{
  if (!findings)
    return;
  g_ptr_array_unref(findings->all);
  g_mutex_clear(&findings->lock);
  g_free(findings);
}

static bool
is_there(const DacsaScanFindings *findings, const DacsaScanKey *keys, guint n, guint offset,
         const char *signature)
{
  for (guint i = 0; i < findings->all->len; i++) {
    const DacsaScanFinding *other = g_ptr_array_index(findings->all, i);

    if (other->n == n && other->offset == offset &&
        memcmp(other->keys, keys, n * sizeof(*keys)) == 0 &&
        strcmp(other->signature, signature) == 0)
      return true;
  }
  return false;
}

bool
dacsa_scan_findings_add(DacsaScanFindings *findings, const DacsaScanKey *keys, guint n,
                        guint offset, const char *signature)
{
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&findings->lock);
  DacsaScanFinding *finding;

  if (is_there(findings, keys, n, offset, signature))
    return true;
  if (findings->all->len >= MAX_FINDINGS)
    return false;
  finding = g_new0(DacsaScanFinding, 1);
  finding->n = n;
  memcpy(finding->keys, keys, n * sizeof(*keys));
  finding->offset = offset;
  finding->signature = g_strdup(signature);
  g_ptr_array_add(findings->all, finding);
  return true;
}

guint
dacsa_scan_findings_count(DacsaScanFindings *findings)
{
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&findings->lock);

  return findings->all->len;
}

const DacsaScanFinding *
dacsa_scan_findings_get(DacsaScanFindings *findings, guint i)
{
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&findings->lock);

  return g_ptr_array_index(findings->all, i);
}
