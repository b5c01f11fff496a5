/* VMCOREINFO, and the way to it: a CPU's registers (CR3, CR4), then physical memory. */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/fuzz-mem.h"

#include "parsers/cpus.h"
#include "parsers/linux/discover.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  FuzzInput in = {data, size};
  DacsaCpu cpu = {.cr0 = 0x80050033};
  g_autoptr(GArray) cpus = g_array_new(FALSE, FALSE, sizeof(DacsaCpu));
  DacsaErrors *errors = dacsa_errors_new();
  DacsaGuestMemo *memo = dacsa_guest_memo_new();
  g_autoptr(DacsaLinuxFound) found = NULL;
  g_autoptr(DacsaVmcoreinfo) first = NULL;
  g_autoptr(GError) error = NULL;

  cpu.cr3 = fuzz_take(&in, 4);
  cpu.cr4 = fuzz_take(&in, 2);
  g_array_append_val(cpus, cpu);
  g_autoptr(DacsaMem) phys = fuzz_mem_new(in.data, in.size);
  const DacsaGuestSource source = {phys, cpus, errors, memo, 0};
  bool ok = dacsa_linux_discover(&source, &found, &error);

  FUZZ_CHECK(ok, error);
  if (ok)
    g_assert_nonnull(found->info->release);
  ok = dacsa_vmcoreinfo_read(phys, 0, &first, &error);
  FUZZ_CHECK(ok, error);
  dacsa_guest_memo_unref(memo);
  dacsa_errors_free(errors);
  return 0;
}
