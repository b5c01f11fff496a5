/*
 * A whole guest, recorded from a real one (FUZZ_IMAGE names the file), with changes in what its
 * parsers read once they have found its kernel: the input is a byte that says what is read, and a
 * list of changes. The kernel's symbols and types stay what they are, so that they need not be
 * loaded anew every time.
 */
#include "tests/fuzz/drive.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/image.h"

#include "parsers/cpus.h"

static Image *image;
static DacsaGuestMemo *memo;
static GArray *cpus;

static void
start(void)
{
  image = image_load_given();
  cpus = dacsa_cpus_parse(image->registers);
  memo = dacsa_guest_memo_new();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static const DriveLimits nothing = {
      .processes = 12, .modules = 4, .files = 256, .work = 1u << 18, .read_bytes = 4096};
  FuzzInput in = {data, size};
  DriveLimits limits = nothing;
  DacsaErrors *errors = dacsa_errors_new();
  g_autoptr(GError) error = NULL;
  DacsaGuest *guest;

  if (!image)
    start();
  const DacsaGuestSource source = {image->phys, cpus, errors, memo, 0};
  limits.phys = image->phys;
  limits.part = (DrivePart)(fuzz_take(&in, 1) & 3);
  image_mutate(image, image->facts, in.data, in.size);
  if (!dacsa_guest_open(&source, &guest, &error))
    g_error("the recorded guest cannot be opened: %s", error->message);
  drive_guest(guest, &limits);
  dacsa_guest_free(guest);
  dacsa_errors_free(errors);
  image_restore(image);
  return 0;
}
