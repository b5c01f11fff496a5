/* A trigger on /proc/pressure/memory, and /proc/meminfo. */
#include "snap/pressure.h"

#include "snap/hostfile.h"

#include <fcntl.h>
#include <glib-unix.h>
#include <unistd.h>

/* Microseconds of stall, in a window of so many: two seconds need no privilege (Linux 6.5). */
#define TRIGGER "some 300000 2000000"
#define KIB UINT64_C(1024)

struct DacsaPressure {
  int fd; /* the trigger ends with it */
  guint source;
  void (*stalled)(void *data);
  void *data;
};

static gboolean
on_stall(gint fd, GIOCondition condition, void *data)
{
  DacsaPressure *self = data;

  (void)fd;
  if (condition & G_IO_ERR) { /* PSI was switched off */
    self->source = 0;
    return G_SOURCE_REMOVE;
  }
  self->stalled(self->data);
  return G_SOURCE_CONTINUE;
}

DacsaPressure *
dacsa_pressure_new(void (*stalled)(void *data), void *data)
{
  DacsaPressure *self = g_new0(DacsaPressure, 1);

  self->stalled = stalled;
  self->data = data;
  self->fd = open("/proc/pressure/memory", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (self->fd >= 0 && write(self->fd, TRIGGER, sizeof(TRIGGER)) == sizeof(TRIGGER))
    self->source = g_unix_fd_add(self->fd, G_IO_PRI | G_IO_ERR, on_stall, self);
  return self;
}

void
dacsa_pressure_free(DacsaPressure *self)
{
  if (!self)
    return;
  if (self->source)
    g_source_remove(self->source);
  if (self->fd >= 0)
    close(self->fd);
  g_free(self);
}

bool
dacsa_pressure_is_watched(const DacsaPressure *self)
{
  return self->source != 0;
}

bool
dacsa_pressure_memory(const char *root, uint64_t *ret_total, uint64_t *ret_available)
{
  g_autofree char *text = dacsa_hostfile_read(root, "/proc/meminfo");
  uint64_t total, available;

  if (!text || !dacsa_hostfile_number(text, "MemTotal", &total) ||
      !dacsa_hostfile_number(text, "MemAvailable", &available))
    return false;
  *ret_total = total * KIB;
  *ret_available = available * KIB;
  return true;
}
