/* The settings of transparent huge pages. */
#include "snap/hugepages.h"

#include "snap/hostfile.h"

#include <string.h>

/* The word in brackets of `always [madvise] never`. Owned, or NULL. */
static char *
choice(const char *root, const char *path)
{
  g_autofree char *text = dacsa_hostfile_read(root, path);
  const char *open = text ? strchr(text, '[') : NULL;

  return open ? g_strndup(open + 1, strcspn(open + 1, "]")) : NULL;
}

bool
dacsa_hugepages_allowed(const char *root, const DacsaHostVma *vma)
{
  const bool is_ram = !vma->shared && !vma->hugetlb && !vma->device && !vma->userfaultfd &&
                      (!vma->path || g_str_has_prefix(vma->path, "[anon"));
  /* A setting for this size of huge pages, since Linux 6.8, may `inherit` the one for all. */
  g_autofree char *sized =
      choice(root, "/sys/kernel/mm/transparent_hugepage/hugepages-2048kB/enabled");
  g_autofree char *all = choice(root, "/sys/kernel/mm/transparent_hugepage/enabled");
  const char *enabled = sized && strcmp(sized, "inherit") != 0 ? sized : all;

  if (!is_ram || vma->no_huge_pages || !enabled)
    return false;
  return strcmp(enabled, "always") == 0 || (strcmp(enabled, "madvise") == 0 && vma->huge_pages);
}
