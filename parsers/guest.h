/*
 * A guest operating system, as the tree sees it: one ops table a guest OS, all of them in one
 * array. A guest is opened on a snapshot's memory and may be used from several threads. What an OS
 * does not offer is NULL in its table, and not in the tree.
 */
#pragma once

#include "parsers/errors.h"
#include "parsers/runs.h"
#include "snap/mem.h"

#include <stdint.h>

typedef struct DacsaGuest DacsaGuest;

/* What a guest OS's parser knows of a VM's kernel, kept from one snapshot of the VM to the next.
 * Never shared between VMs: a guest chooses what it claims to be. */
typedef struct {
  gatomicrefcount refs;
  GMutex lock;
  void *value; /* the parser's; NULL: nothing known yet */
  GDestroyNotify free_value;
} DacsaGuestMemo;

DacsaGuestMemo *dacsa_guest_memo_new(void);
DacsaGuestMemo *dacsa_guest_memo_ref(DacsaGuestMemo *memo);
void dacsa_guest_memo_unref(DacsaGuestMemo *memo);

/* What a guest is opened on; all borrowed, and outliving the guest. */
typedef struct {
  DacsaMem *phys;     /* guest-physical memory */
  const GArray *cpus; /* DacsaCpu; may be empty */
  DacsaErrors *errors;
  DacsaGuestMemo *memo;
  int64_t taken_us; /* UNIX time of the snapshot */
} DacsaGuestSource;

/* The text files of a process. */
typedef enum {
  DACSA_PROCESS_COMM,
  DACSA_PROCESS_CMDLINE,
  DACSA_PROCESS_ENVIRON,
  DACSA_PROCESS_STATUS,
  DACSA_PROCESS_MAPS,
  DACSA_PROCESS_FDS,
  DACSA_PROCESS_NETCONNS,
  DACSA_PROCESS_THREADS,
  DACSA_PROCESS_N_TEXTS,
} DacsaProcessText;

/* The text files of the whole system. JSON_*: the same tables as JSON lines. */
typedef enum {
  DACSA_SYSTEM_MODULES,
  DACSA_SYSTEM_NETCONNS,
  DACSA_SYSTEM_BANNER,
  DACSA_SYSTEM_CMDLINE,
  DACSA_SYSTEM_CPUINFO,
  DACSA_SYSTEM_DMESG,
  DACSA_SYSTEM_KALLSYMS,
  DACSA_SYSTEM_MOUNTS,
  DACSA_SYSTEM_SYSCTL,
  DACSA_SYSTEM_JSON_PROCESSES,
  DACSA_SYSTEM_JSON_THREADS,
  DACSA_SYSTEM_JSON_FDS,
  DACSA_SYSTEM_JSON_MAPS,
  DACSA_SYSTEM_JSON_MODULES,
  DACSA_SYSTEM_JSON_NETCONNS,
  DACSA_SYSTEM_JSON_MOUNTS,
  DACSA_SYSTEM_JSON_DMESG,
  DACSA_SYSTEM_N_TEXTS,
} DacsaSystemText;

/* A mapping of a process. */
typedef struct {
  uint64_t start, end;
  char perms[5]; /* as in maps: rwxp */
  char *path;    /* or name such as [heap]; NULL: none */
} DacsaRegion;

/* Where the kernel's own address space has a stretch of physical memory. */
typedef struct {
  uint64_t gpa, gva, size;
} DacsaKernelMapping;

/* A file or directory that the guest has cached. */
typedef struct {
  uint32_t id;       /* > 0, and the same whenever this snapshot is asked */
  uint32_t parent;   /* the directory's id; 0: the top */
  bool is_directory; /* else a regular file; there is nothing else */
  char *name;        /* raw, as the guest has it; owned */
} DacsaGuestFile;

void dacsa_guest_file_clear(DacsaGuestFile *file);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(DacsaGuestFile, dacsa_guest_file_clear)

typedef bool (*DacsaProcessTextFunc)(DacsaGuest *guest, uint32_t pid, GString *out, GError **error);
typedef bool (*DacsaSystemTextFunc)(DacsaGuest *guest, GString *out, GError **error);
typedef bool (*DacsaRunsFunc)(DacsaGuest *guest, uint32_t object, DacsaRuns **ret, GError **error);

typedef struct {
  const char *name;
  /* NOT_FOUND: the memory is not of this OS; any other error: it is, but cannot be read. */
  bool (*open)(const DacsaGuestSource *source, DacsaGuest **ret, GError **error);
  void (*free)(DacsaGuest *guest);
  /* Appends `key: value` lines: os, kernel, build_id, arch, paging. */
  void (*describe)(DacsaGuest *guest, GString *out);
  DacsaSystemTextFunc system_text[DACSA_SYSTEM_N_TEXTS];
  /* The kernel's types as the kernel has them (BTF); owned. */
  bool (*btf)(DacsaGuest *guest, DacsaRuns **ret, GError **error);
  /* What a core of the whole system says of its kernel (NULL: nothing): appends the text of the
   * VMCOREINFO note; and where the kernel itself has physical memory mapped: owned array of
   * DacsaKernelMapping, ascending by gpa, disjoint. */
  bool (*vmcoreinfo)(DacsaGuest *guest, GString *out, GError **error);
  bool (*kernel_mappings)(DacsaGuest *guest, GArray **ret, GError **error);
  /* The thread that runs on a CPU; 0: none, it is idle. */
  bool (*running)(DacsaGuest *guest, uint32_t cpu, uint32_t *ret_pid, GError **error);
  /* A symbol table of the kernel for Volatility 3 (its ISF, JSON), made of what the guest knows of
   * itself. */
  bool (*isf)(DacsaGuest *guest, GString *out, GError **error);
  /* The names of the loaded modules, as the guest has them (char *), in the order of `modules`;
   * borrowed, and the same array every time. */
  bool (*modules)(DacsaGuest *guest, const GPtrArray **ret, GError **error);
  /* The memory of number i of them; owned. */
  DacsaRunsFunc module_memory;

  /* The processes' pids (uint32_t), ascending; borrowed. */
  bool (*processes)(DacsaGuest *guest, const GArray **ret, GError **error);
  DacsaProcessTextFunc process_text[DACSA_PROCESS_N_TEXTS];
  /* The resident user pages, ascending by virtual address; owned. */
  DacsaRunsFunc memory;
  /* Owned array of DacsaRegion, ascending, which it clears. */
  bool (*regions)(DacsaGuest *guest, uint32_t pid, GArray **ret, GError **error);
  /* Whether the process has memory of its own: kernel threads and zombies have none. */
  bool (*has_core)(DacsaGuest *guest, uint32_t pid);
  /* An ELF core of the process for debuggers: notes as the kernel's own core dumps have them, a
   * PT_LOAD a mapping; owned. */
  DacsaRunsFunc core;
  /* Whether the process has an executable at all: kernel threads have none. */
  bool (*has_exe)(DacsaGuest *guest, uint32_t pid);
  /* The executable; owned. What is missing of it is a hole and noted among the errors. */
  DacsaRunsFunc exe;

  /*
   * The guest's cached files, a tree of its own, without symbolic links: they would lead a reader's
   * tools out of the snapshot. Directory 0 is the top. Owned array of DacsaGuestFile, which it
   * clears: what a directory holds, no name twice.
   */
  bool (*files)(DacsaGuest *guest, uint32_t directory, GArray **ret, GError **error);
  /* One of them, by its name in a directory, or by its id. NOT_FOUND: there is none. */
  bool (*file_lookup)(DacsaGuest *guest, uint32_t directory, const char *name, DacsaGuestFile *ret,
                      GError **error);
  bool (*file)(DacsaGuest *guest, uint32_t id, DacsaGuestFile *ret, GError **error);
  /* The cached pages of a regular file, with holes where there are none; owned. */
  DacsaRunsFunc file_content;
} DacsaGuestOs;

/* Every implementation embeds this as its first member. */
struct DacsaGuest {
  const DacsaGuestOs *os;
};

/* Opens the guest with whichever OS knows it. NOT_FOUND: none does. */
bool dacsa_guest_open(const DacsaGuestSource *source, DacsaGuest **ret,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;
void dacsa_guest_free(DacsaGuest *guest);

/* The text of `memory.map`: for every run of a process's memory in one mapping a line `offset
 * length address perms path`, numbers in hexadecimal. */
bool dacsa_guest_memory_map(DacsaGuest *guest, uint32_t pid, const DacsaRuns *runs, GString *out,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;
