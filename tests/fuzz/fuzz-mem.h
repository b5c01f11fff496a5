/* Memory whose content is the input. */
#pragma once

#include "snap/mem.h"

/* Addresses from 0 to size; all others are a fault. */
DacsaMem *fuzz_mem_new(const uint8_t *data, size_t size); /* borrows data */

/*
 * Every address is one of the input's bytes: it is taken modulo the size. So whatever the input
 * says is a pointer that leads somewhere, and structures that run in circles, overlap and share
 * their parts come about by themselves. The first page and every 16th are faults.
 */
DacsaMem *fuzz_mem_new_wrapped(const uint8_t *data, size_t size);
