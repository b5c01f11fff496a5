/* The FUSE front end: libfuse's low-level API. The kernel keeps inode numbers and handles that an
 * earlier viewer gave out, which has crashed. */
#include "fs/fuse.h"

#include "fs/fuse-context.h"
#include "fs/fuse-directories.h"
#include "fs/fuse-refuse.h"
#include "snap/error.h"
#include "snap/state.h"

#include <errno.h>
#include <unistd.h>

#define MAX_READ (1u << 20)

static void
fuse_op_init(void *data, struct fuse_conn_info *conn)
{
  (void)data;
  conn->max_read = MAX_READ;        /* as the mount option says, or libfuse refuses */
  conn->max_readahead = UINT32_MAX; /* the kernel's own limit decides */
  conn->max_background = 64;
  conn->congestion_threshold = 48;
  conn->want &= ~(unsigned)FUSE_CAP_AUTO_INVAL_DATA;
  if (conn->capable & FUSE_CAP_PARALLEL_DIROPS)
    conn->want |= FUSE_CAP_PARALLEL_DIROPS;
}

static void
reply_entry(fuse_req_t req, const DacsaPlace *place)
{
  struct fuse_entry_param e = {.ino = place->ino, .attr_timeout = dacsa_fuse_attr_timeout(place)};
  g_autoptr(GError) error = NULL;

  e.entry_timeout = dacsa_fuse_entry_timeout(place);
  if (dacsa_tree_stat(dacsa_fuse_context(req)->tree, place, &e.attr, &error))
    fuse_reply_entry(req, &e);
  else
    dacsa_fuse_reply_error(req, error);
}

static void
fuse_op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
  DacsaTree *tree = dacsa_fuse_context(req)->tree;
  g_auto(DacsaPlace) dir = {0};
  g_auto(DacsaPlace) place = {0};
  g_autoptr(GError) error = NULL;

  if (!dacsa_fuse_find_place(req, parent, &dir))
    return;
  if (dacsa_tree_lookup(tree, &dir, name, &place, &error))
    reply_entry(req, &place);
  else
    dacsa_fuse_reply_error(req, error);
}

static void
fuse_op_readlink(fuse_req_t req, fuse_ino_t ino)
{
  g_auto(DacsaPlace) place = {0};
  g_autofree char *target = NULL;
  g_autoptr(GError) error = NULL;

  if (!dacsa_fuse_find_place(req, ino, &place))
    return;
  if (dacsa_tree_readlink(dacsa_fuse_context(req)->tree, &place, &target, &error))
    fuse_reply_readlink(req, target);
  else
    dacsa_fuse_reply_error(req, error);
}

/* -- files -- */

static void *
file_ref(void *object)
{
  return dacsa_file_ref(object);
}

static void
file_unref(void *object)
{
  dacsa_file_unref(object);
}

/* The content of an open file: a reference. One that an earlier viewer opened is opened again; what
 * lies in a snapshot has the same bytes. NULL: answered. */
static DacsaFile *
find_file(fuse_req_t req, fuse_ino_t ino, uint64_t handle)
{
  const DacsaFuseContext *c = dacsa_fuse_context(req);
  DacsaFile *file = dacsa_handles_get(c->files, handle);
  g_auto(DacsaPlace) place = {0};
  g_autoptr(GError) error = NULL;

  if (file || !dacsa_fuse_find_place(req, ino, &place))
    return file;
  if (dacsa_tree_open(c->tree, &place, &file, &error))
    return dacsa_handles_adopt(c->files, handle, file);
  dacsa_fuse_reply_error(req, error);
  return NULL;
}

static void
fuse_op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
  DacsaTree *tree = dacsa_fuse_context(req)->tree;
  g_auto(DacsaPlace) place = {0};
  g_autoptr(DacsaFile) file = NULL;
  g_autoptr(GError) error = NULL;
  struct stat st;

  if (!dacsa_fuse_find_place(req, ino, &place))
    return;
  if (!dacsa_tree_stat(tree, &place, &st, &error)) {
    dacsa_fuse_reply_error(req, error);
    return;
  }
  /* An open file keeps the size of the content it was opened with. */
  if (fi && S_ISREG(st.st_mode)) {
    file = find_file(req, ino, fi->fh);
    if (!file)
      return;
    st.st_size = (off_t)dacsa_file_size(file);
  }
  fuse_reply_attr(req, &st, dacsa_fuse_attr_timeout(&place));
}

static void
fuse_op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
  const DacsaFuseContext *c = dacsa_fuse_context(req);
  g_auto(DacsaPlace) place = {0};
  g_autoptr(GError) error = NULL;
  DacsaFile *file;

  if ((fi->flags & O_ACCMODE) != O_RDONLY || fi->flags & O_TRUNC) {
    fuse_reply_err(req, EROFS);
    return;
  }
  if (!dacsa_fuse_find_place(req, ino, &place))
    return;
  if (place.vm && !place.snapshot) {
    c->actions->refresh(place.vm->name, c->actions->data);
    dacsa_place_clear(&place);
    if (!dacsa_fuse_find_place(req, ino, &place))
      return;
  }
  if (!dacsa_tree_open(c->tree, &place, &file, &error)) {
    dacsa_fuse_reply_error(req, error);
    return;
  }
  fi->fh = dacsa_handles_add(c->files, file);
  fi->keep_cache = !dacsa_tree_is_live(&place);
  if (fuse_reply_open(req, fi) != 0)
    dacsa_handles_remove(c->files, fi->fh);
}

static void
fuse_op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
  (void)ino;
  dacsa_handles_remove(dacsa_fuse_context(req)->files, fi->fh);
  fuse_reply_err(req, 0);
}

/* Each thread reads into a buffer of its own, kept from one request to the next. */
static void *
thread_buffer(void)
{
  static GPrivate buffer = G_PRIVATE_INIT(g_free);

  if (!g_private_get(&buffer))
    g_private_set(&buffer, g_malloc(MAX_READ));
  return g_private_get(&buffer);
}

static void
fuse_op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
  g_autoptr(DacsaFile) file = find_file(req, ino, fi->fh);
  g_autoptr(GError) error = NULL;
  void *buf = thread_buffer();
  size_t n;

  if (!file)
    return;
  if (dacsa_file_read(file, (uint64_t)offset, buf, MIN(size, MAX_READ), &n, &error))
    fuse_reply_buf(req, buf, n);
  else
    dacsa_fuse_reply_error(req, error);
}

static void
fuse_op_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence, struct fuse_file_info *fi)
{
  g_autoptr(DacsaFile) file = NULL;
  uint64_t at;

  if (whence != SEEK_DATA && whence != SEEK_HOLE) {
    fuse_reply_err(req, EINVAL);
    return;
  }
  file = find_file(req, ino, fi->fh);
  if (!file)
    return;
  if (offset < 0 || !dacsa_file_seek(file, (uint64_t)offset, whence == SEEK_HOLE, &at))
    fuse_reply_err(req, ENXIO);
  else
    fuse_reply_lseek(req, (off_t)at);
}

/* -- taking and dropping -- */

static void
fuse_op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
  const DacsaFuseContext *c = dacsa_fuse_context(req);
  g_auto(DacsaPlace) dir = {0};
  g_auto(DacsaPlace) place = {0};

  (void)mode;
  if (!dacsa_fuse_find_place(req, parent, &dir))
    return;
  if (!dacsa_tree_is_vm(&dir)) {
    fuse_reply_err(req, EROFS);
    return;
  }
  if (dacsa_tree_lookup(c->tree, &dir, name, &place, NULL)) {
    fuse_reply_err(req, EEXIST);
    return;
  }
  if (!dacsa_state_is_name(dir.vm->name, name)) {
    fuse_reply_err(req, EINVAL);
    return;
  }
  int errsv = c->actions->take(dir.vm->name, name, c->actions->data);
  if (errsv != 0) {
    fuse_reply_err(req, errsv);
    return;
  }
  fuse_op_lookup(req, parent, name);
}

static void
fuse_op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
  const DacsaFuseContext *c = dacsa_fuse_context(req);
  g_auto(DacsaPlace) dir = {0};
  g_auto(DacsaPlace) place = {0};
  g_autoptr(GError) error = NULL;

  if (!dacsa_fuse_find_place(req, parent, &dir))
    return;
  if (!dacsa_tree_lookup(c->tree, &dir, name, &place, &error)) {
    dacsa_fuse_reply_error(req, error);
    return;
  }
  if (!dacsa_tree_is_vm(&dir) || !place.snapshot) {
    fuse_reply_err(req, dacsa_tree_is_directory(&place) ? EROFS : ENOTDIR);
    return;
  }
  fuse_reply_err(req, c->actions->drop(dir.vm->name, name, c->actions->data));
}

/* -- serving -- */

static void
fuse_op_statfs(fuse_req_t req, fuse_ino_t ino)
{
  const struct statvfs st = {.f_bsize = 4096, .f_frsize = 4096, .f_namemax = 255};

  (void)ino;
  fuse_reply_statfs(req, &st);
}

bool
dacsa_fuse_serve(DacsaTree *tree, uint32_t viewer, const DacsaFuseActions *actions,
                 const DacsaLoopOptions *loop, GError **error)
{
  struct fuse_lowlevel_ops ops = {
      .init = fuse_op_init,
      .lookup = fuse_op_lookup,
      .getattr = fuse_op_getattr,
      .readlink = fuse_op_readlink,
      .open = fuse_op_open,
      .read = fuse_op_read,
      .lseek = fuse_op_lseek,
      .release = fuse_op_release,
      .mkdir = fuse_op_mkdir,
      .rmdir = fuse_op_rmdir,
      .statfs = fuse_op_statfs,
  };
  static const DacsaHandleOps of_files = {file_ref, file_unref};
  g_autofree char *max_read = g_strdup_printf("max_read=%u", MAX_READ);
  g_autofree char *mountpoint = g_strdup_printf("/dev/fd/%d", loop->fd);
  char *argv[] = {(char *)(uintptr_t) "dacsa", (char *)(uintptr_t) "-o", max_read, NULL};
  struct fuse_args args = FUSE_ARGS_INIT(3, argv);
  DacsaFuseContext *c = g_new(DacsaFuseContext, 1);

  dacsa_fuse_directories_set(&ops);
  dacsa_fuse_refuse(&ops);
  *c = (DacsaFuseContext){tree, actions, dacsa_handles_new(viewer, &of_files),
                          dacsa_fuse_directories_new(viewer)};
  struct fuse_session *session = fuse_session_new(&args, &ops, sizeof(ops), c);
  if (!session || fuse_session_mount(session, mountpoint) != 0)
    return dacsa_fail(error, DACSA_ERROR_OS, "libfuse cannot serve /dev/fuse");
  if (!dacsa_loop_run(session, loop, error))
    return false;
  fuse_session_unmount(session);
  fuse_session_destroy(session);
  fuse_opt_free_args(&args);
  dacsa_handles_free(c->files);
  dacsa_handles_free(c->directories);
  g_free(c);
  return true;
}
