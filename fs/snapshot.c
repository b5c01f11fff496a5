/* A snapshot in the viewer. */
#include "fs/snapshot.h"

#include "parsers/cpus.h"
#include "parsers/work.h"
#include "snap/error.h"
#include "snap/pagecache.h"
#include "snap/physmem.h"
#include "snap/rollup.h"

#include <unistd.h>

#define PAGECACHE_BYTES (4u << 20)

struct DacsaSnapshot {
  gatomicrefcount refs;
  uint32_t serial;
  DacsaRecord *record;
  int rollup;
  DacsaMem *phys;   /* for bulk reads */
  DacsaMem *cached; /* for the parsers */
  DacsaResident *resident;
  GArray *cpus;
  DacsaErrors *errors;
  DacsaRegions *regions;
  DacsaGuestMemo *memo;
  DacsaGrave *grave; /* set once, atomically */
  GMutex lock;       /* of what follows, made once */
  bool searched;
  DacsaGuest *guest;
  GError *guest_error;
};

void
dacsa_snapshot_fds_close(DacsaSnapshotFds fds)
{
  close(fds.mem);
  close(fds.pagemap);
  close(fds.rollup);
}

DacsaSnapshot *
dacsa_snapshot_new(DacsaSnapshotNumber number, DacsaRecord *record, DacsaSnapshotFds fds,
                   DacsaGuestMemo *memo)
{
  DacsaSnapshot *s = g_new0(DacsaSnapshot, 1);

  g_atomic_ref_count_init(&s->refs);
  s->serial = number.serial;
  s->record = record;
  s->rollup = fds.rollup;
  s->phys = dacsa_physmem_new(fds.mem, record->layout);
  s->resident = dacsa_resident_new(fds.pagemap, record->layout, s->phys);
  s->cached = dacsa_pagecache_new(s->phys, PAGECACHE_BYTES);
  s->cpus = dacsa_cpus_parse(record->registers);
  s->errors = dacsa_errors_new();
  s->regions = dacsa_regions_new(s->errors, number.time);
  s->memo = dacsa_guest_memo_ref(memo);
  g_mutex_init(&s->lock);
  return s;
}

DacsaSnapshot *
dacsa_snapshot_ref(DacsaSnapshot *s)
{
  g_atomic_ref_count_inc(&s->refs);
  return s;
}

void
dacsa_snapshot_unref(DacsaSnapshot *s)
{
  if (!s || !g_atomic_ref_count_dec(&s->refs))
    return;
  dacsa_guest_free(s->guest);
  g_clear_error(&s->guest_error);
  dacsa_guest_memo_unref(s->memo);
  dacsa_regions_free(s->regions);
  dacsa_errors_free(s->errors);
  g_array_unref(s->cpus);
  dacsa_mem_unref(s->cached);
  dacsa_mem_unref(s->phys);
  dacsa_resident_unref(s->resident);
  close(s->rollup);
  if (s->grave)
    g_free(s->grave->why);
  g_free(s->grave);
  dacsa_record_free(s->record);
  g_mutex_clear(&s->lock);
  g_free(s);
}

uint32_t
dacsa_snapshot_serial(const DacsaSnapshot *s)
{
  return s->serial;
}

const DacsaRecord *
dacsa_snapshot_record(const DacsaSnapshot *s)
{
  return s->record;
}

DacsaMem *
dacsa_snapshot_phys(DacsaSnapshot *s)
{
  return s->phys;
}

DacsaResident *
dacsa_snapshot_resident(DacsaSnapshot *s)
{
  return s->resident;
}

DacsaRegions *
dacsa_snapshot_regions(DacsaSnapshot *s)
{
  return s->regions;
}

DacsaErrors *
dacsa_snapshot_errors(DacsaSnapshot *s)
{
  return s->errors;
}

bool
dacsa_snapshot_guest(DacsaSnapshot *s, DacsaGuest **ret, GError **error)
{
  const uint64_t allowance = dacsa_work_allowance(dacsa_layout_ram_bytes(s->record->layout));
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&s->lock);

  dacsa_work_begin(allowance);
  if (!s->searched && dacsa_snapshot_grave(s))
    return dacsa_fail(error, DACSA_ERROR_STALE, "the snapshot was dropped");
  if (!s->searched) {
    const DacsaGuestSource source = {s->cached, s->cpus, s->errors, s->memo, s->record->taken_us};

    s->searched = true;
    if (!dacsa_guest_open(&source, &s->guest, &s->guest_error))
      dacsa_errors_add(s->errors, "guest", s->guest_error->message);
    dacsa_work_begin(allowance);
  }
  if (!s->guest) {
    g_propagate_error(error, g_error_copy(s->guest_error));
    return false;
  }
  *ret = s->guest;
  return true;
}

void
dacsa_snapshot_bury(DacsaSnapshot *s, const char *why, int64_t dropped_us, uint64_t private_bytes)
{
  DacsaGrave *grave = g_new0(DacsaGrave, 1);

  *grave = (DacsaGrave){g_strdup(why), dropped_us, private_bytes};
  if (g_atomic_pointer_compare_and_exchange(&s->grave, NULL, grave))
    return;
  g_free(grave->why);
  g_free(grave);
}

const DacsaGrave *
dacsa_snapshot_grave(const DacsaSnapshot *s)
{
  DacsaGrave *const *grave = &s->grave;

  return __atomic_load_n(grave, __ATOMIC_ACQUIRE);
}

/* Whether both ends of a range can be read. */
static bool
ends_are_there(DacsaSnapshot *s, const DacsaRange *range)
{
  char byte;

  return dacsa_mem_read(s->phys, range->gpa, &byte, 1, NULL) &&
         dacsa_mem_read(s->phys, range->gpa + range->size - 1, &byte, 1, NULL);
}

/* The kernel empties a process mapping by mapping, each from its lowest address on; which mapping
 * is the first depends: the OOM killer begins with the lowest until Linux 6.17, with the highest
 * since. So every range is asked for. */
bool
dacsa_snapshot_check(DacsaSnapshot *s, GError **error)
{
  const GArray *ranges = s->record->layout->ranges;
  bool ok = !dacsa_snapshot_grave(s);

  for (guint i = 0; ok && i < ranges->len; i++)
    ok = ends_are_there(s, &g_array_index(ranges, DacsaRange, i));
  return ok || dacsa_fail(error, DACSA_ERROR_STALE, "%s/%s: the snapshot is gone", s->record->vm,
                          s->record->name);
}

/* By the child's age, in ticks since the host's boot: its clock may be set back. */
bool
dacsa_snapshot_is_newer(const DacsaSnapshot *s, const DacsaSnapshot *than)
{
  const DacsaRecord *a = s->record, *b = than->record;

  return a->child_start != b->child_start ? a->child_start > b->child_start
                                          : a->taken_us > b->taken_us;
}

bool
dacsa_snapshot_private_bytes(const DacsaSnapshot *s, uint64_t *ret)
{
  char text[4096];
  ssize_t n = pread(s->rollup, text, sizeof(text) - 1, 0);
  DacsaRollup rollup;

  if (n <= 0)
    return false;
  text[n] = '\0';
  if (!dacsa_rollup_parse(text, &rollup))
    return false;
  *ret = rollup.private_bytes;
  return true;
}
