/*
 * The values of the kernel's settings, as the handlers of their tables print them
 * (kernel/sysctl.c and many others): which handler prints what.
 */
#pragma once

#include "parsers/linux/view.h"

/* What a handler prints; 0: not known. */
typedef enum {
  DACSA_LINUX_SETTING_INT = 1, /* an array of them, separated by tabs; and so on */
  DACSA_LINUX_SETTING_UINT,
  DACSA_LINUX_SETTING_ULONG,
  DACSA_LINUX_SETTING_BOOL,
  DACSA_LINUX_SETTING_STRING,
  DACSA_LINUX_SETTING_JIFFIES,          /* int, in seconds */
  DACSA_LINUX_SETTING_USER_JIFFIES,     /* int, in 1 / USER_HZ seconds */
  DACSA_LINUX_SETTING_MS_JIFFIES,       /* int, in milliseconds */
  DACSA_LINUX_SETTING_ULONG_MS_JIFFIES, /* unsigned long, in milliseconds */
  DACSA_LINUX_SETTING_REACHABLE,        /* int, jiffies in the unit that the name says */
  DACSA_LINUX_SETTING_UUID,
  DACSA_LINUX_SETTING_TAINT,
  DACSA_LINUX_SETTING_SYSRQ,
  DACSA_LINUX_SETTING_HUGEPAGES,
  DACSA_LINUX_SETTING_MAX_THREADS,
  DACSA_LINUX_SETTING_CONGESTION, /* TCP's congestion control */
  DACSA_LINUX_SETTING_QDISC,      /* the default queueing discipline */
} DacsaLinuxSettingKind;

/* An entry of a table (struct ctl_table). */
typedef struct {
  const char *name;
  uint64_t data, maxlen, mode, handler;
} DacsaLinuxSetting;

/* The handlers that are known: address -> kind. Owned. */
GHashTable *dacsa_linux_setting_handlers(const DacsaLinux *l);

/* Whether that kind prints what is at the entry's data, of which there must be some then. */
bool dacsa_linux_setting_needs_data(DacsaLinuxSettingKind kind);

/* Appends the value. hz: ticks of the kernel's clock in a second; 0: not known. */
bool dacsa_linux_setting_print(const DacsaLinux *l, const DacsaLinuxSetting *setting,
                               DacsaLinuxSettingKind kind, uint64_t hz, GString *out,
                               GError **error) G_GNUC_WARN_UNUSED_RESULT;
