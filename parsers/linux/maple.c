/* Maple trees (include/linux/maple_tree.h, lib/maple_tree.c): a node is a 256-byte block of pivots
 * and slots; its type and other bits are in the low byte of the pointer to it. */
#include "parsers/linux/view.h"
#include "snap/error.h"

#include <inttypes.h>

#define NODE_MASK UINT64_C(0xff)
#define TYPE_SHIFT 3
#define TYPE_MASK 0xfu
#define MAX_HEIGHT 31u /* MAPLE_HEIGHT_MAX */
#define MAX_NODES (1u << 20)
#define MAX_SLOTS 64u

/* enum maple_type */
enum { MAPLE_DENSE, MAPLE_LEAF_64, MAPLE_RANGE_64, MAPLE_ARANGE_64 };

typedef struct {
  const DacsaLinux *l;
  GArray *ret;
  unsigned nodes;
} MapleWalk;

static bool
is_internal(uint64_t entry)
{
  return (entry & 3) == 2; /* xa_is_internal */
}

/* The entries of the node that covers indices [min, max]. */
static bool
walk_node(MapleWalk *w, uint64_t enode, uint64_t min, uint64_t max, unsigned height, GError **error)
{
  uint64_t node = enode & ~NODE_MASK;
  unsigned type = (unsigned)(enode >> TYPE_SHIFT) & TYPE_MASK;
  bool arange = type == MAPLE_ARANGE_64;
  DacsaLinuxMember pivots = arange ? M_MAPLE_ARANGE64_PIVOT : M_MAPLE_RANGE64_PIVOT;
  DacsaLinuxMember slots = arange ? M_MAPLE_ARANGE64_SLOT : M_MAPLE_RANGE64_SLOT;
  unsigned n = w->l->kernel->members[slots].elements;

  if (type != MAPLE_LEAF_64 && type != MAPLE_RANGE_64 && type != MAPLE_ARANGE_64)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "maple tree: node 0x%" PRIx64 " has type %u",
                      enode, type);
  if (height >= MAX_HEIGHT || ++w->nodes > MAX_NODES || n == 0 || n > MAX_SLOTS)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "maple tree: it has no end");
  for (unsigned i = 0; i < n; i++) {
    uint64_t pivot = 0;
    uint64_t slot;

    /* The last pivot in use may be left out: 0, or past the array, means the node's own max. */
    if (i < n - 1 && !dacsa_linux_get_element(w->l, node, pivots, i, &pivot, error))
      return false;
    if (pivot == 0 && (i > 0 || type != MAPLE_LEAF_64))
      pivot = max;
    if (pivot < min || pivot > max)
      return dacsa_fail(error, DACSA_ERROR_BAD_DATA,
                        "maple tree: node 0x%" PRIx64 " is not in order", enode);
    if (!dacsa_linux_get_element(w->l, node, slots, i, &slot, error))
      return false;
    if (type != MAPLE_LEAF_64) {
      if (!walk_node(w, slot, min, pivot, height + 1, error))
        return false;
    } else if (slot != 0 && !is_internal(slot)) {
      if (w->ret->len >= DACSA_LINUX_MAX_VMAS)
        return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "maple tree: more than %u entries",
                          DACSA_LINUX_MAX_VMAS);
      g_array_append_val(w->ret, slot);
    }
    if (pivot == max)
      return true;
    min = pivot + 1;
  }
  return true;
}

bool
dacsa_linux_maple_entries(const DacsaLinux *l, uint64_t ma_root, GArray *ret, GError **error)
{
  MapleWalk w = {l, ret, 0};

  if (ma_root == 0)
    return true;
  if (!is_internal(ma_root) || ma_root <= 4096) { /* xa_is_node fails: one entry, at index 0 */
    g_array_append_val(ret, ma_root);
    return true;
  }
  return walk_node(&w, ma_root, 0, UINT64_MAX, 0, error);
}
