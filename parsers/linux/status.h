/* The lines of /proc/PID/status: what the files that make them share. */
#pragma once

#include "parsers/linux/behaviour.h"
#include "parsers/linux/process.h"

/* A process whose status is made. Addresses are 0 where there is none, or it cannot be read. */
typedef struct {
  DacsaLinux *l;
  uint64_t task, mm, signal, sighand, cred;
  uint64_t flags;
  bool absent; /* set by a line that is not there for this process */
} DacsaLinuxStatus;

/* Appends what follows the line's label, without its end. Where it fails the line is left out. */
typedef bool (*DacsaLinuxStatusFunc)(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out,
                                     GError **error);

/* Those that are about an mm (status-mm.c). */
bool dacsa_linux_status_pages(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out,
                              GError **error);
bool dacsa_linux_status_bytes(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out,
                              GError **error);
bool dacsa_linux_status_counter(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out,
                                GError **error); /* member: an E_MM_* */
bool dacsa_linux_status_vm_peak(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out,
                                GError **error);
bool dacsa_linux_status_vm_hwm(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out,
                               GError **error);
bool dacsa_linux_status_vm_rss(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out,
                               GError **error);
bool dacsa_linux_status_vm_exe(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out,
                               GError **error);
bool dacsa_linux_status_vm_lib(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out,
                               GError **error);
bool dacsa_linux_status_core_dumping(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out,
                                     GError **error);
bool dacsa_linux_status_thp(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out,
                            GError **error);
bool dacsa_linux_status_untag_mask(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out,
                                   GError **error);

/* Signals and what a process may do (status-signals.c, status-security.c). */
bool dacsa_linux_status_threads(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out,
                                GError **error);
bool dacsa_linux_status_queue(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out,
                              GError **error);
bool dacsa_linux_status_task_signals(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out,
                                     GError **error);
bool dacsa_linux_status_group_signals(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out,
                                      GError **error);
bool dacsa_linux_status_ignored(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out,
                                GError **error);
bool dacsa_linux_status_caught(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out,
                               GError **error);
bool dacsa_linux_status_capabilities(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out,
                                     GError **error);
bool dacsa_linux_status_no_new_privs(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out,
                                     GError **error);
bool dacsa_linux_status_store_bypass(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out,
                                     GError **error);
bool dacsa_linux_status_indirect_branch(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out,
                                        GError **error);
bool dacsa_linux_status_features(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out,
                                 GError **error);
