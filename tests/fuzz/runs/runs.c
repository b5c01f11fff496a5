/* Files made of runs of guest memory: appended, cut, sought in, read. */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/fuzz-mem.h"

#include "parsers/runs.h"

static void
append(DacsaRuns *runs, FuzzInput *in)
{
  uint64_t gap = fuzz_take(in, 2);
  uint64_t gva = fuzz_take(in, 4);
  uint64_t gpa = fuzz_take(in, 2);
  uint64_t len = fuzz_take(in, 2);
  uint64_t offset = gap & 1 ? runs->size + gap : gap << 48;

  (void)!dacsa_runs_append_at(runs, offset, gva, gpa, len);
}

static void
check(const DacsaRuns *runs)
{
  uint64_t end = 0;

  for (guint i = 0; i < runs->runs->len; i++) {
    const DacsaRun *run = &g_array_index(runs->runs, DacsaRun, i);

    g_assert_cmphex(run->offset, >=, end);
    g_assert_cmphex(run->len, >, 0);
    end = run->offset + run->len;
  }
  g_assert_cmphex(end, <=, runs->size);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  FuzzInput in = {data, size};
  g_autoptr(DacsaRuns) runs = dacsa_runs_new();
  g_autoptr(DacsaMem) phys = fuzz_mem_new(data, size);
  g_autoptr(GError) error = NULL;
  uint8_t buf[300];
  uint64_t start, end;

  while (in.size > 0) {
    uint64_t what = fuzz_take(&in, 1);

    if (what < 0xf0) {
      append(runs, &in);
    } else if (what < 0xf8) {
      dacsa_runs_set_size(runs, fuzz_take(&in, 3));
    } else {
      uint64_t at = runs->size ? fuzz_take(&in, 8) % runs->size : 0;
      size_t n = (size_t)MIN((uint64_t)sizeof(buf), runs->size - at);
      bool ok = dacsa_runs_read(runs, phys, at, buf, n, &error);

      FUZZ_CHECK(ok, error);
      if (dacsa_runs_next(runs, at, &start, &end))
        g_assert_true(start >= at && end > start && end <= runs->size);
    }
    check(runs);
  }
  return 0;
}
