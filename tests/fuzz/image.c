/* Recorded guests. The file: magic, registers, ranges, pages; numbers are little-endian. */
#include "image.h"

#include "snap/error.h"

#include <stdio.h>
#include <string.h>

#define PAGE 4096u
#define MAGIC "DACSAIM1"
#define CHANGE_BYTES 9u
#define MAX_CHANGES 64u

typedef struct {
  uint64_t number;
  uint8_t *kept; /* its content before it was changed; NULL: it was not */
  uint8_t data[PAGE];
} Page;

typedef struct {
  DacsaMem mem;
  GHashTable *pages; /* &Page.number -> Page */
  GPtrArray *changed;
  const DacsaLayout *layout;
} ImageMem;

/* -- the memory -- */

static Page *
find_page(ImageMem *self, uint64_t gpa)
{
  uint64_t number = gpa / PAGE;

  return g_hash_table_lookup(self->pages, &number);
}

static bool
image_read(DacsaMem *mem, uint64_t addr, void *buf, size_t len, GError **error)
{
  ImageMem *self = (ImageMem *)mem;
  char *to = buf;

  while (len > 0) {
    const DacsaRange *r = dacsa_layout_find(self->layout, addr);
    size_t n = MIN(len, PAGE - (size_t)(addr % PAGE));

    if (!r || r->gpa > addr)
      return dacsa_fail(error, DACSA_ERROR_FAULT, "0x%" PRIx64 " is not memory", addr);
    const Page *page = find_page(self, addr);
    if (page)
      memcpy(to, page->data + addr % PAGE, n);
    else
      memset(to, 0, n);
    to += n;
    len -= n;
    addr += n;
  }
  return true;
}

static bool
image_next(DacsaMem *mem, uint64_t addr, uint64_t *ret_start, uint64_t *ret_end)
{
  const DacsaRange *r = dacsa_layout_find(((ImageMem *)mem)->layout, addr);

  if (!r)
    return false;
  *ret_start = MAX(addr, r->gpa);
  *ret_end = r->gpa + r->size;
  return true;
}

static void
image_free(DacsaMem *mem)
{
  (void)mem; /* it lives as long as the program */
}

/* -- the file -- */

static void
put(FILE *file, const void *data, size_t len)
{
  if (fwrite(data, 1, len, file) != len)
    g_error("cannot write the image");
}

static void
put_u64(FILE *file, uint64_t v)
{
  v = GUINT64_TO_LE(v);
  put(file, &v, sizeof(v));
}

static void
put_pages(FILE *file, const GArray *gpas, DacsaMem *phys)
{
  uint8_t data[PAGE];

  put_u64(file, gpas->len);
  for (guint i = 0; i < gpas->len; i++) {
    uint64_t gpa = g_array_index(gpas, uint64_t, i);

    dacsa_mem_read_some(phys, gpa, data, PAGE);
    put_u64(file, gpa);
    put(file, data, PAGE);
  }
}

void
image_save(const char *path, const char *registers, const DacsaLayout *layout,
           const GArray *opening, const GArray *facts, DacsaMem *phys)
{
  FILE *file = fopen(path, "wb");

  if (!file)
    g_error("cannot make %s", path);
  put(file, MAGIC, strlen(MAGIC));
  put_u64(file, strlen(registers));
  put(file, registers, strlen(registers));
  put_u64(file, layout->ranges->len);
  for (guint i = 0; i < layout->ranges->len; i++) {
    const DacsaRange *r = &g_array_index(layout->ranges, DacsaRange, i);

    put_u64(file, r->gpa);
    put_u64(file, r->size);
    put_u64(file, r->ram);
  }
  put_pages(file, opening, phys);
  put_pages(file, facts, phys);
  if (fclose(file) != 0)
    g_error("cannot write %s", path);
}

static void
get(FILE *file, void *data, size_t len)
{
  if (fread(data, 1, len, file) != len)
    g_error("the image is cut short");
}

static uint64_t
get_u64(FILE *file)
{
  uint64_t v;

  get(file, &v, sizeof(v));
  return GUINT64_FROM_LE(v);
}

static GArray *
get_pages(FILE *file, ImageMem *mem)
{
  GArray *gpas = g_array_new(FALSE, FALSE, sizeof(uint64_t));
  uint64_t n = get_u64(file);

  for (uint64_t i = 0; i < n; i++) {
    Page *page = g_new0(Page, 1);
    uint64_t gpa = get_u64(file);

    page->number = gpa / PAGE;
    get(file, page->data, PAGE);
    g_hash_table_insert(mem->pages, &page->number, page);
    g_array_append_val(gpas, gpa);
  }
  return gpas;
}

Image *
image_load(const char *path)
{
  static const DacsaMemOps ops = {image_read, image_next, image_free};
  ImageMem *mem = g_new0(ImageMem, 1);
  Image *image = g_new0(Image, 1);
  char magic[sizeof(MAGIC) - 1];
  FILE *file = fopen(path, "rb");

  if (!file)
    g_error("cannot open %s", path);
  get(file, magic, sizeof(magic));
  if (memcmp(magic, MAGIC, sizeof(magic)) != 0)
    g_error("%s is no recorded guest", path);
  size_t len = (size_t)get_u64(file);
  image->registers = g_malloc0(len + 1);
  get(file, image->registers, len);
  image->layout = dacsa_layout_new();
  for (uint64_t n = get_u64(file); n > 0; n--) {
    DacsaRange r = {.gpa = get_u64(file)};

    r.size = get_u64(file);
    r.ram = get_u64(file) != 0;
    if (!dacsa_layout_append(image->layout, r, NULL))
      g_error("%s has an impossible layout", path);
  }
  dacsa_mem_init(&mem->mem, &ops);
  mem->pages = g_hash_table_new(g_int64_hash, g_int64_equal);
  mem->changed = g_ptr_array_new();
  mem->layout = image->layout;
  image->phys = &mem->mem;
  image->opening = get_pages(file, mem);
  image->facts = get_pages(file, mem);
  fclose(file);
  return image;
}

Image *
image_load_given(void)
{
  const char *path = g_getenv("FUZZ_IMAGE");

  if (!path)
    g_error("FUZZ_IMAGE names no recorded guest (tests/cases/fuzz.sh makes one)");
  return image_load(path);
}

/* -- changes -- */

uint8_t *
image_page(Image *image, uint64_t gpa)
{
  ImageMem *mem = (ImageMem *)image->phys;
  Page *page = find_page(mem, gpa);

  if (!page->kept) {
    page->kept = g_memdup2(page->data, PAGE);
    g_ptr_array_add(mem->changed, page);
  }
  return page->data;
}

void
image_restore(Image *image)
{
  ImageMem *mem = (ImageMem *)image->phys;

  for (guint i = 0; i < mem->changed->len; i++) {
    Page *page = g_ptr_array_index(mem->changed, i);

    memcpy(page->data, page->kept, PAGE);
    g_clear_pointer(&page->kept, g_free);
  }
  g_ptr_array_set_size(mem->changed, 0);
}

/* A word of the recorded pages, the y-th of some order: a pointer often enough. */
static uint64_t
some_word(Image *image, const GArray *pages, uint32_t y)
{
  uint64_t gpa = g_array_index(pages, uint64_t, (y >> 9) % pages->len);
  uint64_t word = 0;

  (void)!dacsa_mem_read_u64(image->phys, gpa + y % 512 * 8, &word, NULL);
  return word;
}

static void
change(Image *image, const GArray *pages, uint64_t gpa, unsigned at, unsigned how, uint32_t y)
{
  static const uint64_t limits[] = {0, UINT64_MAX, INT64_MAX, INT32_MAX, UINT32_MAX, 1, 4096};
  uint8_t *page = image_page(image, gpa);
  uint64_t v;

  at = at % PAGE & ~7u;
  memcpy(&v, page + at, sizeof(v));
  switch (how % 9) {
  case 0: /* a bit */
    v ^= UINT64_C(1) << y % 64;
    break;
  case 1: /* a pointer from elsewhere */
    v = some_word(image, pages, y);
    break;
  case 2: /* a little further on, or back */
    v += (uint64_t)(int64_t)(int32_t)y;
    break;
  case 3: /* a limit */
    v = limits[y % G_N_ELEMENTS(limits)];
    break;
  case 4: /* a number */
    v = y;
    break;
  case 5: /* half of it */
    v = (v & UINT64_C(0xffffffff00000000)) | y;
    break;
  case 6: /* another page in its place */
    (void)!dacsa_mem_read(image->phys, g_array_index(pages, uint64_t, y % pages->len), page, PAGE,
                          NULL);
    return;
  case 7: /* the same word to the end of the page */
    for (unsigned i = at; i < PAGE; i += 8)
      memcpy(page + i, &v, sizeof(v));
    return;
  default: /* the address of the page itself, as an entry of a page table */
    v = gpa | 0x67;
  }
  memcpy(page + at, &v, sizeof(v));
}

void
image_mutate(Image *image, const GArray *pages, const uint8_t *data, size_t size)
{
  for (unsigned i = 0; i < MAX_CHANGES && size >= CHANGE_BYTES && pages->len > 0; i++) {
    uint16_t which, at;
    uint32_t y;

    memcpy(&which, data, 2);
    memcpy(&at, data + 2, 2);
    memcpy(&y, data + 5, 4);
    change(image, pages, g_array_index(pages, uint64_t, which % pages->len), at, data[4], y);
    data += CHANGE_BYTES;
    size -= CHANGE_BYTES;
  }
}
