/* Living snapshots as a source for tests. */
#include "source.h"

#include "drive.h"
#include "parsers/cpus.h"
#include "recorder.h"

#include <fcntl.h>

DacsaRecord *
source_open(const char *record_path, int *ret_mem)
{
  g_autofree char *text = NULL;
  g_autofree char *mem = NULL;
  g_autoptr(GError) error = NULL;
  DacsaRecord *record;
  gsize len;

  if (!g_file_get_contents(record_path, &text, &len, &error) ||
      !dacsa_record_from_text(text, len, &record, &error))
    g_error("%s: %s", record_path, error->message);
  mem = g_strdup_printf("/proc/%d/mem", (int)record->child);
  *ret_mem = open(mem, O_RDONLY | O_CLOEXEC);
  if (*ret_mem < 0)
    g_error("cannot open %s", mem);
  return record;
}

void
source_record_pages(DacsaMem *phys, const char *registers, GArray **ret_opening, GArray **ret_facts)
{
  g_autoptr(DacsaMem) recorder = recorder_new(phys);
  g_autoptr(GArray) cpus = dacsa_cpus_parse(registers);
  g_autoptr(GError) error = NULL;
  DacsaErrors *errors = dacsa_errors_new();
  DacsaGuestMemo *memo = dacsa_guest_memo_new();
  const DacsaGuestSource source = {recorder, cpus, errors, memo, 0};
  const DriveLimits limits = {
      .processes = 12, .modules = 4, .files = 256, .read_bytes = 4096, .phys = phys};
  DacsaGuest *guest = NULL;

  if (!dacsa_guest_open(&source, &guest, &error))
    g_message("the guest cannot be opened: %s", error->message);
  *ret_opening = recorder_take(recorder);
  if (guest)
    drive_guest(guest, &limits);
  *ret_facts = recorder_take(recorder);
  dacsa_guest_free(guest);
  dacsa_guest_memo_unref(memo);
  dacsa_errors_free(errors);
}
