/*
 * The user registers of a thread: where it was, or goes on, in user mode. A thread that a vCPU runs
 * in user mode has them there; any other left them on its kernel stack as it came into the kernel
 * (arch/x86/include/asm/ptrace.h, struct pt_regs), and the bases of FS and GS in its task_struct.
 */
#pragma once

#include "parsers/linux/view.h"

/* struct user_regs_struct (arch/x86/include/asm/user_64.h), word by word. */
typedef enum {
  DACSA_LINUX_R15,
  DACSA_LINUX_R14,
  DACSA_LINUX_R13,
  DACSA_LINUX_R12,
  DACSA_LINUX_RBP,
  DACSA_LINUX_RBX,
  DACSA_LINUX_R11,
  DACSA_LINUX_R10,
  DACSA_LINUX_R9,
  DACSA_LINUX_R8,
  DACSA_LINUX_RAX,
  DACSA_LINUX_RCX,
  DACSA_LINUX_RDX,
  DACSA_LINUX_RSI,
  DACSA_LINUX_RDI,
  DACSA_LINUX_ORIG_RAX,
  DACSA_LINUX_RIP,
  DACSA_LINUX_CS,
  DACSA_LINUX_RFLAGS,
  DACSA_LINUX_RSP,
  DACSA_LINUX_SS,
  DACSA_LINUX_N_PT_REGS,
  DACSA_LINUX_FS_BASE = DACSA_LINUX_N_PT_REGS,
  DACSA_LINUX_GS_BASE,
  DACSA_LINUX_DS,
  DACSA_LINUX_ES,
  DACSA_LINUX_FS,
  DACSA_LINUX_GS,
  DACSA_LINUX_N_REGISTERS,
} DacsaLinuxRegister;

/* mm: the process's mm_struct. BAD_DATA, UNSUPPORTED: they cannot be told; of a thread that is
 * about to enter or leave the kernel they are half here, half there. */
bool dacsa_linux_registers(DacsaLinux *l, uint64_t task, uint64_t mm,
                           uint64_t ret[DACSA_LINUX_N_REGISTERS],
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;
