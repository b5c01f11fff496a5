/*
 * A guest operating system, as the tree sees it: one ops table a guest OS, all of them in one
 * array. A guest is opened on a snapshot's memory and may be used from several threads.
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
} DacsaGuestSource;

/* The text files of a process. */
typedef enum {
  DACSA_PROCESS_COMM,
  DACSA_PROCESS_CMDLINE,
  DACSA_PROCESS_MAPS,
  DACSA_PROCESS_N_TEXTS,
} DacsaProcessText;

/* A mapping of a process. */
typedef struct {
  uint64_t start, end;
  char perms[5]; /* as in maps: rwxp */
  char *path;    /* or name such as [heap]; NULL: none */
} DacsaRegion;

typedef bool (*DacsaProcessTextFunc)(DacsaGuest *guest, uint32_t pid, GString *out, GError **error);

typedef struct {
  const char *name;
  /* NOT_FOUND: the memory is not of this OS; any other error: it is, but cannot be read. */
  bool (*open)(const DacsaGuestSource *source, DacsaGuest **ret, GError **error);
  void (*free)(DacsaGuest *guest);
  /* Appends `key: value` lines: os, kernel, build_id, arch, paging. */
  void (*describe)(DacsaGuest *guest, GString *out);
  /* The processes' pids (uint32_t), ascending; borrowed. */
  bool (*processes)(DacsaGuest *guest, const GArray **ret, GError **error);
  DacsaProcessTextFunc text[DACSA_PROCESS_N_TEXTS];
  /* The resident user pages, ascending by virtual address; owned. */
  bool (*memory)(DacsaGuest *guest, uint32_t pid, DacsaRuns **ret, GError **error);
  /* Owned array of DacsaRegion, ascending, which it clears. */
  bool (*regions)(DacsaGuest *guest, uint32_t pid, GArray **ret, GError **error);
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
