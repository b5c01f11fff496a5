/* Gadgets in the C library of this very process: a child that is forked off it has the same. */
#pragma once

#include "snap/sigchain.h"

void own_gadgets_find(DacsaGadgets *ret);
