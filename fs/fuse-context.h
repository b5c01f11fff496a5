/* What the answers to FUSE requests share: what they are made from, how the place of an inode is
 * found, and for how long the kernel may keep what it is told of one. For fs/fuse*.c alone. */
#pragma once

#define FUSE_USE_VERSION 314

#include "fs/fuse.h"
#include "fs/handles.h"

#include <fuse_lowlevel.h>

typedef struct {
  DacsaTree *tree;
  const DacsaFuseActions *actions;
  DacsaHandles *files;       /* of DacsaFile */
  DacsaHandles *directories; /* of DacsaListing */
} DacsaFuseContext;

/* The session's. */
const DacsaFuseContext *dacsa_fuse_context(fuse_req_t req);

void dacsa_fuse_reply_error(fuse_req_t req, const GError *error);

/* false: the request is answered. */
bool dacsa_fuse_find_place(fuse_req_t req, fuse_ino_t ino,
                           DacsaPlace *ret) G_GNUC_WARN_UNUSED_RESULT;

/* Seconds that the kernel may keep a place's attributes, and its name. */
double dacsa_fuse_attr_timeout(const DacsaPlace *place);
double dacsa_fuse_entry_timeout(const DacsaPlace *place);
