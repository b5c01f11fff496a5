/*
 * The way to a guest's kernel, its symbols and its types, in a whole guest recorded from a real one
 * (FUZZ_IMAGE names the file): the input is a list of changes in what that reads. If the kernel is
 * found all the same, everything is read with what was made of it.
 */
#include "tests/fuzz/drive.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/image.h"

#include "parsers/cpus.h"

static Image *image;

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  FuzzInput in = {data, size};
  DacsaErrors *errors = dacsa_errors_new();
  DacsaGuestMemo *memo = dacsa_guest_memo_new();
  g_autoptr(GError) error = NULL;
  DacsaGuest *guest;

  if (!image)
    image = image_load_given();
  /* Without registers, every eighth time. */
  g_autoptr(GArray) cpus = dacsa_cpus_parse(fuzz_take(&in, 1) % 8 == 7 ? "" : image->registers);
  const DacsaGuestSource source = {image->phys, cpus, errors, memo, 0};
  image_mutate(image, image->opening, in.data, in.size);
  bool ok = dacsa_guest_open(&source, &guest, &error);
  FUZZ_CHECK(ok, error);
  if (ok) {
    drive_guest(guest, &(DriveLimits){.processes = 2,
                                      .modules = 1,
                                      .files = 16,
                                      .work = 1u << 18,
                                      .isf = true,
                                      .read_bytes = 4096,
                                      .phys = image->phys});
    dacsa_guest_free(guest);
  }
  dacsa_guest_memo_unref(memo);
  dacsa_errors_free(errors);
  image_restore(image);
  return 0;
}
