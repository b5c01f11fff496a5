/*
 * A method of holding on to a guest's memory of one instant. What it makes is a process that does
 * nothing: the snapshot is that process's memory, and it ends with it. One row a method in
 * snap/method.c; snap/take.c calls them in this order.
 */
#pragma once

#include "snap/probe.h"
#include "snap/record.h"

typedef struct DacsaMethod DacsaMethod;

/* One acquisition; dacsa_acquisition_free kills what it made, unless it was settled. */
typedef struct {
  const DacsaMethod *method;
  const DacsaProbe *probe; /* borrowed */
  const char *label;       /* what it is for, in ps(1); borrowed */
  pid_t child;             /* what holds the memory; 0: nothing yet */
  int pidfd;               /* of it, or -1 */
  int journal;             /* of the take (snap/journal.h), borrowed, or -1 */
  GArray *vmas; /* DacsaForkVma: what it changes of QEMU's and puts back; owned, or NULL */
  void *state;  /* the method's own */
} DacsaAcquisition;

struct DacsaMethod {
  const char *name; /* as `info`, `status` and --method call it */
  unsigned bit;     /* as snap/preflight.h calls it */
  /* Before the pause, and before there is a journal: all that can be done then. */
  bool (*prepare)(DacsaAcquisition *self, GError **error);
  /* In the pause, and as short as can be. BUSY: it may succeed the next moment. child has
   * oom_score_adj 1000 from before it costs memory: it dies for the VM, never the other way round.
   */
  bool (*acquire)(DacsaAcquisition *self, GError **error);
  /* The VM runs again: waits until child is there for good, and fills in record's layout. */
  bool (*settle)(DacsaAcquisition *self, DacsaRecord *record, GError **error);
  void (*free_state)(DacsaAcquisition *self); /* may be NULL */
};

/* The names of all, for messages: `a, b`. Owned. */
char *dacsa_method_names(void);

/* NULL: no such method. */
const DacsaMethod *dacsa_method_find(const char *name);

void dacsa_acquisition_init(DacsaAcquisition *self, const DacsaMethod *method,
                            const DacsaProbe *probe, const char *label);
void dacsa_acquisition_clear(DacsaAcquisition *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(DacsaAcquisition, dacsa_acquisition_clear)

/* settle, and what is the same for all: record's child, its identity and size. The child is the
 * caller's from then on. */
bool dacsa_acquisition_settle(DacsaAcquisition *self, DacsaRecord *record,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Used by the methods: waits until the child sits in pause(2) with nothing open. */
bool dacsa_method_await_parked(pid_t child, GError **error) G_GNUC_WARN_UNUSED_RESULT;
