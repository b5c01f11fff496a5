/*
 * What is known of one snapshot. Its file in the state directory is a GKeyFile; it lets the next
 * daemon take up a snapshot that outlived this one, and tells the viewer all it needs to show it.
 */
#pragma once

#include "snap/layout.h"

#include <sys/types.h>

typedef struct {
  char *vm, *uuid, *name;
  char *method;       /* "fork" */
  char *registers;    /* all vCPUs', as the monitor prints them */
  int64_t taken_us;   /* UNIX time of the fork, microseconds */
  int64_t pause_us;   /* from asking for the stop to the end of cont; 0: the VM was not running */
  int64_t quiesce_us; /* of that, until the VM had stopped and its registers were read */
  int64_t fork_us;    /* of that, tracing and forking */
  uint64_t resident_bytes; /* of QEMU at the fork */
  pid_t child;
  uint64_t child_start; /* with the pid, the child's identity: clock ticks since boot */
  int64_t scheduled;    /* 1: taken by --every; 0: somebody asked for it */
  DacsaLayout *layout;
} DacsaRecord;

DacsaRecord *dacsa_record_new(void);
void dacsa_record_free(DacsaRecord *record);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaRecord, dacsa_record_free)

/* The name of a snapshot that nobody names: the time in UTC, as 20261123T052001Z. Owned. */
char *dacsa_record_default_name(int64_t unix_us);

/* A UNIX time as RFC 3339 has it, in UTC with microseconds. Owned. */
char *dacsa_record_time(int64_t unix_us);

char *dacsa_record_to_text(const DacsaRecord *record);
bool dacsa_record_from_text(const char *text, size_t len, DacsaRecord **ret,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;
