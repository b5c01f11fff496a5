/* Cores of a process of a kernel made by hand: its notes, and of each page whether it is there; and
 * of one that a hostile guest made. */
#include "check.h"
#include "fake-linux.h"
#include "fake-paging.h"

#include "parsers/linux/core.h"
#include "parsers/linux/registers.h"
#include "parsers/work.h"

#include <elf.h>
#include <string.h>

#define KERNEL(n) (UINT64_C(0xffff888000000000) + (uint64_t)(n)*0x10000u)
#define INIT_TASK KERNEL(1)
#define LEADER KERNEL(2)
#define THREAD KERNEL(3)
#define KTHREAD KERNEL(4)
#define SIGNAL KERNEL(5)
#define MM KERNEL(6)
#define PGD KERNEL(7)
#define VMA(n) (KERNEL(8) + (n)*0x100u)
#define OPS KERNEL(9)
#define CRED KERNEL(10)
#define PARENT KERNEL(11)
#define PID KERNEL(12)
#define NR_CPUS KERNEL(13)
#define MAPPING KERNEL(14) /* a struct address_space */
#define INODE (MAPPING + 0x1000)
#define FILE_AT (MAPPING + 0x2000)
#define NODE (MAPPING + 0x3000)
#define VMEMMAP_BASE (MAPPING + 0x4000)
#define VMEMMAP UINT64_C(0xffffea0000000000)
#define STACK(n) KERNEL(16 + (n))
#define SHMEM_AOPS KERNEL(30)

#define KERNEL_ROOT 0x1000u
#define USER_ROOT 0x4000u
#define RAM 0x1000000u
#define ARGUMENTS 0x7ffc00000100
#define VM_RW 0x3u
#define UFFD 0x200u
#define IO 0x4000u
#define UPTODATE 4u

#define AT(m, o, s)                                                                                \
  {                                                                                                \
    m, o, s, 0                                                                                     \
  }

static const FakeMember members[] = {
    AT(M_TASK_TASKS, 0, 16),
    AT(M_TASK_PID, 0x10, 4),
    AT(M_TASK_FLAGS, 0x14, 4),
    AT(M_TASK_MM, 0x18, 8),
    AT(M_TASK_SIGNAL, 0x20, 8),
    AT(M_TASK_THREAD_NODE, 0x28, 16),
    AT(M_TASK_STACK, 0x38, 8),
    AT(M_TASK_STATE, 0x40, 4),
    AT(M_TASK_STATIC_PRIO, 0x44, 4),
    AT(M_TASK_REAL_CRED, 0x48, 8),
    AT(M_TASK_REAL_PARENT, 0x50, 8),
    AT(M_TASK_PENDING, 0x58, 8),
    AT(M_TASK_BLOCKED, 0x60, 8),
    AT(M_TASK_UTIME, 0x68, 8),
    AT(M_TASK_STIME, 0x70, 8),
    AT(M_TASK_FSBASE, 0x78, 8),
    AT(M_TASK_GSBASE, 0x80, 8),
    AT(M_TASK_DS, 0x88, 2),
    AT(M_TASK_ES, 0x8a, 2),
    AT(M_TASK_FSINDEX, 0x8c, 2),
    AT(M_TASK_GSINDEX, 0x8e, 2),
    {M_TASK_COMM, 0x90, 16, 16},
    AT(M_TASK_FPU, 0x200, 4352),
    AT(M_FPU_STATE, 64, 4096),
    AT(M_SIGNAL_THREAD_HEAD, 0, 16),
    {M_SIGNAL_PIDS, 0x10, 32, 4},
    AT(M_SIGNAL_UTIME, 0x40, 8),
    AT(M_SIGNAL_STIME, 0x48, 8),
    AT(M_SIGNAL_CUTIME, 0x50, 8),
    AT(M_SIGNAL_CSTIME, 0x58, 8),
    AT(M_PID_NUMBERS, 0x10, 16),
    AT(M_UPID_NR, 0, 4),
    AT(M_UPID_NS, 8, 8),
    AT(M_CRED_UID, 0, 4),
    AT(M_CRED_GID, 4, 4),
    AT(M_MM_PGD, 0, 8),
    AT(M_MM_START_BRK, 8, 8),
    AT(M_MM_BRK, 0x10, 8),
    AT(M_MM_START_STACK, 0x18, 8),
    AT(M_MM_ARG_START, 0x20, 8),
    AT(M_MM_ARG_END, 0x28, 8),
    AT(M_MM_MMAP, 0x30, 8),
    {M_MM_SAVED_AUXV, 0x40, 64, 8},
    AT(M_VMA_NEXT, 0, 8),
    AT(M_VMA_START, 8, 8),
    AT(M_VMA_END, 0x10, 8),
    AT(M_VMA_FLAGS, 0x18, 8),
    AT(M_VMA_PGOFF, 0x20, 8),
    AT(M_VMA_FILE, 0x28, 8),
    AT(M_VMA_OPS, 0x30, 8),
    AT(M_VM_OPS_NAME, 8, 8),
    AT(M_FILE_PATH, 0, 16),
    AT(M_FILE_INODE, 0x10, 8),
    AT(M_FILE_MAPPING, 0x18, 8),
    AT(M_INODE_SB, 0, 8),
    AT(M_INODE_INO, 8, 8),
    AT(M_INODE_SIZE, 0x10, 8),
    AT(M_SB_DEV, 0x20, 4),
    AT(M_MAPPING_HOST, 0, 8),
    AT(M_MAPPING_PAGES, 8, 16),
    AT(M_MAPPING_OPS, 0x18, 8),
    AT(M_XARRAY_HEAD, 8, 8),
    AT(M_XA_NODE_SHIFT, 0, 1),
    {M_XA_NODE_SLOTS, 40, 512, 64},
    AT(M_PAGE_FLAGS, 0, 8),
};

typedef struct {
  FakeLinux fake;
  FakePaging kernel, user;
  unsigned vmas;
} Fixture;

static void
put_thread(Fixture *f, uint64_t task, uint32_t tid, uint64_t stack)
{
  FakeLinux *fake = &f->fake;

  fake_mem_write(fake->l.memory, task, (const char[0x1400]){0}, 0x1400);
  fake_linux_put(fake, task, M_TASK_PID, tid);
  fake_linux_put(fake, task, M_TASK_MM, MM);
  fake_linux_put(fake, task, M_TASK_SIGNAL, SIGNAL);
  fake_linux_put(fake, task, M_TASK_STACK, stack);
  fake_linux_put(fake, task, M_TASK_STATIC_PRIO, 125);
  fake_linux_put(fake, task, M_TASK_REAL_CRED, CRED);
  fake_linux_put(fake, task, M_TASK_REAL_PARENT, PARENT);
  fake_linux_put(fake, task, M_TASK_STATE, 1);
  fake_linux_put(fake, task, M_TASK_UTIME, 1500000000);
  fake_mem_string(fake->l.memory, task + 0x90, "core's");
  const uint64_t frame = stack + 16384 - 168;
  for (unsigned i = 0; i < DACSA_LINUX_N_PT_REGS; i++)
    fake_mem_u64(fake->l.memory, frame + i * 8, tid * 100 + i);
  fake_mem_u64(fake->l.memory, frame + DACSA_LINUX_CS * 8, 0x33);
  fake_mem_u64(fake->l.memory, frame + DACSA_LINUX_SS * 8, 0x2b);
  fake_mem_u64(fake->l.memory, frame + DACSA_LINUX_RFLAGS * 8, 0x202);
}

static void
put_vma(Fixture *f, uint64_t start, uint64_t end, uint64_t flags, uint64_t ops, uint64_t file)
{
  const uint64_t vma = VMA(f->vmas);
  FakeLinux *fake = &f->fake;

  if (f->vmas == 0)
    fake_linux_put(fake, MM, M_MM_MMAP, vma);
  else
    fake_linux_put(fake, VMA(f->vmas - 1), M_VMA_NEXT, vma);
  f->vmas++;
  fake_linux_put(fake, vma, M_VMA_NEXT, 0);
  fake_linux_put(fake, vma, M_VMA_START, start);
  fake_linux_put(fake, vma, M_VMA_END, end);
  fake_linux_put(fake, vma, M_VMA_FLAGS, flags);
  fake_linux_put(fake, vma, M_VMA_PGOFF, 0);
  fake_linux_put(fake, vma, M_VMA_FILE, file);
  fake_linux_put(fake, vma, M_VMA_OPS, ops);
}

/* A page of the process, in RAM; what it holds is its gva. */
static void
put_page(Fixture *f, uint64_t gva, uint64_t gpa)
{
  for (unsigned i = 0; i < 4096; i += 8)
    fake_mem_u64(f->fake.l.phys, gpa + i, gva);
  fake_paging_map(&f->user, gva, 1, gpa, PTE_TABLE);
}

static void
put_process(Fixture *f)
{
  FakeLinux *fake = &f->fake;
  const uint64_t tasks[] = {LEADER, KTHREAD};
  const uint64_t threads[] = {LEADER, THREAD};

  put_thread(f, KTHREAD, 2, STACK(3));
  fake_linux_put(fake, KTHREAD, M_TASK_FLAGS, 0x200000);
  put_thread(f, LEADER, 10, STACK(0));
  put_thread(f, THREAD, 11, STACK(1));
  fake_linux_put_list(fake, INIT_TASK, M_TASK_TASKS, tasks, 2);
  fake_mem_write(fake->l.memory, SIGNAL, (const char[0x100]){0}, 0x100);
  fake_linux_put_list(fake, SIGNAL, M_TASK_THREAD_NODE, threads, 2);
  fake_linux_put(fake, SIGNAL, M_SIGNAL_UTIME, 7000000000);
  fake_mem_u64(fake->l.memory, SIGNAL + 0x10 + 2 * 8, PID);
  fake_linux_put(fake, PID + 0x10, M_UPID_NR, 9);
  fake_linux_put(fake, PID + 0x10, M_UPID_NS, 0);
  fake_linux_put(fake, PARENT, M_TASK_PID, 1);
  fake_linux_put(fake, CRED, M_CRED_UID, 1000);
  fake_linux_put(fake, CRED, M_CRED_GID, 100);
  fake_linux_put(fake, LEADER, M_TASK_BLOCKED, 0x200);
  fake_mem_write(fake->l.memory, MM, (const char[0x100]){0}, 0x100);
  fake_linux_put(fake, MM, M_MM_PGD, PGD);
  fake_linux_put(fake, MM, M_MM_ARG_START, ARGUMENTS);
  fake_linux_put(fake, MM, M_MM_ARG_END, ARGUMENTS + 8);
  fake_mem_u64(fake->l.memory, MM + 0x40, AT_PAGESZ);
  fake_mem_u64(fake->l.memory, MM + 0x48, 4096);
}

static void
set_up(Fixture *f)
{
  *f = (Fixture){0};
  fake_linux_init(&f->fake, members, G_N_ELEMENTS(members));
  f->fake.kernel.symbols[S_INIT_TASK] = INIT_TASK;
  f->fake.kernel.symbols[S_VMEMMAP_BASE] = VMEMMAP_BASE;
  f->fake.kernel.symbols[S_SHMEM_AOPS] = SHMEM_AOPS;
  f->fake.kernel.types[T_PT_REGS] = 168;
  f->fake.kernel.types[T_UPID] = 16;
  f->fake.kernel.types[T_PAGE] = 64;
  f->fake.kernel.enumerators[E_PIDTYPE_PGID] = 2;
  f->fake.kernel.enumerators[E_PIDTYPE_SID] = 3;
  f->fake.kernel.enumerators[E_PG_UPTODATE] = 2;
  f->fake.kernel.enumerators[E_PG_HEAD] = 6;
  f->fake.info.root = KERNEL_ROOT;
  f->kernel = (FakePaging){f->fake.l.phys, KERNEL_ROOT, 0x100000, 4};
  f->user = (FakePaging){f->fake.l.phys, USER_ROOT, 0x200000, 4};
  fake_paging_map(&f->kernel, PGD, 1, USER_ROOT, PTE_TABLE);
  fake_paging_entry(&f->user, 0, 4);
  put_process(f);
  put_vma(f, 0x7ffc00000000, 0x7ffc00001000, VM_RW, 0, 0);
  put_page(f, 0x7ffc00000000, RAM);
  fake_mem_write(f->fake.l.phys, RAM + 0x100, "run\0fast", 8);
}

static void
tear_down(Fixture *f)
{
  fake_linux_clear(&f->fake);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Fixture, tear_down)

/* -- the file -- */

static DacsaRuns *
core_of(Fixture *f)
{
  g_autoptr(GError) error = NULL;
  DacsaRuns *runs = NULL;

  g_assert_true(dacsa_linux_has_core(&f->fake.l.guest, 10));
  CHECK_OK(dacsa_linux_core(&f->fake.l.guest, 10, &runs, &error), error);
  return runs;
}

static void
read_core(Fixture *f, const DacsaRuns *core, uint64_t at, void *buf, size_t len)
{
  g_autoptr(GError) error = NULL;

  g_assert_cmpuint(at + len, <=, core->size);
  CHECK_OK(dacsa_runs_read(core, f->fake.l.phys, at, buf, len, &error), error);
}

static Elf64_Phdr
segment(Fixture *f, const DacsaRuns *core, unsigned i)
{
  Elf64_Phdr phdr;

  read_core(f, core, sizeof(Elf64_Ehdr) + i * sizeof(phdr), &phdr, sizeof(phdr));
  return phdr;
}

/* Segment i is [start, end) with those flags, and holds at gva what put_page wrote or, if zero,
 * nothing. */
static void
check_segment(Fixture *f, const DacsaRuns *core, unsigned i, uint64_t start, uint64_t end)
{
  const Elf64_Phdr phdr = segment(f, core, i);

  g_test_message("segment %u", i);
  g_assert_cmphex(phdr.p_vaddr, ==, start);
  g_assert_cmphex(phdr.p_vaddr + phdr.p_memsz, ==, end);
  g_assert_cmphex(phdr.p_filesz, ==, phdr.p_memsz);
}

static void
check_word(Fixture *f, const DacsaRuns *core, unsigned i, uint64_t gva, uint64_t expected)
{
  const Elf64_Phdr phdr = segment(f, core, i);
  uint64_t word;

  read_core(f, core, phdr.p_offset + (gva - phdr.p_vaddr), &word, sizeof(word));
  g_assert_cmphex(word, ==, expected);
}

static void
check_segments(Fixture *f, const DacsaRuns *core, unsigned n)
{
  Elf64_Ehdr header;

  read_core(f, core, 0, &header, sizeof(header));
  g_assert_cmpuint(header.e_phnum, ==, n + 1);
}

/* The n-th note of a type; its size. */
static size_t
find_note(Fixture *f, const DacsaRuns *core, uint32_t type, unsigned n, uint8_t *buf, size_t max)
{
  const Elf64_Phdr notes = segment(f, core, 0);
  Elf64_Nhdr note;

  for (uint64_t at = notes.p_offset; at < notes.p_offset + notes.p_filesz;) {
    read_core(f, core, at, &note, sizeof(note));
    at += sizeof(note) + (note.n_namesz + 3) / 4 * 4;
    if (note.n_type == type && n-- == 0) {
      g_assert_cmpuint(note.n_descsz, <=, max);
      read_core(f, core, at, buf, note.n_descsz);
      return note.n_descsz;
    }
    at += (note.n_descsz + 3) / 4 * 4;
  }
  return 0;
}

static uint64_t
number(const uint8_t *at, size_t len)
{
  uint64_t v = 0;

  memcpy(&v, at, len);
  return v;
}

static void
test_notes(void)
{
  uint8_t note[1024];
  g_auto(Fixture) f;

  set_up(&f);
  g_autoptr(DacsaRuns) core = core_of(&f);
  g_assert_cmpuint(find_note(&f, core, NT_PRSTATUS, 0, note, sizeof(note)), ==, 336);
  g_assert_cmpuint(number(note + 24, 8), ==, 0x200); /* held */
  g_assert_cmpuint(number(note + 32, 4), ==, 10);
  g_assert_cmpuint(number(note + 36, 4), ==, 1);
  g_assert_cmpuint(number(note + 40, 4), ==, 9);
  g_assert_cmpuint(number(note + 44, 4), ==, 0);
  g_assert_cmpuint(number(note + 48, 8), ==, 10); /* 7 s of threads that were, 2 x 1.5 s */
  g_assert_cmpuint(number(note + 56, 8), ==, 0);
  g_assert_cmpuint(number(note + 112, 8), ==, 1000);
  g_assert_cmpuint(number(note + 112 + DACSA_LINUX_RSP * 8, 8), ==, 1000 + DACSA_LINUX_RSP);
  g_assert_cmpuint(number(note + 328, 4), ==, 1);
  g_assert_cmpuint(find_note(&f, core, NT_PRSTATUS, 1, note, sizeof(note)), ==, 336);
  g_assert_cmpuint(number(note + 32, 4), ==, 11);
  g_assert_cmpuint(number(note + 48, 8), ==, 1);
  g_assert_cmpuint(number(note + 56, 8), ==, 500000);
  g_assert_cmpuint(find_note(&f, core, NT_PRSTATUS, 2, note, sizeof(note)), ==, 0);
  g_assert_cmpuint(find_note(&f, core, NT_FPREGSET, 1, note, sizeof(note)), ==, 512);
  g_assert_cmpuint(find_note(&f, core, NT_X86_XSTATE, 0, note, sizeof(note)), ==, 0);
  g_assert_cmpuint(find_note(&f, core, NT_PRPSINFO, 0, note, sizeof(note)), ==, 136);
  g_assert_cmpmem(note, 4, "\1S\0\5", 4); /* state, its name, no zombie, nice */
  g_assert_cmpuint(number(note + 16, 4), ==, 1000);
  g_assert_cmpstr((const char *)note + 40, ==, "core's");
  g_assert_cmpstr((const char *)note + 56, ==, "run fast");
  g_assert_cmpuint(find_note(&f, core, NT_AUXV, 0, note, sizeof(note)), ==, 32);
  g_assert_cmpuint(number(note + 8, 8), ==, 4096);
  g_assert_cmpuint(find_note(&f, core, NT_FILE, 0, note, sizeof(note)), ==, 0);
  check_segments(&f, core, 1);
}

/* Anonymous memory: touched, never touched, swapped out, where a userfaultfd would answer, and
 * where no memory is. */
static void
test_anonymous(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  f.vmas = 0;
  put_vma(&f, 0x400000, 0x408000, VM_RW | 4, 0, 0);
  put_vma(&f, 0x408000, 0x40a000, VM_RW, 0, 0);
  put_vma(&f, 0x500000, 0x502000, VM_RW | UFFD, 0, 0);
  put_vma(&f, 0x600000, 0x602000, VM_RW | IO, OPS, 0); /* a device's: no page, and none missing */
  fake_linux_put(&f.fake, OPS, M_VM_OPS_NAME, 0);
  put_vma(&f, 0x7ffc00000000, 0x7ffc00001000, VM_RW, 0, 0);
  put_page(&f, 0x401000, RAM + 0x1000);
  put_page(&f, 0x402000, RAM + 0x5000);
  fake_paging_map(&f.user, 0x404000, 1, 0, UINT64_C(0x1234) << 12);
  fake_paging_map(&f.user, 0x405000, 1, 0, UINT64_C(0x1235) << 12);
  fake_paging_map(&f.user, 0x409000, 1, UINT64_C(0xfe000000), PTE_TABLE); /* a device */
  put_page(&f, 0x501000, RAM + 0x2000);
  g_autoptr(DacsaRuns) core = core_of(&f);
  check_segments(&f, core, 5);
  check_segment(&f, core, 1, 0x400000, 0x404000);
  g_assert_cmpuint(segment(&f, core, 1).p_flags, ==, PF_R | PF_W | PF_X);
  check_word(&f, core, 1, 0x400ff8, 0);
  check_word(&f, core, 1, 0x401000, 0x401000);
  check_word(&f, core, 1, 0x402ff8, 0x402000);
  check_word(&f, core, 1, 0x403000, 0);
  check_segment(&f, core, 2, 0x406000, 0x408000);
  check_segment(&f, core, 3, 0x408000, 0x409000);
  check_segment(&f, core, 4, 0x501000, 0x502000);
  check_word(&f, core, 4, 0x501000, 0x501000);
  check_segment(&f, core, 5, 0x7ffc00000000, 0x7ffc00001000);
  fake_linux_check_errors(&f.fake, "processes/10/core: 2 pages are swapped out: in no segment\n");
  fake_linux_check_errors(&f.fake, "processes/10/core: 2 pages of special or damaged mappings are "
                                   "not known: in no segment\n");
}

/* A file of 5 pages: cached are the first and the third, the fourth is swapped out if the file is
 * shared memory. */
static void
put_file(Fixture *f, uint64_t aops)
{
  FakeLinux *fake = &f->fake;
  DacsaMem *memory = fake->l.memory;

  fake_mem_u64(memory, VMEMMAP_BASE, VMEMMAP);
  fake_mem_write(memory, FILE_AT, (const char[64]){0}, 64);
  fake_linux_put(fake, FILE_AT, M_FILE_INODE, INODE);
  fake_linux_put(fake, FILE_AT, M_FILE_MAPPING, MAPPING);
  fake_linux_put(fake, INODE, M_INODE_SB, INODE);
  fake_linux_put(fake, INODE, M_INODE_INO, 1);
  fake_linux_put(fake, INODE, M_INODE_SIZE, 5 * 4096 - 10);
  fake_linux_put(fake, INODE, M_SB_DEV, 1);
  fake_linux_put(fake, MAPPING, M_MAPPING_HOST, INODE);
  fake_linux_put(fake, MAPPING, M_MAPPING_OPS, aops);
  fake_linux_put(fake, MAPPING + 8, M_XARRAY_HEAD, NODE | 2);
  fake_mem_write(memory, NODE, (const char[40 + 512]){0}, 40 + 512);
  fake_mem_u64(memory, NODE + 40, VMEMMAP + 0x1007 * 64);
  fake_mem_u64(memory, NODE + 40 + 2 * 8, VMEMMAP + 0x1008 * 64);
  fake_mem_u64(memory, NODE + 40 + 3 * 8, 0x77 << 1 | 1);
  fake_linux_put(fake, VMEMMAP + 0x1007 * 64, M_PAGE_FLAGS, UPTODATE);
  fake_linux_put(fake, VMEMMAP + 0x1008 * 64, M_PAGE_FLAGS, UPTODATE);
  for (unsigned i = 0; i < 2; i++)
    fake_mem_u64(fake->l.phys, RAM + 0x7000 + i * 0x1000, 0xf000 + i);
}

static void
test_file(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  f.vmas = 0;
  put_file(&f, OPS);
  put_vma(&f, 0x400000, 0x406000, VM_RW, OPS, FILE_AT); /* a page longer than the file */
  put_vma(&f, 0x7ffc00000000, 0x7ffc00001000, VM_RW, 0, 0);
  put_page(&f, 0x401000, RAM + 0x1000); /* the process's own */
  g_autoptr(DacsaRuns) core = core_of(&f);
  check_segments(&f, core, 2);
  check_segment(&f, core, 1, 0x400000, 0x403000);
  check_word(&f, core, 1, 0x400000, 0xf000);
  check_word(&f, core, 1, 0x401000, 0x401000);
  check_word(&f, core, 1, 0x402000, 0xf001);
  fake_linux_check_errors(&f.fake,
                          "processes/10/core: 3 pages of files are not in memory: in no segment\n");
}

static void
test_shared_memory(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  f.vmas = 0;
  put_file(&f, SHMEM_AOPS);
  put_vma(&f, 0x400000, 0x405000, VM_RW, OPS, FILE_AT);
  put_vma(&f, 0x7ffc00000000, 0x7ffc00001000, VM_RW, 0, 0);
  g_autoptr(DacsaRuns) core = core_of(&f);
  check_segments(&f, core, 3);
  check_segment(&f, core, 1, 0x400000, 0x403000);
  check_word(&f, core, 1, 0x400000, 0xf000);
  check_word(&f, core, 1, 0x401000, 0); /* never written */
  check_word(&f, core, 1, 0x402000, 0xf001);
  check_segment(&f, core, 2, 0x404000, 0x405000);
  check_word(&f, core, 2, 0x404000, 0);
  fake_linux_check_errors(&f.fake, "processes/10/core: 1 pages are swapped out: in no segment\n");
}

/* Threads whose registers are not there are left out; the rest of the core is as ever. */
static void
test_threads(void)
{
  uint8_t note[1024];
  g_auto(Fixture) f;

  set_up(&f);
  fake_linux_put(&f.fake, LEADER, M_TASK_STACK, 0);
  g_autoptr(DacsaRuns) core = core_of(&f);
  g_assert_cmpuint(find_note(&f, core, NT_PRSTATUS, 0, note, sizeof(note)), ==, 336);
  g_assert_cmpuint(number(note + 32, 4), ==, 11);
  g_assert_cmpuint(find_note(&f, core, NT_PRSTATUS, 1, note, sizeof(note)), ==, 0);
  g_assert_cmpuint(find_note(&f, core, NT_PRPSINFO, 0, note, sizeof(note)), ==, 136);
  fake_linux_check_errors(&f.fake, "processes/10/core: thread 10 is left out, without its "
                                   "registers: it has no kernel stack\n");

  /* The leader has ended, the other lives. */
  g_auto(Fixture) g;
  set_up(&g);
  fake_linux_put(&g.fake, LEADER, M_TASK_MM, 0);
  g_autoptr(DacsaRuns) other = core_of(&g);
  g_assert_cmpuint(find_note(&g, other, NT_PRSTATUS, 0, note, sizeof(note)), ==, 336);
  g_assert_cmpuint(number(note + 32, 4), ==, 11);
  check_segments(&g, other, 1);
}

static void
test_none(void)
{
  g_autoptr(GError) error = NULL;
  DacsaRuns *runs = NULL;
  g_auto(Fixture) f;

  set_up(&f);
  g_assert_false(dacsa_linux_has_core(&f.fake.l.guest, 2)); /* of the kernel */
  CHECK_FAILS(dacsa_linux_core(&f.fake.l.guest, 2, &runs, &error), error, DACSA_ERROR_NOT_FOUND);
  CHECK_FAILS(dacsa_linux_core(&f.fake.l.guest, 3, &runs, &error), error, DACSA_ERROR_NOT_FOUND);
  fake_linux_put(&f.fake, LEADER, M_TASK_MM, 0);
  fake_linux_put(&f.fake, THREAD, M_TASK_MM, 0);
  g_assert_false(dacsa_linux_has_core(&f.fake.l.guest, 10)); /* a zombie */
  CHECK_FAILS(dacsa_linux_core(&f.fake.l.guest, 10, &runs, &error), error, DACSA_ERROR_NOT_FOUND);
}

/* Mappings that overlap, are upside down, end within a page or are endless; lists that are knots.
 */
static void
test_hostile(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  f.vmas = 0;
  put_vma(&f, 0x400000, 0x402000, VM_RW, 0, 0);
  put_vma(&f, 0x401000, 0x403000, VM_RW, 0, 0);
  put_vma(&f, 0x405000, 0x404000, VM_RW, 0, 0);
  put_vma(&f, 0x406000, 0x406800, VM_RW, 0, 0);
  put_vma(&f, 0x407000, 0x408000, VM_RW, 0xdead, 0xbeef000000000000);
  put_vma(&f, 0x409000, 0xfffffffffffff000, VM_RW, 0, 0);
  fake_linux_put(&f.fake, VMA(f.vmas - 1), M_VMA_NEXT, VMA(0));
  fake_linux_put_list(&f.fake, SIGNAL, M_TASK_THREAD_NODE, (const uint64_t[]){LEADER, THREAD}, 2);
  fake_mem_u64(f.fake.l.memory, THREAD + 0x28, THREAD + 0x28); /* never back to the head */
  for (unsigned i = 0; i < 8; i++)
    fake_mem_u64(f.fake.l.memory, MM + 0x40 + i * 8, 1); /* an auxiliary vector without an end */
  fake_linux_put(&f.fake, MM, M_MM_ARG_END, UINT64_MAX);
  fake_linux_put(&f.fake, LEADER, M_TASK_STATIC_PRIO, 0x80000030); /* less 120: no int */
  const uint64_t before = dacsa_work_begin(1u << 20);
  g_autoptr(DacsaRuns) core = core_of(&f);
  dacsa_work_begin(before);
  check_segments(&f, core, 2);
  check_segment(&f, core, 1, 0x400000, 0x402000);
  fake_linux_check_errors(&f.fake, "processes/10/core: mappings that cannot be are left out\n");
  fake_linux_check_errors(&f.fake, "processes/10/core: its auxiliary vector has no end\n");
  fake_linux_check_errors(&f.fake, "the list of mappings has no end\n");
}

/* Page tables that cannot be read say nothing of what was never touched. */
static void
test_unreadable_tables(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  f.vmas = 0;
  put_vma(&f, 0x400000, 0x402000, VM_RW, 0, 0);
  put_page(&f, 0x401000, RAM + 0x1000);
  fake_paging_map(&f.user, 0x400000, 2, 0xfff000000, PTE_TABLE);
  g_autoptr(DacsaRuns) core = core_of(&f);
  check_segments(&f, core, 0);
  fake_linux_check_errors(&f.fake, "1 page tables could not be read\n");
}

/* Without any work allowed, it still ends, and says so. */
static void
test_no_work(void)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(DacsaRuns) core = NULL;
  g_auto(Fixture) f;

  set_up(&f);
  const uint64_t before = dacsa_work_begin(0);
  CHECK_OK(dacsa_linux_core(&f.fake.l.guest, 10, &core, &error), error);
  dacsa_work_begin(before);
  check_segments(&f, core, 0);
  fake_linux_check_errors(&f.fake, "cut short: it takes too much work\n");
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/core/notes", test_notes);
  g_test_add_func("/core/anonymous", test_anonymous);
  g_test_add_func("/core/file", test_file);
  g_test_add_func("/core/shared-memory", test_shared_memory);
  g_test_add_func("/core/threads", test_threads);
  g_test_add_func("/core/none", test_none);
  g_test_add_func("/core/hostile", test_hostile);
  g_test_add_func("/core/unreadable-tables", test_unreadable_tables);
  g_test_add_func("/core/no-work", test_no_work);
  return g_test_run();
}
