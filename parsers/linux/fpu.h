/*
 * The FPU and vector registers of a thread, as debuggers want them: an XSAVE area in the standard
 * format (Intel SDM 1, chapter 13), each component where Intel's processors have it, with the
 * features in sw_reserved (arch/x86/kernel/fpu/regset.c, xstateregs_get).
 */
#pragma once

#include "parsers/linux/view.h"

#define DACSA_LINUX_FXSAVE_SIZE 512u /* the part that every processor has */

typedef struct {
  GByteArray *area; /* longer than FXSAVE_SIZE: there is more than the FPU and SSE */
  bool from_vcpu;   /* then FOP, FIP, FDP are 0, and what the monitor does not print (PKRU) is as it
                     * was when the kernel last saved it */
} DacsaLinuxFpu;

void dacsa_linux_fpu_clear(DacsaLinuxFpu *fpu);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(DacsaLinuxFpu, dacsa_linux_fpu_clear)

bool dacsa_linux_fpu(DacsaLinux *l, uint64_t task, DacsaLinuxFpu *ret,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;
