/* What the preflight's findings mean for a VM: by which of the methods that its operator allows it
 * can be snapshotted, and what of them is to be told. */
#pragma once

#include "snap/method.h"
#include "snap/preflight.h"

/*
 * The first of the methods, names in the order of preference, that no finding forbids; NULL: none
 * is possible. findings becomes what is to be told: what refuses the VM, or what the method chosen
 * is warned of, and why one that is preferred is not. copy_bytes: what a copy would copy.
 */
const DacsaMethod *dacsa_verdict_reach(GPtrArray *findings, const char *const *methods,
                                       uint64_t copy_bytes);
