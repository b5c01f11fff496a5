/*
 * The hash tables in which the kernel's protocols keep their sockets. Some are the system's, some
 * each network namespace's, and which are which has changed.
 */
#pragma once

#include "parsers/linux/view.h"

/* A walk over the tables: visit is called for every socket (its sock_common's gva); what: of which
 * kind, for messages. false: not the rest of its chain. */
typedef struct {
  DacsaLinux *l;
  bool (*visit)(uint64_t sk, const char *what, void *data);
  void *data;
  GHashTable *seen; /* gvas of the tables walked so far: namespaces may share them */
} DacsaLinuxSockTables;

/* What cannot be read is noted as `netconns`'. */
void dacsa_linux_sock_tables_system(DacsaLinuxSockTables *tables);
void dacsa_linux_sock_tables_namespace(DacsaLinuxSockTables *tables, uint64_t net);
