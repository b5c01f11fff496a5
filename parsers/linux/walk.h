/*
 * Walks over the containers that the kernel links its structures with. All are bounded, and end
 * with BAD_DATA where a guest has tied them into a knot; what was visited until then stands.
 */
#pragma once

#include "parsers/linux/view.h"

#define DACSA_LINUX_MAX_ENTRIES (1u << 22) /* of one container */

/* Called for each entry; false: stop here. */
typedef bool (*DacsaLinuxVisit)(uint64_t entry, void *data);

/* include/linux/list.h, list_head: entry is the gva of the structure, of which `member` is the
 * list_head; head is the list's own, which is no entry's. */
bool dacsa_linux_list_each(const DacsaLinux *l, uint64_t head, DacsaLinuxMember member,
                           DacsaLinuxVisit visit, void *data, GError **error);

/* hlist_head, and hlist_nulls_head (include/linux/list_nulls.h): its end is odd, not 0. */
bool dacsa_linux_hlist_each(const DacsaLinux *l, uint64_t head, DacsaLinuxMember member,
                            DacsaLinuxVisit visit, void *data, GError **error);

/* include/linux/rbtree.h, rb_root: in order. */
bool dacsa_linux_rbtree_each(const DacsaLinux *l, uint64_t root, DacsaLinuxMember member,
                             DacsaLinuxVisit visit, void *data, GError **error);

/* include/linux/xarray.h: ascending by index; value entries (odd ones) are given as they are, and a
 * multi-index entry once, at the first index of the count that it stands for (1, or a large folio's
 * pages). xarray: the gva of the struct xarray (an idr's idr_rt, an address_space's i_pages). */
typedef bool (*DacsaLinuxXarrayVisit)(uint64_t index, uint64_t count, uint64_t entry, void *data);
bool dacsa_linux_xarray_each(const DacsaLinux *l, uint64_t xarray, DacsaLinuxXarrayVisit visit,
                             void *data, GError **error);
