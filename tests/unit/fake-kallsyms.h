/* Symbol tables side by side in read-only data, as each scripts/kallsyms.c has written them. */
#pragma once

#include "parsers/kallsyms.h"

typedef enum {
  FAKE_KALLSYMS_BASE_FIRST, /* to 6.1 */
  FAKE_KALLSYMS_SEQS,       /* 6.2: sequence numbers between markers and tokens */
  FAKE_KALLSYMS_BASE_LAST,  /* since 6.4 */
  FAKE_KALLSYMS_PLACE,      /* since 7.0: no base */
  FAKE_KALLSYMS_N_ORDERS,
} FakeKallsymsOrder;

typedef struct {
  char *name; /* with its type letter in front */
  uint64_t address;
} FakeSymbol;

/*
 * Appends the tables to data, which begins at gva. symbols: FakeSymbol, ascending by address; those
 * below base are written as absolute ones (CONFIG_KALLSYMS_ABSOLUTE_PERCPU) if percpu. Returns
 * where each table went.
 */
DacsaKallsymsTables fake_kallsyms_append(GByteArray *data, uint64_t gva, FakeKallsymsOrder order,
                                         uint64_t base, bool percpu, const GArray *symbols);

/* Some thousand symbols from base on, `_stext` the first of them; owned, with names. percpu: ten
 * more in front, from 0 on. */
GArray *fake_kallsyms_symbols(uint64_t base, unsigned n, bool percpu);
void fake_kallsyms_add(GArray *symbols, const char *name, uint64_t address);
