/*
 * What happens to snapshots, told to whom it concerns: with fields of its own to the journal, if
 * standard error leads there (systemd.journal-fields(7)); else as a line on standard error.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

/* Each has a MESSAGE_ID that stays as it is: journalctl MESSAGE_ID=... */
typedef enum {
  DACSA_LOG_TAKEN,     /* a snapshot was taken */
  DACSA_LOG_REFUSED,   /* it was not: nothing of it is there */
  DACSA_LOG_DROPPED,   /* as asked */
  DACSA_LOG_LOST,      /* it ended unasked */
  DACSA_LOG_GIVEN_UP,  /* dropped for what it cost, or because memory ran short */
  DACSA_LOG_TAKEN_UP,  /* one that an earlier daemon left is shown again */
  DACSA_LOG_RECOVERED, /* who took it was killed; the VM is as it was */
  DACSA_LOG_COLLAPSED, /* a pass over a VM's huge pages is over: snap/collapse.h */
  DACSA_LOG_VIEWER,    /* the viewer crashed, or hung; of no VM and no snapshot */
} DacsaLogEvent;

/* Fields: MESSAGE_ID, DACSA_VM, DACSA_SNAPSHOT, and where pause_us >= 0 DACSA_PAUSE_US. The line is
 * "VM/SNAPSHOT: " and the text. snapshot NULL: it is about the VM, and the line is "VM: "; vm NULL,
 * too: neither those fields nor that. */
void dacsa_log(DacsaLogEvent event, GLogLevelFlags level, const char *vm, const char *snapshot,
               int64_t pause_us, const char *format, ...) G_GNUC_PRINTF(6, 7);

/* GIVEN_UP, as a warning. Instead of the pause: DACSA_PRIVATE_BYTES. */
void dacsa_log_given_up(const char *vm, const char *snapshot, uint64_t private_bytes,
                        const char *why);

/* Lines on standard error alone from now on, with a priority that the journal understands (<4>) if
 * that is where they go: for a process that may not open sockets, or closes them behind GLib. */
void dacsa_log_use_stderr(void);
