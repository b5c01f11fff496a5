/* Reads VMCOREINFO's text. */
#include "parsers/linux/vmcoreinfo.h"

#include "snap/error.h"

#include <inttypes.h>
#include <string.h>

#define PAGE 4096u
#define HEAD "OSRELEASE="
#define START_KERNEL_MAP UINT64_C(0xffffffff80000000) /* __START_KERNEL_map */

void
dacsa_vmcoreinfo_free(DacsaVmcoreinfo *info)
{
  if (!info)
    return;
  g_free(info->text);
  g_free(info->release);
  g_free(info->build_id);
  g_free(info);
}

bool
dacsa_vmcoreinfo_begins(const char *head, size_t len)
{
  return len >= strlen(HEAD) && memcmp(head, HEAD, strlen(HEAD)) == 0;
}

/* The value of a line `key=value`, up to the line's end; false: no such line. */
static bool
find_value(const char *text, const char *key, const char **ret, size_t *ret_len)
{
  size_t n = strlen(key);

  for (const char *line = text; *line;) {
    size_t len = strcspn(line, "\n");

    if (strncmp(line, key, n) == 0 && line[n] == '=') {
      *ret = line + n + 1;
      *ret_len = strcspn(*ret, "\n");
      return true;
    }
    line += len + (line[len] == '\n');
  }
  return false;
}

static char *
value_text(const char *text, const char *key)
{
  const char *value;
  size_t len;

  return find_value(text, key, &value, &len) ? g_strndup(value, len) : g_strdup("");
}

static uint64_t
value_number(const char *text, const char *key, unsigned base)
{
  const char *value;
  size_t len;

  if (!find_value(text, key, &value, &len))
    return 0;
  return *value == '-' ? (uint64_t)g_ascii_strtoll(value, NULL, base)
                       : g_ascii_strtoull(value, NULL, base);
}

bool
dacsa_vmcoreinfo_read(DacsaMem *phys, uint64_t gpa, DacsaVmcoreinfo **ret, GError **error)
{
  g_autoptr(DacsaVmcoreinfo) info = g_new0(DacsaVmcoreinfo, 1);
  char page[PAGE];

  if (!dacsa_mem_read(phys, gpa, page, sizeof(page), error))
    return false;
  if (!dacsa_vmcoreinfo_begins(page, sizeof(page)) || memchr(page, 0, sizeof(page)) == NULL)
    return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "no VMCOREINFO at 0x%" PRIx64, gpa);
  info->text = g_strdup(page);
  info->gpa = gpa;
  info->release = value_text(page, "OSRELEASE");
  info->build_id = value_text(page, "BUILD-ID");
  info->kaslr_offset = value_number(page, "KERNELOFFSET", 16);
  info->phys_base = value_number(page, "NUMBER(phys_base)", 10);
  info->five_levels = value_number(page, "NUMBER(pgtable_l5_enabled)", 10) == 1;
  /* The page may be a stale copy, or a dump tool's buffer: a kernel's own names its page table. */
  uint64_t root = dacsa_vmcoreinfo_symbol(info, "swapper_pg_dir");
  if (root == 0)
    return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "VMCOREINFO at 0x%" PRIx64 " is incomplete",
                      gpa);
  info->root = root - START_KERNEL_MAP + info->phys_base;
  *ret = g_steal_pointer(&info);
  return true;
}

DacsaVmcoreinfo *
dacsa_vmcoreinfo_without(char *release, char *build_id, uint64_t phys_base, uint64_t root,
                         bool five_levels)
{
  DacsaVmcoreinfo *info = g_new0(DacsaVmcoreinfo, 1);

  info->text = g_strdup("");
  info->release = release;
  info->build_id = build_id;
  info->phys_base = phys_base;
  info->root = root;
  info->five_levels = five_levels;
  return info;
}

uint64_t
dacsa_vmcoreinfo_symbol(const DacsaVmcoreinfo *info, const char *name)
{
  g_autofree char *key = g_strdup_printf("SYMBOL(%s)", name);

  return value_number(info->text, key, 16);
}
