/* Finds the registers in the monitor's text. */
#include "parsers/cpus.h"

#include <stddef.h>
#include <string.h>

#define MAX_CPUS 4096u

/* Where a register stands: behind `name`, which begins a word. */
typedef struct {
  const char *name;
  size_t offset; /* of the uint64_t or the DacsaCpuSegment in DacsaCpu */
} Row;

#define ROW(name, field)                                                                           \
  {                                                                                                \
    name, offsetof(DacsaCpu, field)                                                                \
  }

static const Row required[] = {
    ROW("RIP=", rip),
    ROW("CR0=", cr0),
    ROW("CR3=", cr3),
    ROW("CR4=", cr4),
};

static const Row registers[] = {
    ROW("RAX=", rax), ROW("RBX=", rbx),    ROW("RCX=", rcx), ROW("RDX=", rdx), ROW("RSI=", rsi),
    ROW("RDI=", rdi), ROW("RBP=", rbp),    ROW("RSP=", rsp), ROW("R8 =", r8),  ROW("R9 =", r9),
    ROW("R10=", r10), ROW("R11=", r11),    ROW("R12=", r12), ROW("R13=", r13), ROW("R14=", r14),
    ROW("R15=", r15), ROW("RFL=", rflags), ROW("CR2=", cr2),
};

/* Selector, base, limit, flags. */
static const Row segments[] = {
    ROW("CS =", cs), ROW("DS =", ds), ROW("ES =", es),  ROW("FS =", fs),
    ROW("GS =", gs), ROW("SS =", ss), ROW("LDT=", ldt), ROW("TR =", tr),
};

/* Base, limit. */
static const Row tables[] = {
    ROW("GDT=", gdt),
    ROW("IDT=", idt),
};

/* What is behind `name`, which begins a word, within [text, end); NULL: it is not there. */
static const char *
find_name(const char *text, const char *end, const char *name)
{
  size_t n = strlen(name);

  for (const char *at = text; (at = g_strstr_len(at, end - at, name)); at += n)
    if (at == text || strchr(" \n", at[-1]))
      return at + n;
  return NULL;
}

/* The hexadecimal numbers at `at`, before end: how many of them there are, at most n. */
static size_t
read_numbers(const char *at, const char *end, uint64_t *ret, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    char *stop;

    ret[i] = g_ascii_strtoull(at, &stop, 16);
    if (stop == at || stop > end)
      return i;
    at = stop;
  }
  return n;
}

static bool
find_register(const char *text, const char *end, const Row *row, DacsaCpu *cpu)
{
  const char *at = find_name(text, end, row->name);
  uint64_t value;

  if (!at || read_numbers(at, end, &value, 1) < 1)
    return false;
  *(uint64_t *)((char *)cpu + row->offset) = value;
  return true;
}

/* with_selector: it has selector and flags, too. */
static void
find_segment(const char *text, const char *end, const Row *row, bool with_selector, DacsaCpu *cpu)
{
  const char *at = find_name(text, end, row->name);
  DacsaCpuSegment *segment = (DacsaCpuSegment *)((char *)cpu + row->offset);
  uint64_t n[4] = {0};

  if (!at)
    return;
  if (with_selector && read_numbers(at, end, n, 4) == 4)
    *segment = (DacsaCpuSegment){n[1], (uint32_t)n[0], (uint32_t)n[2], (uint32_t)n[3]};
  else if (!with_selector && read_numbers(at, end, n, 2) == 2)
    *segment = (DacsaCpuSegment){n[0], 0, (uint32_t)n[1], 0};
}

/* false: it has no 64-bit registers, or there is no such vCPU. text: behind `CPU#`. */
static bool
parse_cpu(const char *text, const char *end, DacsaCpu *cpu)
{
  const char *cpl = find_name(text, end, "CPL=");
  const uint64_t number = g_ascii_strtoull(text, NULL, 10);

  if (number >= MAX_CPUS)
    return false;
  cpu->number = (unsigned)number;
  for (size_t i = 0; i < G_N_ELEMENTS(required); i++)
    if (!find_register(text, end, &required[i], cpu))
      return false;
  for (size_t i = 0; i < G_N_ELEMENTS(registers); i++)
    (void)find_register(text, end, &registers[i], cpu);
  for (size_t i = 0; i < G_N_ELEMENTS(segments); i++)
    find_segment(text, end, &segments[i], true, cpu);
  for (size_t i = 0; i < G_N_ELEMENTS(tables); i++)
    find_segment(text, end, &tables[i], false, cpu);
  cpu->cpl = cpl ? (unsigned)g_ascii_strtoull(cpl, NULL, 10) & 3 : 0;
  return true;
}

GArray *
dacsa_cpus_parse(const char *text)
{
  GArray *cpus = g_array_new(FALSE, FALSE, sizeof(DacsaCpu));
  const char *at = strstr(text, "CPU#");

  while (at && cpus->len < MAX_CPUS) {
    const char *behind = at + strlen("CPU#");
    const char *next = strstr(behind, "CPU#");
    const char *end = next ? next : at + strlen(at);
    DacsaCpu cpu = {0};

    if (parse_cpu(behind, end, &cpu))
      g_array_append_val(cpus, cpu);
    at = next;
  }
  return cpus;
}
