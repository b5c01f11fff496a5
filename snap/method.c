/* The table of methods, and what is the same for all. */
#include "snap/method.h"

#include "snap/error.h"
#include "snap/method-copy.h"
#include "snap/method-fork.h"
#include "snap/procmaps.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PARK_US (10 * G_USEC_PER_SEC)

static const DacsaMethod *const methods[] = {&dacsa_method_fork, &dacsa_method_copy};

const DacsaMethod *
dacsa_method_find(const char *name)
{
  for (size_t i = 0; i < G_N_ELEMENTS(methods); i++)
    if (strcmp(methods[i]->name, name) == 0)
      return methods[i];
  return NULL;
}

char *
dacsa_method_names(void)
{
  GString *names = g_string_new(NULL);

  for (size_t i = 0; i < G_N_ELEMENTS(methods); i++)
    g_string_append_printf(names, "%s%s", i ? ", " : "", methods[i]->name);
  return g_string_free(names, FALSE);
}

void
dacsa_acquisition_init(DacsaAcquisition *self, const DacsaMethod *method, const DacsaProbe *probe,
                       const char *label)
{
  *self = (DacsaAcquisition){
      .method = method, .probe = probe, .label = label, .pidfd = -1, .journal = -1};
}

void
dacsa_acquisition_clear(DacsaAcquisition *self)
{
  if (self->pidfd >= 0) {
    syscall(SYS_pidfd_send_signal, self->pidfd, SIGKILL, NULL, 0);
    close(self->pidfd);
  }
  self->pidfd = -1;
  if (self->method && self->method->free_state)
    self->method->free_state(self);
  self->state = NULL;
  g_clear_pointer(&self->vmas, g_array_unref);
}

static bool
has_open_files(pid_t pid)
{
  g_autofree char *path = g_strdup_printf("/proc/%d/fd", (int)pid);
  g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);

  return !dir || g_dir_read_name(dir) != NULL;
}

/* It is on its way there by itself. Reads /proc/PID/syscall, whose first word is the call's number.
 */
bool
dacsa_method_await_parked(pid_t child, GError **error)
{
  g_autofree char *path = g_strdup_printf("/proc/%d/syscall", (int)child);
  g_autofree char *want = g_strdup_printf("%d ", SYS_pause);
  int64_t deadline = g_get_monotonic_time() + PARK_US;

  for (useconds_t nap = 50; g_get_monotonic_time() < deadline; nap = MIN(nap * 2, 10000)) {
    g_autofree char *text = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL))
      return dacsa_fail(error, DACSA_ERROR_BUSY,
                        "the snapshot died before it was parked (killed "
                        "by the kernel: out of memory, or seccomp)");
    if (g_str_has_prefix(text, want) && !has_open_files(child))
      return true;
    usleep(nap);
  }
  return dacsa_fail(error, DACSA_ERROR_BUSY, "the snapshot was not parked in time");
}

static bool
resident_bytes(pid_t pid, uint64_t *ret)
{
  g_autofree char *path = g_strdup_printf("/proc/%d/statm", (int)pid);
  g_autofree char *text = NULL;
  unsigned long pages;

  if (!g_file_get_contents(path, &text, NULL, NULL) || sscanf(text, "%*u %lu", &pages) != 1)
    return false;
  *ret = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
  return true;
}

/* Whether the child has all of the guest's memory: the first byte of every range can be read. */
static bool
check_memory(const DacsaLayout *layout, pid_t child, GError **error)
{
  g_autofree char *path = g_strdup_printf("/proc/%d/mem", (int)child);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  bool ok = fd >= 0;

  for (guint i = 0; ok && i < layout->ranges->len; i++) {
    const DacsaRange *range = &g_array_index(layout->ranges, DacsaRange, i);
    char byte;

    ok = pread(fd, &byte, 1, (off_t)range->offset) == 1;
  }
  if (fd >= 0)
    close(fd);
  return ok || dacsa_fail(error, DACSA_ERROR_OS, "the snapshot does not hold the guest's memory");
}

bool
dacsa_acquisition_settle(DacsaAcquisition *self, DacsaRecord *record, GError **error)
{
  if (!self->method->settle(self, record, error) ||
      !dacsa_procmaps_start_time(self->child, &record->child_start, error) ||
      !check_memory(record->layout, self->child, error))
    return false;
  if (!resident_bytes(self->child, &record->resident_bytes))
    return dacsa_fail(error, DACSA_ERROR_BUSY, "the snapshot died at once: out of memory?");
  record->child = self->child;
  close(self->pidfd);
  self->pidfd = -1; /* it lives on */
  return true;
}
