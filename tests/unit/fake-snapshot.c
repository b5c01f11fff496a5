/* Snapshots over temporary files. */
#include "fake-snapshot.h"

#include "fs/names.h"

#include <string.h>
#include <unistd.h>

#define HALF 0x8000u

static int
file_with(const void *data, size_t len)
{
  g_autofree char *name = NULL;
  int fd = g_file_open_tmp("dacsa-test-XXXXXX", &name, NULL);

  g_assert_cmpint(fd, >=, 0);
  unlink(name);
  g_assert_cmpint((int)write(fd, data, len), ==, (int)len);
  return fd;
}

int
fake_snapshot_memory(char fill)
{
  g_autofree char *memory = g_strnfill(2 * HALF, fill);

  return file_with(memory, 2 * HALF);
}

/* As the keeper gives them. */
static uint32_t
next_serial(void)
{
  static uint32_t last;

  return ++last;
}

void
fake_vm_set(DacsaRegistry *registry, const char *name, const char *status)
{
  g_autofree char *file_name = dacsa_name_escape(name);
  g_autoptr(DacsaVmView) known = dacsa_registry_vm_by_file_name(registry, file_name);
  const DacsaVmNews news = {known ? known->serial : next_serial(), name, status, "1@1", 1};

  dacsa_registry_set_vm(registry, &news);
}

void
fake_snapshot_add(DacsaRegistry *registry, const char *vm, const char *name, int64_t taken_us,
                  char fill)
{
  fake_snapshot_add_memory(registry, vm, name, taken_us, fake_snapshot_memory(fill));
}

DacsaRecord *
fake_record(const char *vm, const char *name, int64_t taken_us)
{
  DacsaRecord *record = dacsa_record_new();
  g_autoptr(GError) error = NULL;
  bool ok;

  record->vm = g_strdup(vm);
  record->uuid = g_strdup("6c2f3c1e-0000-4000-8000-000000000001");
  record->name = g_strdup(name);
  record->method = g_strdup("fork");
  record->registers = g_strdup("CPU#0\nRIP=1\n");
  record->taken_us = taken_us;
  record->layout = dacsa_layout_new();
  ok = dacsa_layout_append(record->layout, (DacsaRange){0, HALF, 0, true}, &error) &&
       dacsa_layout_append(record->layout, (DacsaRange){2 * HALF, HALF, HALF, true}, &error);
  g_assert_no_error(error);
  g_assert_true(ok);
  return record;
}

void
fake_snapshot_add_record(DacsaRegistry *registry, DacsaRecord *record, int memory)
{
  static const char rollup[] = "Rss: 100 kB\nPss_Anon: 9 kB\nPrivate_Clean:         4 kB\n"
                               "Private_Dirty:  8 kB\nAnonymous: 9 kB\n";
  const DacsaSnapshotFds fds = {memory, file_with("", 0), file_with(rollup, strlen(rollup))};

  dacsa_registry_add_snapshot(registry, (DacsaSnapshotNumber){next_serial(), 0}, record, fds);
}

void
fake_snapshot_add_memory(DacsaRegistry *registry, const char *vm, const char *name,
                         int64_t taken_us, int memory)
{
  fake_snapshot_add_record(registry, fake_record(vm, name, taken_us), memory);
}
