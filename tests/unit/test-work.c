/* The allowance of work: what reads spend of it, and what happens when it is spent. */
#include "check.h"
#include "fake-paging.h"

#include "parsers/work.h"
#include "parsers/x86_64.h"

#define ROOT 0x1000u
#define PAGE_AT 0x400000u

typedef struct {
  DacsaMem *phys, *space;
  DacsaX86_64Tables tables;
} Fixture;

static void
set_up(Fixture *f)
{
  f->phys = fake_mem_new();
  f->tables = (DacsaX86_64Tables){f->phys, ROOT, 4, 0};
  FakePaging paging = {f->phys, ROOT, 0x100000, 4};
  fake_paging_map(&paging, PAGE_AT, 1, 0x5000, PTE_TABLE);
  fake_mem_u64(f->phys, 0x5000, 7);
  f->space = dacsa_x86_64_space_new(&f->tables);
}

static void
tear_down(Fixture *f)
{
  dacsa_work_begin(DACSA_WORK_UNLIMITED);
  dacsa_mem_unref(f->space);
  dacsa_mem_unref(f->phys);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Fixture, tear_down)

static void
test_allowance(void)
{
  g_assert_cmpuint(dacsa_work_allowance(0), >, 1u << 20);
  g_assert_cmpuint(dacsa_work_allowance(UINT64_C(64) << 30), >, dacsa_work_allowance(1u << 30));
  g_assert_cmpuint(dacsa_work_allowance(UINT64_MAX), <, DACSA_WORK_UNLIMITED);
}

static void
test_spend(void)
{
  g_autoptr(GError) error = NULL;

  g_assert_cmpuint(dacsa_work_begin(10), ==, DACSA_WORK_UNLIMITED);
  CHECK_OK(dacsa_work_spend(9, &error), error);
  CHECK_FAILS(dacsa_work_spend(2, &error), error, DACSA_ERROR_FAULT);
  g_assert_false(dacsa_work_spend(1, NULL)); /* what is spent is spent */
  g_assert_cmpuint(dacsa_work_begin(DACSA_WORK_UNLIMITED), ==, 0);
  CHECK_OK(dacsa_work_spend(UINT64_MAX - 1, &error), error);
}

static void
test_reads_end(void)
{
  g_auto(Fixture) f;
  g_autoptr(GError) error = NULL;
  uint64_t v;
  unsigned n = 0;

  set_up(&f);
  dacsa_work_begin(1000);
  while (n < 2000 && dacsa_mem_read_u64(f.space, PAGE_AT, &v, &error))
    n++;
  g_assert_error(error, DACSA_ERROR, DACSA_ERROR_FAULT);
  g_assert_cmpuint(n, >, 500);
  g_assert_cmpuint(n, <=, 1000);
  g_clear_error(&error);
  dacsa_work_begin(1000); /* and with the next answer all is well again */
  CHECK_OK(dacsa_mem_read_u64(f.space, PAGE_AT, &v, &error), error);
  g_assert_cmpuint(v, ==, 7);
}

static bool
count(const DacsaX86_64Page *page, void *data)
{
  (void)page;
  ++*(unsigned *)data;
  return true;
}

static void
test_walks_end(void)
{
  g_auto(Fixture) f;
  g_autoptr(GError) error = NULL;
  unsigned n = 0;

  set_up(&f);
  dacsa_work_begin(40); /* not enough for four tables */
  CHECK_FAILS(dacsa_x86_64_walk(&f.tables, 0, 0, count, &n, &error), error, DACSA_ERROR_FAULT);
  g_assert_cmpuint(n, ==, 0);
  dacsa_work_begin(1000);
  CHECK_OK(dacsa_x86_64_walk(&f.tables, 0, 0, count, &n, &error), error);
  g_assert_cmpuint(n, ==, 1);
}

static void *
other_thread(void *data)
{
  (void)data;
  return GUINT_TO_POINTER(dacsa_work_spend(1, NULL));
}

static void
test_threads(void)
{
  dacsa_work_begin(0);
  g_assert_true(GPOINTER_TO_UINT(g_thread_join(g_thread_new("other", other_thread, NULL))));
  g_assert_false(dacsa_work_spend(1, NULL));
  dacsa_work_begin(DACSA_WORK_UNLIMITED);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/work/allowance", test_allowance);
  g_test_add_func("/work/spend", test_spend);
  g_test_add_func("/work/reads-end", test_reads_end);
  g_test_add_func("/work/walks-end", test_walks_end);
  g_test_add_func("/work/threads", test_threads);
  return g_test_run();
}
