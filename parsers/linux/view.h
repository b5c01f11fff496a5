/* A Linux guest in one snapshot: its kernel, that kernel's memory, its processes. What the files of
 * parsers/linux/ share; nobody else includes it. */
#pragma once

#include "parsers/linux/kernel.h"
#include "parsers/x86_64.h"

#define DACSA_LINUX_MAX_VMAS (1u << 20) /* sysctl vm.max_map_count is 65530 unless raised */

typedef struct {
  uint32_t pid;
  uint64_t task; /* gva of the leader's task_struct */
} DacsaLinuxTask;

typedef struct {
  DacsaGuest guest;
  DacsaLinuxKernel *kernel;
  DacsaMem *phys;      /* borrowed from the source */
  DacsaMem *memory;    /* the kernel's address space */
  DacsaErrors *errors; /* borrowed */
  unsigned levels;
  GMutex lock;   /* of the two below, which are made once */
  GArray *tasks; /* DacsaLinuxTask, by pid */
  GArray *pids;  /* uint32_t, the same order */
} DacsaLinux;

/* Reads of a member: base is the structure's gva, offset one of DacsaLinuxOffsets. */
bool dacsa_linux_u64(const DacsaLinux *l, uint64_t base, int32_t offset, uint64_t *ret,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool dacsa_linux_u32(const DacsaLinux *l, uint64_t base, int32_t offset, uint32_t *ret,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Makes the lists of processes (thread groups) the first time. What is cut short is noted. */
void dacsa_linux_tasks(DacsaLinux *l);

/* The task_struct of the group's leader. NOT_FOUND: no such process. */
bool dacsa_linux_task(DacsaLinux *l, uint32_t pid, uint64_t *ret,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Its mm_struct; 0: a kernel thread, or a process that has exited. */
bool dacsa_linux_task_mm(const DacsaLinux *l, uint64_t task, uint64_t *ret,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The page tables of a process. */
bool dacsa_linux_mm_tables(const DacsaLinux *l, uint64_t mm, DacsaX86_64Tables *ret,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The mappings of an mm: owned array of the vm_area_structs' gvas, ascending by address. What is
 * cut short is noted as `where`'s. */
GArray *dacsa_linux_vmas(DacsaLinux *l, uint64_t mm, const char *where);

/* The entries of a maple tree (lib/maple_tree.c), ascending; appended to ret (uint64_t). */
bool dacsa_linux_maple_entries(const DacsaLinux *l, uint64_t ma_root, GArray *ret,
                               GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A struct path as d_path (fs/d_path.c) prints it, seen from the root of `root`, a struct path's
 * gva (0: the global root). Owned. */
bool dacsa_linux_d_path(const DacsaLinux *l, uint64_t path, uint64_t root, char **ret,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The gva of the struct path that is the root directory of the guest's init. */
uint64_t dacsa_linux_root(DacsaLinux *l);

/* The files of /proc/PID that are generators of the ops table. */
bool dacsa_linux_comm(DacsaGuest *guest, uint32_t pid, GString *out, GError **error);
bool dacsa_linux_cmdline(DacsaGuest *guest, uint32_t pid, GString *out, GError **error);
bool dacsa_linux_maps(DacsaGuest *guest, uint32_t pid, GString *out, GError **error);
bool dacsa_linux_regions(DacsaGuest *guest, uint32_t pid, GArray **ret, GError **error);
bool dacsa_linux_memory(DacsaGuest *guest, uint32_t pid, DacsaRuns **ret, GError **error);
