/*
 * What every fuzz target is made of. A target is tests/fuzz/<parser>/<parser>.c with one function,
 * LLVMFuzzerTestOneInput; its corpus lies beside it. libFuzzer drives it in build-fuzz/, and
 * replay.c runs the corpus through it in every other build.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is left of an input: taken from its front. Past its end everything is 0. */
typedef struct {
  const uint8_t *data;
  size_t size;
} FuzzInput;

static inline uint64_t
fuzz_take(FuzzInput *in, size_t bytes)
{
  uint64_t v = 0;
  size_t n = MIN(MIN(bytes, in->size), sizeof(v));

  memcpy(&v, in->data, n);
  in->data += n;
  in->size -= n;
  return GUINT64_FROM_LE(v);
}

/* The rest as a text of its own; owned. A zero ends it. */
static inline char *
fuzz_text(const uint8_t *data, size_t size)
{
  return g_strndup((const char *)data, size);
}

/* A call that fails says why, one that succeeds does not. */
#define FUZZ_CHECK(ok, error)                                                                      \
  do {                                                                                             \
    g_assert_true((ok) == ((error) == NULL));                                                      \
    g_clear_error(&(error));                                                                       \
  } while (0)
