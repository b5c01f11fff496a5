/* Open directories: a listing each, made when it is opened. */
#include "fs/fuse-directories.h"

#include "fs/fuse-context.h"
#include "fs/listing.h"

static void *
listing_ref(void *object)
{
  return dacsa_listing_ref(object);
}

static void
listing_unref(void *object)
{
  dacsa_listing_unref(object);
}

DacsaHandles *
dacsa_fuse_directories_new(uint32_t viewer)
{
  static const DacsaHandleOps ops = {listing_ref, listing_unref};

  return dacsa_handles_new(viewer, &ops);
}

/* A directory's listing as it is now. NULL: answered. */
static DacsaListing *
make_listing(fuse_req_t req, fuse_ino_t ino)
{
  g_auto(DacsaPlace) place = {0};
  g_autoptr(GError) error = NULL;
  DacsaListing *listing;

  if (!dacsa_fuse_find_place(req, ino, &place))
    return NULL;
  if (dacsa_listing_new(dacsa_fuse_context(req)->tree, &place, &listing, &error))
    return listing;
  dacsa_fuse_reply_error(req, error);
  return NULL;
}

/* Of an open directory: a reference. One that an earlier viewer opened is listed anew, in the same
 * order. NULL: answered. */
static DacsaListing *
find_listing(fuse_req_t req, fuse_ino_t ino, uint64_t handle)
{
  DacsaHandles *directories = dacsa_fuse_context(req)->directories;
  DacsaListing *listing = dacsa_handles_get(directories, handle);

  if (listing)
    return listing;
  listing = make_listing(req, ino);
  return listing ? dacsa_handles_adopt(directories, handle, listing) : NULL;
}

static void
fuse_op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
  DacsaHandles *directories = dacsa_fuse_context(req)->directories;
  DacsaListing *listing = make_listing(req, ino);

  if (!listing)
    return;
  fi->fh = dacsa_handles_add(directories, listing);
  if (fuse_reply_open(req, fi) != 0)
    dacsa_handles_remove(directories, fi->fh);
}

static void
fuse_op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
  (void)ino;
  dacsa_handles_remove(dacsa_fuse_context(req)->directories, fi->fh);
  fuse_reply_err(req, 0);
}

/* -- entries -- */

/* Writes entry i into buf: the bytes that it needs; if there are not so many, nothing is written.
 */
typedef size_t (*AddEntry)(fuse_req_t req, char *buf, size_t size, const DacsaListing *listing,
                           guint i);

/* As many entries from offset on as fit into size bytes. */
static void
reply_entries(fuse_req_t req, const DacsaListing *listing, size_t size, off_t offset, AddEntry add)
{
  const guint len = dacsa_listing_len(listing);
  g_autofree char *buf = g_malloc(size);
  size_t used = 0;

  for (guint i = (guint)MIN(offset, (off_t)len); i < len; i++) {
    const size_t n = add(req, buf + used, size - used, listing, i);

    if (n > size - used)
      break;
    used += n;
  }
  fuse_reply_buf(req, buf, used);
}

static size_t
add_entry(fuse_req_t req, char *buf, size_t size, const DacsaListing *listing, guint i)
{
  return fuse_add_direntry(req, buf, size, dacsa_listing_name(listing, i),
                           dacsa_listing_stat(listing, i), i + 1);
}

static void
fuse_op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                struct fuse_file_info *fi)
{
  g_autoptr(DacsaListing) listing = find_listing(req, ino, fi->fh);

  if (listing)
    reply_entries(req, listing, size, offset, add_entry);
}

/* What comes with an entry: a directory's attributes cost nothing, so the kernel need not look it
 * up. A file's would mean to carve it, for its size. */
static void
fill_entry(DacsaTree *tree, const struct stat *listed, struct fuse_entry_param *ret)
{
  g_auto(DacsaPlace) place = {0};

  *ret = (struct fuse_entry_param){.attr = *listed};
  if (!S_ISDIR(listed->st_mode) || !dacsa_tree_place(tree, listed->st_ino, &place, NULL) ||
      dacsa_tree_costs(&place) || !dacsa_tree_stat(tree, &place, &ret->attr, NULL))
    return;
  ret->ino = place.ino;
  ret->attr_timeout = dacsa_fuse_attr_timeout(&place);
  ret->entry_timeout = dacsa_fuse_entry_timeout(&place);
}

static size_t
add_entry_plus(fuse_req_t req, char *buf, size_t size, const DacsaListing *listing, guint i)
{
  const struct stat *listed = dacsa_listing_stat(listing, i);
  struct fuse_entry_param e = {.attr = *listed};

  if (i >= 2) /* behind `.` and `..` */
    fill_entry(dacsa_fuse_context(req)->tree, listed, &e);
  return fuse_add_direntry_plus(req, buf, size, dacsa_listing_name(listing, i), &e, i + 1);
}

static void
fuse_op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                    struct fuse_file_info *fi)
{
  g_autoptr(DacsaListing) listing = find_listing(req, ino, fi->fh);

  if (listing)
    reply_entries(req, listing, size, offset, add_entry_plus);
}

void
dacsa_fuse_directories_set(struct fuse_lowlevel_ops *ops)
{
  ops->opendir = fuse_op_opendir;
  ops->readdir = fuse_op_readdir;
  ops->readdirplus = fuse_op_readdirplus;
  ops->releasedir = fuse_op_releasedir;
}
