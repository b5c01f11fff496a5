/* Finds BTF (Documentation/bpf/btf.rst) by its header, in a kernel that does not say where it is.
 */
#pragma once

#include "snap/bytes.h"

/*
 * The largest BTF in data: a kernel may have others beside its own, of modules or objects built in.
 * Its sections must lie within data, and its strings begin and end with a zero. false: there is
 * none.
 */
bool dacsa_btf_find(DacsaBytes data, size_t *ret_at, size_t *ret_len) G_GNUC_WARN_UNUSED_RESULT;
