/* The checks that the rows of snap/preflight.c call. Each returns the reason (owned) where its case
 * holds, else NULL; also where it cannot tell. Used by snap/preflight*.c alone. */
#pragma once

#include "snap/preflight.h"

/* snap/preflight-host.c: dacsa itself and the host it runs on. */
char *dacsa_preflight_ptrace_scope(const DacsaPreflight *p);
char *dacsa_preflight_own_seccomp(const DacsaPreflight *p);
char *dacsa_preflight_user_namespace(const DacsaPreflight *p);
char *dacsa_preflight_capabilities(const DacsaPreflight *p);
char *dacsa_preflight_confined(const DacsaPreflight *p);
char *dacsa_preflight_attach(const DacsaPreflight *p);
char *dacsa_preflight_signal(const DacsaPreflight *p);

/* snap/preflight-qemu.c: the QEMU process and what it is doing. */
char *dacsa_preflight_elf(const DacsaPreflight *p);
char *dacsa_preflight_gadgets(const DacsaPreflight *p);
char *dacsa_preflight_traced(const DacsaPreflight *p);
char *dacsa_preflight_shadow_stack(const DacsaPreflight *p);
char *dacsa_preflight_state(const DacsaPreflight *p);
char *dacsa_preflight_migration(const DacsaPreflight *p);
char *dacsa_preflight_encrypted(const DacsaPreflight *p);
char *dacsa_preflight_passthrough(const DacsaPreflight *p);

/* snap/preflight-ram.c: how the host maps guest RAM. */
char *dacsa_preflight_ram_known(const DacsaPreflight *p);
char *dacsa_preflight_shared(const DacsaPreflight *p);
char *dacsa_preflight_file(const DacsaPreflight *p);
char *dacsa_preflight_hugetlb(const DacsaPreflight *p);
char *dacsa_preflight_device_memory(const DacsaPreflight *p);
char *dacsa_preflight_wiped(const DacsaPreflight *p);
char *dacsa_preflight_userfaultfd(const DacsaPreflight *p);

/* snap/preflight-limits.c: whether there is room for one process more, and for its memory. */
char *dacsa_preflight_user_tasks(const DacsaPreflight *p);
char *dacsa_preflight_cgroup_tasks(const DacsaPreflight *p);
char *dacsa_preflight_host_tasks(const DacsaPreflight *p);
char *dacsa_preflight_overcommit(const DacsaPreflight *p);
char *dacsa_preflight_cgroup_memory(const DacsaPreflight *p);
char *dacsa_preflight_cgroup_waits(const DacsaPreflight *p);
char *dacsa_preflight_host_memory(const DacsaPreflight *p);
char *dacsa_preflight_cgroup_group(const DacsaPreflight *p);
char *dacsa_preflight_cgroup_copies(const DacsaPreflight *p);
char *dacsa_preflight_host_copies(const DacsaPreflight *p);

/* snap/preflight-copy.c: whether guest RAM can be copied. */
char *dacsa_preflight_copy_file(const DacsaPreflight *p);
char *dacsa_preflight_copy_commit(const DacsaPreflight *p);
char *dacsa_preflight_copy_cgroup(const DacsaPreflight *p);
char *dacsa_preflight_copy_host(const DacsaPreflight *p);
