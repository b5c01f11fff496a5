/* FUSE requests to list directories. */
#pragma once

#include "fs/handles.h"

struct fuse_lowlevel_ops;

/* Handles of open directories (DacsaListing). viewer: as dacsa_handles_new has it. */
DacsaHandles *dacsa_fuse_directories_new(uint32_t viewer);

/* Sets the operations on them. */
void dacsa_fuse_directories_set(struct fuse_lowlevel_ops *ops);
