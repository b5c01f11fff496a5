/*
 * A tree of directories and files, made once and then only read: what a guest has cached. An entry
 * is known by its id, which is its number in the order of adding. Small, for there may be a
 * million.
 */
#pragma once

#include "parsers/guest.h"

#define DACSA_FILETREE_MAX_NAME 255u /* bytes; what is added may be longer, and is cut */

typedef struct DacsaFiletree DacsaFiletree;

DacsaFiletree *dacsa_filetree_new(void);
void dacsa_filetree_free(DacsaFiletree *tree);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaFiletree, dacsa_filetree_free)

/*
 * Adds a file, or a directory, to a directory (0: the top). object: what the caller knows it by;
 * number: what tells it from another of the same name: `name#number`. 0: the tree is full.
 */
uint32_t dacsa_filetree_add(DacsaFiletree *tree, uint32_t parent, bool is_directory,
                            const char *name, uint64_t object, uint64_t number);

/* After the last: sorts, and gives each entry a name that no other one of its directory has. The
 * number of entries that had to be left out, because none could be found. */
uint32_t dacsa_filetree_finish(DacsaFiletree *tree);

/* The three below are as in DacsaGuestOs; of a finished tree, from any thread. */
bool dacsa_filetree_list(const DacsaFiletree *tree, uint32_t directory, GArray **ret,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool dacsa_filetree_lookup(const DacsaFiletree *tree, uint32_t directory, const char *name,
                           DacsaGuestFile *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool dacsa_filetree_get(const DacsaFiletree *tree, uint32_t id, DacsaGuestFile *ret,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The object of a file. NOT_FOUND: there is none, or it is a directory. */
bool dacsa_filetree_object(const DacsaFiletree *tree, uint32_t id, uint64_t *ret,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Where it is, for messages: `a/b/c`, names escaped as little as the guest did. Owned. */
char *dacsa_filetree_path(const DacsaFiletree *tree, uint32_t id);
