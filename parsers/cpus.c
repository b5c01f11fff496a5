/* Finds the registers in the monitor's text. */
#include "parsers/cpus.h"

#include <stddef.h>
#include <string.h>

#define MAX_CPUS 4096u

/* Where a register stands: behind `name`, which begins a word. */
typedef struct {
  const char *name, *narrow; /* narrow: of a vCPU that has no 64-bit registers; NULL: the same */
  size_t offset;             /* of the uint64_t or the DacsaCpuSegment in DacsaCpu */
} Row;

#define ROW(name, narrow, field)                                                                   \
  {                                                                                                \
    name, narrow, offsetof(DacsaCpu, field)                                                        \
  }

static const Row required[] = {
    ROW("RIP=", "EIP=", rip),
    ROW("CR0=", NULL, cr0),
    ROW("CR3=", NULL, cr3),
    ROW("CR4=", NULL, cr4),
};

static const Row registers[] = {
    ROW("RAX=", "EAX=", rax), ROW("RBX=", "EBX=", rbx), ROW("RCX=", "ECX=", rcx),
    ROW("RDX=", "EDX=", rdx), ROW("RSI=", "ESI=", rsi), ROW("RDI=", "EDI=", rdi),
    ROW("RBP=", "EBP=", rbp), ROW("RSP=", "ESP=", rsp), ROW("R8 =", NULL, r8),
    ROW("R9 =", NULL, r9),    ROW("R10=", NULL, r10),   ROW("R11=", NULL, r11),
    ROW("R12=", NULL, r12),   ROW("R13=", NULL, r13),   ROW("R14=", NULL, r14),
    ROW("R15=", NULL, r15),   ROW("CR2=", NULL, cr2),   ROW("RFL=", "EFL=", rflags),
};

/* Selector, base, limit, flags. */
static const Row segments[] = {
    ROW("CS =", NULL, cs), ROW("DS =", NULL, ds), ROW("ES =", NULL, es),  ROW("FS =", NULL, fs),
    ROW("GS =", NULL, gs), ROW("SS =", NULL, ss), ROW("LDT=", NULL, ldt), ROW("TR =", NULL, tr),
};

/* Base, limit. */
static const Row tables[] = {
    ROW("GDT=", NULL, gdt),
    ROW("IDT=", NULL, idt),
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
find_register(const char *text, const char *end, const Row *row, bool narrow, DacsaCpu *cpu)
{
  const char *at = find_name(text, end, narrow && row->narrow ? row->narrow : row->name);
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

/* false: it has no such registers, or there is no such vCPU. text: behind `CPU#`. */
static bool
parse_cpu(const char *text, const char *end, bool narrow, DacsaCpu *cpu)
{
  const char *cpl = find_name(text, end, "CPL=");
  const uint64_t number = g_ascii_strtoull(text, NULL, 10);

  if (number >= MAX_CPUS)
    return false;
  cpu->number = (unsigned)number;
  for (size_t i = 0; i < G_N_ELEMENTS(required); i++)
    if (!find_register(text, end, &required[i], narrow, cpu))
      return false;
  for (size_t i = 0; i < G_N_ELEMENTS(registers); i++)
    (void)find_register(text, end, &registers[i], narrow, cpu);
  for (size_t i = 0; i < G_N_ELEMENTS(segments); i++)
    find_segment(text, end, &segments[i], true, cpu);
  for (size_t i = 0; i < G_N_ELEMENTS(tables); i++)
    find_segment(text, end, &tables[i], false, cpu);
  cpu->cpl = cpl ? (unsigned)g_ascii_strtoull(cpl, NULL, 10) & 3 : 0;
  return true;
}

static GArray *
parse(const char *text, bool with_narrow)
{
  GArray *cpus = g_array_new(FALSE, FALSE, sizeof(DacsaCpu));
  const char *at = strstr(text, "CPU#");

  while (at && cpus->len < MAX_CPUS) {
    const char *behind = at + strlen("CPU#");
    const char *next = strstr(behind, "CPU#");
    const char *end = next ? next : at + strlen(at);
    DacsaCpu cpu = {0};

    if (parse_cpu(behind, end, false, &cpu) || (with_narrow && parse_cpu(behind, end, true, &cpu)))
      g_array_append_val(cpus, cpu);
    at = next;
  }
  return cpus;
}

GArray *
dacsa_cpus_parse(const char *text)
{
  return parse(text, false);
}

GArray *
dacsa_cpus_parse_all(const char *text)
{
  return parse(text, true);
}
