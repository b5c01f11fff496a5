/* Open files of processes made by hand: what is printed is what /proc/PID/fd and fdinfo would tell,
 * of files of every kind, and of tables that a hostile guest would have. */
#include "check.h"
#include "fake-opens.h"
#include "fake-mem.h"

#include "parsers/linux/fds.h"

#include <string.h>
#include <sys/stat.h>

#define TASK(n) FAKE(n)
#define FILES FAKE(0x10)
#define FILE_AT(n) FAKE(0x100 + (n))
#define INODE(n) FAKE(0x200 + (n))
#define DENTRY(n) FAKE(0x300 + (n))
#define TEXT(n) FAKE(0x400 + (n))
#define OPS(n) FAKE(0x500 + (n)) /* dentry_operations */
#define MOUNT FAKE(0x600)
#define ROOT FAKE(0x601) /* the dentry */
#define FS FAKE(0x602)
#define SUPER FAKE(0x603)
#define NS FAKE(0x604)
#define NS_OPS FAKE(0x605)
#define DMA_BUF FAKE(0x606)
#define NS_MOUNT FAKE(0x607)
#define MOUNTPOINT FAKE(0x608) /* a dentry */
#define DNAME(symbol) (UINT64_C(0xffffffff81000000) + 0x100u * (symbol))

#define HEADER "fd type mode flags pos dev ino mnt_id path\n"

static const DacsaMember members[M_N] = {
    FAKE_AT(M_TASK_FS, 8),
    FAKE_AT(M_FS_ROOT, 16),
    FAKE_AT(M_FILE_MODE, 4),
    FAKE_AT(M_FILE_FLAGS, 4),
    FAKE_AT(M_FILE_POS, 8),
    FAKE_AT(M_FILE_INODE, 8),
    FAKE_AT(M_FILE_PATH, 16),
    FAKE_AT(M_INODE_MODE, 2),
    FAKE_AT(M_INODE_INO, 8),
    FAKE_AT(M_INODE_SB, 8),
    FAKE_AT(M_INODE_PRIVATE, 8),
    FAKE_AT(M_SB_DEV, 4),
    FAKE_AT(M_DENTRY_PARENT, 8),
    FAKE_AT(M_DENTRY_NAME, 16),
    FAKE_AT(M_DENTRY_OP, 8),
    FAKE_AT(M_DENTRY_INODE, 8),
    FAKE_AT(M_DENTRY_FSDATA, 8),
    FAKE_AT(M_DENTRY_HASH_PPREV, 8),
    FAKE_AT(M_DENTRY_OP_DNAME, 8),
    FAKE_AT(M_MOUNT_MNT, 16),
    FAKE_AT(M_MOUNT_PARENT, 8),
    FAKE_AT(M_MOUNT_MOUNTPOINT, 8),
    FAKE_AT(M_MOUNT_ID, 4),
    FAKE_AT(M_VFSMOUNT_ROOT, 8),
    FAKE_AT(M_NS_COMMON_OPS, 8),
    FAKE_AT(M_NS_OPS_NAME, 8),
    FAKE_AT(M_DMA_BUF_NAME, 8),
    /* inside of another one each */
    [M_PATH_MNT] = {.known = true, .offset = 0, .size = 8},
    [M_PATH_DENTRY] = {.known = true, .offset = 8, .size = 8},
    [M_QSTR_LEN] = {.known = true, .offset = 4, .size = 4},
    [M_QSTR_NAME] = {.known = true, .offset = 8, .size = 8},
};

static const DacsaLinuxSymbol dnames[] = {S_SIMPLE_DNAME,  S_ANON_INODEFS_DNAME, S_PIPEFS_DNAME,
                                          S_SOCKFS_DNAME,  S_NS_DNAME,           S_PIDFS_DNAME,
                                          S_DMABUFFS_DNAME};

static uint64_t
vfsmount(FakeOpens *f, uint64_t mount)
{
  return fake_opens_at(f, mount, M_MOUNT_MNT);
}

static void
put_path(FakeOpens *f, uint64_t path, uint64_t mount, uint64_t dentry)
{
  fake_opens_put(f, path, M_PATH_MNT, vfsmount(f, mount));
  fake_opens_put(f, path, M_PATH_DENTRY, dentry);
}

static void
put_dentry(FakeOpens *f, uint64_t dentry, uint64_t parent, uint64_t text, const char *name)
{
  const uint64_t qstr = fake_opens_at(f, dentry, M_DENTRY_NAME);

  fake_mem_string(f->l.memory, text, name);
  fake_opens_put(f, dentry, M_DENTRY_PARENT, parent);
  fake_opens_put(f, dentry, M_DENTRY_HASH_PPREV, 1);
  fake_opens_put(f, dentry, M_DENTRY_OP, 0);
  fake_opens_put(f, qstr, M_QSTR_LEN, strlen(name));
  fake_opens_put(f, qstr, M_QSTR_NAME, text);
}

/* File n, inode number 100 + n, called `name` in the root; dname: how it names itself, or S_N. */
static void
put_file(FakeOpens *f, unsigned n, unsigned mode, const char *name, DacsaLinuxSymbol dname)
{
  const uint64_t file = FILE_AT(n);

  put_dentry(f, DENTRY(n), dname == S_N ? ROOT : DENTRY(n), TEXT(n), name);
  if (dname != S_N)
    fake_opens_put(f, DENTRY(n), M_DENTRY_OP, OPS(dname));
  fake_opens_put(f, DENTRY(n), M_DENTRY_INODE, INODE(n));
  fake_opens_put(f, file, M_FILE_MODE, 3);
  fake_opens_put(f, file, M_FILE_FLAGS, 0100002);
  fake_opens_put(f, file, M_FILE_POS, 0);
  fake_opens_put(f, file, M_FILE_INODE, INODE(n));
  put_path(f, fake_opens_at(f, file, M_FILE_PATH), MOUNT, DENTRY(n));
  fake_opens_put(f, INODE(n), M_INODE_MODE, mode);
  fake_opens_put(f, INODE(n), M_INODE_INO, 100 + n);
  fake_opens_put(f, INODE(n), M_INODE_SB, SUPER);
}

static void
put_mounts(FakeOpens *f)
{
  put_dentry(f, ROOT, ROOT, FAKE(0x700), "/");
  put_dentry(f, MOUNTPOINT, ROOT, FAKE(0x701), "bound");
  fake_opens_put(f, MOUNT, M_MOUNT_PARENT, MOUNT);
  fake_opens_put(f, MOUNT, M_MOUNT_ID, 21);
  fake_opens_put(f, vfsmount(f, MOUNT), M_VFSMOUNT_ROOT, ROOT);
  fake_opens_put(f, NS_MOUNT, M_MOUNT_PARENT, MOUNT);
  fake_opens_put(f, NS_MOUNT, M_MOUNT_MOUNTPOINT, MOUNTPOINT);
  fake_opens_put(f, NS_MOUNT, M_MOUNT_ID, 22);
  fake_opens_put(f, SUPER, M_SB_DEV, 8u << 20 | 1);
  for (size_t i = 0; i < G_N_ELEMENTS(dnames); i++) {
    f->kernel.symbols[dnames[i]] = DNAME(dnames[i]);
    fake_opens_put(f, OPS(dnames[i]), M_DENTRY_OP_DNAME, DNAME(dnames[i]));
  }
}

/* Process 1 has the files, process 2 none. */
static void
set_up(FakeOpens *f)
{
  static const uint64_t tasks[] = {TASK(1), TASK(2)};
  static const char *const names[] = {"init", "kthreadd"};

  fake_opens_init(f, members);
  fake_opens_tasks(f, tasks, names, 2);
  fake_opens_put(f, TASK(1), M_TASK_FS, FS);
  put_mounts(f);
  put_path(f, fake_opens_at(f, FS, M_FS_ROOT), MOUNT, ROOT);
  fake_opens_put(f, TASK(1), M_TASK_FILES, FILES);
  fake_opens_files(f, FILES, 128);
}

static void
open_as(FakeOpens *f, uint32_t fd, unsigned n)
{
  fake_opens_open(f, FILES, fd, FILE_AT(n), false);
}

static void
check_fds(FakeOpens *f, uint32_t pid, const char *expected)
{
  g_autoptr(GString) out = g_string_new(NULL);
  g_autoptr(GError) error = NULL;

  CHECK_OK(dacsa_linux_text_fds(&f->l.guest, pid, out, &error), error);
  g_assert_cmpstr(out->str, ==, expected);
}

/* -- tests -- */

static void
test_files(void)
{
  g_auto(FakeOpens) f;

  set_up(&f);
  put_file(&f, 0, S_IFCHR, "null", S_N);
  put_file(&f, 1, S_IFREG, "a file", S_N);
  put_file(&f, 2, S_IFREG, "gone", S_N);
  put_file(&f, 3, S_IFDIR, "dir", S_N);
  fake_opens_put(&f, FILE_AT(0), M_FILE_MODE, 1);
  fake_opens_put(&f, FILE_AT(1), M_FILE_MODE, 2);
  fake_opens_put(&f, FILE_AT(1), M_FILE_POS, 12345678901);
  fake_opens_put(&f, FILE_AT(2), M_FILE_POS, UINT64_MAX);
  fake_opens_put(&f, DENTRY(2), M_DENTRY_HASH_PPREV, 0);
  fake_opens_put(&f, FILE_AT(3), M_FILE_MODE, 0x4000); /* O_PATH */
  fake_opens_put(&f, FILE_AT(3), M_FILE_FLAGS, 012000000);
  open_as(&f, 0, 0);
  fake_opens_open(&f, FILES, 1, FILE_AT(1), true);
  open_as(&f, 63, 2);
  open_as(&f, 127, 3);
  fake_opens_open(&f, FILES, 5, 0, false); /* being opened */
  check_fds(&f, 1,
            "fd  type mode flags     pos         dev ino mnt_id path\n"
            "0   CHR  r    0100002   0           8:1 100 21     /null\n"
            "1   REG  w    02100002  12345678901 8:1 101 21     /a file\n"
            "63  REG  rw   0100002   -1          8:1 102 21     /gone (deleted)\n"
            "127 DIR  -    010000000 0           8:1 103 21     /dir\n");
  fake_opens_check_errors(&f, "");
}

static void
test_files_that_name_themselves(void)
{
  g_auto(FakeOpens) f;

  set_up(&f);
  put_file(&f, 0, S_IFIFO, "", S_PIPEFS_DNAME);
  put_file(&f, 1, S_IFSOCK, "", S_SOCKFS_DNAME);
  put_file(&f, 2, S_IFREG, "", S_NS_DNAME);
  put_file(&f, 3, 0600, "[eventfd]", S_ANON_INODEFS_DNAME);
  put_file(&f, 4, 0600, "inotify", S_ANON_INODEFS_DNAME);
  put_file(&f, 5, S_IFREG, "memfd:x", S_SIMPLE_DNAME);
  put_file(&f, 6, S_IFREG, "SYSV00000001", S_SIMPLE_DNAME);
  put_file(&f, 7, 0600, "pidfd", S_PIDFS_DNAME);
  put_file(&f, 8, S_IFREG, "dmabuf", S_DMABUFFS_DNAME);
  fake_opens_put(&f, INODE(2), M_INODE_PRIVATE, NS);
  fake_opens_put(&f, NS, M_NS_COMMON_OPS, NS_OPS);
  fake_opens_put(&f, NS_OPS, M_NS_OPS_NAME, FAKE(0x702));
  fake_mem_string(f.l.memory, FAKE(0x702), "net");
  fake_opens_put(&f, DENTRY(8), M_DENTRY_FSDATA, DMA_BUF);
  fake_opens_put(&f, DMA_BUF, M_DMA_BUF_NAME, 0);
  for (unsigned n = 0; n < 9; n++)
    open_as(&f, n, n);
  check_fds(&f, 1,
            "fd type    mode flags   pos dev ino mnt_id path\n"
            "0  FIFO    rw   0100002 0   8:1 100 21     pipe:[100]\n"
            "1  SOCK    rw   0100002 0   8:1 101 21     socket:[101]\n"
            "2  ns      rw   0100002 0   8:1 102 21     net:[102]\n"
            "3  eventfd rw   0100002 0   8:1 103 21     anon_inode:[eventfd]\n"
            "4  inotify rw   0100002 0   8:1 104 21     anon_inode:inotify\n"
            "5  memfd   rw   0100002 0   8:1 105 21     /memfd:x (deleted)\n"
            "6  REG     rw   0100002 0   8:1 106 21     /SYSV00000001 (deleted)\n"
            "7  pidfd   rw   0100002 0   8:1 107 21     anon_inode:[pidfd]\n"
            "8  dmabuf  rw   0100002 0   8:1 108 21     /dmabuf:\n");
  fake_opens_check_errors(&f, "");
}

/* A namespace that is bound to a file has that place. */
static void
test_bound_namespace(void)
{
  g_auto(FakeOpens) f;

  set_up(&f);
  put_file(&f, 0, S_IFREG, "", S_NS_DNAME);
  fake_opens_put(&f, vfsmount(&f, NS_MOUNT), M_VFSMOUNT_ROOT, DENTRY(0));
  put_path(&f, fake_opens_at(&f, FILE_AT(0), M_FILE_PATH), NS_MOUNT, DENTRY(0));
  open_as(&f, 3, 0);
  check_fds(&f, 1,
            "fd type mode flags   pos dev ino mnt_id path\n"
            "3  REG  rw   0100002 0   8:1 100 22     /bound\n");
  fake_opens_check_errors(&f, "");
}

static void
test_no_files(void)
{
  g_auto(FakeOpens) f;
  g_autoptr(GString) out = g_string_new(NULL);
  g_autoptr(GError) error = NULL;

  set_up(&f);
  check_fds(&f, 1, HEADER);
  check_fds(&f, 2, HEADER);
  CHECK_FAILS(dacsa_linux_text_fds(&f.l.guest, 3, out, &error), error, DACSA_ERROR_NOT_FOUND);
  fake_opens_check_errors(&f, "");
}

static void
test_json(void)
{
  g_auto(FakeOpens) f;
  g_autoptr(GString) out = g_string_new(NULL);
  g_autoptr(GError) error = NULL;

  set_up(&f);
  put_file(&f, 0, S_IFREG, "x", S_N);
  open_as(&f, 3, 0);
  fake_opens_put(&f, TASK(2), M_TASK_FILES, FILES);
  CHECK_OK(dacsa_linux_json_fds(&f.l.guest, out, &error), error);
  g_assert_cmpstr(out->str, ==,
                  "{\"pid\":1,\"command\":\"init\",\"fd\":3,\"type\":\"REG\",\"mode\":\"rw\","
                  "\"flags\":\"0100002\",\"pos\":0,\"dev\":\"8:1\",\"ino\":100,\"mnt_id\":21,"
                  "\"path\":\"/x\"}\n"
                  "{\"pid\":2,\"command\":\"kthreadd\",\"fd\":3,\"type\":\"REG\",\"mode\":\"rw\","
                  "\"flags\":\"0100002\",\"pos\":0,\"dev\":\"8:1\",\"ino\":100,\"mnt_id\":21,"
                  "\"path\":\"/x\"}\n");
  fake_opens_check_errors(&f, "");
}

/* What can be read of a file and of a table is shown. */
static void
test_broken(void)
{
  g_auto(FakeOpens) f;

  set_up(&f);
  put_file(&f, 0, S_IFREG, "x", S_N);
  put_file(&f, 1, S_IFREG, "y", S_N);
  open_as(&f, 0, 0);
  fake_opens_open(&f, FILES, 1, 0x4141414141414141, false);
  open_as(&f, 2, 1);
  fake_opens_put(&f, DENTRY(1), M_DENTRY_OP, 0x4242424242424242);
  check_fds(&f, 1,
            "fd type mode flags   pos dev ino mnt_id path\n"
            "0  REG  rw   0100002 0   8:1 100 21     /x\n"
            "1  -    -    -       -   -   -   -      -\n"
            "2  REG  rw   0100002 0   8:1 101 21     -\n");
  g_autofree char *errors = dacsa_errors_text(f.l.errors);
  g_assert_nonnull(strstr(errors, "processes/1/fds: "));
  fake_opens_put(&f, TASK(2), M_TASK_FILES, 0x4343434343434343);
  check_fds(&f, 2, HEADER);
  g_autofree char *more = dacsa_errors_text(f.l.errors);
  g_assert_nonnull(strstr(more, "processes/2/fds: "));
}

/* A table that claims to be larger than what is there, and one larger than any. */
static void
test_too_large(void)
{
  g_auto(FakeOpens) f;
  g_autoptr(GArray) fds = g_array_new(FALSE, FALSE, sizeof(DacsaLinuxFd));
  g_autoptr(GError) error = NULL;
  uint64_t budget = DACSA_LINUX_MAX_ALL_FDS;
  uint64_t fdt;

  set_up(&f);
  put_file(&f, 0, S_IFREG, "x", S_N);
  open_as(&f, 3, 0);
  g_assert_true(dacsa_linux_get(&f.l, FILES, M_FILES_FDT, &fdt, NULL));
  fake_opens_put(&f, fdt, M_FDTABLE_MAX_FDS, UINT32_MAX);
  CHECK_FAILS(dacsa_linux_fds(&f.l, FILES, &budget, fds, &error), error, DACSA_ERROR_FAULT);
  g_assert_cmpuint(budget, ==, DACSA_LINUX_MAX_ALL_FDS - DACSA_LINUX_MAX_FDS);

  /* Nobody looks at more than there is a budget for; what is there is found. */
  budget = 64;
  g_array_set_size(fds, 0);
  fake_opens_put(&f, fdt, M_FDTABLE_MAX_FDS, 128);
  CHECK_FAILS(dacsa_linux_fds(&f.l, FILES, &budget, fds, &error), error, DACSA_ERROR_BAD_DATA);
  g_assert_cmpuint(budget, ==, 0);
  g_assert_cmpuint(fds->len, ==, 1);
  g_assert_cmpuint(g_array_index(fds, DacsaLinuxFd, 0).fd, ==, 3);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/linux-fds/files", test_files);
  g_test_add_func("/linux-fds/files-that-name-themselves", test_files_that_name_themselves);
  g_test_add_func("/linux-fds/bound-namespace", test_bound_namespace);
  g_test_add_func("/linux-fds/no-files", test_no_files);
  g_test_add_func("/linux-fds/json", test_json);
  g_test_add_func("/linux-fds/broken", test_broken);
  g_test_add_func("/linux-fds/too-large", test_too_large);
  return g_test_run();
}
