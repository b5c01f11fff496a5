/* Which task each CPU of the guest runs, and which of QEMU's vCPUs that is. */
#pragma once

#include "parsers/cpus.h"
#include "parsers/linux/view.h"

typedef struct {
  uint32_t number;     /* the kernel's, of the CPU */
  const DacsaCpu *cpu; /* its registers; NULL: they are not known */
} DacsaLinuxVcpu;

/* The CPU that runs the task, one that its idle task has left to it; NULL: none does. Borrowed. */
const DacsaLinuxVcpu *dacsa_linux_vcpu(DacsaLinux *l, uint64_t task);

/* A CPU's own copy of a variable (include/linux/percpu-defs.h, per_cpu): its gva. */
bool dacsa_linux_per_cpu(const DacsaLinux *l, DacsaLinuxSymbol symbol, uint32_t number,
                         uint64_t *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;
