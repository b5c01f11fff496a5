/*
 * The control groups of a process: the limits that they set it, its own and every ancestor's, of
 * version 1 and 2, and moving it to another (Documentation/admin-guide/cgroup-v1, cgroup-v2.rst).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef enum {
  DACSA_CGROUP_PIDS,   /* in tasks */
  DACSA_CGROUP_MEMORY, /* in bytes; what is used is without file pages, which can be reclaimed */
} DacsaCgroupKind;

typedef struct {
  char *file; /* that sets the limit */
  uint64_t limit, used;
} DacsaCgroupLimit;

void dacsa_cgroup_limit_free(DacsaCgroupLimit *limit);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaCgroupLimit, dacsa_cgroup_limit_free)

/* The limit that leaves the least room. NULL: there is none, or none that can be seen from here.
 * root: see snap/hostfile.h. */
DacsaCgroupLimit *dacsa_cgroup_tightest(const char *root, pid_t pid, DacsaCgroupKind kind);

/* What is left below the limit. */
uint64_t dacsa_cgroup_room(const DacsaCgroupLimit *limit);

/* The file by which the kernel, where it kills one process of the cgroup for want of memory, kills
 * all of them (memory.oom.group of version 2), for the process's cgroup or one above; owned. NULL:
 * none says so. root: see snap/hostfile.h. */
char *dacsa_cgroup_dies_together(const char *root, pid_t pid);

/* The limit of memory at which the kernel ends nothing, and who needs more waits for it (version 1:
 * memory.oom_control has oom_kill_disable 1), of the process's cgroup or one above, whichever comes
 * first; owned. NULL: there is none. root: see snap/hostfile.h. */
char *dacsa_cgroup_waits(const char *root, pid_t pid);

/* Moves a process from its control group to that of process `to`, where systemd watches them: in
 * version 2, and in systemd's own hierarchy beside version 1. What memory it has stays charged to
 * the old one. root: see snap/hostfile.h. NOT_FOUND, OS: it is gone, or this is not allowed. */
bool dacsa_cgroup_move(const char *root, pid_t pid, pid_t to,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;
