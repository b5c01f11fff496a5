/*
 * What happens to snapshots, told to whom it concerns: with fields of its own to the journal, if
 * standard error leads there (systemd.journal-fields(7)); else as a line on standard error.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

/* Each has a MESSAGE_ID that stays as it is: journalctl MESSAGE_ID=... */
typedef enum {
  DACSA_LOG_TAKEN,    /* a snapshot was taken */
  DACSA_LOG_REFUSED,  /* it was not: nothing of it is there */
  DACSA_LOG_DROPPED,  /* as asked */
  DACSA_LOG_LOST,     /* it ended unasked */
  DACSA_LOG_TAKEN_UP, /* one that an earlier daemon left is shown again */
  DACSA_LOG_VIEWER,   /* the viewer crashed; of no VM and no snapshot */
} DacsaLogEvent;

/* Fields: MESSAGE_ID, DACSA_VM, DACSA_SNAPSHOT, and where pause_us >= 0 DACSA_PAUSE_US. The line is
 * "VM/SNAPSHOT: " and the text. vm and snapshot NULL: neither those fields nor that. */
void dacsa_log(DacsaLogEvent event, GLogLevelFlags level, const char *vm, const char *snapshot,
               int64_t pause_us, const char *format, ...) G_GNUC_PRINTF(6, 7);

/* Lines on standard error alone from now on, with a priority that the journal understands (<4>) if
 * that is where they go: for a process that may not open sockets, or closes them behind GLib. */
void dacsa_log_use_stderr(void);
