/*
 * Large buffers that are filled at once. Touching fresh memory page by page costs more than reading
 * a guest's memory into it, so these ask for huge pages, and use them whole.
 */
#pragma once

#include <stddef.h>

/* Freed with g_free. Its content is undefined. */
void *dacsa_scratch_new(size_t len);
