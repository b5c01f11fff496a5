/* Listings. */
#include "fs/listing.h"

struct DacsaListing {
  gatomicrefcount refs;
  GPtrArray *names;
  GArray *entries; /* struct stat */
};

static void
add(const char *name, uint64_t ino, mode_t type, void *data)
{
  DacsaListing *listing = data;
  struct stat st = {.st_ino = ino, .st_mode = type};

  g_ptr_array_add(listing->names, g_strdup(name));
  g_array_append_val(listing->entries, st);
}

bool
dacsa_listing_new(DacsaTree *tree, const DacsaPlace *place, DacsaListing **ret, GError **error)
{
  g_autoptr(DacsaListing) listing = g_new0(DacsaListing, 1);

  g_atomic_ref_count_init(&listing->refs);
  listing->names = g_ptr_array_new_with_free_func(g_free);
  listing->entries = g_array_new(FALSE, FALSE, sizeof(struct stat));
  if (!dacsa_tree_list(tree, place, add, listing, error))
    return false;
  *ret = g_steal_pointer(&listing);
  return true;
}

DacsaListing *
dacsa_listing_ref(DacsaListing *listing)
{
  g_atomic_ref_count_inc(&listing->refs);
  return listing;
}

void
dacsa_listing_unref(DacsaListing *listing)
{
  if (!listing || !g_atomic_ref_count_dec(&listing->refs))
    return;
  g_ptr_array_unref(listing->names);
  g_array_unref(listing->entries);
  g_free(listing);
}

guint
dacsa_listing_len(const DacsaListing *listing)
{
  return listing->names->len;
}

const char *
dacsa_listing_name(const DacsaListing *listing, guint i)
{
  return g_ptr_array_index(listing->names, i);
}

const struct stat *
dacsa_listing_stat(const DacsaListing *listing, guint i)
{
  return &g_array_index(listing->entries, struct stat, i);
}
