/* What the unit tests say over and over. */
#pragma once

#include "snap/error.h"

#include <glib.h>
#include <unistd.h>

/* The lowest descriptor that is free: it rises where one leaks. */
static inline int
check_next_descriptor(void)
{
  int fd = dup(0);

  close(fd);
  return fd;
}

/* call, whose last argument is &error, succeeds. */
#define CHECK_OK(call, error)                                                                      \
  do {                                                                                             \
    bool check_ok_ = (call);                                                                       \
    g_assert_no_error(error);                                                                      \
    g_assert_true(check_ok_);                                                                      \
  } while (0)

/* call, whose last argument is &error, fails with that code of the error domain. */
#define CHECK_FAILS(call, error, code)                                                             \
  do {                                                                                             \
    g_assert_false(call);                                                                          \
    g_assert_error(error, DACSA_ERROR, (int)(code));                                               \
    g_clear_error(&(error));                                                                       \
  } while (0)
