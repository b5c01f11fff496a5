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
  GArray *vmas;        /* DacsaForkVma: what holds guest memory and is MADV_DONTFORK */
  GArray *huge_vmas;   /* DacsaForkVma: guest memory, and more of QEMU's, in huge pages */
  DacsaGadgets gadgets;
  GPtrArray *findings;         /* DacsaFinding: all that the preflight has to say */
  const char *reason, *remedy; /* of the first that refuses; NULL: it can be snapshotted */
} DacsaProbe;

void dacsa_probe_free(DacsaProbe *probe);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaProbe, dacsa_probe_free)

/* Fails only where the VM cannot be reached; what else is amiss is the verdict's. */
bool dacsa_probe_run(const DacsaVmAddress *address, DacsaProbe **ret,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same over a monitor that is open. */
bool dacsa_probe_monitor(DacsaMonitor *monitor, DacsaProbe **ret,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* To and from the bytes that cross from a worker to the keeper. Owned. */
GVariant *dacsa_probe_to_variant(const DacsaProbe *probe);
bool dacsa_probe_from_variant(GVariant *variant, DacsaProbe **ret,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;
