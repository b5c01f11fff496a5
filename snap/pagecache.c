/* The page-caching filter: direct-mapped, because eviction must cost nothing. */
#include "snap/pagecache.h"

#include <string.h>

#define PAGE 4096u
#define LOCKS 16u /* slots are spread over these, so that readers seldom meet */

typedef struct {
  uint64_t tag; /* page number + 1; 0: empty */
  uint8_t *page;
} Slot;

typedef struct {
  DacsaMem mem;
  DacsaMem *below;
  size_t n_slots;
  Slot *slots;
  GMutex locks[LOCKS];
} Pagecache;

/* Copies from the page of addr; the range does not leave the page. */
static bool
read_within_page(Pagecache *self, uint64_t addr, void *buf, size_t len, GError **error)
{
  uint64_t number = addr / PAGE;
  size_t index = (size_t)(number * 0x9e3779b97f4a7c15u >> 20) % self->n_slots;
  Slot *slot = &self->slots[index];
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&self->locks[index % LOCKS]);

  if (slot->tag != number + 1) {
    if (!slot->page)
      slot->page = g_malloc(PAGE);
    slot->tag = 0;
    /* Where the whole page cannot be had (a run that ends within it), read just what was asked. */
    if (!dacsa_mem_read(self->below, number * PAGE, slot->page, PAGE, NULL))
      return dacsa_mem_read(self->below, addr, buf, len, error);
    slot->tag = number + 1;
  }
  memcpy(buf, slot->page + addr % PAGE, len);
  return true;
}

static bool
pagecache_read(DacsaMem *mem, uint64_t addr, void *buf, size_t len, GError **error)
{
  Pagecache *self = (Pagecache *)mem;
  char *to = buf;

  if (len > PAGE)
    return dacsa_mem_read(self->below, addr, buf, len, error);
  while (len > 0) {
    size_t n = MIN(len, PAGE - (size_t)(addr % PAGE));

    if (!read_within_page(self, addr, to, n, error))
      return false;
    to += n;
    len -= n;
    addr += n;
  }
  return true;
}

static bool
pagecache_next(DacsaMem *mem, uint64_t addr, uint64_t *ret_start, uint64_t *ret_end)
{
  return dacsa_mem_next(((Pagecache *)mem)->below, addr, ret_start, ret_end);
}

static void
pagecache_free(DacsaMem *mem)
{
  Pagecache *self = (Pagecache *)mem;

  for (size_t i = 0; i < self->n_slots; i++)
    g_free(self->slots[i].page);
  for (size_t i = 0; i < LOCKS; i++)
    g_mutex_clear(&self->locks[i]);
  g_free(self->slots);
  dacsa_mem_unref(self->below);
  g_free(self);
}

DacsaMem *
dacsa_pagecache_new(DacsaMem *below, size_t budget)
{
  static const DacsaMemOps ops = {pagecache_read, pagecache_next, pagecache_free};
  Pagecache *self = g_new0(Pagecache, 1);

  dacsa_mem_init(&self->mem, &ops);
  self->below = dacsa_mem_ref(below);
  self->n_slots = MAX((budget + PAGE - 1) / PAGE, 1);
  self->slots = g_new0(Slot, self->n_slots);
  for (size_t i = 0; i < LOCKS; i++)
    g_mutex_init(&self->locks[i]);
  return &self->mem;
}
