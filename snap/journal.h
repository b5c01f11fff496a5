/*
 * The journal of a take: a file in the state directory, there from before the VM is touched until
 * it runs again and the snapshot's record is saved. If the worker is killed in between, the journal
 * has all that snap/recover.h needs to put things right. A GKeyFile, for root alone.
 */
#pragma once

#include "snap/address.h"
#include "snap/chain.h"
#include "snap/probe.h"

typedef struct {
  DacsaVmAddress *address;
  char *snapshot;
  pid_t worker;                      /* the process that takes it */
  pid_t pid;                         /* QEMU's */
  uint64_t start_time;               /* with the pid, QEMU's identity */
  uint64_t program_dev, program_ino; /* of its program's file */
  uint64_t begun;  /* clock ticks since boot: nothing that the take made is older */
  bool ran;        /* the VM did, so that it has to be resumed */
  bool group_stop; /* QEMU is stopped by SIGSTOP meanwhile */
  DacsaGadgets gadgets;
  GArray *vmas;     /* DacsaForkVma */
  bool has_chain;   /* the main thread was about to enter: */
  DacsaChain chain; /* the latest, if there were several attempts */
} DacsaJournal;

/* A journal for a take that the calling process begins now. Owned. The chain is added later. vmas:
 * DacsaForkVma, what the take changes for a moment; NULL: nothing. */
bool dacsa_journal_new(const DacsaVmAddress *address, const char *snapshot, const DacsaProbe *probe,
                       const GArray *vmas, bool ran, DacsaJournal **ret,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;
void dacsa_journal_free(DacsaJournal *journal);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaJournal, dacsa_journal_free)

/* Writes it into a state directory. *ret_fd, owned, takes what is added. BUSY: there is one
 * already.
 */
bool dacsa_journal_save(const DacsaJournal *journal, const char *state_path, int *ret_fd,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Adds, in one write: the chain that the main thread is about to enter; that the VM is somebody
 * else's to resume. Neither allocates memory, unless it fails. */
bool dacsa_journal_add_chain(int fd, const DacsaChain *chain,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool dacsa_journal_add_not_ours(int fd, GError **error) G_GNUC_WARN_UNUSED_RESULT;

void dacsa_journal_remove(const char *state_path, const char *vm, const char *snapshot);
bool dacsa_journal_exists(const char *state_path, const char *vm, const char *snapshot);

/* The journal, owned; NULL: there is none, or it is damaged. */
DacsaJournal *dacsa_journal_find(const char *state_path, const char *vm, const char *snapshot);

/* All in a state directory: owned array of owned DacsaJournal. */
GPtrArray *dacsa_journal_load(const char *state_path);

/* From the file's text; BAD_DATA: it is cut short, or damaged. */
bool dacsa_journal_from_text(const char *text, size_t len, DacsaJournal **ret,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;
