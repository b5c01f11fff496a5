/* Reads what /proc tells of a host process. The host's /proc is trusted in form, not in size. */
#include "snap/procmaps.h"

#include "snap/error.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void
vma_clear(void *data)
{
  g_free(((DacsaHostVma *)data)->path);
}

static void
vma_flags(DacsaHostVma *vma, const char *flags)
{
  g_auto(GStrv) words = g_strsplit(flags, " ", -1);

  for (size_t i = 0; words[i]; i++) {
    vma->shared |= strcmp(words[i], "sh") == 0;
    vma->dont_fork |= strcmp(words[i], "dc") == 0;
    vma->hugetlb |= strcmp(words[i], "ht") == 0;
    vma->wipe_on_fork |= strcmp(words[i], "wf") == 0;
    vma->device |= strcmp(words[i], "io") == 0 || strcmp(words[i], "pf") == 0;
    vma->io |= strcmp(words[i], "io") == 0;
    vma->huge_pages |= strcmp(words[i], "hg") == 0;
    vma->no_huge_pages |= strcmp(words[i], "nh") == 0;
    vma->userfaultfd |=
        strcmp(words[i], "um") == 0 || strcmp(words[i], "uw") == 0 || strcmp(words[i], "ui") == 0;
  }
}

/* A line that begins a VMA: `start-end perms offset dev inode [path]`. */
static bool
vma_header(const char *line, DacsaHostVma *ret)
{
  char perms[5];
  int path_at = 0;
  DacsaHostVma vma = {0};

  if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*x:%*x %*u %n", &vma.start, &vma.end,
             perms, &vma.offset, &path_at) != 4 ||
      path_at == 0 || strlen(perms) != 4)
    return false;
  vma.readable = perms[0] == 'r';
  vma.writable = perms[1] == 'w';
  vma.executable = perms[2] == 'x';
  vma.shared = perms[3] == 's';
  if (line[path_at] != '\0')
    vma.path = g_strdup(line + path_at);
  *ret = vma;
  return true;
}

bool
dacsa_procmaps_parse(const char *text, GArray **ret, GError **error)
{
  g_autoptr(GArray) vmas = g_array_new(FALSE, FALSE, sizeof(DacsaHostVma));
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

  g_array_set_clear_func(vmas, vma_clear);
  for (size_t i = 0; lines[i]; i++) {
    DacsaHostVma vma;
    DacsaHostVma *last = vmas->len > 0 ? &g_array_index(vmas, DacsaHostVma, vmas->len - 1) : NULL;
    uint64_t kib;

    if (vma_header(lines[i], &vma))
      g_array_append_val(vmas, vma);
    else if (last && sscanf(lines[i], "Rss: %" SCNu64 " kB", &kib) == 1)
      last->rss = kib * 1024;
    else if (last && g_str_has_prefix(lines[i], "VmFlags: "))
      vma_flags(last, lines[i] + strlen("VmFlags: "));
  }
  if (vmas->len == 0)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "the process has no memory mappings");
  *ret = g_steal_pointer(&vmas);
  return true;
}

static bool
read_proc(pid_t pid, const char *name, char **ret, GError **error)
{
  g_autofree char *path = g_strdup_printf("/proc/%d/%s", (int)pid, name);
  g_autoptr(GError) cause = NULL;

  if (g_file_get_contents(path, ret, NULL, &cause))
    return true;
  if (g_error_matches(cause, G_FILE_ERROR, G_FILE_ERROR_NOENT) ||
      g_error_matches(cause, G_FILE_ERROR, G_FILE_ERROR_FAILED))
    return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "process %d is gone", (int)pid);
  return dacsa_fail(error, DACSA_ERROR_OS, "%s", cause->message);
}

bool
dacsa_procmaps_read(pid_t pid, GArray **ret, GError **error)
{
  g_autofree char *text = NULL;

  return read_proc(pid, "smaps", &text, error) && dacsa_procmaps_parse(text, ret, error);
}

bool
dacsa_procmaps_holds(const DacsaHostVma *vma, uint64_t hva)
{
  return hva >= vma->start && hva < vma->end;
}

bool
dacsa_procmaps_overlaps(const DacsaHostVma *vma, uint64_t start, uint64_t len)
{
  return start < vma->end && vma->start < start + len;
}

const DacsaHostVma *
dacsa_procmaps_find(const GArray *vmas, uint64_t hva)
{
  for (guint i = 0; i < vmas->len; i++) {
    const DacsaHostVma *vma = &g_array_index(vmas, DacsaHostVma, i);

    if (dacsa_procmaps_holds(vma, hva))
      return vma;
  }
  return NULL;
}

bool
dacsa_procmaps_status(pid_t pid, const char *key, char **ret, GError **error)
{
  g_autofree char *text = NULL;

  if (!read_proc(pid, "status", &text, error))
    return false;
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  for (size_t i = 0; lines[i]; i++) {
    size_t n = strlen(key);

    if (strncmp(lines[i], key, n) == 0 && lines[i][n] == ':') {
      *ret = g_strdup(g_strstrip(lines[i] + n + 1));
      return true;
    }
  }
  return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "/proc/%d/status has no %s", (int)pid, key);
}

bool
dacsa_procmaps_start_time(pid_t pid, uint64_t *ret, GError **error)
{
  g_autofree char *text = NULL;

  if (!read_proc(pid, "stat", &text, error))
    return false;
  /* The command, field 2, may hold anything, a `)` too: count from the last one. Field 22. */
  const char *rest = strrchr(text, ')');
  if (!rest || sscanf(rest,
                      ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
                      "%*d %" SCNu64,
                      ret) != 1)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "/proc/%d/stat has no start time", (int)pid);
  return true;
}

bool
dacsa_procmaps_is_process(pid_t pid, uint64_t start_time)
{
  uint64_t now;

  return dacsa_procmaps_start_time(pid, &now, NULL) && now == start_time;
}
