/* Made-up files in a directory of its own, and a monitor that looks its answers up in a list. */
#include "fake-host.h"

#include "check.h"
#include "fake-dir.h"

#include <glib/gstdio.h>
#include <unistd.h>

char *
fake_host_new(void)
{
  return fake_dir_new();
}

static char *
make_path(const char *root, const char *path)
{
  char *full = g_build_filename(root, path, NULL);
  g_autofree char *directory = g_path_get_dirname(full);

  g_assert_cmpint(g_mkdir_with_parents(directory, 0700), ==, 0);
  return full;
}

void
fake_host_put(const char *root, const char *path, const char *text)
{
  g_autofree char *full = make_path(root, path);
  g_autoptr(GError) error = NULL;

  /* Made anew, for a file that is only written over is not always cut short. */
  g_remove(full);
  g_file_set_contents_full(full, text, -1, G_FILE_SET_CONTENTS_NONE, 0600, &error);
  g_assert_no_error(error);
}

void
fake_host_link(const char *root, const char *path, const char *target)
{
  g_autofree char *full = make_path(root, path);

  g_assert_cmpint(symlink(target, full), ==, 0);
}

void
fake_host_free(char *root)
{
  fake_dir_free(root);
}

static const char *
find_answer(const FakeMonitor *self, const char *command)
{
  for (size_t i = 0; i < G_N_ELEMENTS(self->answers); i++)
    for (const FakeAnswer *a = self->answers[i]; a && a->command; a++)
      if (g_str_equal(a->command, command))
        return a->answer;
  return NULL;
}

static bool
fake_hmp(DacsaMonitor *monitor, const char *line, int64_t deadline, char **ret, GError **error)
{
  const char *answer = find_answer((FakeMonitor *)monitor, line);

  g_assert_cmpint(deadline, >, g_get_monotonic_time());
  if (!answer)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "%s: not recorded", line);
  *ret = g_strdup(answer);
  return true;
}

static bool
fake_query(DacsaMonitor *monitor, const char *command, int64_t deadline, JsonNode **ret,
           GError **error)
{
  g_autofree char *text = NULL;

  if (!fake_hmp(monitor, command, deadline, &text, error))
    return false;
  *ret = json_from_string(text, error);
  return *ret != NULL;
}

void
fake_monitor_init(FakeMonitor *self, pid_t pid)
{
  static const DacsaMonitorOps ops = {.hmp = fake_hmp, .query = fake_query};

  *self = (FakeMonitor){.monitor = {.ops = &ops, .pid = pid}};
}
