/* Maple trees (lib/maple_tree.c) built by hand, whole and broken. */
#include "check.h"
#include "fake-mem.h"

#include "parsers/linux/view.h"

/* include/linux/maple_tree.h, 64 bit: parent pointer, pivots, slots; in maple_range_64 the last
 * slot may hold metadata, in maple_arange_64 gaps and metadata follow. */
#define RANGE_SLOTS 16u
#define ARANGE_SLOTS 10u
#define PIVOTS 8
#define RANGE_SLOT_AT (PIVOTS + 8 * (int)(RANGE_SLOTS - 1))
#define ARANGE_SLOT_AT (PIVOTS + 8 * (int)(ARANGE_SLOTS - 1))
#define ARANGE_META (ARANGE_SLOT_AT + 2 * 8 * (int)ARANGE_SLOTS)
#define LEAF 1u
#define RANGE 2u
#define ARANGE 3u

#define NODE(n) (UINT64_C(0xffff888000010000) + (n)*0x100u)
#define VMA(n) (UINT64_C(0xffff888000200000) + (n)*0x100u)

/* n words of 64 bits. */
#define ARRAY(at, n)                                                                               \
  {                                                                                                \
    .known = true, .offset = (at), .size = (n)*8, .elements = (n)                                  \
  }

typedef struct {
  DacsaLinuxKernel kernel;
  DacsaLinux l;
  GArray *found;
} Fixture;

static void
set_up(Fixture *f)
{
  *f = (Fixture){.kernel = {.members = {
                                [M_MAPLE_RANGE64_PIVOT] = ARRAY(PIVOTS, RANGE_SLOTS - 1),
                                [M_MAPLE_RANGE64_SLOT] = ARRAY(RANGE_SLOT_AT, RANGE_SLOTS),
                                [M_MAPLE_ARANGE64_PIVOT] = ARRAY(PIVOTS, ARANGE_SLOTS - 1),
                                [M_MAPLE_ARANGE64_SLOT] = ARRAY(ARANGE_SLOT_AT, ARANGE_SLOTS),
                            }}};
  f->l.kernel = &f->kernel;
  f->l.memory = fake_mem_new();
  f->found = g_array_new(FALSE, FALSE, sizeof(uint64_t));
  fake_mem_u8(f->l.memory, NODE(0), 0);
}

static void
tear_down(Fixture *f)
{
  dacsa_mem_unref(f->l.memory);
  g_array_unref(f->found);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Fixture, tear_down)

/* mt_mk_node, and for the root mt_mk_root: bit 1 makes it an internal entry, as is bit 2 of both.
 */
static uint64_t
enode(unsigned n, unsigned type)
{
  return NODE(n) | type << 3 | 4;
}

static uint64_t
root(unsigned n, unsigned type)
{
  return enode(n, type) | 2;
}

static void
put(Fixture *f, unsigned n, unsigned type, unsigned i, uint64_t pivot, uint64_t slot)
{
  int slot_at = type == ARANGE ? ARANGE_SLOT_AT : RANGE_SLOT_AT;

  if (i < (type == ARANGE ? ARANGE_SLOTS : RANGE_SLOTS) - 1)
    fake_mem_u64(f->l.memory, NODE(n) + PIVOTS + i * 8, pivot);
  fake_mem_u64(f->l.memory, NODE(n) + (uint64_t)slot_at + i * 8, slot);
}

static void
check_found(Fixture *f, uint64_t ma_root, const uint64_t *expected, size_t n)
{
  g_autoptr(GError) error = NULL;

  CHECK_OK(dacsa_linux_maple_entries(&f->l, ma_root, f->found, &error), error);
  g_assert_cmpuint(f->found->len, ==, n);
  for (size_t i = 0; i < n; i++)
    g_assert_cmphex(g_array_index(f->found, uint64_t, i), ==, expected[i]);
}

static void
check_bad(Fixture *f, uint64_t ma_root, DacsaError code)
{
  g_autoptr(GError) error = NULL;

  CHECK_FAILS(dacsa_linux_maple_entries(&f->l, ma_root, f->found, &error), error, code);
}

static void
test_no_node(void)
{
  g_auto(Fixture) f;
  const uint64_t vmas[] = {VMA(0)};

  set_up(&f);
  check_found(&f, 0, NULL, 0);
  check_found(&f, VMA(0), vmas, 1); /* a single entry stands in the root itself */
}

static void
test_leaf(void)
{
  g_auto(Fixture) f;
  const uint64_t vmas[] = {VMA(0), VMA(1), VMA(2)};

  set_up(&f);
  put(&f, 0, LEAF, 0, 0x3fffff, 0);
  put(&f, 0, LEAF, 1, 0x400fff, VMA(0));
  put(&f, 0, LEAF, 2, 0x401fff, VMA(1));
  put(&f, 0, LEAF, 3, 0x4fffff, 0x2 | 0x40); /* XA_ZERO_ENTRY and the like: reserved, no mapping */
  put(&f, 0, LEAF, 4, 0x500fff, VMA(2));
  put(&f, 0, LEAF, 5, 0, 0);          /* pivot 0: up to the node's own end */
  put(&f, 0, LEAF, 6, 0x777, VMA(7)); /* left over from before */
  check_found(&f, root(0, LEAF), vmas, 3);
}

/* A first pivot of 0 is the range [0, 0]. */
static void
test_leaf_from_zero(void)
{
  g_auto(Fixture) f;
  const uint64_t vmas[] = {VMA(0), VMA(1)};

  set_up(&f);
  put(&f, 0, LEAF, 0, 0, VMA(0));
  put(&f, 0, LEAF, 1, UINT64_MAX, VMA(1));
  put(&f, 0, LEAF, 2, 5, VMA(2));
  check_found(&f, root(0, LEAF), vmas, 2);
}

/* A node that is not full keeps its metadata (a small number) in the last slot. */
static void
test_metadata(void)
{
  g_auto(Fixture) f;
  uint64_t vmas[RANGE_SLOTS];

  set_up(&f);
  for (unsigned i = 0; i < RANGE_SLOTS - 1; i++) {
    vmas[i] = VMA(i);
    put(&f, 0, LEAF, i, i == RANGE_SLOTS - 2 ? UINT64_MAX : (i + 1) * 0x1000 - 1, VMA(i));
  }
  put(&f, 0, LEAF, RANGE_SLOTS - 1, 0, 0x0e); /* ma_meta: end 14 */
  check_found(&f, root(0, LEAF), vmas, RANGE_SLOTS - 1);
}

static void
test_full_leaf(void)
{
  g_auto(Fixture) f;
  uint64_t vmas[RANGE_SLOTS];

  set_up(&f);
  for (unsigned i = 0; i < RANGE_SLOTS; i++) {
    vmas[i] = VMA(i);
    put(&f, 0, LEAF, i, (i + 1) * 0x1000 - 1, VMA(i));
  }
  check_found(&f, root(0, LEAF), vmas, RANGE_SLOTS);
}

static void
test_two_levels(void)
{
  static const unsigned types[] = {RANGE, ARANGE};

  for (size_t t = 0; t < G_N_ELEMENTS(types); t++) {
    g_auto(Fixture) f;
    const uint64_t vmas[] = {VMA(0), VMA(1), VMA(2), VMA(3)};

    set_up(&f);
    put(&f, 0, types[t], 0, 0x4fffff, enode(1, LEAF));
    put(&f, 0, types[t], 1, 0x7fffff, enode(2, LEAF));
    put(&f, 0, types[t], 2, UINT64_MAX, enode(3, LEAF));
    put(&f, 0, types[t], 3, 0, 0xdead); /* not in use */
    if (types[t] == ARANGE)
      fake_mem_u8(f.l.memory, NODE(0) + (uint64_t)ARANGE_META, 2);
    put(&f, 1, LEAF, 0, 0x400fff, VMA(0));
    put(&f, 1, LEAF, 1, 0x4fffff, VMA(1)); /* the parent's pivot: the leaf's end */
    put(&f, 1, LEAF, 2, 0, VMA(9));
    put(&f, 2, LEAF, 0, 0x7fffff, VMA(2));
    put(&f, 3, LEAF, 0, 0x800fff, 0);
    put(&f, 3, LEAF, 1, 0x801fff, VMA(3));
    put(&f, 3, LEAF, 2, 0, 0);
    check_found(&f, root(0, types[t]), vmas, 4);
  }
}

static void
test_out_of_order(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  put(&f, 0, LEAF, 0, 0x400fff, VMA(0));
  put(&f, 0, LEAF, 1, 0x300fff, VMA(1));
  check_bad(&f, root(0, LEAF), DACSA_ERROR_BAD_DATA);
  g_assert_cmpuint(f.found->len, ==, 1); /* what came before stands */
  put(&f, 1, RANGE, 0, 0x1000, enode(2, LEAF));
  put(&f, 2, LEAF, 0, 0x1001, VMA(0)); /* past its parent's pivot */
  check_bad(&f, root(1, RANGE), DACSA_ERROR_BAD_DATA);
}

static void
test_wrong_type(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  check_bad(&f, root(0, 0), DACSA_ERROR_BAD_DATA); /* maple_dense is not used */
  check_bad(&f, root(0, 4), DACSA_ERROR_BAD_DATA);
  check_bad(&f, root(0, 15), DACSA_ERROR_BAD_DATA);
  put(&f, 0, RANGE, 0, UINT64_MAX, 0); /* a child that is none */
  check_bad(&f, root(0, RANGE), DACSA_ERROR_BAD_DATA);
}

static void
test_cyclic(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  put(&f, 0, RANGE, 0, UINT64_MAX, enode(0, RANGE));
  check_bad(&f, root(0, RANGE), DACSA_ERROR_BAD_DATA);
  put(&f, 1, ARANGE, 0, 0xfff, enode(2, RANGE));
  put(&f, 2, RANGE, 0, 0xfff, enode(1, ARANGE));
  check_bad(&f, root(1, ARANGE), DACSA_ERROR_BAD_DATA);
  g_assert_cmpuint(f.found->len, ==, 0);
}

/* A chain of nodes with one child each, which cover everything: 31 levels may be, 32 not. */
static void
test_height(void)
{
  g_auto(Fixture) f;
  const uint64_t vmas[] = {VMA(0)};

  set_up(&f);
  for (unsigned n = 0; n < 31; n++)
    put(&f, n, RANGE, 0, 0, enode(n + 1, n == 30 ? LEAF : RANGE));
  put(&f, 31, LEAF, 0, UINT64_MAX, VMA(0));
  check_bad(&f, root(0, RANGE), DACSA_ERROR_BAD_DATA);
  check_found(&f, root(1, RANGE), vmas, 1);
}

static void
test_memory_missing(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  check_bad(&f, root(0x1000, LEAF), DACSA_ERROR_FAULT);
  f.kernel.members[M_MAPLE_RANGE64_SLOT].elements = 0; /* a kernel that has none */
  check_bad(&f, root(0, LEAF), DACSA_ERROR_BAD_DATA);
  f.kernel.members[M_MAPLE_RANGE64_SLOT].elements = 4000000;
  check_bad(&f, root(0, LEAF), DACSA_ERROR_BAD_DATA);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/maple/no-node", test_no_node);
  g_test_add_func("/maple/leaf", test_leaf);
  g_test_add_func("/maple/leaf-from-zero", test_leaf_from_zero);
  g_test_add_func("/maple/metadata", test_metadata);
  g_test_add_func("/maple/full-leaf", test_full_leaf);
  g_test_add_func("/maple/two-levels", test_two_levels);
  g_test_add_func("/maple/out-of-order", test_out_of_order);
  g_test_add_func("/maple/wrong-type", test_wrong_type);
  g_test_add_func("/maple/cyclic", test_cyclic);
  g_test_add_func("/maple/height", test_height);
  g_test_add_func("/maple/memory-missing", test_memory_missing);
  return g_test_run();
}
