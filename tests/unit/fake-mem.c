/* Memory built by hand. */
#include "fake-mem.h"

#include "snap/error.h"

#include <string.h>

#define PAGE 4096u

typedef struct {
  uint64_t number;
  size_t len; /* bytes that are backed, from its start */
  uint8_t data[PAGE];
} Page;

typedef struct {
  DacsaMem mem;
  GHashTable *pages; /* &Page.number -> Page */
  unsigned reads;
} FakeMem;

static Page *
find_page(FakeMem *self, uint64_t addr)
{
  uint64_t number = addr / PAGE;

  return g_hash_table_lookup(self->pages, &number);
}

static bool
fake_read(DacsaMem *mem, uint64_t addr, void *buf, size_t len, GError **error)
{
  FakeMem *self = (FakeMem *)mem;
  char *to = buf;

  self->reads++;
  while (len > 0) {
    const Page *page = find_page(self, addr);
    size_t into = addr % PAGE;
    size_t n = MIN(len, PAGE - into);

    if (!page || into + n > page->len)
      return error ? dacsa_fail(error, DACSA_ERROR_FAULT, "nothing at 0x%" PRIx64, addr) : false;
    memcpy(to, page->data + into, n);
    to += n;
    len -= n;
    addr += n;
  }
  return true;
}

/* A run is the pages that follow one another, up to the first that was cut. */
static bool
fake_next(DacsaMem *mem, uint64_t addr, uint64_t *ret_start, uint64_t *ret_end)
{
  FakeMem *self = (FakeMem *)mem;
  const Page *first = NULL;
  GHashTableIter iter;
  void *value;

  g_hash_table_iter_init(&iter, self->pages);
  while (g_hash_table_iter_next(&iter, NULL, &value)) {
    const Page *page = value;

    if (page->number * PAGE + page->len > addr && (!first || page->number < first->number))
      first = page;
  }
  if (!first)
    return false;
  *ret_start = MAX(addr, first->number * PAGE);
  *ret_end = first->number * PAGE + first->len;
  while (*ret_end % PAGE == 0 && (first = find_page(self, *ret_end)) != NULL)
    *ret_end = first->number * PAGE + first->len;
  return true;
}

static void
fake_free(DacsaMem *mem)
{
  FakeMem *self = (FakeMem *)mem;

  g_hash_table_unref(self->pages);
  g_free(self);
}

DacsaMem *
fake_mem_new(void)
{
  static const DacsaMemOps ops = {fake_read, fake_next, fake_free};
  FakeMem *self = g_new0(FakeMem, 1);

  dacsa_mem_init(&self->mem, &ops);
  self->pages = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
  return &self->mem;
}

void
fake_mem_write(DacsaMem *mem, uint64_t addr, const void *data, size_t len)
{
  FakeMem *self = (FakeMem *)mem;
  const char *from = data;

  while (len > 0) {
    Page *page = find_page(self, addr);
    size_t into = addr % PAGE;
    size_t n = MIN(len, PAGE - into);

    if (!page) {
      page = g_new0(Page, 1);
      page->number = addr / PAGE;
      page->len = PAGE;
      g_hash_table_insert(self->pages, &page->number, page);
    }
    memcpy(page->data + into, from, n);
    from += n;
    len -= n;
    addr += n;
  }
}

void
fake_mem_u8(DacsaMem *mem, uint64_t addr, uint8_t value)
{
  fake_mem_write(mem, addr, &value, sizeof(value));
}

void
fake_mem_u16(DacsaMem *mem, uint64_t addr, uint16_t value)
{
  value = GUINT16_TO_LE(value);
  fake_mem_write(mem, addr, &value, sizeof(value));
}

void
fake_mem_u32(DacsaMem *mem, uint64_t addr, uint32_t value)
{
  value = GUINT32_TO_LE(value);
  fake_mem_write(mem, addr, &value, sizeof(value));
}

void
fake_mem_u64(DacsaMem *mem, uint64_t addr, uint64_t value)
{
  value = GUINT64_TO_LE(value);
  fake_mem_write(mem, addr, &value, sizeof(value));
}

void
fake_mem_string(DacsaMem *mem, uint64_t addr, const char *text)
{
  fake_mem_write(mem, addr, text, strlen(text) + 1);
}

void
fake_mem_cut(DacsaMem *mem, uint64_t addr)
{
  Page *page = find_page((FakeMem *)mem, addr);

  g_assert_nonnull(page);
  page->len = addr % PAGE;
}

unsigned
fake_mem_reads(const DacsaMem *mem)
{
  return ((const FakeMem *)mem)->reads;
}
