/*
 * The yardstick of physmem: the least that a FUSE server can do. One file, "memory", of MIB
 * mebibytes, answered from the server's own memory.
 *
 *   memfile MOUNTPOINT MIB
 *
 * What the kernel is told is what `dacsa mount` tells it: request size, page cache, background
 * requests, threads. Readahead is a setting of the mount, for the caller to make equal.
 */
#define FUSE_USE_VERSION 314

#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define MAX_READ (1u << 20)
#define INO 2
#define FOREVER 86400.0
#define HUGE_PAGE (2u << 20)

static char *memory;
static size_t size;

static void
memfile_init(void *data, struct fuse_conn_info *conn)
{
  (void)data;
  conn->max_read = MAX_READ;
  conn->max_readahead = UINT32_MAX;
  conn->max_background = 64;
  conn->congestion_threshold = 48;
  conn->want &= ~(unsigned)FUSE_CAP_AUTO_INVAL_DATA;
}

static int
stat_of(fuse_ino_t ino, struct stat *st)
{
  *st = (struct stat){.st_ino = ino, .st_nlink = 1, .st_mode = S_IFDIR | 0555};
  if (ino == INO) {
    st->st_mode = S_IFREG | 0444;
    st->st_size = (off_t)size;
  }
  return ino == INO || ino == FUSE_ROOT_ID;
}

static void
memfile_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
  struct fuse_entry_param e = {.ino = INO, .attr_timeout = FOREVER, .entry_timeout = FOREVER};

  (void)parent;
  stat_of(INO, &e.attr);
  if (strcmp(name, "memory") == 0)
    fuse_reply_entry(req, &e);
  else
    fuse_reply_err(req, ENOENT);
}

static void
memfile_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
  struct stat st;

  (void)fi;
  if (stat_of(ino, &st))
    fuse_reply_attr(req, &st, FOREVER);
  else
    fuse_reply_err(req, ENOENT);
}

static void
memfile_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
  (void)ino;
  fi->keep_cache = 1;
  fuse_reply_open(req, fi);
}

static void
memfile_read(fuse_req_t req, fuse_ino_t ino, size_t len, off_t offset, struct fuse_file_info *fi)
{
  size_t at = (size_t)offset;

  (void)ino;
  (void)fi;
  if (at >= size)
    len = 0;
  else if (len > size - at)
    len = size - at;
  fuse_reply_buf(req, memory + at, len);
}

/* Huge pages, as QEMU's guest memory has; each page with something in it. */
static int
fill(void)
{
  memory = mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    return 0;
  memory += -(uintptr_t)memory % HUGE_PAGE;
  madvise(memory, size, MADV_HUGEPAGE);
  memset(memory, 'm', size);
  return 1;
}

static int
serve(struct fuse_session *session, const char *mountpoint)
{
  struct fuse_loop_config *config = fuse_loop_cfg_create();
  int status = 1;

  fuse_loop_cfg_set_clone_fd(config, 0);
  fuse_loop_cfg_set_max_threads(config, 16);
  if (fuse_set_signal_handlers(session) == 0 && fuse_session_mount(session, mountpoint) == 0) {
    status = fuse_session_loop_mt(session, config) < 0;
    fuse_session_unmount(session);
  }
  fuse_remove_signal_handlers(session);
  fuse_loop_cfg_destroy(config);
  return status;
}

int
main(int argc, char **argv)
{
  static const struct fuse_lowlevel_ops ops = {
      .init = memfile_init,
      .lookup = memfile_lookup,
      .getattr = memfile_getattr,
      .open = memfile_open,
      .read = memfile_read,
  };
  char options[] = "max_read=1048576,allow_other,default_permissions";
  char name[] = "memfile", o[] = "-o";
  char *session_argv[] = {name, o, options, NULL};
  struct fuse_args args = FUSE_ARGS_INIT(3, session_argv);

  if (argc != 3) {
    fprintf(stderr, "usage: memfile MOUNTPOINT MIB\n");
    return 2;
  }
  size = strtoul(argv[2], NULL, 10) << 20;
  struct fuse_session *session = fill() ? fuse_session_new(&args, &ops, sizeof(ops), NULL) : NULL;
  if (!session)
    return 1;
  int status = serve(session, argv[1]);
  fuse_session_destroy(session);
  return status;
}
