/* Page tables built by hand. */
#include "fake-paging.h"

static uint64_t
entry_gpa(uint64_t table, uint64_t gva, unsigned level)
{
  return table + (gva >> (12 + 9 * (level - 1)) & 511) * 8;
}

static void
make_table(DacsaMem *phys, uint64_t gpa)
{
  static const uint8_t zeros[4096];

  fake_mem_write(phys, gpa, zeros, sizeof(zeros));
}

uint64_t
fake_paging_entry(FakePaging *paging, uint64_t gva, unsigned level)
{
  uint64_t table = paging->root;

  if (!dacsa_mem_read_u64(paging->phys, table, &(uint64_t){0}, NULL))
    make_table(paging->phys, table);
  for (unsigned at = paging->levels; at > level; at--) {
    uint64_t where = entry_gpa(table, gva, at);
    uint64_t entry = 0;

    g_assert_true(dacsa_mem_read_u64(paging->phys, where, &entry, NULL));
    if (!(entry & PTE_PRESENT)) {
      entry = paging->next_table | PTE_TABLE;
      make_table(paging->phys, paging->next_table);
      paging->next_table += 4096;
      fake_mem_u64(paging->phys, where, entry);
    }
    table = entry & PTE_FRAME;
  }
  return entry_gpa(table, gva, level);
}

void
fake_paging_map(FakePaging *paging, uint64_t gva, unsigned level, uint64_t gpa, uint64_t bits)
{
  fake_mem_u64(paging->phys, fake_paging_entry(paging, gva, level), gpa | bits);
}
