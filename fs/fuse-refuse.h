/* FUSE requests that would change something: refused with EROFS. */
#pragma once

struct fuse_lowlevel_ops;

/* Sets those operations. */
void dacsa_fuse_refuse(struct fuse_lowlevel_ops *ops);
