/* Cores of the whole system. */
#include "parsers/vmcore.h"

#include "parsers/cpus.h"
#include "parsers/elfcore.h"

#include <elf.h>
#include <string.h>

#define FLAGS (PF_R | PF_W | PF_X)
#define MAX_PIECES (1u << 20) /* runs between holes; the memory past them has no holes */
#define QEMU_VERSION 1u
#define NO_SYSTEM_CALL UINT64_MAX
#define PID_MAX_LIMIT                                                                              \
  (UINT32_C(1) << 22) /* include/linux/threads.h: no thread has a higher one                       \
                       */

/* -- the vCPUs -- */

static void
append_u32(GByteArray *to, uint64_t value)
{
  const uint32_t le = GUINT32_TO_LE((uint32_t)value);

  g_byte_array_append(to, (const uint8_t *)&le, sizeof(le));
}

static void
append_u64(GByteArray *to, uint64_t value)
{
  const uint64_t le = GUINT64_TO_LE(value);

  g_byte_array_append(to, (const uint8_t *)&le, sizeof(le));
}

static void
append_u64s(GByteArray *to, const uint64_t *values, size_t n)
{
  for (size_t i = 0; i < n; i++)
    append_u64(to, values[i]);
}

static void
append_zeros(GByteArray *to, guint n)
{
  const guint len = to->len;

  g_byte_array_set_size(to, len + n);
  memset(to->data + len, 0, n);
}

/* The system's task that runs on a CPU; where that is not known, what QEMU writes. */
static uint32_t
task_on(const DacsaVmcoreSource *source, unsigned cpu)
{
  uint32_t pid;

  if (source->guest && source->guest->os->running &&
      source->guest->os->running(source->guest, cpu, &pid, NULL))
    return pid;
  return cpu + 1;
}

/* struct elf_prstatus (include/linux/elfcore.h), struct user_regs_struct (arch/x86, user_64.h). */
static void
add_prstatus(DacsaElfcore *core, const DacsaCpu *c, uint32_t pid)
{
  const uint64_t *g = c->general;
  const DacsaCpuSegment *s = c->segments;
  const uint64_t registers[] = {g[DACSA_CPU_R15],
                                g[DACSA_CPU_R14],
                                g[DACSA_CPU_R13],
                                g[DACSA_CPU_R12],
                                g[DACSA_CPU_RBP],
                                g[DACSA_CPU_RBX],
                                g[DACSA_CPU_R11],
                                g[DACSA_CPU_R10],
                                g[DACSA_CPU_R9],
                                g[DACSA_CPU_R8],
                                g[DACSA_CPU_RAX],
                                g[DACSA_CPU_RCX],
                                g[DACSA_CPU_RDX],
                                g[DACSA_CPU_RSI],
                                g[DACSA_CPU_RDI],
                                NO_SYSTEM_CALL,
                                c->rip,
                                s[DACSA_CPU_CS].selector,
                                c->rflags,
                                g[DACSA_CPU_RSP],
                                s[DACSA_CPU_SS].selector,
                                s[DACSA_CPU_FS].base,
                                s[DACSA_CPU_GS].base,
                                s[DACSA_CPU_DS].selector,
                                s[DACSA_CPU_ES].selector,
                                s[DACSA_CPU_FS].selector,
                                s[DACSA_CPU_GS].selector};
  g_autoptr(GByteArray) desc = g_byte_array_new();

  append_zeros(desc, 32); /* signals */
  append_u32(desc, pid);
  append_zeros(desc, 76); /* the rest of the family, times */
  append_u64s(desc, registers, G_N_ELEMENTS(registers));
  append_zeros(desc, 8); /* no floating-point registers; padding */
  dacsa_elfcore_add_note(core, "CORE", NT_PRSTATUS, desc->data, desc->len);
}

/*
 * struct elf_prpsinfo: that of a CPU's idle task, in front of its registers. The idle tasks all
 * have pid 0, by which gdb would take them for one; it has their threads' numbers from here.
 */
static void
add_idle(DacsaElfcore *core, unsigned cpu)
{
  g_autoptr(GByteArray) desc = g_byte_array_new();
  char name[80] = {0};

  g_snprintf(name, sizeof(name), "swapper/%u", cpu);
  append_zeros(desc, 24); /* state, flags, owner */
  append_u32(desc, PID_MAX_LIMIT + cpu);
  append_zeros(desc, 12); /* the rest of the family */
  g_byte_array_append(desc, (const uint8_t *)name, 16);
  g_byte_array_append(desc, (const uint8_t *)name, sizeof(name)); /* its arguments */
  dacsa_elfcore_add_note(core, "CORE", NT_PRPSINFO, desc->data, desc->len);
}

static void
append_segment(GByteArray *to, const DacsaCpuSegment *s)
{
  append_u32(to, s->selector);
  append_u32(to, s->limit);
  append_u32(to, s->flags);
  append_u32(to, 0);
  append_u64(to, s->base);
}

/*
 * QEMU's target/i386/arch_dump.c, QEMUX86CPUState. Its last member is kernel_gs_base, which the
 * monitor does not tell: the size says that it is not there, as with a QEMU before 2.13.
 */
static void
add_qemu_state(DacsaElfcore *core, const DacsaCpu *c)
{
  const uint64_t *g = c->general;
  const DacsaCpuSegment *s = c->segments;
  const uint64_t registers[] = {
      g[DACSA_CPU_RAX], g[DACSA_CPU_RBX], g[DACSA_CPU_RCX], g[DACSA_CPU_RDX], g[DACSA_CPU_RSI],
      g[DACSA_CPU_RDI], g[DACSA_CPU_RSP], g[DACSA_CPU_RBP], g[DACSA_CPU_R8],  g[DACSA_CPU_R9],
      g[DACSA_CPU_R10], g[DACSA_CPU_R11], g[DACSA_CPU_R12], g[DACSA_CPU_R13], g[DACSA_CPU_R14],
      g[DACSA_CPU_R15], c->rip,           c->rflags};
  const DacsaCpuSegment gdt = {0, c->gdt, c->gdt_limit, 0}, idt = {0, c->idt, c->idt_limit, 0};
  const DacsaCpuSegment *segments[] = {&s[DACSA_CPU_CS],
                                       &s[DACSA_CPU_DS],
                                       &s[DACSA_CPU_ES],
                                       &s[DACSA_CPU_FS],
                                       &s[DACSA_CPU_GS],
                                       &s[DACSA_CPU_SS],
                                       &s[DACSA_CPU_LDT],
                                       &s[DACSA_CPU_TR],
                                       &gdt,
                                       &idt};
  const uint64_t control[] = {c->cr0, 0, c->cr2, c->cr3, c->cr4};
  const uint32_t size = 2 * sizeof(uint32_t) + sizeof(registers) +
                        G_N_ELEMENTS(segments) * 3 * sizeof(uint64_t) + sizeof(control);
  g_autoptr(GByteArray) desc = g_byte_array_new();

  append_u32(desc, QEMU_VERSION);
  append_u32(desc, size);
  append_u64s(desc, registers, G_N_ELEMENTS(registers));
  for (size_t i = 0; i < G_N_ELEMENTS(segments); i++)
    append_segment(desc, segments[i]);
  append_u64s(desc, control, G_N_ELEMENTS(control));
  dacsa_elfcore_add_note(core, "QEMU", 0, desc->data, desc->len);
}

/* The vCPU of that number; NULL: its registers are not known, as it was never started. */
static const DacsaCpu *
find_cpu(const GArray *cpus, unsigned number)
{
  for (guint i = 0; i < cpus->len; i++)
    if (g_array_index(cpus, DacsaCpu, i).number == number)
      return &g_array_index(cpus, DacsaCpu, i);
  return NULL;
}

/* The readers take the nth note of a kind for that of CPU n: for one whose registers are not known
 * there is a note that has only zeros. */
static void
add_cpus(DacsaElfcore *core, const DacsaVmcoreSource *source)
{
  const DacsaCpu none = {0};
  unsigned count = 0;

  for (guint i = 0; i < source->cpus->len; i++)
    count = MAX(count, g_array_index(source->cpus, DacsaCpu, i).number + 1);
  for (unsigned n = 0; n < count; n++) {
    const DacsaCpu *cpu = find_cpu(source->cpus, n);
    const uint32_t pid = task_on(source, n);

    if (pid == 0)
      add_idle(core, n);
    add_prstatus(core, cpu ? cpu : &none, pid);
  }
  for (unsigned n = 0; n < count; n++) {
    const DacsaCpu *cpu = find_cpu(source->cpus, n);

    add_qemu_state(core, cpu ? cpu : &none);
  }
}

/* -- what the guest says of itself -- */

static void
note_error(const DacsaVmcoreSource *source, const GError *error)
{
  dacsa_errors_add(source->errors, "vmcore", error->message);
}

static void
add_vmcoreinfo(DacsaElfcore *core, const DacsaVmcoreSource *source)
{
  g_autoptr(GString) text = g_string_new(NULL);
  g_autoptr(GError) error = NULL;

  if (!source->guest || !source->guest->os->vmcoreinfo)
    return;
  if (!source->guest->os->vmcoreinfo(source->guest, text, &error))
    note_error(source, error);
  else if (text->len > 0)
    dacsa_elfcore_add_note(core, "VMCOREINFO", 0, text->str, text->len);
}

static GArray *
kernel_mappings(const DacsaVmcoreSource *source)
{
  g_autoptr(GError) error = NULL;
  GArray *mappings;

  if (source->guest && source->guest->os->kernel_mappings) {
    if (source->guest->os->kernel_mappings(source->guest, &mappings, &error))
      return mappings;
    note_error(source, error);
  }
  return g_array_new(FALSE, FALSE, sizeof(DacsaKernelMapping));
}

/* -- memory -- */

/* A stretch of physical memory at one address of the kernel's; gva 0: at none. */
typedef DacsaKernelMapping Stretch;

/* Appends a stretch, joined to the last where both addresses continue it. */
static void
append_stretch(GArray *stretches, uint64_t gpa, uint64_t gva, uint64_t size)
{
  const Stretch next = {gpa, gva, size};

  if (stretches->len > 0) {
    Stretch *last = &g_array_index(stretches, Stretch, stretches->len - 1);

    if (last->gpa + last->size == gpa &&
        (gva == 0 ? last->gva == 0 : last->gva != 0 && last->gva + last->size == gva)) {
      last->size += size;
      return;
    }
  }
  g_array_append_val(stretches, next);
}

/* Cuts a range of memory where its addresses in the kernel change. */
static void
cut_range(const DacsaRange *range, const GArray *mappings, GArray *stretches)
{
  const uint64_t end = range->gpa + range->size;
  uint64_t gpa = range->gpa;

  for (guint i = 0; i < mappings->len && gpa < end; i++) {
    const DacsaKernelMapping *m = &g_array_index(mappings, DacsaKernelMapping, i);
    const uint64_t start = MAX(gpa, m->gpa);
    const uint64_t stop = MIN(end, m->gpa + m->size);

    if (start >= stop)
      continue;
    if (start > gpa)
      append_stretch(stretches, gpa, 0, start - gpa);
    append_stretch(stretches, start, m->gva + (start - m->gpa), stop - start);
    gpa = stop;
  }
  if (gpa < end)
    append_stretch(stretches, gpa, 0, end - gpa);
}

static GArray *
make_stretches(const DacsaVmcoreSource *source)
{
  GArray *stretches = g_array_new(FALSE, FALSE, sizeof(Stretch));
  g_autoptr(GArray) mappings = kernel_mappings(source);

  for (guint i = 0; i < source->layout->ranges->len; i++)
    cut_range(&g_array_index(source->layout->ranges, DacsaRange, i), mappings, stretches);
  return stretches;
}

/* Appends what is there of a stretch. */
static void
append_memory(DacsaRuns *runs, DacsaResident *resident, const Stretch *s, uint64_t offset)
{
  const uint64_t end = s->gpa + s->size;
  uint64_t start = s->gpa, stop;

  for (uint64_t gpa = s->gpa; gpa < end; gpa = stop) {
    start = gpa;
    stop = end;
    if (resident && runs->runs->len < MAX_PIECES &&
        (!dacsa_resident_next(resident, gpa, &start, &stop) || start >= end))
      return;
    stop = MIN(stop, end);
    const uint64_t into = start - s->gpa;
    /* It cannot fail: there are fewer runs than a file of runs may have. */
    (void)!dacsa_runs_append_at(runs, offset + into, s->gva ? s->gva + into : 0, start,
                                stop - start);
  }
}

DacsaRuns *
dacsa_vmcore_new(const DacsaVmcoreSource *source)
{
  g_autoptr(DacsaElfcore) core = dacsa_elfcore_new();
  g_autoptr(GArray) stretches = make_stretches(source);

  add_cpus(core, source);
  add_vmcoreinfo(core, source);
  for (guint i = 0; i < stretches->len; i++) {
    const Stretch *s = &g_array_index(stretches, Stretch, i);

    dacsa_elfcore_add_load(core, s->gva, s->gpa, s->size, s->size, FLAGS);
  }
  DacsaRuns *runs = dacsa_elfcore_finish(core);
  for (guint i = 0; i < stretches->len; i++)
    append_memory(runs, source->resident, &g_array_index(stretches, Stretch, i),
                  dacsa_elfcore_offset(core, i));
  dacsa_runs_set_size(runs, dacsa_elfcore_offset(core, stretches->len));
  return runs;
}
