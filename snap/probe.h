/*
 * What there is to know of a VM without touching it: its QEMU process, where guest RAM lies, what
 * an injection needs, and the preflight's verdict. It talks to the monitor, it does not stop it.
 */
#pragma once

#include "snap/address.h"
#include "snap/layout.h"
#include "snap/monitor.h"
#include "snap/preflight.h"
#include "snap/sigchain.h"

typedef struct {
  pid_t pid;
  uint64_t start_time; /* with the pid, the process's identity */
  char *uuid, *state;
  char *mtree;         /* the memory map the layout was made of */
  DacsaLayout *layout; /* offsets are QEMU's host virtual addresses */
  GArray *huge_vmas;   /* DacsaForkVma: guest memory that may be in huge pages */
  DacsaGadgets gadgets;
  GPtrArray *findings;         /* DacsaFinding: what there is to be told of its snapshots */
  char *method;                /* by which they are taken; NULL: they cannot be */
  const char *reason, *remedy; /* why not, of the first finding that refuses; else NULL */
} DacsaProbe;

void dacsa_probe_free(DacsaProbe *probe);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaProbe, dacsa_probe_free)

/* Fails only where the VM cannot be reached; what else is amiss is the verdict's. methods: names of
 * snap/method.h, in the order of preference, NULL-terminated. */
bool dacsa_probe_run(const DacsaVmAddress *address, const char *const *methods, DacsaProbe **ret,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same over a monitor that is open. */
bool dacsa_probe_monitor(DacsaMonitor *monitor, const char *const *methods, DacsaProbe **ret,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* To and from the bytes that cross from a worker to the keeper. Owned. */
GVariant *dacsa_probe_to_variant(const DacsaProbe *probe);
bool dacsa_probe_from_variant(GVariant *variant, DacsaProbe **ret,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;
