/* Guest-physical memory over a descriptor: a snapshot child's /proc/PID/mem, or an image file. */
#pragma once

#include "snap/layout.h"
#include "snap/mem.h"

/* Takes the descriptor (closed with the last reference) and a copy of the layout. A read that
 * touches an address outside the layout is a FAULT, as is one the descriptor cannot satisfy. */
DacsaMem *dacsa_physmem_new(int fd, const DacsaLayout *layout);
