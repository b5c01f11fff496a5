/* The files about the whole system: what linux.c puts into the ops table, and what they share. */
#pragma once

#include "parsers/linux/view.h"

/* A loaded module. */
typedef struct {
  uint64_t module; /* gva of the struct module */
  uint64_t state;  /* enum module_state */
  char *name;
} DacsaLinuxModule;

/* A part of a module's memory. */
typedef struct {
  uint64_t start, size;
} DacsaLinuxModulePart;

/* The modules in the kernel's order, but for those that are not formed yet: DacsaLinuxModule;
 * borrowed. */
const GArray *dacsa_linux_modules_all(DacsaLinux *l);

/* Makes runs of the kernel's mapped pages in [start, start + size): appended to ret at offset, with
 * holes where nothing is mapped. */
bool dacsa_linux_kernel_runs(const DacsaLinux *l, uint64_t start, uint64_t size, uint64_t offset,
                             DacsaRuns *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* An array of characters that a pointer member points to; *ret is NULL where that is NULL. */
bool dacsa_linux_pointed_string(const DacsaLinux *l, uint64_t base, DacsaLinuxMember member,
                                char **ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* CONFIG_HZ; 0: it cannot be told. */
uint64_t dacsa_linux_hz(const DacsaLinux *l);

/* The options that a file system prints for itself, appended with a comma before each. UNSUPPORTED:
 * they are not known for it. */
bool dacsa_linux_mount_options(const DacsaLinux *l, uint64_t super_block, uint64_t root,
                               GString *out, GError **error) G_GNUC_WARN_UNUSED_RESULT;

bool dacsa_linux_modules(DacsaGuest *guest, GString *out, GError **error);
bool dacsa_linux_json_modules(DacsaGuest *guest, GString *out, GError **error);
bool dacsa_linux_module_names(DacsaGuest *guest, const GPtrArray **ret, GError **error);
bool dacsa_linux_module_memory(DacsaGuest *guest, uint32_t i, DacsaRuns **ret, GError **error);
bool dacsa_linux_btf(DacsaGuest *guest, DacsaRuns **ret, GError **error);
bool dacsa_linux_banner(DacsaGuest *guest, GString *out, GError **error);
bool dacsa_linux_kernel_cmdline(DacsaGuest *guest, GString *out, GError **error);
bool dacsa_linux_dmesg(DacsaGuest *guest, GString *out, GError **error);
bool dacsa_linux_json_dmesg(DacsaGuest *guest, GString *out, GError **error);
bool dacsa_linux_kallsyms(DacsaGuest *guest, GString *out, GError **error);
bool dacsa_linux_mounts(DacsaGuest *guest, GString *out, GError **error);
bool dacsa_linux_json_mounts(DacsaGuest *guest, GString *out, GError **error);
bool dacsa_linux_cpuinfo(DacsaGuest *guest, GString *out, GError **error);
bool dacsa_linux_sysctl(DacsaGuest *guest, GString *out, GError **error);
bool dacsa_linux_vmcoreinfo(DacsaGuest *guest, GString *out, GError **error);
bool dacsa_linux_kernel_mappings(DacsaGuest *guest, GArray **ret, GError **error);
bool dacsa_linux_running(DacsaGuest *guest, uint32_t cpu, uint32_t *ret_pid, GError **error);
