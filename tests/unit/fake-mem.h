/* A DacsaMem built by hand: pages that come into being when they are written to, zeroed; all else
 * is a fault. Writes go to it while a test sets up, not while others read. */
#pragma once

#include "snap/mem.h"

DacsaMem *fake_mem_new(void);

void fake_mem_write(DacsaMem *mem, uint64_t addr, const void *data, size_t len);
void fake_mem_u8(DacsaMem *mem, uint64_t addr, uint8_t value);
void fake_mem_u16(DacsaMem *mem, uint64_t addr, uint16_t value);
void fake_mem_u32(DacsaMem *mem, uint64_t addr, uint32_t value);
void fake_mem_u64(DacsaMem *mem, uint64_t addr, uint64_t value);
void fake_mem_string(DacsaMem *mem, uint64_t addr, const char *text); /* and its zero */

/* Makes [addr, the end of its page) a fault. */
void fake_mem_cut(DacsaMem *mem, uint64_t addr);

/* How often it has been read so far. */
unsigned fake_mem_reads(const DacsaMem *mem);
