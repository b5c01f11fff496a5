/* A page cache made by hand: xarrays, struct pages, inodes, dentries, superblocks and mounts in
 * fake memory, with member offsets of our own; whole, and as a hostile guest would have them. */
#include "check.h"
#include "fake-linux.h"
#include "fake-paging.h"

#include "parsers/linux/files.h"
#include "parsers/linux/mapping.h"

#include <string.h>
#include <sys/stat.h>

#define KERNEL(n) (UINT64_C(0xffff888000000000) + (uint64_t)(n)*0x1000u)
#define NODE(n) (KERNEL(0x100) + (n)*0x400u) /* of an xarray */
#define INODE(n) (KERNEL(0x200) + (n)*0x200u)
#define MAPPING(n) (INODE(n) + 0x100)
#define DENTRY(n) (KERNEL(0x300) + (n)*0x100u)
#define TEXT(n) (KERNEL(0x400) + (n)*0x100u)
#define SUPER(n) (KERNEL(0x500) + (n)*0x100u)
#define SUPERS KERNEL(0x600)
#define MOUNT(n) (KERNEL(0x700) + (n)*0x100u)
#define VMEMMAP_BASE KERNEL(0x800) /* where it is told */
#define TASK(n) (KERNEL(0x900) + (n)*0x100u)
#define FS KERNEL(0xa00)
#define MM KERNEL(0xb00)
#define FILE_AT(n) (KERNEL(0xc00) + (n)*0x100u)
#define VMA(n) (KERNEL(0xd00) + (n)*0x100u)
#define PGD KERNEL(0xe00)
#define TYPE(n) (KERNEL(0xf00) + (n)*0x100u)
#define HUGETLBFS_AOPS KERNEL(0x1000)
#define DEF_BLK_AOPS KERNEL(0x1001)
#define BUFFER(n) (KERNEL(0x1100) + (n)*0x100u)

#define VMEMMAP UINT64_C(0xffffea0000000000)
#define PAGE(pfn) (VMEMMAP + (uint64_t)(pfn)*64u)
#define UPTODATE (1u << 2)
#define HEAD (1u << 6)
#define PRIVATE (1u << 13)
#define RAM_FIRST 0x1000u /* page frames */
#define RAM_PAGES 0x600u

#define KERNEL_ROOT 0x1000u
#define USER_ROOT 0x2000u

#define VALUE(v) ((uint64_t)(v) << 1 | 1)
#define SIBLING(slot) ((uint64_t)(slot) << 2 | 2)
#define CHILD(n) (NODE(n) | 2)

#define AT(o, s)                                                                                   \
  {                                                                                                \
    .known = true, .offset = (o), .size = (s)                                                      \
  }

static const DacsaMember members[M_N] = {
    [M_XARRAY_HEAD] = AT(8, 8),
    [M_XA_NODE_SHIFT] = AT(0, 1),
    [M_XA_NODE_SLOTS] = {.known = true, .offset = 40, .size = 512, .elements = 64},
    [M_PAGE_FLAGS] = AT(0, 8),
    [M_PAGE_COMPOUND_ORDER] = AT(17, 1),
    [M_PAGE_PRIVATE] = AT(40, 8),
    [M_BH_STATE] = AT(0, 8),
    [M_BH_THIS_PAGE] = AT(8, 8),
    [M_BH_SIZE] = AT(16, 8),
    [M_INODE_MODE] = AT(0, 2),
    [M_INODE_RDEV] = AT(4, 4),
    [M_INODE_INO] = AT(8, 8),
    [M_INODE_SIZE] = AT(16, 8),
    [M_INODE_BLKBITS] = AT(24, 1),
    [M_INODE_MAPPING] = AT(32, 8),
    [M_INODE_SB_LIST] = AT(40, 16),
    [M_INODE_DENTRY] = AT(56, 8),
    [M_MAPPING_HOST] = AT(0, 8),
    [M_MAPPING_PAGES] = AT(8, 16),
    [M_MAPPING_NRPAGES] = AT(24, 8),
    [M_MAPPING_OPS] = AT(32, 8),
    [M_DENTRY_PARENT] = AT(0, 8),
    [M_DENTRY_NAME] = AT(8, 16),
    [M_DENTRY_INODE] = AT(24, 8),
    [M_DENTRY_HASH_PPREV] = AT(32, 8),
    [M_DENTRY_ALIAS] = AT(40, 16),
    [M_QSTR_LEN] = AT(4, 4),
    [M_QSTR_NAME] = AT(8, 8),
    [M_SB_LIST] = AT(0, 16),
    [M_SB_DEV] = AT(16, 4),
    [M_SB_TYPE] = AT(24, 8),
    [M_SB_ROOT] = AT(32, 8),
    [M_SB_INODES] = AT(40, 16),
    [M_FS_TYPE_NAME] = AT(0, 8),
    [M_MOUNT_MNT] = AT(16, 16),
    [M_MOUNT_MOUNTPOINT] = AT(8, 8),
    [M_MOUNT_CHILDREN] = AT(32, 16),
    [M_MOUNT_CHILD] = AT(48, 16),
    [M_VFSMOUNT_ROOT] = AT(0, 8),
    [M_VFSMOUNT_SB] = AT(8, 8),
    [M_PATH_MNT] = AT(0, 8),
    [M_PATH_DENTRY] = AT(8, 8),
    [M_FS_ROOT] = AT(8, 16),
    [M_TASK_TASKS] = AT(8, 16),
    [M_TASK_PID] = AT(24, 4),
    [M_TASK_FLAGS] = AT(28, 4),
    [M_TASK_MM] = AT(32, 8),
    [M_TASK_FS] = AT(40, 8),
    [M_MM_PGD] = AT(0, 8),
    [M_MM_MMAP] = AT(8, 8),
    [M_MM_EXE_FILE] = AT(16, 8),
    [M_MM_START_CODE] = AT(24, 8),
    [M_VMA_NEXT] = AT(0, 8),
    [M_VMA_START] = AT(8, 8),
    [M_VMA_END] = AT(16, 8),
    [M_VMA_PGOFF] = AT(24, 8),
    [M_VMA_FILE] = AT(32, 8),
    [M_FILE_INODE] = AT(0, 8),
    [M_FILE_MAPPING] = AT(8, 8),
};

typedef struct {
  DacsaLinuxKernel kernel;
  DacsaVmcoreinfo info;
  DacsaLinux l;
  FakePaging kernel_paging, user_paging;
  unsigned texts;
} Fixture;

static void
put(Fixture *f, uint64_t base, DacsaLinuxMember member, uint64_t value)
{
  const uint64_t le = GUINT64_TO_LE(value);

  fake_mem_write(f->l.memory, base + members[member].offset, &le, MIN(members[member].size, 8u));
}

static uint64_t
link_of(uint64_t base, DacsaLinuxMember member)
{
  return base + members[member].offset;
}

/* -- pages -- */

static void
put_page(Fixture *f, uint64_t pfn, uint64_t flags)
{
  put(f, PAGE(pfn), M_PAGE_FLAGS, flags);
}

static void
put_slot(Fixture *f, unsigned node, unsigned shift, unsigned slot, uint64_t entry)
{
  put(f, NODE(node), M_XA_NODE_SHIFT, shift);
  fake_mem_u64(f->l.memory, link_of(NODE(node), M_XA_NODE_SLOTS) + slot * 8, entry);
}

static void
put_head(Fixture *f, unsigned inode, uint64_t entry)
{
  put(f, MAPPING(inode) + members[M_MAPPING_PAGES].offset, M_XARRAY_HEAD, entry);
}

/* -- inodes and dentries -- */

static void
put_inode(Fixture *f, unsigned n, mode_t mode, uint64_t ino, uint64_t size, uint64_t pages)
{
  put(f, INODE(n), M_INODE_MODE, mode);
  put(f, INODE(n), M_INODE_INO, ino);
  put(f, INODE(n), M_INODE_SIZE, size);
  put(f, INODE(n), M_INODE_MAPPING, MAPPING(n));
  put(f, INODE(n), M_INODE_DENTRY, 0);
  put(f, MAPPING(n), M_MAPPING_HOST, INODE(n));
  put(f, MAPPING(n), M_MAPPING_NRPAGES, pages);
  put(f, MAPPING(n), M_MAPPING_OPS, 0);
  put_head(f, n, 0);
}

/* A dentry; inode: what it is the only name of (0: of a directory that has no inode here). */
static void
put_dentry(Fixture *f, unsigned n, unsigned parent, const char *name, unsigned inode)
{
  const uint64_t qstr = link_of(DENTRY(n), M_DENTRY_NAME);
  const unsigned text = f->texts++;

  fake_mem_string(f->l.memory, TEXT(text), name);
  put(f, DENTRY(n), M_DENTRY_PARENT, DENTRY(parent));
  put(f, qstr, M_QSTR_LEN, strlen(name));
  put(f, qstr, M_QSTR_NAME, TEXT(text));
  put(f, DENTRY(n), M_DENTRY_INODE, inode ? INODE(inode) : 0);
  put(f, DENTRY(n), M_DENTRY_HASH_PPREV, 1);
  put(f, DENTRY(n), M_DENTRY_ALIAS, 0);
  if (inode)
    put(f, INODE(inode), M_INODE_DENTRY, link_of(DENTRY(n), M_DENTRY_ALIAS));
}

static void
unhash(Fixture *f, unsigned dentry)
{
  put(f, DENTRY(dentry), M_DENTRY_HASH_PPREV, 0);
}

/* The list of n structures from the head on, as lists are: a circle. */
static void
put_list(Fixture *f, uint64_t head, DacsaLinuxMember member, const uint64_t *entries, unsigned n)
{
  uint64_t at = head;

  for (unsigned i = 0; i < n; i++) {
    fake_mem_u64(f->l.memory, at, link_of(entries[i], member));
    at = link_of(entries[i], member);
  }
  fake_mem_u64(f->l.memory, at, head);
}

static void
put_super(Fixture *f, unsigned n, uint32_t dev, const char *type, unsigned root,
          const unsigned *inodes, unsigned n_inodes)
{
  const unsigned text = f->texts++;
  uint64_t entries[16];

  g_assert_cmpuint(n_inodes, <=, 16);
  fake_mem_string(f->l.memory, TEXT(text), type);
  put(f, TYPE(n), M_FS_TYPE_NAME, TEXT(text));
  put(f, SUPER(n), M_SB_DEV, dev);
  put(f, SUPER(n), M_SB_TYPE, TYPE(n));
  put(f, SUPER(n), M_SB_ROOT, DENTRY(root));
  for (unsigned i = 0; i < n_inodes; i++)
    entries[i] = INODE(inodes[i]);
  put_list(f, link_of(SUPER(n), M_SB_INODES), M_INODE_SB_LIST, entries, n_inodes);
}

static void
put_mount(Fixture *f, unsigned n, unsigned mountpoint, unsigned super, unsigned root)
{
  put(f, MOUNT(n), M_MOUNT_MOUNTPOINT, DENTRY(mountpoint));
  put(f, link_of(MOUNT(n), M_MOUNT_MNT), M_VFSMOUNT_SB, SUPER(super));
  put(f, link_of(MOUNT(n), M_MOUNT_MNT), M_VFSMOUNT_ROOT, DENTRY(root));
  put_list(f, link_of(MOUNT(n), M_MOUNT_CHILDREN), M_MOUNT_CHILD, NULL, 0);
}

/* -- processes -- */

static void
put_vma(Fixture *f, unsigned n, uint64_t start, uint64_t end, uint64_t pgoff, uint64_t file)
{
  put(f, VMA(n), M_VMA_NEXT, VMA(n + 1));
  put(f, VMA(n), M_VMA_START, start);
  put(f, VMA(n), M_VMA_END, end);
  put(f, VMA(n), M_VMA_PGOFF, pgoff);
  put(f, VMA(n), M_VMA_FILE, file);
}

static void
put_file(Fixture *f, unsigned n, unsigned inode, unsigned mapping)
{
  put(f, FILE_AT(n), M_FILE_INODE, INODE(inode));
  put(f, FILE_AT(n), M_FILE_MAPPING, MAPPING(mapping));
}

static void
put_task(Fixture *f, unsigned n, uint32_t pid, uint64_t mm)
{
  put(f, TASK(n), M_TASK_PID, pid);
  put(f, TASK(n), M_TASK_FLAGS, 0);
  put(f, TASK(n), M_TASK_MM, mm);
  put(f, TASK(n), M_TASK_FS, FS);
}

/* Process 1, and process 2 without an mm. */
static void
put_processes(Fixture *f)
{
  const uint64_t tasks[] = {TASK(1), TASK(2)};

  put_task(f, 1, 1, MM);
  put_task(f, 2, 2, 0);
  put_list(f, link_of(TASK(0), M_TASK_TASKS), M_TASK_TASKS, tasks, 2);
  put(f, link_of(FS, M_FS_ROOT), M_PATH_MNT, link_of(MOUNT(0), M_MOUNT_MNT));
  put(f, link_of(FS, M_FS_ROOT), M_PATH_DENTRY, DENTRY(0));
  put(f, MM, M_MM_PGD, PGD);
  put(f, MM, M_MM_EXE_FILE, 0);
  put(f, MM, M_MM_MMAP, 0);
  f->kernel_paging = (FakePaging){f->l.phys, KERNEL_ROOT, 0x100000, 4};
  f->user_paging = (FakePaging){f->l.phys, USER_ROOT, 0x200000, 4};
  fake_paging_map(&f->kernel_paging, PGD, 1, USER_ROOT, PTE_PRESENT | PTE_WRITABLE);
  fake_paging_entry(&f->user_paging, 0, 4);
}

/* -- the fixture -- */

static void
set_up(Fixture *f)
{
  static const uint8_t zeros[4096];

  *f = (Fixture){
      .kernel = {
          .symbols = {[S_INIT_TASK] = TASK(0),
                      [S_SUPER_BLOCKS] = SUPERS,
                      [S_VMEMMAP_BASE] = VMEMMAP_BASE,
                      [S_HUGETLBFS_AOPS] = HUGETLBFS_AOPS,
                      [S_DEF_BLK_AOPS] = DEF_BLK_AOPS},
          .types = {[T_PAGE] = 64},
          .enumerators = {
              [E_PG_UPTODATE] = 2, [E_PG_HEAD] = 6, [E_PG_PRIVATE] = 13, [E_BH_UPTODATE] = 0}}};
  memcpy(f->kernel.members, members, sizeof(members));
  f->info.root = KERNEL_ROOT;
  f->kernel.info = &f->info;
  fake_linux_view_init(&f->l, &f->kernel);
  fake_mem_u64(f->l.memory, VMEMMAP_BASE, VMEMMAP);
  for (unsigned i = 0; i < RAM_PAGES; i++)
    fake_mem_write(f->l.phys, (uint64_t)(RAM_FIRST + i) * 4096, zeros, sizeof(zeros));
  put_processes(f);
  put_list(f, SUPERS, M_SB_LIST, NULL, 0);
  put_dentry(f, 0, 0, "/", 0);
  put_mount(f, 0, 0, 0, 0);
  put_super(f, 0, 2, "rootfs", 0, NULL, 0);
}

static void
tear_down(Fixture *f)
{
  fake_linux_view_clear(&f->l);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Fixture, tear_down)

/* -- what a mapping holds -- */

/* Runs as text: `offset+bytes@first page frame`, offset and bytes in pages where they are whole. */
static char *
runs_text(const DacsaRuns *runs)
{
  GString *text = g_string_new(NULL);

  for (guint i = 0; i < runs->runs->len; i++) {
    const DacsaRun *run = &g_array_index(runs->runs, DacsaRun, i);

    g_assert_cmpuint(run->offset % 4096, ==, 0);
    g_string_append_printf(text, "%s%" PRIu64 "+%" PRIu64, i ? " " : "", run->offset / 4096,
                           run->len / 4096);
    if (run->len % 4096)
      g_string_append_printf(text, ".%" PRIu64, run->len % 4096);
    g_string_append_printf(text, "@%" PRIx64, run->gpa / 4096);
  }
  return g_string_free(text, FALSE);
}

static void
check_mapping(Fixture *f, uint64_t size, const char *expected)
{
  g_autoptr(DacsaRuns) runs = dacsa_linux_mapping_runs(&f->l, MAPPING(1), size, "it");
  g_autofree char *text = runs_text(runs);

  g_assert_cmpstr(text, ==, expected);
  g_assert_cmpuint(runs->size, ==, size);
}

static void
test_one_page(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  put_inode(&f, 1, S_IFREG, 10, 100, 1);
  check_mapping(&f, 0, "");
  check_mapping(&f, 100, "");
  put_page(&f, 0x1234, UPTODATE);
  put_head(&f, 1, PAGE(0x1234));
  check_mapping(&f, 0, "");
  check_mapping(&f, 100, "0+0.100@1234");
  check_mapping(&f, 4096, "0+1@1234");
  check_mapping(&f, 4097, "0+1@1234");
  put_head(&f, 1, VALUE(7)); /* swapped out */
  check_mapping(&f, 100, "");
  put_page(&f, 0x1234, 0); /* being read */
  put_head(&f, 1, PAGE(0x1234));
  check_mapping(&f, 100, "");
  fake_linux_view_check_errors(&f.l, "");
}

static void
test_levels(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  put_inode(&f, 1, S_IFREG, 10, 0, 1);
  put_head(&f, 1, CHILD(0));
  put_slot(&f, 0, 12, 1, CHILD(1));
  put_slot(&f, 1, 6, 2, CHILD(2));
  put_slot(&f, 1, 6, 63, CHILD(3));
  for (unsigned pfn = 0x1200; pfn < 0x1204; pfn++)
    put_page(&f, pfn, UPTODATE);
  put_slot(&f, 2, 0, 0, PAGE(0x1200));
  put_slot(&f, 2, 0, 1, PAGE(0x1201));
  put_slot(&f, 2, 0, 2, PAGE(0x1203));
  put_slot(&f, 2, 0, 4, VALUE(1));
  put_slot(&f, 3, 0, 63, PAGE(0x1202));
  check_mapping(&f, 1 << 26, "4224+2@1200 4226+1@1203 8191+1@1202");
  check_mapping(&f, (4225 << 12) + 1, "4224+1.1@1200"); /* the rest lies past its end */
  fake_linux_view_check_errors(&f.l, "");
}

/* Folios: an entry and its siblings, or one in a higher level. */
static void
test_multi_index(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  put_inode(&f, 1, S_IFREG, 10, 0, 1);
  put_head(&f, 1, CHILD(0));
  put_slot(&f, 0, 6, 0, CHILD(1));
  put_page(&f, 0x1200, UPTODATE | HEAD);
  put_slot(&f, 1, 0, 16, PAGE(0x1200));
  for (unsigned slot = 17; slot < 32; slot++)
    put_slot(&f, 1, 0, slot, SIBLING(16));
  put_page(&f, 0x1300, UPTODATE | HEAD);
  put_slot(&f, 0, 6, 1, PAGE(0x1300));
  put_page(&f, 0x1400, UPTODATE | HEAD);
  put_slot(&f, 0, 6, 8, PAGE(0x1400));
  for (unsigned slot = 9; slot < 16; slot++)
    put_slot(&f, 0, 6, slot, SIBLING(8));
  put_page(&f, 0x1380, HEAD);
  put_slot(&f, 0, 6, 20, PAGE(0x1380)); /* not up to date */
  check_mapping(&f, 1 << 23, "16+16@1200 64+64@1300 512+512@1400");
  check_mapping(&f, 70 << 12, "16+16@1200 64+6@1300");
  fake_linux_view_check_errors(&f.l, "");
}

/* To 6.1 each index of a huge page has an entry of its own: the head. */
static void
test_repeated_heads(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  put_inode(&f, 1, S_IFREG, 10, 0, 1);
  put_head(&f, 1, CHILD(0));
  put_slot(&f, 0, 6, 0, CHILD(1));
  put_page(&f, 0x1200, UPTODATE | HEAD);
  put(&f, PAGE(0x1201), M_PAGE_COMPOUND_ORDER, 4);
  for (unsigned slot = 16; slot < 32; slot++)
    put_slot(&f, 1, 0, slot, slot == 20 ? 0 : PAGE(0x1200));
  check_mapping(&f, 1 << 20, "16+4@1200 21+11@1205");
  fake_linux_view_check_errors(&f.l, "");
  put(&f, PAGE(0x1201), M_PAGE_COMPOUND_ORDER, 200);
  check_mapping(&f, 1 << 20, "");
  fake_linux_view_check_errors(
      &f.l, "it: 15 of its cached pages are not to be found in the guest's memory\n");
}

static void
test_huge_pages(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  put_inode(&f, 1, S_IFREG, 10, 0, 1);
  put(&f, MAPPING(1), M_MAPPING_OPS, HUGETLBFS_AOPS);
  put(&f, INODE(1), M_INODE_BLKBITS, 21);
  put_page(&f, 0x1200, UPTODATE | HEAD);
  put_head(&f, 1, CHILD(0));
  put_slot(&f, 0, 0, 3, PAGE(0x1200)); /* the number of the huge page */
  check_mapping(&f, 4 << 21, "1536+512@1200");
  put_slot(&f, 0, 6, 3, 0);
  put_slot(&f, 0, 6, 24, PAGE(0x1200)); /* the number of its first 4 KiB */
  for (unsigned slot = 25; slot < 32; slot++)
    put_slot(&f, 0, 6, slot, SIBLING(24));
  check_mapping(&f, 4 << 21, "1536+512@1200");
  fake_linux_view_check_errors(&f.l, "");
  put(&f, INODE(1), M_INODE_BLKBITS, 63);
  check_mapping(&f, 4 << 21, "");
  fake_linux_view_check_errors(&f.l, "it: huge pages of 2^63 bytes\n");
}

static void
put_buffer(Fixture *f, unsigned n, unsigned next, uint64_t len, bool is_uptodate)
{
  put(f, BUFFER(n), M_BH_STATE, 0x20 | is_uptodate);
  put(f, BUFFER(n), M_BH_THIS_PAGE, BUFFER(next));
  put(f, BUFFER(n), M_BH_SIZE, len);
}

/* A block device's page, of which a file system has read two blocks of four. */
static void
test_blocks(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  put_inode(&f, 1, S_IFBLK, 10, 0, 1);
  put(&f, MAPPING(1), M_MAPPING_OPS, DEF_BLK_AOPS);
  put_head(&f, 1, CHILD(0));
  put_slot(&f, 0, 0, 0, PAGE(0x1200));
  put_slot(&f, 0, 0, 1, PAGE(0x1201));
  put_slot(&f, 0, 0, 2, PAGE(0x1202));
  put_page(&f, 0x1200, PRIVATE);
  put_page(&f, 0x1201, UPTODATE | PRIVATE);
  put_page(&f, 0x1202, 0);
  put(&f, PAGE(0x1200), M_PAGE_PRIVATE, BUFFER(0));
  for (unsigned n = 0; n < 4; n++)
    put_buffer(&f, n, (n + 1) % 4, 1024, n < 2);
  check_mapping(&f, 1 << 20, "0+0.2048@1200 1+1@1201");
  check_mapping(&f, 1025, "0+0.1025@1200");
  put_buffer(&f, 3, 3, 1024, true); /* not back to the first */
  put_buffer(&f, 1, 3, 1024, true);
  check_mapping(&f, 1 << 20, "0+2@1200");
  fake_linux_view_check_errors(&f.l, "");
  put_buffer(&f, 1, 2, 0, true); /* no size */
  check_mapping(&f, 1 << 20, "0+0.1024@1200 1+1@1201");
  fake_linux_view_check_errors(
      &f.l, "it: 1 of its cached pages are not to be found in the guest's memory\n");
  put(&f, MAPPING(1), M_MAPPING_OPS, 0); /* of any other file, private may be anything */
  check_mapping(&f, 1 << 20, "1+1@1201");
}

static void
test_wild_pages(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  put_inode(&f, 1, S_IFREG, 10, 0, 1);
  put_head(&f, 1, CHILD(0));
  put_page(&f, 0x1200, UPTODATE);
  put_page(&f, 0x900000, UPTODATE); /* not in memory */
  put_slot(&f, 0, 0, 0, PAGE(0x1200) + 8);
  put_slot(&f, 0, 0, 1, VMEMMAP - 64);
  put_slot(&f, 0, 0, 2, PAGE(0x900000));
  put_slot(&f, 0, 0, 3, PAGE(0x1300)); /* a struct page that is not there */
  put_slot(&f, 0, 0, 4, PAGE(0x1200));
  put_slot(&f, 0, 0, 5, UINT64_C(0xffffffffffffffc0));
  check_mapping(&f, 1 << 20, "4+1@1200");
  fake_linux_view_check_errors(
      &f.l, "it: 5 of its cached pages are not to be found in the guest's memory\n");
}

/* A large folio that runs out of the guest's memory. */
static void
test_wild_folio(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  put_inode(&f, 1, S_IFREG, 10, 0, 1);
  put_head(&f, 1, CHILD(0));
  put_page(&f, RAM_FIRST + RAM_PAGES - 1, UPTODATE | HEAD);
  put_slot(&f, 0, 6, 1, PAGE(RAM_FIRST + RAM_PAGES - 1));
  put_slot(&f, 0, 6, 2, PAGE(RAM_FIRST + RAM_PAGES - 1));
  check_mapping(&f, 129 << 12, "128+1@15ff");
  fake_linux_view_check_errors(
      &f.l, "it: 1 of its cached pages are not to be found in the guest's memory\n");
}

static void
test_knots(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  put_inode(&f, 1, S_IFREG, 10, 0, 1);
  put_page(&f, 0x1200, UPTODATE);
  put_head(&f, 1, CHILD(0));
  put_slot(&f, 0, 6, 0, CHILD(1));
  put_slot(&f, 0, 6, 1, CHILD(1)); /* a second time */
  put_slot(&f, 1, 0, 0, PAGE(0x1200));
  check_mapping(&f, 1 << 20, "0+1@1200");
  fake_linux_view_check_errors(&f.l, "it: a list runs in a circle at 0xffff888000100400\n");
}

static void
test_impossible_size(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  put_inode(&f, 1, S_IFREG, 10, 0, 1);
  put_page(&f, 0x1200, UPTODATE);
  put_head(&f, 1, PAGE(0x1200));
  g_autoptr(DacsaRuns) runs = dacsa_linux_mapping_runs(&f.l, MAPPING(1), UINT64_MAX, "it");
  g_assert_cmpuint(runs->size, ==, 4096);
  fake_linux_view_check_errors(&f.l, "it: its size is impossible: it ends with its last page\n");
}

static void
test_no_vmemmap(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  put_inode(&f, 1, S_IFREG, 10, 0, 1);
  f.kernel.symbols[S_VMEMMAP_BASE] = 0;
  check_mapping(&f, 5000, "");
  fake_linux_view_check_errors(&f.l, "it: the kernel does not say where vmemmap is\n");
}

/* -- the tree -- */

static void
append_directory(Fixture *f, uint32_t directory, const char *prefix, GString *text)
{
  g_autoptr(GArray) files = NULL;
  g_autoptr(GError) error = NULL;

  CHECK_OK(dacsa_linux_files(&f->l.guest, directory, &files, &error), error);
  for (guint i = 0; i < files->len; i++) {
    const DacsaGuestFile *file = &g_array_index(files, DacsaGuestFile, i);
    g_auto(DacsaGuestFile) by_name = {0};
    g_auto(DacsaGuestFile) by_id = {0};
    g_autofree char *path = g_strdup_printf("%s%s", prefix, file->name);
    g_autofree char *below = g_strdup_printf("%s|", path);

    g_assert_cmpuint(file->parent, ==, directory);
    CHECK_OK(dacsa_linux_file_lookup(&f->l.guest, directory, file->name, &by_name, &error), error);
    g_assert_cmpuint(by_name.id, ==, file->id);
    CHECK_OK(dacsa_linux_file(&f->l.guest, file->id, &by_id, &error), error);
    g_assert_cmpstr(by_id.name, ==, file->name);
    if (!file->is_directory)
      g_string_append_printf(text, "%s\n", path);
    else
      append_directory(f, file->id, below, text);
  }
}

/* The files, with all directories above them, a line each. */
static void
check_tree(Fixture *f, const char *expected)
{
  g_autoptr(GString) text = g_string_new(NULL);

  append_directory(f, 0, "", text);
  g_assert_cmpstr(text->str, ==, expected);
}

/*
 * Superblock 1, mounted on /mnt of superblock 0, where init's root is:
 *   /          10  inode 1, a directory
 *     sub      11
 *       file   12  inode 2: one page
 *       empty  13  inode 3: no pages
 *       gone   14  inode 4, unlinked
 *     memfd:x  15  inode 5, its own parent, not hashed
 *   inode 6: without a name
 */
static void
put_tree(Fixture *f)
{
  const uint64_t supers[] = {SUPER(0), SUPER(1)};
  const uint64_t mounts[] = {MOUNT(1)};
  const unsigned inodes[] = {1, 2, 3, 4, 5, 6};

  put_dentry(f, 1, 0, "mnt", 0);
  put_inode(f, 1, S_IFDIR, 1, 4096, 1);
  put_inode(f, 2, S_IFREG, 12, 100, 1);
  put_inode(f, 3, S_IFREG, 13, 100, 0);
  put_inode(f, 4, S_IFREG, 14, 100, 1);
  put_inode(f, 5, S_IFREG, 15, 100, 1);
  put_inode(f, 6, S_IFREG, 16, 100, 1);
  put_dentry(f, 10, 10, "/", 1);
  put_dentry(f, 11, 10, "sub", 0);
  put_dentry(f, 12, 11, "file", 2);
  put_dentry(f, 13, 11, "empty", 3);
  put_dentry(f, 14, 11, "gone", 4);
  put_dentry(f, 15, 15, "memfd:x", 5);
  unhash(f, 14);
  unhash(f, 15);
  put_super(f, 1, 8u << 20 | 1, "ext4", 10, inodes, G_N_ELEMENTS(inodes));
  put_list(f, SUPERS, M_SB_LIST, supers, G_N_ELEMENTS(supers));
  put_mount(f, 1, 1, 1, 10);
  put_list(f, link_of(MOUNT(0), M_MOUNT_CHILDREN), M_MOUNT_CHILD, mounts, G_N_ELEMENTS(mounts));
}

static void
test_tree(void)
{
  g_auto(Fixture) f;
  g_autoptr(GError) error = NULL;
  g_auto(DacsaGuestFile) top = {0};
  g_auto(DacsaGuestFile) sub = {0};
  g_auto(DacsaGuestFile) file = {0};
  g_autoptr(DacsaRuns) runs = NULL;

  set_up(&f);
  put_tree(&f);
  put_page(&f, 0x1234, UPTODATE);
  put_head(&f, 2, PAGE(0x1234));
  check_tree(&f, "8:1-ext4-/mnt|#16\n"
                 "8:1-ext4-/mnt|memfd:x (deleted)\n"
                 "8:1-ext4-/mnt|sub|file\n"
                 "8:1-ext4-/mnt|sub|gone (deleted)\n");
  CHECK_OK(dacsa_linux_file_lookup(&f.l.guest, 0, "8:1-ext4-/mnt", &top, &error), error);
  CHECK_OK(dacsa_linux_file_lookup(&f.l.guest, top.id, "sub", &sub, &error), error);
  CHECK_OK(dacsa_linux_file_lookup(&f.l.guest, sub.id, "file", &file, &error), error);
  CHECK_OK(dacsa_linux_file_content(&f.l.guest, file.id, &runs, &error), error);
  g_autofree char *text = runs_text(runs);
  g_assert_cmpstr(text, ==, "0+0.100@1234");
  fake_linux_view_check_errors(&f.l, "");
}

static void
check_gone(Fixture *f, uint32_t directory, const char *name)
{
  g_autoptr(GError) error = NULL;
  g_auto(DacsaGuestFile) file = {0};

  CHECK_FAILS(dacsa_linux_file_lookup(&f->l.guest, directory, name, &file, &error), error,
              DACSA_ERROR_NOT_FOUND);
}

static void
test_not_there(void)
{
  g_auto(Fixture) f;
  g_autoptr(GError) error = NULL;
  g_auto(DacsaGuestFile) file = {0};
  g_autoptr(GArray) files = NULL;
  DacsaRuns *runs;

  set_up(&f);
  put_tree(&f);
  check_gone(&f, 0, "");
  check_gone(&f, 0, "8:1-ext4");
  check_gone(&f, 99, "file");
  CHECK_OK(dacsa_linux_file_lookup(&f.l.guest, 1, "sub", &file, &error), error);
  check_gone(&f, file.id, "empty");
  CHECK_FAILS(dacsa_linux_file_content(&f.l.guest, file.id, &runs, &error), error,
              DACSA_ERROR_NOT_FOUND); /* a directory */
  CHECK_FAILS(dacsa_linux_file(&f.l.guest, 0, &file, &error), error, DACSA_ERROR_NOT_FOUND);
  CHECK_FAILS(dacsa_linux_file(&f.l.guest, 77, &file, &error), error, DACSA_ERROR_NOT_FOUND);
  CHECK_FAILS(dacsa_linux_files(&f.l.guest, 77, &files, &error), error, DACSA_ERROR_NOT_FOUND);
}

/* An inode with two names is there once, under one that is not deleted. */
static void
test_links(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  put_tree(&f);
  put_dentry(&f, 16, 10, "other", 4);
  put(&f, INODE(4), M_INODE_DENTRY, link_of(DENTRY(14), M_DENTRY_ALIAS));
  put(&f, DENTRY(14), M_DENTRY_ALIAS, link_of(DENTRY(16), M_DENTRY_ALIAS));
  check_tree(&f, "8:1-ext4-/mnt|#16\n"
                 "8:1-ext4-/mnt|memfd:x (deleted)\n"
                 "8:1-ext4-/mnt|other\n"
                 "8:1-ext4-/mnt|sub|file\n");
}

/* Two files of one name, and one that has the name of a directory. */
static void
test_doubles(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  put_tree(&f);
  put_dentry(&f, 14, 11, "file", 4);
  put_dentry(&f, 15, 10, "sub", 5);
  check_tree(&f, "8:1-ext4-/mnt|#16\n"
                 "8:1-ext4-/mnt|sub|file\n"
                 "8:1-ext4-/mnt|sub|file#14\n"
                 "8:1-ext4-/mnt|sub#15\n");
}

/* A block device is its number, and its node elsewhere does not show its pages a second time. */
static void
test_devices(void)
{
  const uint64_t supers[] = {SUPER(2), SUPER(1)};
  const unsigned inodes[] = {7};
  const unsigned nodes[] = {8};
  g_auto(Fixture) f;

  set_up(&f);
  put_inode(&f, 7, S_IFBLK, 99, 1 << 20, 3);
  put(&f, INODE(7), M_INODE_RDEV, 254u << 20 | 3);
  put_inode(&f, 8, S_IFBLK, 7, 4096, 3);
  put(&f, INODE(8), M_INODE_MAPPING, MAPPING(7));
  put_super(&f, 1, 6, "devtmpfs", 0, nodes, 1);
  put_super(&f, 2, 5, "bdev", 0, inodes, 1);
  put_list(&f, SUPERS, M_SB_LIST, supers, G_N_ELEMENTS(supers));
  check_tree(&f, "0:5-bdev|254:3\n");
  fake_linux_view_check_errors(&f.l, "");
}

/* -- hostile trees -- */

static void
test_parents_in_a_circle(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  put_tree(&f);
  put(&f, DENTRY(11), M_DENTRY_PARENT, DENTRY(13));
  check_tree(&f, "8:1-ext4-/mnt|#16\n"
                 "8:1-ext4-/mnt|file\n"
                 "8:1-ext4-/mnt|gone (deleted)\n"
                 "8:1-ext4-/mnt|memfd:x (deleted)\n");
}

static void
test_bad_names(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  put_tree(&f);
  put(&f, link_of(DENTRY(12), M_DENTRY_NAME), M_QSTR_LEN, UINT32_MAX);
  put(&f, link_of(DENTRY(14), M_DENTRY_NAME), M_QSTR_NAME, 0x1000);
  put(&f, link_of(DENTRY(15), M_DENTRY_NAME), M_QSTR_LEN, 0);
  check_tree(&f, "8:1-ext4-/mnt|#12\n"
                 "8:1-ext4-/mnt|#14\n"
                 "8:1-ext4-/mnt|#15\n"
                 "8:1-ext4-/mnt|#16\n");
}

static void
test_supers_in_a_circle(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  put_tree(&f);
  fake_mem_u64(f.l.memory, SUPER(1), SUPER(0)); /* never back to the head */
  check_tree(&f, "8:1-ext4-/mnt|#16\n"
                 "8:1-ext4-/mnt|memfd:x (deleted)\n"
                 "8:1-ext4-/mnt|sub|file\n"
                 "8:1-ext4-/mnt|sub|gone (deleted)\n");
  fake_linux_view_check_errors(&f.l, "files: a list runs in a circle at 0xffff888000500000\n");
}

/* Two superblocks that share their lists of inodes: each inode is there once. */
static void
test_shared_inodes(void)
{
  const uint64_t supers[] = {SUPER(1), SUPER(2)};
  g_auto(Fixture) f;

  set_up(&f);
  put_tree(&f);
  put_super(&f, 2, 9, "tmpfs", 10, NULL, 0);
  fake_mem_u64(f.l.memory, link_of(SUPER(2), M_SB_INODES), link_of(INODE(2), M_INODE_SB_LIST));
  put_list(&f, SUPERS, M_SB_LIST, supers, G_N_ELEMENTS(supers));
  check_tree(&f, "8:1-ext4-/mnt|#16\n"
                 "8:1-ext4-/mnt|memfd:x (deleted)\n"
                 "8:1-ext4-/mnt|sub|file\n"
                 "8:1-ext4-/mnt|sub|gone (deleted)\n");
}

static void
test_mounts_in_a_circle(void)
{
  const uint64_t mounts[] = {MOUNT(0)};
  g_auto(Fixture) f;

  set_up(&f);
  put_tree(&f);
  put_list(&f, link_of(MOUNT(1), M_MOUNT_CHILDREN), M_MOUNT_CHILD, mounts, 1);
  put(&f, DENTRY(1), M_DENTRY_PARENT, DENTRY(1)); /* a mountpoint that hangs in the air */
  put_super(&f, 1, 8u << 20 | 1, "ext4", 10, (const unsigned[]){2}, 1);
  check_tree(&f, "8:1-ext4|sub|file\n");
}

static void
test_no_list_of_supers(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  f.kernel.symbols[S_SUPER_BLOCKS] = 0;
  check_tree(&f, "");
  fake_linux_view_check_errors(&f.l, "files: the kernel does not say where its file systems are\n");
}

/* -- executables -- */

static void
check_exe(Fixture *f, const char *expected)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(DacsaRuns) runs = NULL;

  g_assert_true(dacsa_linux_has_exe(&f->l.guest, 1));
  CHECK_OK(dacsa_linux_exe(&f->l.guest, 1, &runs, &error), error);
  g_autofree char *text = runs_text(runs);
  g_assert_cmpstr(text, ==, expected);
  g_assert_cmpuint(runs->size, ==, 4 * 4096 + 50);
}

/* A program of 4 pages and a bit. Mapped are its pages 0 to 2 at 4 MiB, and 3 and 4 at 6 MiB. */
static void
put_program(Fixture *f)
{
  put_inode(f, 1, S_IFREG, 10, 4 * 4096 + 50, 5);
  put_head(f, 1, CHILD(0));
  for (unsigned i = 0; i < 5; i++) {
    put_page(f, 0x1200 + i, UPTODATE);
    put_slot(f, 0, 0, i, PAGE(0x1200 + i));
  }
  put_file(f, 0, 1, 1);
  put(f, MM, M_MM_EXE_FILE, FILE_AT(0));
  put(f, MM, M_MM_START_CODE, 0x400100);
  put(f, MM, M_MM_MMAP, VMA(0));
  put_vma(f, 0, 0x400000, 0x403000, 0, FILE_AT(0));
  put_vma(f, 1, 0x600000, 0x602000, 3, FILE_AT(0));
  put_vma(f, 2, 0x800000, 0x802000, 0, 0);
  put(f, VMA(2), M_VMA_NEXT, 0);
}

static void
map_user(Fixture *f, uint64_t gva, uint64_t pfn)
{
  fake_paging_map(&f->user_paging, gva, 1, pfn << 12, PTE_PRESENT | PTE_USER);
}

static void
test_exe(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  put_program(&f);
  map_user(&f, 0x601000, 0x1500); /* changed by the process: not the file */
  check_exe(&f, "0+4.50@1200");
  fake_linux_view_check_errors(&f.l, "");
}

static void
test_exe_rebuilt(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  put_program(&f);
  put_slot(&f, 0, 0, 1, VALUE(3));
  put_slot(&f, 0, 0, 2, 0);
  put_slot(&f, 0, 0, 4, 0);
  map_user(&f, 0x400000, 0x1500); /* in the cache: not taken */
  map_user(&f, 0x401000, 0x1501);
  map_user(&f, 0x601000, 0x1502);
  map_user(&f, 0x800000, 0x1503); /* not the file's */
  check_exe(&f, "0+1@1200 1+1@1501 3+1@1203 4+0.50@1502");
  fake_linux_view_check_errors(
      &f.l, "processes/1/exe: rebuilt: 2 of 5 pages from the process's memory, 1 missing "
            "(holes)\n");
}

/* A program with so many zeros behind it that nobody could ever read them. */
static void
test_exe_too_large(void)
{
  g_auto(Fixture) f;
  g_autoptr(GError) error = NULL;
  g_autoptr(DacsaRuns) runs = NULL;

  set_up(&f);
  put_program(&f);
  put(&f, INODE(1), M_INODE_SIZE, INT64_MAX);
  CHECK_OK(dacsa_linux_exe(&f.l.guest, 1, &runs, &error), error);
  g_autofree char *text = runs_text(runs);
  g_assert_cmpstr(text, ==, "0+5@1200");
  g_assert_cmpuint(runs->size, ==, UINT64_C(16) << 30);
  fake_linux_view_check_errors(
      &f.l, "processes/1/exe: cut short: no program is that large\n"
            "processes/1/exe: rebuilt: 0 of 4194304 pages from the process's memory, 4194299 "
            "missing (holes)\n");
}

/* A page that is mapped twice, and one outside the guest's memory. */
static void
test_exe_mapped_twice(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  put_program(&f);
  put_slot(&f, 0, 0, 1, 0);
  put_slot(&f, 0, 0, 2, 0);
  put_vma(&f, 2, 0x800000, 0x802000, 1, FILE_AT(0));
  put(&f, VMA(2), M_VMA_NEXT, 0);
  map_user(&f, 0x401000, 0x1501);
  map_user(&f, 0x800000, 0x1502);
  map_user(&f, 0x402000, 0x900000);
  check_exe(&f, "0+1@1200 1+1@1501 3+1.50@1203");
  fake_linux_view_check_errors(
      &f.l, "processes/1/exe: rebuilt: 1 of 5 pages from the process's memory, 1 missing "
            "(holes)\n");
}

/* overlayfs: what is mapped is the file below, of the same size. */
static void
test_exe_overlay(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  put_program(&f);
  put_inode(&f, 2, S_IFREG, 20, 4 * 4096 + 50, 0);
  put_file(&f, 1, 2, 2);
  put(&f, MM, M_MM_EXE_FILE, FILE_AT(1));
  check_exe(&f, "0+4.50@1200");
  fake_linux_view_check_errors(&f.l, "");
  put(&f, INODE(1), M_INODE_SIZE, 4096); /* another file */
  check_exe(&f, "");
  fake_linux_view_check_errors(
      &f.l, "processes/1/exe: rebuilt: 0 of 5 pages from the process's memory, 5 missing "
            "(holes)\n");
}

static void
test_no_exe(void)
{
  g_auto(Fixture) f;
  g_autoptr(GError) error = NULL;
  DacsaRuns *runs;

  set_up(&f);
  g_assert_false(dacsa_linux_has_exe(&f.l.guest, 1));
  g_assert_false(dacsa_linux_has_exe(&f.l.guest, 2));
  g_assert_false(dacsa_linux_has_exe(&f.l.guest, 3));
  for (uint32_t pid = 1; pid <= 3; pid++)
    CHECK_FAILS(dacsa_linux_exe(&f.l.guest, pid, &runs, &error), error, DACSA_ERROR_NOT_FOUND);
}

/* -- damage -- */

/* One of the words that the structures are made of becomes another, or anything. */
static void
damage(Fixture *f, GRand *rand)
{
  static const uint64_t places[] = {
      NODE(0),    NODE(1),   INODE(1),   INODE(2),   INODE(3),   INODE(4),   INODE(5),   MAPPING(1),
      MAPPING(2), DENTRY(0), DENTRY(10), DENTRY(11), DENTRY(12), DENTRY(14), DENTRY(15), SUPER(0),
      SUPER(1),   MOUNT(0),  MOUNT(1),   MM,         VMA(0),     VMA(1),     FILE_AT(0)};
  const uint64_t at = places[g_rand_int_range(rand, 0, G_N_ELEMENTS(places))] +
                      8 * (uint64_t)g_rand_int_range(rand, 0, 12);
  uint64_t value = places[g_rand_int_range(rand, 0, G_N_ELEMENTS(places))] +
                   8 * (uint64_t)g_rand_int_range(rand, 0, 8);

  if (g_rand_int_range(rand, 0, 4) == 0)
    value = (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand);
  fake_mem_u64(f->l.memory, at, value);
}

static void
read_all(Fixture *f, uint32_t directory, unsigned depth)
{
  g_autoptr(GArray) files = NULL;
  g_autoptr(GError) error = NULL;

  g_assert_cmpuint(depth, <, 3000);
  CHECK_OK(dacsa_linux_files(&f->l.guest, directory, &files, &error), error);
  for (guint i = 0; i < files->len; i++) {
    const DacsaGuestFile *file = &g_array_index(files, DacsaGuestFile, i);
    g_auto(DacsaGuestFile) by_name = {0};
    g_autoptr(DacsaRuns) runs = NULL;

    CHECK_OK(dacsa_linux_file_lookup(&f->l.guest, directory, file->name, &by_name, &error), error);
    g_assert_cmpuint(by_name.id, ==, file->id);
    if (file->is_directory)
      read_all(f, file->id, depth + 1);
    else if (!dacsa_linux_file_content(&f->l.guest, file->id, &runs, &error))
      g_clear_error(&error);
  }
}

/* Whatever is damaged, all that is left can be read, and each name finds its own file. */
static void
test_damage(void)
{
  for (guint32 seed = 0; seed < 400; seed++) {
    g_auto(Fixture) f;
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    g_autoptr(GError) error = NULL;
    g_autoptr(DacsaRuns) runs = NULL;

    set_up(&f);
    put_program(&f);
    put_tree(&f);
    for (int n = g_rand_int_range(rand, 1, 8); n > 0; n--)
      damage(&f, rand);
    read_all(&f, 0, 0);
    (void)dacsa_linux_has_exe(&f.l.guest, 1);
    if (!dacsa_linux_exe(&f.l.guest, 1, &runs, &error))
      g_assert_nonnull(error);
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/linux/mapping/one-page", test_one_page);
  g_test_add_func("/linux/mapping/levels", test_levels);
  g_test_add_func("/linux/mapping/multi-index", test_multi_index);
  g_test_add_func("/linux/mapping/repeated-heads", test_repeated_heads);
  g_test_add_func("/linux/mapping/huge-pages", test_huge_pages);
  g_test_add_func("/linux/mapping/blocks", test_blocks);
  g_test_add_func("/linux/mapping/wild-pages", test_wild_pages);
  g_test_add_func("/linux/mapping/wild-folio", test_wild_folio);
  g_test_add_func("/linux/mapping/knots", test_knots);
  g_test_add_func("/linux/mapping/impossible-size", test_impossible_size);
  g_test_add_func("/linux/mapping/no-vmemmap", test_no_vmemmap);
  g_test_add_func("/linux/files/tree", test_tree);
  g_test_add_func("/linux/files/not-there", test_not_there);
  g_test_add_func("/linux/files/links", test_links);
  g_test_add_func("/linux/files/doubles", test_doubles);
  g_test_add_func("/linux/files/devices", test_devices);
  g_test_add_func("/linux/files/parents-in-a-circle", test_parents_in_a_circle);
  g_test_add_func("/linux/files/bad-names", test_bad_names);
  g_test_add_func("/linux/files/supers-in-a-circle", test_supers_in_a_circle);
  g_test_add_func("/linux/files/shared-inodes", test_shared_inodes);
  g_test_add_func("/linux/files/mounts-in-a-circle", test_mounts_in_a_circle);
  g_test_add_func("/linux/files/no-list-of-supers", test_no_list_of_supers);
  g_test_add_func("/linux/exe/cached", test_exe);
  g_test_add_func("/linux/exe/rebuilt", test_exe_rebuilt);
  g_test_add_func("/linux/exe/too-large", test_exe_too_large);
  g_test_add_func("/linux/exe/mapped-twice", test_exe_mapped_twice);
  g_test_add_func("/linux/exe/overlay", test_exe_overlay);
  g_test_add_func("/linux/exe/none", test_no_exe);
  g_test_add_func("/linux/files/damage", test_damage);
  return g_test_run();
}
