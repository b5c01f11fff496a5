/* A Linux guest in one snapshot: its kernel, that kernel's memory, its processes. What the files of
 * parsers/linux/ share; nobody else includes it. */
#pragma once

#include "parsers/linux/kernel.h"
#include "parsers/x86_64.h"

#define DACSA_LINUX_MAX_TEXT (64u << 20) /* bytes of a file that is printed */
#define DACSA_LINUX_MAX_VMAS (1u << 20)  /* sysctl vm.max_map_count is 65530 unless raised */

typedef struct {
  uint32_t pid;
  uint64_t task; /* gva of the leader's task_struct */
} DacsaLinuxTask;

/* What is found out about a guest once and then kept: see dacsa_linux_once. */
typedef enum {
  DACSA_LINUX_ONCE_BEHAVIOUR,
  DACSA_LINUX_ONCE_STATUS_LINES,
  DACSA_LINUX_ONCE_MODULES,
  DACSA_LINUX_ONCE_SOCKETS,
  DACSA_LINUX_ONCE_DMESG,
  DACSA_LINUX_ONCE_FILES,
  DACSA_LINUX_ONCE_RUNNING,
  DACSA_LINUX_ONCE_N,
} DacsaLinuxOnceKey;

typedef struct {
  GMutex lock;
  void *value; /* NULL: not made yet */
  GDestroyNotify free_value;
} DacsaLinuxOnce;

typedef struct {
  DacsaGuest guest;
  DacsaLinuxKernel *kernel;
  DacsaMem *phys;      /* borrowed from the source */
  DacsaMem *memory;    /* the kernel's address space */
  DacsaErrors *errors; /* borrowed */
  const GArray *cpus;  /* DacsaCpu; borrowed, or NULL */
  unsigned levels;
  int64_t taken_us; /* UNIX time of the snapshot */
  GMutex lock;      /* of the two below, which are made once */
  GArray *tasks;    /* DacsaLinuxTask, by pid */
  GArray *pids;     /* uint32_t, the same order */
  DacsaLinuxOnce once[DACSA_LINUX_ONCE_N];
} DacsaLinux;

/*
 * Reads of members; base is the gva of the structure. A member the kernel lacks is UNSUPPORTED, and
 * the error names it.
 */

/* An integer, pointer or bit field of up to 8 bytes, not sign-extended. */
bool dacsa_linux_get(const DacsaLinux *l, uint64_t base, DacsaLinuxMember member, uint64_t *ret,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Element i of an array of integers or pointers. FAULT: it has fewer. */
bool dacsa_linux_get_element(const DacsaLinux *l, uint64_t base, DacsaLinuxMember member,
                             uint64_t i, uint64_t *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* An array of characters, up to its first zero; owned. */
bool dacsa_linux_get_string(const DacsaLinux *l, uint64_t base, DacsaLinuxMember member, char **ret,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

bool dacsa_linux_has(const DacsaLinux *l, DacsaLinuxMember member);

/* Where a member lies in its structure, for arithmetic: an embedded structure is at base + offset,
 * the structure around a member at its address - offset. Of a member that the kernel lacks: an
 * offset that makes any address one that is no address, so that reads there are a FAULT. */
uint64_t dacsa_linux_offset(const DacsaLinux *l, DacsaLinuxMember member);

/* 0 where the kernel has none. */
uint64_t dacsa_linux_symbol(const DacsaLinux *l, DacsaLinuxSymbol symbol);
uint32_t dacsa_linux_size(const DacsaLinux *l, DacsaLinuxType type);

/* How much memory the guest has, and what work one answer about it may cost (parsers/work.h). */
uint64_t dacsa_linux_ram_bytes(const DacsaLinux *l);
uint64_t dacsa_linux_allowance(const DacsaLinux *l);

/* What make makes for the key (not NULL), the first time that it is asked for; borrowed, immutable,
 * and freed with the guest. Threads that ask for the same key wait; make may ask for other keys. */
const void *dacsa_linux_once(DacsaLinux *l, DacsaLinuxOnceKey key, void *(*make)(DacsaLinux *l),
                             GDestroyNotify free_value);
void dacsa_linux_once_init(DacsaLinux *l);
void dacsa_linux_once_clear(DacsaLinux *l);

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

/* Appends the mappings of an mm: the vm_area_structs' gvas (uint64_t), ascending by address. What
 * was found before it fails stands. */
bool dacsa_linux_vmas_append(const DacsaLinux *l, uint64_t mm, GArray *ret, GError **error);
/* The same as an owned array; what is cut short is noted as `where`'s. */
GArray *dacsa_linux_vmas(DacsaLinux *l, uint64_t mm, const char *where);

/* The entries of a maple tree (lib/maple_tree.c), ascending; appended to ret (uint64_t). */
bool dacsa_linux_maple_entries(const DacsaLinux *l, uint64_t ma_root, GArray *ret,
                               GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A dentry's own name, as long as it says (more than NAME_MAX for some that are no files). Owned.
 */
bool dacsa_linux_dentry_name(const DacsaLinux *l, uint64_t dentry, char **ret,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A struct path as d_path (fs/d_path.c) prints it, seen from the root of `root`, a struct path's
 * gva (0: the global root). Owned. */
bool dacsa_linux_d_path(const DacsaLinux *l, uint64_t path, uint64_t root, char **ret,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The function with which a file names itself (dentry_operations.d_dname); 0: it has a place in the
 * tree. */
bool dacsa_linux_dname(const DacsaLinux *l, uint64_t path, uint64_t *ret,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The gva of the struct path that is the root directory of the guest's init. */
uint64_t dacsa_linux_root(DacsaLinux *l);

/* The files of /proc/PID that are generators of the ops table. */
bool dacsa_linux_comm(DacsaGuest *guest, uint32_t pid, GString *out, GError **error);
bool dacsa_linux_cmdline(DacsaGuest *guest, uint32_t pid, GString *out, GError **error);
bool dacsa_linux_maps(DacsaGuest *guest, uint32_t pid, GString *out, GError **error);
bool dacsa_linux_regions(DacsaGuest *guest, uint32_t pid, GArray **ret, GError **error);
bool dacsa_linux_memory(DacsaGuest *guest, uint32_t pid, DacsaRuns **ret, GError **error);
bool dacsa_linux_text_fds(DacsaGuest *guest, uint32_t pid, GString *out, GError **error);
bool dacsa_linux_json_fds(DacsaGuest *guest, GString *out, GError **error);
bool dacsa_linux_text_netconns(DacsaGuest *guest, uint32_t pid, GString *out, GError **error);
bool dacsa_linux_system_netconns(DacsaGuest *guest, GString *out, GError **error);
bool dacsa_linux_json_netconns(DacsaGuest *guest, GString *out, GError **error);
