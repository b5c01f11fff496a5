/* Lists, red-black trees, xarrays. */
#include "parsers/linux/walk.h"

#include "snap/error.h"

#define MAX_DEPTH 96u     /* of a red-black tree: twice the logarithm of what fits into memory */
#define XA_CHUNK_SHIFT 6u /* without CONFIG_BASE_SMALL */
#define XA_CHUNK_SIZE (1u << XA_CHUNK_SHIFT)
#define XA_MAX_SHIFT 60u
#define XA_INTERNAL UINT64_C(2)
#define XA_KIND UINT64_C(3)
#define XA_ZERO_ENTRY UINT64_C(0x406) /* include/linux/xarray.h: reserved, and read as NULL */
#define XA_RETRY_ENTRY UINT64_C(0x402)
#define XA_FIRST_NODE UINT64_C(4096)

/* Whether the walk may go on to node: it was not there yet, and there are not too many. */
static bool
guard_pass(GHashTable *seen, uint64_t node, GError **error)
{
  if (g_hash_table_size(seen) >= DACSA_LINUX_MAX_ENTRIES)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "cut short after %u entries",
                      DACSA_LINUX_MAX_ENTRIES);
  if (!g_hash_table_add(seen, GSIZE_TO_POINTER(node)))
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "a list runs in a circle at 0x%" PRIx64, node);
  return true;
}

bool
dacsa_linux_list_each(const DacsaLinux *l, uint64_t head, DacsaLinuxMember member,
                      DacsaLinuxVisit visit, void *data, GError **error)
{
  g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
  uint64_t node = head;

  for (;;) {
    if (!dacsa_mem_read_u64(l->memory, node, &node, error))
      return false;
    if (node == head)
      return true;
    if (!guard_pass(seen, node, error))
      return false;
    if (!visit(node - dacsa_linux_offset(l, member), data))
      return true;
  }
}

bool
dacsa_linux_hlist_each(const DacsaLinux *l, uint64_t head, DacsaLinuxMember member,
                       DacsaLinuxVisit visit, void *data, GError **error)
{
  g_autoptr(GHashTable) seen = NULL;
  uint64_t node;

  if (!dacsa_mem_read_u64(l->memory, head, &node, error))
    return false;
  while (node != 0 && !(node & 1)) {
    if (!seen)
      seen = g_hash_table_new(NULL, NULL);
    if (!guard_pass(seen, node, error))
      return false;
    if (!visit(node - dacsa_linux_offset(l, member), data))
      return true;
    if (!dacsa_mem_read_u64(l->memory, node, &node, error))
      return false;
  }
  return true;
}

/* -- red-black trees -- */

typedef struct {
  const DacsaLinux *l;
  DacsaLinuxMember member;
  DacsaLinuxVisit visit;
  void *data;
  GHashTable *seen;
  bool stopped;
} RbWalk;

static bool
walk_rb(RbWalk *w, uint64_t node, unsigned depth, GError **error)
{
  uint64_t left, right;

  if (node == 0 || w->stopped)
    return true;
  if (depth >= MAX_DEPTH)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "a tree is too deep");
  if (!guard_pass(w->seen, node, error) || !dacsa_linux_get(w->l, node, M_RB_LEFT, &left, error) ||
      !dacsa_linux_get(w->l, node, M_RB_RIGHT, &right, error) ||
      !walk_rb(w, left, depth + 1, error))
    return false;
  if (!w->stopped && !w->visit(node - dacsa_linux_offset(w->l, w->member), w->data))
    w->stopped = true;
  return walk_rb(w, right, depth + 1, error);
}

bool
dacsa_linux_rbtree_each(const DacsaLinux *l, uint64_t root, DacsaLinuxMember member,
                        DacsaLinuxVisit visit, void *data, GError **error)
{
  g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
  RbWalk w = {l, member, visit, data, seen, false};
  uint64_t top;

  return dacsa_mem_read_u64(l->memory, root, &top, error) && walk_rb(&w, top, 0, error);
}

/* -- xarrays -- */

typedef struct {
  const DacsaLinux *l;
  DacsaLinuxXarrayVisit visit;
  void *data;
  GHashTable *seen; /* nodes */
  bool stopped;
} XaWalk;

static bool
xa_is_node(uint64_t entry)
{
  return (entry & XA_KIND) == XA_INTERNAL && entry > XA_FIRST_NODE;
}

/* A sibling entry stands for a slot before it: the rest of a multi-index entry. */
static bool
xa_is_sibling(uint64_t entry)
{
  return (entry & XA_KIND) == XA_INTERNAL && entry >> 2 < XA_CHUNK_SIZE;
}

static void
xa_visit(XaWalk *w, uint64_t index, uint64_t count, uint64_t entry)
{
  if (entry == 0 || xa_is_sibling(entry) || entry == XA_ZERO_ENTRY || entry == XA_RETRY_ENTRY)
    return;
  if (!w->visit(index, count, entry, w->data))
    w->stopped = true;
}

/* All slots of a node at once: they are most of it. */
static bool
read_xa_slots(const DacsaLinux *l, uint64_t node, uint64_t slots[XA_CHUNK_SIZE], GError **error)
{
  const uint64_t at = node + dacsa_linux_offset(l, M_XA_NODE_SLOTS);

  if (!dacsa_mem_read(l->memory, at, slots, XA_CHUNK_SIZE * sizeof(*slots), error))
    return false;
  for (unsigned i = 0; i < XA_CHUNK_SIZE; i++)
    slots[i] = GUINT64_FROM_LE(slots[i]);
  return true;
}

/* How many slots the entry in slot i stands for: its own and the siblings that name it. */
static unsigned
xa_slots_of(const uint64_t slots[XA_CHUNK_SIZE], unsigned i)
{
  unsigned n = 1;

  while (i + n < XA_CHUNK_SIZE && slots[i + n] == (XA_INTERNAL | (uint64_t)i << 2))
    n++;
  return n;
}

static bool
walk_xa_node(XaWalk *w, uint64_t entry, uint64_t base, unsigned above, GError **error)
{
  uint64_t node = entry - XA_INTERNAL;
  uint64_t slots[XA_CHUNK_SIZE];
  uint64_t shift;

  if (!guard_pass(w->seen, node, error) ||
      !dacsa_linux_get(w->l, node, M_XA_NODE_SHIFT, &shift, error))
    return false;
  if (shift >= above || shift % XA_CHUNK_SHIFT != 0)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "the xarray node 0x%" PRIx64 " is out of place",
                      node);
  if (!read_xa_slots(w->l, node, slots, error))
    return false;
  for (unsigned i = 0; i < XA_CHUNK_SIZE && !w->stopped; i++) {
    uint64_t index = base + ((uint64_t)i << shift);

    if (!xa_is_node(slots[i]))
      xa_visit(w, index, (uint64_t)xa_slots_of(slots, i) << shift, slots[i]);
    else if (shift == 0)
      return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "the xarray node 0x%" PRIx64 " has no bottom",
                        node);
    else if (!walk_xa_node(w, slots[i], index, (unsigned)shift, error))
      return false;
  }
  return true;
}

bool
dacsa_linux_xarray_each(const DacsaLinux *l, uint64_t xarray, DacsaLinuxXarrayVisit visit,
                        void *data, GError **error)
{
  g_autoptr(GHashTable) seen = NULL;
  uint64_t head;

  if (!dacsa_linux_get(l, xarray, M_XARRAY_HEAD, &head, error))
    return false;
  if (xa_is_node(head))
    seen = g_hash_table_new(NULL, NULL);
  XaWalk w = {l, visit, data, seen, false};
  if (seen)
    return walk_xa_node(&w, head, 0, XA_MAX_SHIFT + 1, error);
  xa_visit(&w, 0, 1, head);
  return true;
}
