/* The tree: from inode numbers and names to places, and from places to what is there. FUSE and the
 * tests call this; nothing here knows of FUSE. */
#pragma once

#include "fs/file.h"
#include "fs/place.h"

#include <sys/stat.h>

#define DACSA_ROOT_INO UINT64_C(1)

typedef struct DacsaTree DacsaTree;

typedef struct {
  DacsaRegistry *registry; /* borrowed */
  gid_t group;             /* may read beside root; 0: nobody else */
  bool show_all;           /* directories list what else opens by name only */
  size_t cache_budget;     /* bytes of carved content kept */
  int64_t since_us;        /* UNIX time: the root's */
} DacsaTreeOptions;

DacsaTree *dacsa_tree_new(const DacsaTreeOptions *options);

/* All fail with NOT_FOUND where the VM, the snapshot or the name is not, or no longer, there; with
 * STALE inside a snapshot that ended unasked, of which its directory and `info` are left. */
bool dacsa_tree_place(DacsaTree *tree, uint64_t ino, DacsaPlace *ret,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool dacsa_tree_lookup(DacsaTree *tree, const DacsaPlace *parent, const char *name, DacsaPlace *ret,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Attributes, with the true size: the content is made for it if need be. */
bool dacsa_tree_stat(DacsaTree *tree, const DacsaPlace *place, struct stat *ret,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

typedef void (*DacsaTreeEntry)(const char *name, uint64_t ino, mode_t type, void *data);

/* Calls entry for everything a directory lists, `.` and `..` first. */
bool dacsa_tree_list(DacsaTree *tree, const DacsaPlace *place, DacsaTreeEntry entry, void *data,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A file's content. */
bool dacsa_tree_open(DacsaTree *tree, const DacsaPlace *place, DacsaFile **ret,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A symbolic link's target; owned. */
bool dacsa_tree_readlink(DacsaTree *tree, const DacsaPlace *place, char **ret,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Whether the place's content may change while the snapshot lives (status, info, errors), and
 * whether the place lies inside a snapshot, where nothing else does. */
bool dacsa_tree_is_live(const DacsaPlace *place);
bool dacsa_tree_is_vm(const DacsaPlace *place); /* a VM's directory: mkdir takes snapshots */
bool dacsa_tree_is_snapshot(const DacsaPlace *place);
bool dacsa_tree_costs(const DacsaPlace *place); /* its attributes are not to be had for nothing */
bool dacsa_tree_is_directory(const DacsaPlace *place);

/* Forgets what was carved of a snapshot that is gone. */
void dacsa_tree_forget(DacsaTree *tree, uint32_t snapshot_serial);
