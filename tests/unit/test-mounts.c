/* Mounts by hand: lists and trees of them, options of file systems, paths that have no end. */
#include "check.h"
#include "fake-linux.h"

#include "parsers/linux/system.h"

#include <string.h>

#define AT(page, n) (UINT64_C(0xffff888000000000) + (page)*0x10000u + (uint64_t)(n)*0x200u)
#define TASK AT(1, 0)
#define FS AT(1, 1)
#define NSPROXY AT(1, 2)
#define NS AT(1, 3)
#define MOUNT(n) AT(2, n)
#define VFSMOUNT(n) (MOUNT(n) + 32)
#define DENTRY(n) AT(3, n)
#define SB(n) AT(4, n)
#define TYPE(n) AT(5, n)
#define OPS(n) AT(6, n)
#define INFO(n) AT(7, n)
#define TEXT(n) AT(8, n)
#define INIT_TASK AT(9, 0)
#define TOTALRAM AT(9, 1)

#define SHOW(n) (UINT64_C(0xffffffff81000000) + (n)*0x100u)

static const FakeMember members[] = {
    {M_TASK_TASKS, 8, 16, 0},
    {M_TASK_PID, 24, 4, 0},
    {M_TASK_FS, 32, 8, 0},
    {M_TASK_NSPROXY, 40, 8, 0},
    {M_FS_ROOT, 8, 16, 0},
    {M_PATH_MNT, 0, 8, 0},
    {M_PATH_DENTRY, 8, 8, 0},
    {M_NSPROXY_MNT, 8, 8, 0},
    {M_MNT_INUM, 8, 4, 0},
    {M_MNT_NS_LIST, 16, 16, 0},
    {M_MOUNT_PARENT, 0, 8, 0},
    {M_MOUNT_MOUNTPOINT, 8, 8, 0},
    {M_MOUNT_MNT, 32, 24, 0},
    {M_MOUNT_LIST, 64, 16, 0},
    {M_MOUNT_DEVNAME, 96, 8, 0},
    {M_MOUNT_ID, 104, 4, 0},
    {M_MOUNT_MASTER, 112, 8, 0},
    {M_MOUNT_GROUP_ID, 120, 4, 0},
    {M_VFSMOUNT_ROOT, 0, 8, 0},
    {M_VFSMOUNT_SB, 8, 8, 0},
    {M_VFSMOUNT_FLAGS, 16, 4, 0},
    {M_DENTRY_PARENT, 0, 8, 0},
    {M_DENTRY_NAME, 8, 16, 0},
    {M_QSTR_LEN, 4, 4, 0},
    {M_QSTR_NAME, 8, 8, 0},
    {M_SB_DEV, 0, 4, 0},
    {M_SB_FLAGS, 8, 8, 0},
    {M_SB_TYPE, 16, 8, 0},
    {M_SB_SUBTYPE, 24, 8, 0},
    {M_SB_OP, 32, 8, 0},
    {M_SB_FS_INFO, 40, 8, 0},
    {M_FS_TYPE_NAME, 0, 8, 0},
    {M_SUPER_OPS_SHOW_OPTIONS, 0, 8, 0},
    {M_SUPER_OPS_SHOW_DEVNAME, 8, 8, 0},
    {M_SHMEM_MAX_BLOCKS, 0, 8, 0},
    {M_SHMEM_MAX_INODES, 8, 8, 0},
    {M_SHMEM_MODE, 16, 2, 0},
    {M_SHMEM_UID, 20, 4, 0},
    {M_SHMEM_GID, 24, 4, 0},
    {M_SHMEM_HUGE, 28, 1, 0},
    {M_SHMEM_FULL_INUMS, 29, 1, 0},
    {M_SHMEM_MPOL, 32, 8, 0},
    {M_PROC_PID_GID, 0, 4, 0},
    {M_PROC_HIDE_PID, 4, 4, 0},
    {M_PROC_PIDONLY, 8, 4, 0},
};

static void
put_dentry(FakeLinux *f, unsigned n, unsigned parent, const char *name)
{
  const uint64_t qstr = DENTRY(n) + f->kernel.members[M_DENTRY_NAME].offset;

  fake_linux_put(f, DENTRY(n), M_DENTRY_PARENT, DENTRY(parent));
  fake_linux_put(f, qstr, M_QSTR_LEN, strlen(name));
  fake_linux_put_text(f, qstr, M_QSTR_NAME, TEXT(n), name);
}

static void
put_super(FakeLinux *f, unsigned n, const char *type, uint64_t flags, uint64_t show)
{
  fake_linux_put(f, SB(n), M_SB_DEV, 8u << 20 | n);
  fake_linux_put(f, SB(n), M_SB_FLAGS, flags);
  fake_linux_put(f, SB(n), M_SB_TYPE, TYPE(n));
  fake_linux_put(f, SB(n), M_SB_OP, OPS(n));
  fake_linux_put(f, SB(n), M_SB_FS_INFO, INFO(n));
  fake_linux_put_text(f, TYPE(n), M_FS_TYPE_NAME, TEXT(20 + n), type);
  fake_linux_put(f, OPS(n), M_SUPER_OPS_SHOW_OPTIONS, show);
}

static void
put_mount(FakeLinux *f, unsigned n, unsigned parent, unsigned mountpoint, unsigned root,
          unsigned sb, uint32_t flags)
{
  fake_linux_put(f, MOUNT(n), M_MOUNT_ID, 100 + n);
  fake_linux_put(f, MOUNT(n), M_MOUNT_PARENT, MOUNT(parent));
  fake_linux_put(f, MOUNT(n), M_MOUNT_MOUNTPOINT, DENTRY(mountpoint));
  fake_linux_put(f, VFSMOUNT(n), M_VFSMOUNT_ROOT, DENTRY(root));
  fake_linux_put(f, VFSMOUNT(n), M_VFSMOUNT_SB, SB(sb));
  fake_linux_put(f, VFSMOUNT(n), M_VFSMOUNT_FLAGS, flags);
}

static void
put_init(FakeLinux *f, unsigned root_mount, unsigned root_dentry)
{
  static const uint64_t tasks[] = {TASK};
  const uint64_t root = FS + f->kernel.members[M_FS_ROOT].offset;

  f->kernel.symbols[S_INIT_TASK] = INIT_TASK;
  fake_linux_put_list(f, INIT_TASK + 8, M_TASK_TASKS, tasks, 1);
  fake_linux_put(f, TASK, M_TASK_PID, 1);
  fake_linux_put(f, TASK, M_TASK_FS, FS);
  fake_linux_put(f, TASK, M_TASK_NSPROXY, NSPROXY);
  fake_linux_put(f, NSPROXY, M_NSPROXY_MNT, NS);
  fake_linux_put(f, NS, M_MNT_INUM, 4711);
  fake_linux_put(f, root, M_PATH_MNT, VFSMOUNT(root_mount));
  fake_linux_put(f, root, M_PATH_DENTRY, DENTRY(root_dentry));
}

/*
 * dentries: 0 the initial root, 1 the root, 2 /srv, 3 /srv/my data, 4 the tmpfs's root, 5 the
 * proc's mounts: 0 the initial root, 1 the root over it, 2 a tmpfs on /srv/my data, 3 proc on /srv
 */
static void
set_up(FakeLinux *f)
{
  fake_linux_init(f, members, G_N_ELEMENTS(members));
  f->kernel.symbols[S_SHMEM_SHOW_OPTIONS] = SHOW(0);
  f->kernel.symbols[S_PROC_SHOW_OPTIONS] = SHOW(1);
  f->kernel.symbols[S_TOTALRAM_PAGES] = TOTALRAM;
  fake_mem_u64(f->l.memory, TOTALRAM, 2000);
  put_dentry(f, 0, 0, "/");
  put_dentry(f, 1, 1, "/");
  put_dentry(f, 2, 1, "srv");
  put_dentry(f, 3, 2, "my data");
  put_dentry(f, 4, 4, "/");
  put_dentry(f, 5, 5, "/");
  put_super(f, 0, "rootfs", 0, 0);
  put_super(f, 1, "ext4", 1u << 4 | 1u << 25, SHOW(9)); /* one whose options nobody knows */
  put_super(f, 2, "tmpfs", 0, SHOW(0));
  put_super(f, 3, "proc", 1, SHOW(1));
  put_mount(f, 0, 0, 0, 0, 0, 0);
  put_mount(f, 1, 0, 0, 1, 1, 0x1020);
  put_mount(f, 2, 1, 3, 4, 2, 0x47);
  put_mount(f, 3, 1, 2, 5, 3, 0x28);
  put_mount(f, 4, 0, 0, 0, 0, 0x10000000); /* a reader of the list */
  fake_linux_put_text(f, MOUNT(1), M_MOUNT_DEVNAME, TEXT(40), "/dev/vda1");
  fake_linux_put_text(f, MOUNT(2), M_MOUNT_DEVNAME, TEXT(41), "a b\\c");
  fake_linux_put_text(f, SB(2), M_SB_SUBTYPE, TEXT(42), "sub");
  put_init(f, 1, 1);
  fake_linux_put(f, INFO(2), M_SHMEM_MAX_BLOCKS, 256);
  fake_linux_put(f, INFO(2), M_SHMEM_MAX_INODES, 1000); /* the default */
  fake_linux_put(f, INFO(2), M_SHMEM_MODE, 0700);
  fake_linux_put(f, INFO(2), M_SHMEM_GID, 5);
  fake_linux_put(f, INFO(2), M_SHMEM_HUGE, 2);
  fake_linux_put(f, INFO(2), M_SHMEM_FULL_INUMS, 1);
  fake_linux_put(f, INFO(3), M_PROC_HIDE_PID, 2);
  fake_linux_put(f, INFO(3), M_PROC_PIDONLY, 1);
}

static void
put_list(FakeLinux *f)
{
  static const uint64_t mounts[] = {MOUNT(0), MOUNT(4), MOUNT(1), MOUNT(2), MOUNT(3)};

  fake_linux_put_list(f, NS + f->kernel.members[M_MNT_NS_LIST].offset, M_MOUNT_LIST, mounts,
                      G_N_ELEMENTS(mounts));
}

#define TMPFS                                                                                      \
  "a\\040b\\134c /srv/my\\040data tmpfs.sub ro,nosuid,nodev,noexec,size=1024k,mode=700,gid=5,"     \
  "inode64,huge=within_size 0 0\n"
#define PROC "none /srv proc ro,noatime,relatime,hidepid=invisible,subset=pid 0 0\n"

static void
test_list(void)
{
  g_auto(FakeLinux) f;

  set_up(&f);
  put_list(&f);
  fake_linux_check(&f, dacsa_linux_mounts,
                   "/dev/vda1 / ext4 rw,sync,lazytime,relatime 0 0\n" TMPFS PROC);
  fake_linux_check_errors(&f, "kernel/mounts: the options that ext4 prints for itself are absent");
}

/* Since 6.8: a tree, of which 3 is the root here. */
static void
test_tree(void)
{
  static const FakeMember more[] = {{M_MNT_NS_MOUNTS, 32, 8, 0},
                                    {M_MOUNT_NODE, 128, 24, 0},
                                    {M_RB_RIGHT, 8, 8, 0},
                                    {M_RB_LEFT, 16, 8, 0}};
  g_auto(FakeLinux) f;

  set_up(&f);
  f.kernel.members[M_MNT_NS_LIST].known = false;
  for (gsize i = 0; i < G_N_ELEMENTS(more); i++)
    f.kernel.members[more[i].member] =
        (DacsaMember){.known = true, .offset = more[i].offset, .size = more[i].size};
  fake_mem_u64(f.l.memory, NS + 32, MOUNT(2) + 128);
  fake_linux_put(&f, MOUNT(2) + 128, M_RB_RIGHT, MOUNT(3) + 128);
  g_autofree char *text = fake_linux_text(&f, dacsa_linux_mounts);
  g_assert_cmpstr(text, ==, TMPFS PROC);
}

static void
test_chroot(void)
{
  g_auto(FakeLinux) f;

  set_up(&f);
  put_list(&f);
  put_init(&f, 2, 4);
  g_autofree char *text = fake_linux_text(&f, dacsa_linux_mounts);
  g_assert_true(g_str_has_prefix(text, "a\\040b\\134c / tmpfs.sub ro,"));
  g_assert_cmpstr(strchr(text, '\n'), ==, "\n"); /* nothing else is below it */
}

static void
test_json(void)
{
  g_auto(FakeLinux) f;

  set_up(&f);
  put_list(&f);
  fake_linux_put(&f, MOUNT(1), M_MOUNT_GROUP_ID, 7);
  fake_linux_put(&f, MOUNT(3), M_MOUNT_MASTER, MOUNT(1));
  fake_linux_put(&f, VFSMOUNT(3), M_VFSMOUNT_ROOT, DENTRY(3)); /* a directory of it */
  g_autofree char *text = fake_linux_text(&f, dacsa_linux_json_mounts);
  g_assert_nonnull(strstr(text,
                          "{\"namespace\":4711,\"id\":101,\"parent\":100,\"device\":\"8:1\","
                          "\"root\":\"/\",\"mountpoint\":\"/\",\"options\":\"rw,relatime\","
                          "\"propagation\":\"shared:7\",\"type\":\"ext4\","
                          "\"source\":\"/dev/vda1\",\"super_options\":\"rw,sync,lazytime\"}\n"));
  g_assert_nonnull(strstr(text,
                          "\"id\":103,\"parent\":101,\"device\":\"8:3\","
                          "\"root\":\"/srv/my data\",\"mountpoint\":\"/srv\","
                          "\"options\":\"rw,noatime,relatime\",\"propagation\":\"master:7\""));
}

static void
test_broken(void)
{
  g_auto(FakeLinux) f;

  set_up(&f);
  put_list(&f);
  put_dentry(&f, 3, 3, "my data");
  fake_linux_put(&f, DENTRY(2), M_DENTRY_PARENT, DENTRY(3));
  fake_linux_put(&f, DENTRY(3), M_DENTRY_PARENT, DENTRY(2)); /* each lies in the other */
  fake_mem_u64(f.l.memory, MOUNT(3) + 64, MOUNT(1) + 64);    /* a circle */
  fake_linux_check(&f, dacsa_linux_mounts, "/dev/vda1 / ext4 rw,sync,lazytime,relatime 0 0\n");
  fake_linux_check_errors(&f, "kernel/mounts: a path has no end");
  fake_linux_check_errors(&f, "kernel/mounts: a list runs in a circle");
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/mounts/list", test_list);
  g_test_add_func("/mounts/tree", test_tree);
  g_test_add_func("/mounts/chroot", test_chroot);
  g_test_add_func("/mounts/json", test_json);
  g_test_add_func("/mounts/broken", test_broken);
  return g_test_run();
}
