/*
 * All parsers of Linux guests over a kernel that the input makes up: where members lie and how
 * large they are, as a hostile BTF may say it, and a memory in which every address leads somewhere.
 * It needs no image of a guest, and drives a new parser from the day it is in the ops table.
 *
 * The input: 2 bytes of shape, a number of changes to members (4 bytes each: which, offset / 8,
 * size, elements), then the memory.
 */
#include "tests/fuzz/drive.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/fuzz-mem.h"

#include "parsers/cpus.h"
#include "parsers/linux/linux.h"
#include "parsers/linux/view.h"

#define DIRECT_MAP UINT64_C(0xffff888000000000)
#define PAGE 4096u
#define TABLES                                                                                     \
  (2u * PAGE) /* in front of physical memory: a kernel that has every address mapped               \
               */
#define LARGE_PAGE UINT64_C(0xe3)
#define TABLE UINT64_C(0x63)
#define SYMBOLS_AT (PAGE * 1)

#define ROW(name, path) path,
static const char *const member_rows[] = {DACSA_LINUX_MEMBERS(ROW)};

/* Members of one structure lie side by side as far as there is room; arrays are told by name. */
static void
make_members(DacsaLinuxKernel *k)
{
  for (size_t i = 0; i < M_N; i++) {
    const char *dot = strrchr(member_rows[i], '.');
    bool array = strstr(dot, "slot") || strstr(dot, "pivot");
    bool text = strstr(dot, "comm") || strstr(dot, "desc") || strstr(dot, "name");

    k->members[i] = (DacsaMember){.known = true, .offset = (uint32_t)(i * 8 % 192), .size = 8};
    if (array)
      k->members[i] = (DacsaMember){.known = true, .offset = 8, .size = 64, .elements = 8};
    else if (text)
      k->members[i].elements = 8;
  }
}

static void
change_members(DacsaLinuxKernel *k, FuzzInput *in)
{
  unsigned n = (unsigned)fuzz_take(in, 1) % 32;

  for (unsigned i = 0; i < n; i++) {
    DacsaMember *m = &k->members[fuzz_take(in, 1) * M_N / 256];
    uint32_t offset = (uint32_t)fuzz_take(in, 1) * 8;
    uint32_t size = (uint32_t)fuzz_take(in, 1);
    uint32_t elements = (uint32_t)fuzz_take(in, 1);

    *m = (DacsaMember){.known = size != 0xff, .offset = offset, .size = size, .elements = elements};
    if (size >= 0xf0 && size < 0xff)
      *m = (DacsaMember){.known = true,
                         .offset = offset,
                         .size = 8,
                         .bits = (uint8_t)(size & 15),
                         .shift = (uint8_t)(elements % 48)};
    else if (elements == 0xff)
      m->offset = UINT32_MAX - size;
  }
}

static DacsaLinuxKernel *
make_kernel(unsigned shape, FuzzInput *in)
{
  DacsaLinuxKernel *k = g_new0(DacsaLinuxKernel, 1);

  g_atomic_ref_count_init(&k->refs);
  k->info = g_new0(DacsaVmcoreinfo, 1);
  k->info->text = g_strdup("OSRELEASE=6\nSYMBOL(swapper_pg_dir)=ffffffff80000000\n");
  k->info->release = g_strdup("6");
  k->info->build_id = g_strdup("");
  k->btf = DIRECT_MAP + PAGE;
  k->btf_end = k->btf + (shape & 0x30) * 64;
  make_members(k);
  if (!(shape & 1))
    k->members[M_MM_MT_ROOT].known = false;
  for (size_t i = 0; i < T_N; i++)
    k->types[i] = (uint32_t)(64 + i % 4 * 64);
  k->types[T_PT_REGS] = 168; /* no other is read */
  for (size_t i = 0; i < E_N; i++)
    k->enumerators[i] = (int64_t)i;
  for (size_t i = 0; i < S_N; i++)
    k->symbols[i] = DIRECT_MAP + SYMBOLS_AT + i * 16;
  change_members(k, in);
  return k;
}

/* Two tables that map all of virtual memory to the first 1 GiB; then the input. */
static uint8_t *
make_phys(const FuzzInput *in, size_t *ret_size)
{
  size_t size = TABLES + (in->size + PAGE - 1) / PAGE * PAGE;
  uint8_t *phys = g_malloc0(size);

  for (size_t i = 0; i < 512; i++) {
    const uint64_t top = GUINT64_TO_LE(PAGE | TABLE), below = GUINT64_TO_LE(LARGE_PAGE);

    memcpy(phys + i * 8, &top, 8);
    memcpy(phys + PAGE + i * 8, &below, 8);
  }
  memcpy(phys + TABLES, in->data, in->size);
  *ret_size = size;
  return phys;
}

/* One vCPU, in user mode or in the kernel, with all registers. */
static GArray *
make_cpus(unsigned shape)
{
  GArray *cpus = g_array_new(FALSE, TRUE, sizeof(DacsaCpu));
  const DacsaCpu cpu = {.rip = DIRECT_MAP,
                        .has_state = true,
                        .cpl = shape & 4 ? 3 : 0,
                        .gdt = DIRECT_MAP,
                        .has_fpu = true,
                        .fpu = {.fsw = (uint16_t)shape, .vector_bytes = 64}};

  g_array_append_val(cpus, cpu);
  return cpus;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  FuzzInput in = {data, size};
  unsigned shape = (unsigned)fuzz_take(&in, 2);
  DacsaErrors *errors = dacsa_errors_new();
  DacsaLinux *l = g_new0(DacsaLinux, 1);
  size_t phys_size;

  l->guest.os = &dacsa_linux_os;
  l->kernel = make_kernel(shape, &in);
  g_autofree uint8_t *bytes = make_phys(&in, &phys_size);
  g_autoptr(DacsaMem) phys = fuzz_mem_new(bytes, phys_size);
  l->phys = phys;
  l->memory = fuzz_mem_new_wrapped(in.data, in.size);
  g_autoptr(GArray) cpus = make_cpus(shape);
  l->errors = errors;
  l->cpus = cpus;
  l->levels = shape & 2 ? 5 : 4;
  g_mutex_init(&l->lock);
  dacsa_linux_once_init(l);
  drive_guest(&l->guest, &(DriveLimits){.part = (DrivePart)(shape >> 8 & 3),
                                        .processes = 3,
                                        .modules = 4,
                                        .files = 64,
                                        .work = 1u << 13,
                                        .isf = true,
                                        .read_bytes = 2 * PAGE,
                                        .phys = phys});
  dacsa_guest_free(&l->guest);
  g_free(dacsa_errors_text(errors));
  dacsa_errors_free(errors);
  return 0;
}
