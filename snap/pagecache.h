/*
 * A filter in front of a DacsaMem that keeps recently read 4 KiB pages. Pointer chasing reads the
 * same pages again and again, and a read of 8 bytes from a fork costs as much as one of a page.
 */
#pragma once

#include "snap/mem.h"

/* Takes its own reference to below. budget: bytes of page content kept, rounded up to a page.
 * Reads longer than a page pass through uncached. */
DacsaMem *dacsa_pagecache_new(DacsaMem *below, size_t budget);
