/*
 * The limits that control groups set a process: its own and every ancestor's, of version 1 and 2
 * (Documentation/admin-guide/cgroup-v1, cgroup-v2.rst).
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
