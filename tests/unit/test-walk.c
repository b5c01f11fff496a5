/* Lists, trees and xarrays built by hand, whole and tied into knots. */
#include "check.h"
#include "fake-mem.h"

#include "parsers/linux/walk.h"

#include <string.h>

#define NODE(n) (UINT64_C(0xffff888000100000) + (uint64_t)(n)*0x1000u)
#define LINK 16u /* where the link lies in an entry */

enum { RB_LEFT = 16, RB_RIGHT = 8, XA_SHIFT = 0, XA_SLOTS = 40, XA_HEAD = 8 };

typedef struct {
  DacsaLinuxKernel kernel;
  DacsaLinux l;
  GArray *found, *indices, *counts; /* uint64_t */
  guint most;                       /* stop after so many; 0: never */
} Fixture;

static void
set_up(Fixture *f)
{
  *f = (Fixture){.kernel = {.members = {
                                [M_TASK_TASKS] = {.known = true, .offset = LINK, .size = 16},
                                [M_RB_LEFT] = {.known = true, .offset = RB_LEFT, .size = 8},
                                [M_RB_RIGHT] = {.known = true, .offset = RB_RIGHT, .size = 8},
                                [M_XARRAY_HEAD] = {.known = true, .offset = XA_HEAD, .size = 8},
                                [M_XA_NODE_SHIFT] = {.known = true, .offset = XA_SHIFT, .size = 1},
                                [M_XA_NODE_SLOTS] = {.known = true,
                                                     .offset = XA_SLOTS,
                                                     .size = 64 * 8,
                                                     .elements = 64},
                            }}};
  f->l.kernel = &f->kernel;
  f->l.memory = fake_mem_new();
  f->found = g_array_new(FALSE, FALSE, sizeof(uint64_t));
  f->indices = g_array_new(FALSE, FALSE, sizeof(uint64_t));
  f->counts = g_array_new(FALSE, FALSE, sizeof(uint64_t));
}

static void
tear_down(Fixture *f)
{
  dacsa_mem_unref(f->l.memory);
  g_array_unref(f->found);
  g_array_unref(f->indices);
  g_array_unref(f->counts);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Fixture, tear_down)

static bool
visit(uint64_t entry, void *data)
{
  Fixture *f = data;

  g_array_append_val(f->found, entry);
  return f->found->len != f->most;
}

static bool
visit_index(uint64_t index, uint64_t count, uint64_t entry, void *data)
{
  Fixture *f = data;

  g_array_append_val(f->indices, index);
  g_array_append_val(f->counts, count);
  return visit(entry, data);
}

static void
check_found(const GArray *found, const uint64_t *expected, guint n)
{
  g_assert_cmpmem(found->data, found->len * sizeof(uint64_t), expected, n * sizeof(uint64_t));
}

static void
point(Fixture *f, uint64_t from, uint64_t to)
{
  fake_mem_u64(f->l.memory, from, to);
}

/* -- lists -- */

static void
test_list(void)
{
  g_auto(Fixture) f;
  g_autoptr(GError) error = NULL;

  set_up(&f);
  point(&f, NODE(0), NODE(0)); /* empty */
  CHECK_OK(dacsa_linux_list_each(&f.l, NODE(0), M_TASK_TASKS, visit, &f, &error), error);
  check_found(f.found, NULL, 0);
  point(&f, NODE(0), NODE(2) + LINK);
  point(&f, NODE(2) + LINK, NODE(1) + LINK);
  point(&f, NODE(1) + LINK, NODE(0));
  CHECK_OK(dacsa_linux_list_each(&f.l, NODE(0), M_TASK_TASKS, visit, &f, &error), error);
  check_found(f.found, (const uint64_t[]){NODE(2), NODE(1)}, 2);
}

static void
test_list_knots(void)
{
  g_auto(Fixture) f;
  g_autoptr(GError) error = NULL;

  set_up(&f);
  point(&f, NODE(0), NODE(1) + LINK);
  point(&f, NODE(1) + LINK, NODE(2) + LINK);
  point(&f, NODE(2) + LINK, NODE(1) + LINK); /* never back to the head */
  CHECK_FAILS(dacsa_linux_list_each(&f.l, NODE(0), M_TASK_TASKS, visit, &f, &error), error,
              DACSA_ERROR_BAD_DATA);
  check_found(f.found, (const uint64_t[]){NODE(1), NODE(2)}, 2);
  point(&f, NODE(2) + LINK, 0x1234); /* nowhere */
  CHECK_FAILS(dacsa_linux_list_each(&f.l, NODE(0), M_TASK_TASKS, visit, &f, &error), error,
              DACSA_ERROR_FAULT);
  g_array_set_size(f.found, 0);
  f.most = 1;
  CHECK_OK(dacsa_linux_list_each(&f.l, NODE(0), M_TASK_TASKS, visit, &f, &error), error);
  check_found(f.found, (const uint64_t[]){NODE(1)}, 1);
}

static void
test_hlist(void)
{
  g_auto(Fixture) f;
  g_autoptr(GError) error = NULL;

  set_up(&f);
  point(&f, NODE(0), NODE(1) + LINK);
  point(&f, NODE(1) + LINK, NODE(2) + LINK);
  point(&f, NODE(2) + LINK, 0);
  CHECK_OK(dacsa_linux_hlist_each(&f.l, NODE(0), M_TASK_TASKS, visit, &f, &error), error);
  check_found(f.found, (const uint64_t[]){NODE(1), NODE(2)}, 2);
  point(&f, NODE(2) + LINK, 77); /* a nulls list's end */
  g_array_set_size(f.found, 0);
  CHECK_OK(dacsa_linux_hlist_each(&f.l, NODE(0), M_TASK_TASKS, visit, &f, &error), error);
  g_assert_cmpuint(f.found->len, ==, 2);
  point(&f, NODE(2) + LINK, NODE(2) + LINK);
  CHECK_FAILS(dacsa_linux_hlist_each(&f.l, NODE(0), M_TASK_TASKS, visit, &f, &error), error,
              DACSA_ERROR_BAD_DATA);
}

/* A member that the kernel lacks leads nowhere, never somewhere else. */
static void
test_no_member(void)
{
  g_auto(Fixture) f;
  g_autoptr(GError) error = NULL;
  uint64_t value;

  set_up(&f);
  point(&f, NODE(0), 5);
  g_assert_false(dacsa_linux_has(&f.l, M_TASK_PID));
  CHECK_FAILS(dacsa_linux_get(&f.l, NODE(0), M_TASK_PID, &value, &error), error,
              DACSA_ERROR_UNSUPPORTED);
  uint64_t offset = dacsa_linux_offset(&f.l, M_TASK_PID);
  CHECK_FAILS(dacsa_mem_read_u64(f.l.memory, NODE(0) + offset, &value, &error), error,
              DACSA_ERROR_FAULT);
  CHECK_FAILS(dacsa_mem_read_u64(f.l.memory, NODE(0) - offset, &value, &error), error,
              DACSA_ERROR_FAULT);
}

/* -- red-black trees -- */

static void
put_rb(Fixture *f, unsigned n, unsigned left, unsigned right)
{
  point(f, NODE(n) + LINK + RB_LEFT, left ? NODE(left) + LINK : 0);
  point(f, NODE(n) + LINK + RB_RIGHT, right ? NODE(right) + LINK : 0);
}

static void
test_rbtree(void)
{
  g_auto(Fixture) f;
  g_autoptr(GError) error = NULL;

  set_up(&f);
  point(&f, NODE(0), 0);
  CHECK_OK(dacsa_linux_rbtree_each(&f.l, NODE(0), M_TASK_TASKS, visit, &f, &error), error);
  point(&f, NODE(0), NODE(4) + LINK);
  put_rb(&f, 4, 2, 5);
  put_rb(&f, 2, 1, 3);
  put_rb(&f, 1, 0, 0);
  put_rb(&f, 3, 0, 0);
  put_rb(&f, 5, 0, 0);
  CHECK_OK(dacsa_linux_rbtree_each(&f.l, NODE(0), M_TASK_TASKS, visit, &f, &error), error);
  check_found(f.found, (const uint64_t[]){NODE(1), NODE(2), NODE(3), NODE(4), NODE(5)}, 5);
  g_array_set_size(f.found, 0);
  f.most = 3;
  CHECK_OK(dacsa_linux_rbtree_each(&f.l, NODE(0), M_TASK_TASKS, visit, &f, &error), error);
  g_assert_cmpuint(f.found->len, ==, 3);
  put_rb(&f, 3, 4, 0); /* its own ancestor */
  f.most = 0;
  CHECK_FAILS(dacsa_linux_rbtree_each(&f.l, NODE(0), M_TASK_TASKS, visit, &f, &error), error,
              DACSA_ERROR_BAD_DATA);
}

/* Each node's left one is a new one: deeper than any balanced tree can be. */
static void
test_rbtree_too_deep(void)
{
  g_auto(Fixture) f;
  g_autoptr(GError) error = NULL;

  set_up(&f);
  point(&f, NODE(0), NODE(1) + LINK);
  for (unsigned n = 1; n < 200; n++)
    put_rb(&f, n, n + 1, 0);
  put_rb(&f, 200, 0, 0);
  CHECK_FAILS(dacsa_linux_rbtree_each(&f.l, NODE(0), M_TASK_TASKS, visit, &f, &error), error,
              DACSA_ERROR_BAD_DATA);
}

/* -- xarrays -- */

#define XA_NODE(n) (NODE(n) | 2)
#define SIBLING(slot) ((uint64_t)(slot) << 2 | 2)

static void
put_xa(Fixture *f, unsigned n, uint8_t shift, unsigned slot, uint64_t entry)
{
  fake_mem_u8(f->l.memory, NODE(n) + XA_SHIFT, shift);
  point(f, NODE(n) + XA_SLOTS + slot * 8, entry);
}

static void
test_xarray(void)
{
  g_auto(Fixture) f;
  g_autoptr(GError) error = NULL;

  set_up(&f);
  point(&f, NODE(0) + XA_HEAD, 0);
  CHECK_OK(dacsa_linux_xarray_each(&f.l, NODE(0), visit_index, &f, &error), error);
  point(&f, NODE(0) + XA_HEAD, NODE(9)); /* one entry, at index 0 */
  CHECK_OK(dacsa_linux_xarray_each(&f.l, NODE(0), visit_index, &f, &error), error);
  point(&f, NODE(0) + XA_HEAD, XA_NODE(1));
  put_xa(&f, 1, 6, 0, XA_NODE(2));
  put_xa(&f, 1, 6, 63, NODE(20)); /* 64 indices at once */
  put_xa(&f, 2, 0, 3, NODE(10));
  put_xa(&f, 2, 0, 4, SIBLING(3));
  put_xa(&f, 2, 0, 5, 7);     /* a value */
  put_xa(&f, 2, 0, 6, 0x402); /* the kernel's own */
  CHECK_OK(dacsa_linux_xarray_each(&f.l, NODE(0), visit_index, &f, &error), error);
  check_found(f.indices, (const uint64_t[]){0, 3, 5, 63 * 64}, 4);
  check_found(f.counts, (const uint64_t[]){1, 2, 1, 64}, 4);
  check_found(f.found, (const uint64_t[]){NODE(9), NODE(10), 7, NODE(20)}, 4);
}

static void
check_bad_xarray(Fixture *f)
{
  g_autoptr(GError) error = NULL;

  CHECK_FAILS(dacsa_linux_xarray_each(&f->l, NODE(0), visit_index, f, &error), error,
              DACSA_ERROR_BAD_DATA);
}

static void
test_xarray_knots(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  point(&f, NODE(0) + XA_HEAD, XA_NODE(1));
  put_xa(&f, 1, 6, 0, XA_NODE(1)); /* itself */
  check_bad_xarray(&f);
  put_xa(&f, 1, 0, 0, XA_NODE(2)); /* a node below the bottom */
  check_bad_xarray(&f);
  put_xa(&f, 1, 5, 0, 0); /* no level has that shift */
  check_bad_xarray(&f);
  put_xa(&f, 1, 66, 0, 0);
  check_bad_xarray(&f);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/walk/list", test_list);
  g_test_add_func("/walk/list/knots", test_list_knots);
  g_test_add_func("/walk/hlist", test_hlist);
  g_test_add_func("/walk/no-member", test_no_member);
  g_test_add_func("/walk/rbtree", test_rbtree);
  g_test_add_func("/walk/rbtree/too-deep", test_rbtree_too_deep);
  g_test_add_func("/walk/xarray", test_xarray);
  g_test_add_func("/walk/xarray/knots", test_xarray_knots);
  return g_test_run();
}
