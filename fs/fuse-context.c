/* The session's context, places, timeouts. What lives in a snapshot never changes, so the kernel
 * may keep names and attributes of it; what does change it asks for each time. */
#include "fs/fuse-context.h"

#include "snap/error.h"

#include <errno.h>

#define FOREVER 86400.0 /* seconds; within a snapshot */
#define BRIEFLY 1.0     /* a VM's or snapshot's own name: it may go */

const DacsaFuseContext *
dacsa_fuse_context(fuse_req_t req)
{
  return fuse_req_userdata(req);
}

void
dacsa_fuse_reply_error(fuse_req_t req, const GError *error)
{
  fuse_reply_err(req, dacsa_error_errno(error));
}

/* A number that stands for nothing, or no longer, is stale, and the kernel looks its path up again:
 * it finds what there is, or that there is nothing. */
bool
dacsa_fuse_find_place(fuse_req_t req, fuse_ino_t ino, DacsaPlace *ret)
{
  g_autoptr(GError) error = NULL;

  if (dacsa_tree_place(dacsa_fuse_context(req)->tree, ino, ret, &error))
    return true;
  if (g_error_matches(error, DACSA_ERROR, DACSA_ERROR_NOT_FOUND))
    fuse_reply_err(req, ESTALE);
  else
    dacsa_fuse_reply_error(req, error);
  return false;
}

/* Directories of VMs change by what the kernel asks for itself, or rarely. Their attributes are
 * looked at for every path below them. */
double
dacsa_fuse_attr_timeout(const DacsaPlace *place)
{
  if (!dacsa_tree_is_live(place))
    return FOREVER;
  return dacsa_tree_is_directory(place) ? BRIEFLY : 0;
}

/* A directory that is gone must not be found for long; a file lives and dies with its directory. */
double
dacsa_fuse_entry_timeout(const DacsaPlace *place)
{
  return place->snapshot && !dacsa_tree_is_snapshot(place) ? FOREVER : BRIEFLY;
}
