/* Handles of this viewer's and of others'. */
#include "check.h"

#include "fs/handles.h"

/* An object that counts its references. */
typedef struct {
  int refs;
} Object;

static void *
ref(void *data)
{
  Object *object = data;

  object->refs++;
  return object;
}

static void
unref(void *data)
{
  Object *object = data;

  g_assert_cmpint(object->refs, >, 0);
  object->refs--;
}

static const DacsaHandleOps ops = {ref, unref};

static void
test_own(void)
{
  Object a = {1}, b = {1};
  g_autoptr(DacsaHandles) handles = dacsa_handles_new(3, &ops);
  const uint64_t of_a = dacsa_handles_add(handles, &a);
  const uint64_t of_b = dacsa_handles_add(handles, &b);

  g_assert_cmphex(of_a, !=, 0);
  g_assert_cmphex(of_a, !=, of_b);
  g_assert_true(dacsa_handles_get(handles, of_a) == &a);
  g_assert_cmpint(a.refs, ==, 2);
  dacsa_handles_remove(handles, of_a);
  g_assert_cmpint(a.refs, ==, 1); /* who got it has it still */
  unref(&a);
  g_assert_null(dacsa_handles_get(handles, of_a));
  dacsa_handles_remove(handles, of_a);
  g_assert_true(dacsa_handles_get(handles, of_b) == &b);
  unref(&b);
  g_clear_pointer(&handles, dacsa_handles_free);
  g_assert_cmpint(b.refs, ==, 0);
}

/* No two viewers' handles are the same; addresses, and whatever else, are no handles. */
static void
test_foreign(void)
{
  Object a = {1};
  g_autoptr(DacsaHandles) first = dacsa_handles_new(1, &ops);
  g_autoptr(DacsaHandles) second = dacsa_handles_new(2, &ops);
  const uint64_t handle = dacsa_handles_add(first, &a);
  const uint64_t odd[] = {0, 1, UINT64_MAX, (uintptr_t)&a, handle};

  for (size_t i = 0; i < G_N_ELEMENTS(odd); i++) {
    g_assert_null(dacsa_handles_get(second, odd[i]));
    dacsa_handles_remove(second, odd[i]);
  }
  Object b = {1};
  g_assert_cmphex(dacsa_handles_add(second, &b), !=, handle);
}

static void
test_adopted(void)
{
  Object a = {1}, late = {1};
  g_autoptr(DacsaHandles) first = dacsa_handles_new(1, &ops);
  g_autoptr(DacsaHandles) second = dacsa_handles_new(2, &ops);
  Object before = {1};
  const uint64_t handle = dacsa_handles_add(first, &before);

  g_assert_true(dacsa_handles_adopt(second, handle, &a) == &a);
  unref(&a);
  g_assert_true(dacsa_handles_adopt(second, handle, &late) == &a);
  unref(&a);
  g_assert_cmpint(late.refs, ==, 0);
  g_assert_true(dacsa_handles_get(second, handle) == &a);
  unref(&a);
  dacsa_handles_remove(second, handle);
  g_assert_cmpint(a.refs, ==, 0);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/handles/own", test_own);
  g_test_add_func("/handles/foreign", test_foreign);
  g_test_add_func("/handles/adopted", test_adopted);
  return g_test_run();
}
