/* The file system is read-only, whatever is asked of it. */
#define FUSE_USE_VERSION 314

#include "fs/fuse-refuse.h"

#include <errno.h>
#include <fuse_lowlevel.h>

static void
refuse(fuse_req_t req)
{
  fuse_reply_err(req, EROFS);
}

static void
fuse_op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
                struct fuse_file_info *fi)
{
  (void)ino;
  (void)attr;
  (void)to_set;
  (void)fi;
  refuse(req);
}

static void
fuse_op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
               struct fuse_file_info *fi)
{
  (void)parent;
  (void)name;
  (void)mode;
  (void)fi;
  refuse(req);
}

static void
fuse_op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
  (void)parent;
  (void)name;
  (void)mode;
  (void)rdev;
  refuse(req);
}

static void
fuse_op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
  (void)parent;
  (void)name;
  refuse(req);
}

static void
fuse_op_symlink(fuse_req_t req, const char *link, fuse_ino_t parent, const char *name)
{
  (void)link;
  (void)parent;
  (void)name;
  refuse(req);
}

static void
fuse_op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent,
               const char *newname, unsigned flags)
{
  (void)parent;
  (void)name;
  (void)newparent;
  (void)newname;
  (void)flags;
  refuse(req);
}

static void
fuse_op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t newparent, const char *newname)
{
  (void)ino;
  (void)newparent;
  (void)newname;
  refuse(req);
}

static void
fuse_op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size,
                 int flags)
{
  (void)ino;
  (void)name;
  (void)value;
  (void)size;
  (void)flags;
  refuse(req);
}

void
dacsa_fuse_refuse(struct fuse_lowlevel_ops *ops)
{
  ops->setattr = fuse_op_setattr;
  ops->create = fuse_op_create;
  ops->mknod = fuse_op_mknod;
  ops->unlink = fuse_op_unlink;
  ops->symlink = fuse_op_symlink;
  ops->rename = fuse_op_rename;
  ops->link = fuse_op_link;
  ops->setxattr = fuse_op_setxattr;
}
