/* The vCPUs' registers, from the text of QEMU's `info registers -a` (target/i386/cpu-dump.c). */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* A segment register. flags: the second word of its descriptor, without base and limit. */
typedef struct {
  uint64_t base;
  uint32_t selector, limit, flags;
} DacsaCpuSegment;

/* What the text lacks is 0; rip, cr0, cr3 and cr4 are always there. */
typedef struct {
  uint64_t rip, cr0, cr3, cr4;
  unsigned number; /* of the vCPU */
  uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp;
  uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
  uint64_t rflags, cr2;
  unsigned cpl;
  DacsaCpuSegment cs, ds, es, fs, gs, ss, ldt, tr;
  DacsaCpuSegment gdt, idt; /* base and limit alone */
} DacsaCpu;

/* Owned array of DacsaCpu, in the text's order; those with no 64-bit registers are left out. */
GArray *dacsa_cpus_parse(const char *text);

/* The same with those in it too that run in 32-bit or real mode. */
GArray *dacsa_cpus_parse_all(const char *text);
