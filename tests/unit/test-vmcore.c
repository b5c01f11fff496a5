/* Cores of the whole system: notes, segments, holes; and what a Linux kernel says for them. */
#include "check.h"
#include "fake-kallsyms.h"
#include "fake-linux.h"
#include "fake-paging.h"

#include "parsers/cpus.h"
#include "parsers/linux/system.h"
#include "parsers/vmcore.h"

#include <elf.h>
#include <string.h>
#include <unistd.h>

#define KERNEL UINT64_C(0xffffffff81000000)
#define DIRECT UINT64_C(0xffff888000000000)
#define PRESENT (UINT64_C(1) << 63)
#define ROOT 0x1000u

#define SEGMENT(name) name " =0010 0000000000000000 ffffffff 00cf9300 DPL=0 DS   [-WA]\n"
#define CPU(n, rip)                                                                                \
  "CPU#" n "\n"                                                                                    \
  "RAX=0000000000000a01 RBX=0000000000000a02 RCX=0000000000000a03 RDX=0000000000000a04\n"          \
  "RSI=0000000000000a05 RDI=0000000000000a06 RBP=0000000000000a07 RSP=0000000000000a08\n"          \
  "R8 =0000000000000a09 R9 =0000000000000a0a R10=0000000000000a0b R11=0000000000000a0c\n"          \
  "R12=0000000000000a0d R13=0000000000000a0e R14=0000000000000a0f R15=0000000000000a10\n"          \
  "RIP=" rip " RFL=00000246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=1\n" SEGMENT("ES") SEGMENT("CS")  \
      SEGMENT("SS") SEGMENT("DS")                                                                  \
          SEGMENT("FS") "GS =0000 ffff88803ec00000 00000000 00000000\n"                            \
                        "LDT=0000 0000000000000000 00000000 00008200 DPL=0 LDT\n"                  \
                        "TR =0040 fffffe0000003000 00004087 00008900 DPL=0 TSS64-avl\n"            \
                        "GDT=     fffffe0000001000 0000007f\n"                                     \
                        "IDT=     fffffe0000000000 00000fff\n"                                     \
                        "CR0=80050033 CR2=0000000000000a11 CR3=0000000002610000 CR4=000006f0\n"    \
                        "EFER=0000000000000d01\n"
#define REAL_MODE_CPU(n)                                                                           \
  "CPU#" n "\n"                                                                                    \
  "EAX=00000001 EBX=00000002 ECX=00000003 EDX=00060fb1\n"                                          \
  "ESI=00000005 EDI=00000006 EBP=00000007 ESP=00000008\n"                                          \
  "EIP=0000fff0 EFL=00000002 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=1\n"                             \
  "ES =0000 00000000 0000ffff 00009300\nCS =f000 ffff0000 0000ffff 00009b00\n"                     \
  "SS =0000 00000000 0000ffff 00009300\nDS =0000 00000000 0000ffff 00009300\n"                     \
  "FS =0000 00000000 0000ffff 00009300\nGS =0000 00000000 0000ffff 00009300\n"                     \
  "LDT=0000 00000000 0000ffff 00008200\nTR =0000 00000000 0000ffff 00008b00\n"                     \
  "GDT=     00000000 0000ffff\nIDT=     00000000 0000ffff\n"                                       \
  "CR0=60000010 CR2=00000000 CR3=00000000 CR4=00000000\nEFER=0000000000000000\n"

/* -- a guest, as vmcore sees it -- */

typedef struct {
  DacsaGuest guest;
  GArray *mappings;
  const char *text; /* NULL: asking for it fails */
} Guest;

static bool
guest_vmcoreinfo(DacsaGuest *guest, GString *out, GError **error)
{
  const char *text = ((Guest *)guest)->text;

  if (!text)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "no text");
  g_string_append(out, text);
  return true;
}

static bool
guest_mappings(DacsaGuest *guest, GArray **ret, GError **error)
{
  (void)error;
  *ret = g_array_ref(((Guest *)guest)->mappings);
  return true;
}

/* CPU 0 runs a thread, CPU 1 is idle, of the others nothing is known. */
static bool
guest_running(DacsaGuest *guest, uint32_t cpu, uint32_t *ret_pid, GError **error)
{
  (void)guest;
  if (cpu > 1)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "no such CPU");
  *ret_pid = cpu == 0 ? 77 : 0;
  return true;
}

static const DacsaGuestOs os = {
    .vmcoreinfo = guest_vmcoreinfo, .kernel_mappings = guest_mappings, .running = guest_running};

static void
add_mapping(Guest *g, uint64_t gpa, uint64_t gva, uint64_t size)
{
  const DacsaKernelMapping mapping = {gpa, gva, size};

  g_array_append_val(g->mappings, mapping);
}

/* -- a core, taken apart -- */

typedef struct {
  DacsaLayout *layout;
  GArray *cpus;
  DacsaErrors *errors;
  Guest guest;
  DacsaRuns *runs;
  const uint8_t *head;
} Core;

static void
core_init(Core *c, const char *registers)
{
  *c = (Core){.layout = dacsa_layout_new(),
              .cpus = dacsa_cpus_parse_all(registers),
              .errors = dacsa_errors_new(),
              .guest = {{&os}, g_array_new(FALSE, FALSE, sizeof(DacsaKernelMapping)), "TEXT=1\n"}};
}

static void
core_clear(Core *c)
{
  dacsa_layout_free(c->layout);
  g_array_unref(c->cpus);
  g_array_unref(c->guest.mappings);
  dacsa_errors_free(c->errors);
  dacsa_runs_free(c->runs);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Core, core_clear)

static void
core_range(Core *c, uint64_t gpa, uint64_t size, bool ram)
{
  g_autoptr(GError) error = NULL;

  CHECK_OK(dacsa_layout_append(c->layout, (DacsaRange){gpa, size, gpa, ram}, &error), error);
}

static void
core_make(Core *c, DacsaResident *resident, bool with_guest)
{
  const DacsaVmcoreSource source = {c->layout, c->cpus, resident,
                                    with_guest ? &c->guest.guest : NULL, c->errors};
  gsize len;

  c->runs = dacsa_vmcore_new(&source);
  c->head = g_bytes_get_data(c->runs->head, &len);
  g_assert_cmpuint(len, >=, sizeof(Elf64_Ehdr));
}

static Elf64_Phdr
core_phdr(const Core *c, unsigned i)
{
  Elf64_Ehdr header;
  Elf64_Phdr phdr;

  memcpy(&header, c->head, sizeof(header));
  g_assert_cmpuint(i, <, header.e_phnum);
  memcpy(&phdr, c->head + sizeof(header) + i * sizeof(phdr), sizeof(phdr));
  return phdr;
}

/* Segment i is this; 0 is the notes'. */
static void
check_load(const Core *c, unsigned i, uint64_t gpa, uint64_t gva, uint64_t size)
{
  const Elf64_Phdr load = core_phdr(c, i);

  g_assert_cmpuint(load.p_type, ==, PT_LOAD);
  g_assert_cmphex(load.p_paddr, ==, gpa);
  g_assert_cmphex(load.p_vaddr, ==, gva);
  g_assert_cmphex(load.p_filesz, ==, size);
  g_assert_cmphex(load.p_memsz, ==, size);
  g_assert_cmphex(load.p_offset % 4096, ==, 0);
  g_assert_cmpuint(load.p_align, ==, 0);
}

static unsigned
core_loads(const Core *c)
{
  Elf64_Ehdr header;

  memcpy(&header, c->head, sizeof(header));
  return header.e_phnum - 1u;
}

/* Note n of that owner and type; NULL: there are not so many. */
static const uint8_t *
find_note(const Core *c, const char *owner, uint32_t type, unsigned n, uint32_t *ret_len)
{
  const Elf64_Phdr notes = core_phdr(c, 0);

  g_assert_cmpuint(notes.p_type, ==, PT_NOTE);
  for (const uint8_t *at = c->head + notes.p_offset, *end = at + notes.p_filesz; at < end;) {
    Elf64_Nhdr note;

    memcpy(&note, at, sizeof(note));
    const char *name = (const char *)at + sizeof(note);
    const uint8_t *desc = at + sizeof(note) + (note.n_namesz + 3) / 4 * 4;
    at = desc + (note.n_descsz + 3) / 4 * 4;
    if (strcmp(name, owner) == 0 && note.n_type == type && n-- == 0) {
      *ret_len = note.n_descsz;
      return desc;
    }
  }
  return NULL;
}

static uint64_t
u64_at(const uint8_t *data, size_t offset)
{
  uint64_t value;

  memcpy(&value, data + offset, sizeof(value));
  return GUINT64_FROM_LE(value);
}

static uint32_t
u32_at(const uint8_t *data, size_t offset)
{
  uint32_t value;

  memcpy(&value, data + offset, sizeof(value));
  return GUINT32_FROM_LE(value);
}

/* -- notes -- */

#define PRSTATUS_PID 32u
#define PRSTATUS_REG(i) (112u + (i)*8u)

static const uint8_t *
check_prstatus(const Core *c, unsigned n, uint32_t pid, uint64_t rip, uint64_t rsp)
{
  uint32_t len;
  const uint8_t *desc = find_note(c, "CORE", NT_PRSTATUS, n, &len);

  g_assert_nonnull(desc);
  g_assert_cmpuint(len, ==, 336);
  g_assert_cmpuint(u32_at(desc, PRSTATUS_PID), ==, pid);
  g_assert_cmphex(u64_at(desc, PRSTATUS_REG(16)), ==, rip);
  g_assert_cmphex(u64_at(desc, PRSTATUS_REG(19)), ==, rsp);
  return desc;
}

/* vCPU 2 has no registers in the text: the notes of the others stay in their places. */
static void
test_notes(void)
{
  g_auto(Core) c = {0};
  uint32_t len;

  core_init(&c, CPU("0", "ffffffff81000123") CPU("1", "ffffffff81000456") REAL_MODE_CPU("3"));
  core_range(&c, 0, 0x4000, true);
  core_make(&c, NULL, true);
  const uint8_t *status = check_prstatus(&c, 0, 77, 0xffffffff81000123, 0xa08);
  g_assert_cmphex(u64_at(status, PRSTATUS_REG(0)), ==, 0xa10);               /* r15 */
  g_assert_cmphex(u64_at(status, PRSTATUS_REG(10)), ==, 0xa01);              /* rax */
  g_assert_cmphex(u64_at(status, PRSTATUS_REG(22)), ==, 0xffff88803ec00000); /* gs_base */
  check_prstatus(&c, 1, 0, 0xffffffff81000456, 0xa08);
  check_prstatus(&c, 2, 3, 0, 0);
  check_prstatus(&c, 3, 4, 0xfff0, 8);
  g_assert_null(find_note(&c, "CORE", NT_PRSTATUS, 4, &len));

  const uint8_t *idle = find_note(&c, "CORE", NT_PRPSINFO, 0, &len);
  g_assert_nonnull(idle);
  g_assert_cmpuint(len, ==, 136);
  g_assert_cmpuint(u32_at(idle, 24), ==, 4194305);
  g_assert_cmpstr((const char *)idle + 40, ==, "swapper/1");
  g_assert_null(find_note(&c, "CORE", NT_PRPSINFO, 1, &len));

  const uint8_t *state = find_note(&c, "QEMU", 0, 0, &len);
  g_assert_nonnull(state);
  g_assert_cmpuint(len, ==, 432);
  g_assert_cmpuint(u32_at(state, 0), ==, 1);
  g_assert_cmpuint(u32_at(state, 4), ==, len);
  g_assert_cmphex(u64_at(state, 8 + 6 * 8), ==, 0xa08);                      /* rsp */
  g_assert_cmphex(u64_at(state, 8 + 16 * 8), ==, 0xffffffff81000123);        /* rip */
  g_assert_cmphex(u32_at(state, 152 + 8), ==, 0x00cf9300);                   /* cs.flags */
  g_assert_cmphex(u64_at(state, 152 + 9 * 24 + 16), ==, 0xfffffe0000000000); /* idt.base */
  g_assert_cmphex(u64_at(state, 392 + 2 * 8), ==, 0xa11);                    /* cr2 */
  g_assert_cmphex(u64_at(state, 392 + 3 * 8), ==, 0x2610000);
  g_assert_nonnull(find_note(&c, "QEMU", 0, 3, &len));
  const uint8_t *text = find_note(&c, "VMCOREINFO", 0, 0, &len);
  g_assert_cmpmem(text, len, "TEXT=1\n", 7);
}

static void
test_no_notes(void)
{
  g_auto(Core) c = {0};
  uint32_t len;

  core_init(&c, "CPU#4294967295\nRIP=1 CR0=1 CR3=1 CR4=1\n");
  core_range(&c, 0, 0x4000, true);
  c.guest.text = NULL;
  core_make(&c, NULL, true);
  g_assert_null(find_note(&c, "CORE", NT_PRSTATUS, 0, &len));
  g_assert_null(find_note(&c, "VMCOREINFO", 0, 0, &len));
  g_autofree char *errors = dacsa_errors_text(c.errors);
  g_assert_cmpstr(errors, ==, "vmcore: no text\n");
}

/* -- memory -- */

/* RAM beside ROM in one mapping is one segment; where the kernel has another address, or none,
 * there are more. */
static void
test_segments(void)
{
  g_auto(Core) c = {0};

  core_init(&c, "");
  core_range(&c, 0, 0xa000, true);
  core_range(&c, 0xc000, 0x1000, true);
  core_range(&c, 0xd000, 0x1000, false);
  core_range(&c, 0x10000, 0x8000, true);
  core_range(&c, 0x20000, 0x1000, false);
  add_mapping(&c.guest, 0, DIRECT, 0x4000);
  add_mapping(&c.guest, 0x4000, KERNEL, 0x3000);
  add_mapping(&c.guest, 0x7000, DIRECT + 0x7000, 0x9000);
  add_mapping(&c.guest, 0x12000, DIRECT + 0x12000, 0x1000);
  core_make(&c, NULL, true);
  g_assert_cmpuint(core_loads(&c), ==, 8);
  check_load(&c, 1, 0, DIRECT, 0x4000);
  check_load(&c, 2, 0x4000, KERNEL, 0x3000);
  check_load(&c, 3, 0x7000, DIRECT + 0x7000, 0x3000);
  check_load(&c, 4, 0xc000, DIRECT + 0xc000, 0x2000);
  check_load(&c, 5, 0x10000, 0, 0x2000);
  check_load(&c, 6, 0x12000, DIRECT + 0x12000, 0x1000);
  check_load(&c, 7, 0x13000, 0, 0x5000);
  check_load(&c, 8, 0x20000, 0, 0x1000);
  g_assert_cmphex(c.runs->size, ==, core_phdr(&c, 8).p_offset + 0x1000);
}

static void
test_no_guest(void)
{
  g_auto(Core) c = {0};
  uint32_t len;

  core_init(&c, CPU("0", "ffffffff81000123"));
  core_range(&c, 0, 0xa000, true);
  core_range(&c, 0x100000, 0x1000, true);
  core_make(&c, NULL, false);
  g_assert_cmpuint(core_loads(&c), ==, 2);
  check_load(&c, 1, 0, 0, 0xa000);
  check_load(&c, 2, 0x100000, 0, 0x1000);
  check_prstatus(&c, 0, 1, 0xffffffff81000123, 0xa08);
  g_assert_null(find_note(&c, "VMCOREINFO", 0, 0, &len));
}

/* A pagemap in which the pages of that list are there. */
static DacsaResident *
resident_new(const DacsaLayout *layout, const unsigned *pages, size_t n)
{
  g_autofree char *name = NULL;
  uint64_t entries[64] = {0};
  int fd = g_file_open_tmp("dacsa-test-XXXXXX", &name, NULL);

  g_assert_cmpint(fd, >=, 0);
  unlink(name);
  for (size_t i = 0; i < n; i++)
    entries[pages[i]] = PRESENT;
  g_assert_cmpint((int)write(fd, entries, sizeof(entries)), ==, (int)sizeof(entries));
  return dacsa_resident_new(fd, layout, NULL);
}

static void
check_run(const Core *c, guint i, unsigned segment, uint64_t into, uint64_t gpa, uint64_t len)
{
  const DacsaRun *run = &g_array_index(c->runs->runs, DacsaRun, i);

  g_assert_cmphex(run->offset, ==, core_phdr(c, segment).p_offset + into);
  g_assert_cmphex(run->gpa, ==, gpa);
  g_assert_cmphex(run->len, ==, len);
}

static void
test_holes(void)
{
  static const unsigned pages[] = {1, 2, 3, 4, 8, 9, 0x12};
  g_auto(Core) c = {0};

  core_init(&c, "");
  core_range(&c, 0, 0xa000, true);
  core_range(&c, 0x10000, 0x4000, true);
  add_mapping(&c.guest, 0, DIRECT, 0x3000);
  add_mapping(&c.guest, 0x3000, KERNEL, 0x1000);
  g_autoptr(DacsaResident) resident = resident_new(c.layout, pages, G_N_ELEMENTS(pages));
  core_make(&c, resident, true);
  g_assert_cmpuint(c.runs->runs->len, ==, 5);
  check_run(&c, 0, 1, 0x1000, 0x1000, 0x2000);
  check_run(&c, 1, 2, 0, 0x3000, 0x1000);
  check_run(&c, 2, 3, 0, 0x4000, 0x1000);
  check_run(&c, 3, 3, 0x4000, 0x8000, 0x2000);
  check_run(&c, 4, 4, 0x2000, 0x12000, 0x1000);
  g_assert_cmphex(c.runs->size, ==, core_phdr(&c, 4).p_offset + 0x4000);
}

/* -- Linux -- */

/* A kernel whose image, 16 MiB, lies at 2 MiB, with the direct map of 32 MiB and of what is at
 * 4 GiB. */
static void
linux_init(FakeLinux *f)
{
  fake_linux_init(f, NULL, 0);
  FakePaging paging = {f->l.phys, ROOT, 0x2000, 4};

  for (uint64_t at = 0; at < 16; at += 2)
    fake_paging_map(&paging, KERNEL + (at << 20), 2, (2 + at) << 20, PTE_TABLE | PTE_LARGE);
  for (uint64_t at = 0; at < 32; at += 2)
    fake_paging_map(&paging, DIRECT + (at << 20), 2, at << 20, PTE_TABLE | PTE_LARGE);
  fake_paging_map(&paging, DIRECT + (UINT64_C(4) << 30), 2, UINT64_C(4) << 30,
                  PTE_TABLE | PTE_LARGE);
  f->info.root = ROOT;
  f->info.phys_base = (UINT64_C(2) << 20) - (UINT64_C(16) << 20);
  f->info.text = (char *)"";
  f->info.release = (char *)"6.1.0-test";
  f->info.build_id = (char *)"";
}

/* RAM from 0 to 24 MiB; firmware that ends at 4 GiB, and RAM right behind it. */
static void
linux_memory(FakeLinux *f)
{
  for (uint64_t at = 0; at < UINT64_C(24) << 20; at += 4096)
    if (!dacsa_mem_read_u8(f->l.phys, at, &(uint8_t){0}, NULL))
      fake_mem_u8(f->l.phys, at, 0);
  for (uint64_t at = (UINT64_C(4) << 30) - 8192; at < (UINT64_C(4) << 30) + 8192; at += 4096)
    fake_mem_u8(f->l.phys, at, 0);
}

static void
check_mapping(const GArray *all, guint i, uint64_t gpa, uint64_t gva, uint64_t size)
{
  const DacsaKernelMapping *m = &g_array_index(all, DacsaKernelMapping, i);

  g_assert_cmpuint(i, <, all->len);
  g_assert_cmphex(m->gpa, ==, gpa);
  g_assert_cmphex(m->gva, ==, gva);
  g_assert_cmphex(m->size, ==, size);
}

static GArray *
linux_mappings(FakeLinux *f)
{
  g_autoptr(GError) error = NULL;
  GArray *all = NULL;

  CHECK_OK(dacsa_linux_kernel_mappings(&f->l.guest, &all, &error), error);
  return all;
}

static GArray *
symbols_new(void)
{
  GArray *symbols = g_array_new(FALSE, FALSE, sizeof(FakeSymbol));

  fake_kallsyms_add(symbols, "T_text", KERNEL);
  fake_kallsyms_add(symbols, "T_stext", KERNEL);
  for (unsigned i = 1; i < 300; i++) {
    g_autofree char *name = g_strdup_printf("tfunction_%u", i);
    fake_kallsyms_add(symbols, name, KERNEL + i * 64);
  }
  return symbols;
}

static void
test_linux_mappings(void)
{
  g_auto(FakeLinux) f = {0};
  GArray *symbols = symbols_new();

  linux_init(&f);
  linux_memory(&f);
  fake_kallsyms_add(symbols, "T_etext", KERNEL + 0x4ff0);
  fake_kallsyms_add(symbols, "D_sdata", KERNEL + 0x200000);
  fake_kallsyms_add(symbols, "D__init_begin", KERNEL + 0x300000);
  fake_kallsyms_add(symbols, "D__init_end", KERNEL + (UINT64_C(64) << 20)); /* mapped nowhere */
  fake_kallsyms_add(symbols, "D__brk_base", KERNEL + (UINT64_C(65) << 20));
  fake_linux_symbols(&f, KERNEL, symbols);
  g_autoptr(GArray) all = linux_mappings(&f);
  g_assert_cmpuint(all->len, ==, 6);
  check_mapping(all, 0, 0, DIRECT, 0x200000);
  check_mapping(all, 1, 0x200000, KERNEL, 0x5000);
  check_mapping(all, 2, 0x205000, DIRECT + 0x205000, 0x1fb000);
  check_mapping(all, 3, 0x400000, KERNEL + 0x200000, 0x100000);
  check_mapping(all, 4, 0x500000, DIRECT + 0x500000, 0x1300000);
  check_mapping(all, 5, UINT64_C(4) << 30, DIRECT + (UINT64_C(4) << 30), 0x2000);
}

/* Symbols in no order, and a direct map that is not where its base says. */
static void
test_linux_lies(void)
{
  g_auto(FakeLinux) f = {0};
  GArray *symbols = symbols_new();

  linux_init(&f);
  linux_memory(&f);
  fake_kallsyms_add(symbols, "T_etext", KERNEL + 0x5000);
  fake_kallsyms_add(symbols, "D__start_rodata", KERNEL + 0x4000); /* within the text */
  fake_kallsyms_add(symbols, "D__end_rodata", KERNEL + 0x8000);
  fake_kallsyms_add(symbols, "D_sdata", KERNEL + 0x9000);
  fake_kallsyms_add(symbols, "D__init_begin", UINT64_MAX - 0xfff); /* past everything */
  fake_linux_symbols(&f, KERNEL, symbols);
  g_autoptr(GArray) all = linux_mappings(&f);
  g_assert_cmpuint(all->len, ==, 4);
  check_mapping(all, 1, 0x200000, KERNEL, 0x5000);
  check_mapping(all, 2, 0x205000, DIRECT + 0x205000, 0x15fb000);

  f.kernel.symbols[S_PAGE_OFFSET_BASE] = KERNEL + 0x1000;
  fake_mem_u64(f.l.memory, KERNEL + 0x1000, UINT64_C(0xffffff0000000000));
  g_autoptr(GArray) none = linux_mappings(&f);
  g_assert_cmpuint(none->len, ==, 0);
}

/* The kernel's own text, and without one what the symbols tell; what needs types is left out. */
static void
test_linux_text(void)
{
  g_auto(FakeLinux) f = {0};
  GArray *symbols = symbols_new();

  linux_init(&f);
  f.info.text = (char *)"OSRELEASE=own\n";
  fake_linux_check(&f, dacsa_linux_vmcoreinfo, "OSRELEASE=own\n");
  f.info.text = (char *)"";
  fake_kallsyms_add(symbols, "Dinit_top_pgt", KERNEL + 0x10000);
  fake_kallsyms_add(symbols, "Dmem_section", KERNEL + 0x11000);
  fake_kallsyms_add(symbols, "Tkernel_randomize_memory", KERNEL + 0x12000);
  fake_linux_symbols(&f, KERNEL, symbols);
  fake_mem_u64(f.l.memory, KERNEL + 0x11000, 0xffff888000123000);
  g_autofree char *text = fake_linux_text(&f, dacsa_linux_vmcoreinfo);
  g_assert_true(g_str_has_prefix(text, "OSRELEASE=6.1.0-test\nPAGESIZE=4096\n"
                                       "SYMBOL(swapper_pg_dir)=ffffffff81010000\n"
                                       "SYMBOL(_stext)=ffffffff81000000\n"
                                       "SYMBOL(mem_section)=ffff888000123000\n"
                                       "NUMBER(SECTION_SIZE_BITS)=27\n"
                                       "NUMBER(MAX_PHYSMEM_BITS)=46\n"
                                       "SYMBOL(kallsyms_names)="));
  g_assert_true(g_str_has_suffix(text, "NUMBER(phys_base)=-14680064\n"
                                       "SYMBOL(init_top_pgt)=ffffffff81010000\n"
                                       "NUMBER(pgtable_l5_enabled)=0\n"
                                       "NUMBER(KERNEL_IMAGE_SIZE)=1073741824\n"
                                       "NUMBER(sme_mask)=0\n"));
  fake_linux_check_errors(&f, NULL);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/vmcore/notes", test_notes);
  g_test_add_func("/vmcore/no-notes", test_no_notes);
  g_test_add_func("/vmcore/segments", test_segments);
  g_test_add_func("/vmcore/no-guest", test_no_guest);
  g_test_add_func("/vmcore/holes", test_holes);
  g_test_add_func("/vmcore/linux-mappings", test_linux_mappings);
  g_test_add_func("/vmcore/linux-lies", test_linux_lies);
  g_test_add_func("/vmcore/linux-text", test_linux_text);
  return g_test_run();
}
