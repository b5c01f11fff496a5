/* The vCPUs' registers, from the text of QEMU's `info registers -a` (target/i386/cpu-dump.c). */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* The general registers, in the text's order. */
typedef enum {
  DACSA_CPU_RAX,
  DACSA_CPU_RBX,
  DACSA_CPU_RCX,
  DACSA_CPU_RDX,
  DACSA_CPU_RSI,
  DACSA_CPU_RDI,
  DACSA_CPU_RBP,
  DACSA_CPU_RSP,
  DACSA_CPU_R8,
  DACSA_CPU_R9,
  DACSA_CPU_R10,
  DACSA_CPU_R11,
  DACSA_CPU_R12,
  DACSA_CPU_R13,
  DACSA_CPU_R14,
  DACSA_CPU_R15,
  DACSA_CPU_N_GENERAL,
} DacsaCpuGeneral;

typedef enum {
  DACSA_CPU_ES,
  DACSA_CPU_CS,
  DACSA_CPU_SS,
  DACSA_CPU_DS,
  DACSA_CPU_FS,
  DACSA_CPU_GS,
  DACSA_CPU_LDT,
  DACSA_CPU_TR,
  DACSA_CPU_N_SEGMENTS,
} DacsaCpuSegmentName;

/* flags: the upper half of the descriptor. */
typedef struct {
  uint16_t selector;
  uint64_t base;
  uint32_t limit, flags;
} DacsaCpuSegment;

#define DACSA_CPU_VECTORS 32u /* registers, where they have 64 bytes; else 16 */

/* The FPU and the vector registers. st: mantissas and exponents of the physical registers; those of
 * the stack begin at number fsw >> 11 & 7. ftw: a bit a physical register that is in use. */
typedef struct {
  uint16_t fcw, fsw, ftw;
  uint32_t mxcsr;
  uint64_t st_mantissa[8];
  uint16_t st_exponent[8];
  unsigned vector_bytes;                  /* 16, 32 or 64 */
  uint64_t vectors[DACSA_CPU_VECTORS][8]; /* the lowest word first */
  uint64_t opmask[8];                     /* with vectors of 64 bytes */
} DacsaCpuFpu;

typedef struct {
  uint64_t rip, cr0, cr3, cr4;
  unsigned number; /* of the vCPU */
  /* The rest is 0 where the text does not have all of it. */
  bool has_state;
  uint64_t general[DACSA_CPU_N_GENERAL];
  uint64_t rflags, cr2, efer;
  unsigned cpl;
  DacsaCpuSegment segments[DACSA_CPU_N_SEGMENTS];
  uint64_t gdt, idt;
  uint32_t gdt_limit, idt_limit;
  /* The same. */
  bool has_fpu;
  DacsaCpuFpu fpu;
} DacsaCpu;

/* Owned array of DacsaCpu, in the text's order; those with no 64-bit registers are left out. */
GArray *dacsa_cpus_parse(const char *text);

/* The same with those in it too that run in 32-bit or real mode: r8 to r15 are 0 there. */
GArray *dacsa_cpus_parse_all(const char *text);
