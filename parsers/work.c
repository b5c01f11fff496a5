/* The bound on work. */
#include "parsers/work.h"

#include "snap/error.h"

#define LEAST (UINT64_C(16) << 20)
#define MOST (UINT64_C(1) << 30)
#define BYTES_A_READ 64u

static _Thread_local uint64_t left = DACSA_WORK_UNLIMITED;

uint64_t
dacsa_work_allowance(uint64_t ram_bytes)
{
  return MIN(LEAST + ram_bytes / BYTES_A_READ, MOST);
}

uint64_t
dacsa_work_begin(uint64_t allowance)
{
  uint64_t before = left;

  left = allowance;
  return before;
}

bool
dacsa_work_spend(uint64_t reads, GError **error)
{
  if (left == DACSA_WORK_UNLIMITED)
    return true;
  if (left < reads) {
    left = 0;
    /* Without an error, nobody hears of it: then it should cost nothing either. */
    return error ? dacsa_fail(error, DACSA_ERROR_FAULT, "cut short: it takes too much work")
                 : false;
  }
  left -= reads;
  return true;
}
