/* Looks for VMCOREINFO. */
#include "parsers/linux/vmcoreinfo-find.h"

#include "parsers/linux/image.h"

#include <string.h>

#define KERNEL_HALF UINT64_C(0xff00000000000000)
#define MAX_IMAGE (512u << 20)
#define MAX_POINTERS (1u << 20)
#define CHUNK (2u << 20)
#define HEAD_LEN 16u

typedef struct {
  DacsaMem *phys;
  DacsaX86_64Tables tables;
  GHashTable *tried;             /* pointers looked at; the key is the pointer's value */
  uint64_t looked_at;            /* bytes of the image */
  uint64_t gather_gpa, gathered; /* pages side by side that are yet to be looked through */
  uint8_t *buf;                  /* CHUNK bytes */
  DacsaVmcoreinfo *found;
} Search;

static bool
try_pointer(Search *s, uint64_t pointer)
{
  DacsaX86_64Page page;
  char head[HEAD_LEN];

  if (pointer % DACSA_PAGE_SIZE != 0 || pointer < KERNEL_HALF ||
      pointer >= DACSA_LINUX_IMAGE_START || g_hash_table_size(s->tried) >= MAX_POINTERS ||
      !g_hash_table_add(s->tried, GSIZE_TO_POINTER(pointer)) ||
      !dacsa_x86_64_translate(&s->tables, pointer, &page, NULL))
    return false;
  uint64_t gpa = page.gpa + (pointer - page.gva);
  return dacsa_mem_read(s->phys, gpa, head, sizeof(head), NULL) &&
         dacsa_vmcoreinfo_begins(head, sizeof(head)) &&
         dacsa_vmcoreinfo_read(s->phys, gpa, &s->found, NULL);
}

/* Looks through the pages gathered for pointers to pages: whether it found what it seeks. */
static bool
search_gathered(Search *s)
{
  size_t n = (size_t)s->gathered;
  uint64_t gpa = s->gather_gpa;

  s->gathered = 0;
  if (n == 0 || !dacsa_mem_read(s->phys, gpa, s->buf, n, NULL))
    return false;
  for (size_t i = 0; i + 8 <= n; i += 8) {
    uint64_t pointer;

    memcpy(&pointer, s->buf + i, sizeof(pointer));
    if (try_pointer(s, GUINT64_FROM_LE(pointer)))
      return true;
  }
  return false;
}

/* Gathers the writable pages of the image that lie side by side, up to a chunk. */
static bool
visit_image(const DacsaX86_64Page *page, void *data)
{
  Search *s = data;

  if (!page->writable)
    return true;
  for (uint64_t done = 0; done < page->size;) {
    uint64_t gpa = page->gpa + done;

    if ((s->gathered == CHUNK || gpa != s->gather_gpa + s->gathered) && search_gathered(s))
      return false;
    if (s->gathered == 0)
      s->gather_gpa = gpa;
    uint64_t n = MIN(page->size - done, CHUNK - s->gathered);
    s->gathered += n;
    s->looked_at += n;
    done += n;
    if (s->looked_at > MAX_IMAGE)
      return false;
  }
  return true;
}

DacsaVmcoreinfo *
dacsa_vmcoreinfo_find_by_pointer(const DacsaX86_64Tables *tables)
{
  Search s = {.phys = tables->phys,
              .tables = *tables,
              .tried = g_hash_table_new(NULL, NULL),
              .buf = g_malloc(CHUNK)};

  dacsa_x86_64_walk(tables, DACSA_LINUX_IMAGE_START, DACSA_LINUX_IMAGE_END, visit_image, &s, NULL);
  if (!s.found)
    search_gathered(&s);
  g_hash_table_unref(s.tried);
  g_free(s.buf);
  return s.found;
}

DacsaVmcoreinfo *
dacsa_vmcoreinfo_find_by_page(DacsaMem *phys)
{
  g_autofree uint8_t *buf = g_malloc(CHUNK);
  DacsaVmcoreinfo *found = NULL;
  uint64_t start, end;

  for (uint64_t at = 0; dacsa_mem_next(phys, at, &start, &end); at = end) {
    start = (start + DACSA_PAGE_SIZE - 1) & ~(DACSA_PAGE_SIZE - 1);
    for (uint64_t gpa = start; gpa < end; gpa += CHUNK) {
      size_t n = (size_t)MIN(end - gpa, (uint64_t)CHUNK);

      if (!dacsa_mem_read(phys, gpa, buf, n, NULL))
        continue;
      for (size_t i = 0; i + HEAD_LEN <= n; i += DACSA_PAGE_SIZE)
        if (dacsa_vmcoreinfo_begins((char *)buf + i, HEAD_LEN) &&
            dacsa_vmcoreinfo_read(phys, gpa + i, &found, NULL))
          return found;
    }
  }
  return NULL;
}
