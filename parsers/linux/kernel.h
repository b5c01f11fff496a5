/*
 * A Linux kernel as built and booted: symbols, and where the members lie that the parsers read.
 * Immutable once loaded, and shared by all snapshots of one VM.
 */
#pragma once

#include "parsers/guest.h"
#include "parsers/kallsyms.h"
#include "parsers/linux/discover.h"
#include "parsers/linux/members.h"
#include "parsers/types.h"

#define DACSA_LINUX_ENUM_M(name, path) M_##name,
#define DACSA_LINUX_ENUM_T(name, path) T_##name,
#define DACSA_LINUX_ENUM_E(name, path) E_##name,
#define DACSA_LINUX_ENUM_S(name, path) S_##name,
typedef enum { DACSA_LINUX_MEMBERS(DACSA_LINUX_ENUM_M) M_N } DacsaLinuxMember;
typedef enum { DACSA_LINUX_TYPES(DACSA_LINUX_ENUM_T) T_N } DacsaLinuxType;
typedef enum { DACSA_LINUX_ENUMERATORS(DACSA_LINUX_ENUM_E) E_N } DacsaLinuxEnumerator;
typedef enum { DACSA_LINUX_SYMBOLS(DACSA_LINUX_ENUM_S) S_N } DacsaLinuxSymbol;

typedef struct {
  gatomicrefcount refs;
  DacsaVmcoreinfo *info;
  DacsaKallsyms *kallsyms;
  uint64_t btf, btf_end;    /* gvas of the kernel's BTF */
  DacsaMember members[M_N]; /* not known: the kernel has none */
  uint32_t types[T_N];      /* sizes; 0: none */
  int64_t enumerators[E_N]; /* INT64_MIN: none */
  uint64_t symbols[S_N];    /* run-time addresses; 0: none */
} DacsaLinuxKernel;

/* Looks up in a kernel's symbols and types what the parsers want to know. Takes what was found. */
bool dacsa_linux_kernel_load(DacsaLinuxFound *found, DacsaLinuxKernel **ret,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;
DacsaLinuxKernel *dacsa_linux_kernel_ref(DacsaLinuxKernel *kernel);
void dacsa_linux_kernel_unref(DacsaLinuxKernel *kernel);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaLinuxKernel, dacsa_linux_kernel_unref)

/* The row of a member as it is asked for, for messages: `task_struct.pid`. */
const char *dacsa_linux_member_name(DacsaLinuxMember member);
