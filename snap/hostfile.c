/* Small files of /proc and /sys: whole, by line, as a number. */
#include "snap/hostfile.h"

#include "snap/error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

char *
dacsa_hostfile_read(const char *root, const char *path)
{
  g_autofree char *full = g_strconcat(root, path, NULL);
  char *text = NULL;

  return g_file_get_contents(full, &text, NULL, NULL) ? g_strchomp(text) : NULL;
}

char *
dacsa_hostfile_process(const char *root, pid_t pid, const char *name)
{
  g_autofree char *path = g_strdup_printf("/proc/%d/%s", (int)pid, name);

  return dacsa_hostfile_read(root, path);
}

char *
dacsa_hostfile_line(const char *text, const char *key)
{
  size_t n = strlen(key);

  for (const char *line = text; line; line = strchr(line, '\n')) {
    line += *line == '\n';
    if (strncmp(line, key, n) == 0 && (line[n] == ':' || line[n] == ' '))
      return g_strstrip(g_strndup(line + n + 1, strcspn(line + n + 1, "\n")));
  }
  return NULL;
}

/* Decimal digits, and after them nothing or a unit: else it is not one of the kernel's numbers. */
static bool
parse_number(const char *text, uint64_t *ret)
{
  char *end = NULL;

  if (!g_ascii_isdigit(text[0]))
    return false;
  *ret = g_ascii_strtoull(text, &end, 10);
  return *end == '\0' || g_ascii_isspace(*end);
}

bool
dacsa_hostfile_number(const char *text, const char *key, uint64_t *ret)
{
  g_autofree char *rest = dacsa_hostfile_line(text, key);

  return rest && parse_number(rest, ret);
}

bool
dacsa_hostfile_limit(const char *root, const char *path, uint64_t *ret)
{
  g_autofree char *text = dacsa_hostfile_read(root, path);

  if (text && strcmp(text, "max") == 0) {
    *ret = UINT64_MAX;
    return true;
  }
  return text && parse_number(text, ret);
}

bool
dacsa_hostfile_write(pid_t pid, const char *name, const char *value, GError **error)
{
  g_autofree char *path = g_strdup_printf("/proc/%d/%s", (int)pid, name);
  const size_t len = strlen(value);
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  bool ok = fd >= 0 && write(fd, value, len) == (ssize_t)len;
  int errsv = errno;

  if (fd >= 0)
    close(fd);
  return ok || dacsa_fail_errno(error, errsv, "%s", path);
}
