/* The kernel image's extents, and the image as memory. */
#include "parsers/linux/image.h"

#include "parsers/scratch.h"
#include "snap/error.h"

#include <inttypes.h>

#define MAX_EXTENTS 65536u

/* -- its extents -- */

typedef struct {
  DacsaLinuxExtent extent;
  uint64_t phys_base;
} Mapped;

/* Whatever is mapped in the image's range; modules may be too. */
static bool
gather_page(const DacsaX86_64Page *page, void *data)
{
  GArray *mapped = data; /* Mapped */
  const Mapped next = {{page->gva, page->size, page->writable, page->executable},
                       page->gpa - (page->gva - DACSA_LINUX_IMAGE_START)};

  if (mapped->len > 0) {
    Mapped *last = &g_array_index(mapped, Mapped, mapped->len - 1);

    if (last->extent.gva + last->extent.size == page->gva && last->phys_base == next.phys_base &&
        last->extent.writable == page->writable && last->extent.executable == page->executable) {
      last->extent.size += page->size;
      return true;
    }
  }
  if (mapped->len == MAX_EXTENTS)
    return false;
  g_array_append_val(mapped, next);
  return true;
}

/* The phys_base of the largest extent: the kernel's own text or data; modules come in pages. */
static uint64_t
main_phys_base(const GArray *mapped)
{
  uint64_t size = 0, phys_base = 0;

  for (guint i = 0; i < mapped->len; i++) {
    const Mapped *m = &g_array_index(mapped, Mapped, i);

    if (m->extent.size > size) {
      size = m->extent.size;
      phys_base = m->phys_base;
    }
  }
  return phys_base;
}

bool
dacsa_linux_image_open(const DacsaX86_64Tables *tables, DacsaLinuxImage **ret, GError **error)
{
  g_autoptr(GArray) mapped = g_array_new(FALSE, FALSE, sizeof(Mapped));

  /* Tables that cannot be read are passed over: what is found is judged by what is in it. */
  dacsa_x86_64_walk(tables, DACSA_LINUX_IMAGE_START, DACSA_LINUX_IMAGE_END, gather_page, mapped,
                    NULL);
  if (mapped->len == 0)
    return dacsa_fail(error, DACSA_ERROR_NOT_FOUND,
                      "the page tables at 0x%" PRIx64 " map no kernel image", tables->root);
  DacsaLinuxImage *image = g_new0(DacsaLinuxImage, 1);
  image->extents = g_array_new(FALSE, FALSE, sizeof(DacsaLinuxExtent));
  image->phys_base = main_phys_base(mapped);
  for (guint i = 0; i < mapped->len; i++) {
    const Mapped *m = &g_array_index(mapped, Mapped, i);

    if (m->phys_base == image->phys_base)
      g_array_append_val(image->extents, m->extent);
  }
  *ret = image;
  return true;
}

void
dacsa_linux_image_free(DacsaLinuxImage *image)
{
  if (!image)
    return;
  g_array_unref(image->extents);
  g_free(image);
}

void
dacsa_linux_image_span(const DacsaLinuxImage *image, uint64_t *ret_start, uint64_t *ret_end)
{
  const DacsaLinuxExtent *first = &g_array_index(image->extents, DacsaLinuxExtent, 0);
  const DacsaLinuxExtent *last =
      &g_array_index(image->extents, DacsaLinuxExtent, image->extents->len - 1);

  *ret_start = first->gva;
  *ret_end = last->gva + last->size;
}

/* -- the image as memory -- */

typedef struct {
  DacsaMem mem;
  DacsaMem *phys;
  GArray *extents; /* those side by side joined, whatever their rights */
  uint64_t phys_base;
  uint8_t *held; /* what is at held_gva */
  uint64_t held_gva;
  size_t held_len, held_room;
} ImageMem;

/* The first extent that ends above addr; NULL: none. */
static const DacsaLinuxExtent *
find_extent(const ImageMem *self, uint64_t addr)
{
  guint low = 0, high = self->extents->len;

  while (low < high) {
    guint mid = low + (high - low) / 2;
    const DacsaLinuxExtent *e = &g_array_index(self->extents, DacsaLinuxExtent, mid);

    if (e->gva + e->size > addr)
      high = mid;
    else
      low = mid + 1;
  }
  return low < self->extents->len ? &g_array_index(self->extents, DacsaLinuxExtent, low) : NULL;
}

/* The part [gva, gva + len) of what is held; empty: it is not. */
static DacsaBytes
held_part(const ImageMem *self, uint64_t gva, size_t len)
{
  return dacsa_bytes_slice(dacsa_bytes(self->held, self->held_len), gva - self->held_gva, len);
}

static bool
image_read(DacsaMem *mem, uint64_t addr, void *buf, size_t len, GError **error)
{
  const ImageMem *self = (ImageMem *)mem;
  const DacsaLinuxExtent *e = find_extent(self, addr);

  if (dacsa_bytes_copy(dacsa_bytes(self->held, self->held_len), addr - self->held_gva, buf, len))
    return true;
  if (!e || e->gva > addr || len > e->gva + e->size - addr)
    return dacsa_fail(error, DACSA_ERROR_FAULT, "0x%" PRIx64 " is not in the kernel's image", addr);
  return dacsa_mem_read(self->phys, addr - DACSA_LINUX_IMAGE_START + self->phys_base, buf, len,
                        error);
}

static bool
image_next(DacsaMem *mem, uint64_t addr, uint64_t *ret_start, uint64_t *ret_end)
{
  const DacsaLinuxExtent *e = find_extent((ImageMem *)mem, addr);

  if (!e)
    return false;
  *ret_start = MAX(addr, e->gva);
  *ret_end = e->gva + e->size;
  return true;
}

static void
image_memory_free(DacsaMem *mem)
{
  ImageMem *self = (ImageMem *)mem;

  dacsa_mem_unref(self->phys);
  g_array_unref(self->extents);
  g_free(self->held);
  g_free(self);
}

DacsaMem *
dacsa_linux_image_memory(const DacsaLinuxImage *image, DacsaMem *phys)
{
  static const DacsaMemOps ops = {image_read, image_next, image_memory_free};
  ImageMem *self = g_new0(ImageMem, 1);

  dacsa_mem_init(&self->mem, &ops);
  self->phys = dacsa_mem_ref(phys);
  self->phys_base = image->phys_base;
  self->extents = g_array_new(FALSE, FALSE, sizeof(DacsaLinuxExtent));
  for (guint i = 0; i < image->extents->len; i++) {
    const DacsaLinuxExtent *next = &g_array_index(image->extents, DacsaLinuxExtent, i);
    DacsaLinuxExtent *last =
        self->extents->len > 0
            ? &g_array_index(self->extents, DacsaLinuxExtent, self->extents->len - 1)
            : NULL;

    if (last && last->gva + last->size == next->gva)
      last->size += next->size;
    else
      g_array_append_val(self->extents, *next);
  }
  return &self->mem;
}

DacsaBytes
dacsa_linux_image_hold(DacsaMem *memory, uint64_t gva, size_t len)
{
  ImageMem *self = (ImageMem *)memory;
  DacsaBytes held = held_part(self, gva, len);

  if (held.data)
    return held;
  self->held_len = 0;
  if (self->held_room < len) {
    g_clear_pointer(&self->held, g_free);
    self->held_room = len;
    self->held = dacsa_scratch_new(len);
  }
  size_t read = dacsa_mem_read_some(memory, gva, self->held, len); /* while nothing is held */
  self->held_gva = gva;
  self->held_len = read;
  return dacsa_bytes(self->held, self->held_len);
}
