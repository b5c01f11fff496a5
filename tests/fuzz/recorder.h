/* A filter in front of a DacsaMem that notes which pages are read through it. */
#pragma once

#include "snap/mem.h"

/* Takes its own reference to below. From one thread only. */
DacsaMem *recorder_new(DacsaMem *below);

/* The gpas of the pages read since it was made or last asked, ascending (uint64_t); owned. A page
 * is told once, the first time. */
GArray *recorder_take(DacsaMem *recorder);
