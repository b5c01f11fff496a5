/* Finds registers in the monitor's text: each by its name, wherever it stands in a CPU's part. */
#include "parsers/cpus.h"

#include <string.h>

#define MAX_CPUS 4096u
#define CPU "CPU#"
#define N_NARROW 8u /* registers that a vCPU has in 32-bit mode */

/* A part of the text. */
typedef struct {
  const char *at, *end;
} Text;

/* What follows `name` where that begins a word. */
static bool
find_name(Text text, const char *name, Text *ret)
{
  const size_t n = strlen(name);

  for (const char *at = text.at; (at = g_strstr_len(at, text.end - at, name)); at += n) {
    if (at > text.at && !strchr(" \n", at[-1]))
      continue;
    *ret = (Text){at + n, text.end};
    return true;
  }
  return false;
}

/* Takes a hexadecimal number of so many digits at most, and blanks before it. */
static bool
take_number(Text *text, unsigned max_digits, uint64_t *ret)
{
  unsigned digits = 0;

  *ret = 0;
  while (text->at < text->end && *text->at == ' ')
    text->at++;
  for (; text->at < text->end && digits < max_digits && g_ascii_isxdigit(*text->at); digits++)
    *ret = *ret << 4 | (unsigned)g_ascii_xdigit_value(*text->at++);
  return digits > 0;
}

static bool
find_register(Text text, const char *name, uint64_t *ret)
{
  Text value;

  return find_name(text, name, &value) && take_number(&value, 16, ret);
}

static bool
find_u32(Text text, const char *name, uint32_t *ret)
{
  uint64_t value;

  if (!find_register(text, name, &value))
    return false;
  *ret = (uint32_t)value;
  return true;
}

static bool
find_u16(Text text, const char *name, uint16_t *ret)
{
  uint64_t value;

  if (!find_register(text, name, &value))
    return false;
  *ret = (uint16_t)value;
  return true;
}

/* -- general registers and segments -- */

static bool
find_segment(Text text, const char *name, DacsaCpuSegment *ret)
{
  uint64_t selector, limit, flags;
  Text value;

  if (!find_name(text, name, &value) || !take_number(&value, 4, &selector) ||
      !take_number(&value, 16, &ret->base) || !take_number(&value, 8, &limit) ||
      !take_number(&value, 8, &flags))
    return false;
  ret->selector = (uint16_t)selector;
  ret->limit = (uint32_t)limit;
  ret->flags = (uint32_t)flags;
  return true;
}

static bool
find_table(Text text, const char *name, uint64_t *ret, uint32_t *ret_limit)
{
  uint64_t limit;
  Text value;

  if (!find_name(text, name, &value) || !take_number(&value, 16, ret) ||
      !take_number(&value, 8, &limit))
    return false;
  *ret_limit = (uint32_t)limit;
  return true;
}

static bool
find_state(Text text, bool narrow, DacsaCpu *cpu)
{
  static const char *const general[DACSA_CPU_N_GENERAL] = {
      "RAX=", "RBX=", "RCX=", "RDX=", "RSI=", "RDI=", "RBP=", "RSP=",
      "R8 =", "R9 =", "R10=", "R11=", "R12=", "R13=", "R14=", "R15="};
  static const char *const narrow_general[N_NARROW] = {
      "EAX=", "EBX=", "ECX=", "EDX=", "ESI=", "EDI=", "EBP=", "ESP="};
  static const char *const segments[DACSA_CPU_N_SEGMENTS] = {
      "ES =", "CS =", "SS =", "DS =", "FS =", "GS =", "LDT=", "TR ="};
  uint64_t cpl;

  for (size_t i = 0; i < (narrow ? N_NARROW : DACSA_CPU_N_GENERAL); i++)
    if (!find_register(text, narrow ? narrow_general[i] : general[i], &cpu->general[i]))
      return false;
  for (size_t i = 0; i < DACSA_CPU_N_SEGMENTS; i++)
    if (!find_segment(text, segments[i], &cpu->segments[i]))
      return false;
  if (!find_register(text, narrow ? "EFL=" : "RFL=", &cpu->rflags) ||
      !find_register(text, "CR2=", &cpu->cr2) || !find_register(text, "EFER=", &cpu->efer) ||
      !find_register(text, "CPL=", &cpl) || cpl > 3)
    return false;
  cpu->cpl = (unsigned)cpl;
  return find_table(text, "GDT=", &cpu->gdt, &cpu->gdt_limit) &&
         find_table(text, "IDT=", &cpu->idt, &cpu->idt_limit);
}

/* -- FPU and vectors -- */

static bool
find_stack(Text text, DacsaCpuFpu *fpu)
{
  for (unsigned i = 0; i < 8; i++) {
    const char name[] = {'F', 'P', 'R', (char)('0' + i), '=', '\0'};
    uint64_t exponent;
    Text value;

    if (!find_name(text, name, &value) || !take_number(&value, 16, &fpu->st_mantissa[i]) ||
        !take_number(&value, 4, &exponent))
      return false;
    fpu->st_exponent[i] = (uint16_t)exponent;
  }
  return true;
}

/* A register's words of 16 digits, the highest first; blanks between them or not. */
static bool
find_vector(Text text, const char *kind, unsigned i, unsigned words, uint64_t ret[8])
{
  g_autofree char *name = g_strdup_printf("%s%02u=", kind, i);
  Text value;

  if (!find_name(text, name, &value))
    return false;
  for (unsigned w = words; w-- > 0;)
    if (!take_number(&value, 16, &ret[w]))
      return false;
  return true;
}

static bool
find_vectors(Text text, DacsaCpuFpu *fpu)
{
  static const struct {
    const char *kind;
    unsigned words, registers;
  } kinds[] = {{"XMM", 2, 16}, {"YMM", 4, 16}, {"ZMM", 8, DACSA_CPU_VECTORS}};
  uint64_t first[8];

  for (size_t k = 0; k < G_N_ELEMENTS(kinds); k++) {
    const unsigned words = kinds[k].words;

    if (!find_vector(text, kinds[k].kind, 0, words, first))
      continue;
    for (unsigned i = 0; i < kinds[k].registers; i++)
      if (!find_vector(text, kinds[k].kind, i, words, fpu->vectors[i]))
        return false;
    for (unsigned i = 0; words == 8 && i < 8; i++)
      if (!find_vector(text, "Opmask", i, 1, &fpu->opmask[i]))
        return false;
    fpu->vector_bytes = words * 8;
    return true;
  }
  return false;
}

static bool
find_fpu(Text text, DacsaCpuFpu *fpu)
{
  return find_u16(text, "FCW=", &fpu->fcw) && find_u16(text, "FSW=", &fpu->fsw) &&
         find_u16(text, "FTW=", &fpu->ftw) && find_u32(text, "MXCSR=", &fpu->mxcsr) &&
         find_stack(text, fpu) && find_vectors(text, fpu);
}

/* text: behind `CPU#`. narrow: of a vCPU in 32-bit or real mode. */
static bool
parse_cpu(Text text, bool narrow, DacsaCpu *ret)
{
  DacsaCpu state = {0};
  DacsaCpuFpu fpu = {0};
  const guint64 number = g_ascii_strtoull(text.at, NULL, 10);

  if (number >= MAX_CPUS)
    return false;
  state.number = (unsigned)number;
  if (!find_register(text, narrow ? "EIP=" : "RIP=", &state.rip) ||
      !find_register(text, "CR0=", &state.cr0) || !find_register(text, "CR3=", &state.cr3) ||
      !find_register(text, "CR4=", &state.cr4))
    return false;
  *ret = state;
  state.has_state = find_state(text, narrow, &state);
  if (state.has_state)
    *ret = state;
  ret->has_fpu = find_fpu(text, &fpu);
  if (ret->has_fpu)
    ret->fpu = fpu;
  return true;
}

static GArray *
parse(const char *text, bool with_narrow)
{
  GArray *cpus = g_array_new(FALSE, FALSE, sizeof(DacsaCpu));
  const char *at = strstr(text, CPU);

  while (at && cpus->len < MAX_CPUS) {
    const char *next = strstr(at + 1, CPU);
    const Text part = {at + strlen(CPU), next ? next : at + strlen(at)};
    DacsaCpu cpu;

    if (parse_cpu(part, false, &cpu) || (with_narrow && parse_cpu(part, true, &cpu)))
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
