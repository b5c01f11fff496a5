/* What makes the content of files, for the table of nodes. */
#pragma once

#include "fs/nodes.h"

DacsaGenerator dacsa_generate_status; /* of a VM */
DacsaGenerator dacsa_generate_info;
DacsaGenerator dacsa_generate_physmem;
DacsaGenerator dacsa_generate_cpus;
DacsaGenerator dacsa_generate_errors;
DacsaGenerator dacsa_generate_vmcore;
DacsaGenerator dacsa_generate_isf;
DacsaGenerator dacsa_generate_btf;
DacsaGenerator dacsa_generate_module;

/* One of the guest's texts; the row's which: of a process or, where there is none, of the system.
 */
DacsaGenerator dacsa_generate_text;

/* Memory that belongs to one object, a process or a cached file; which: the offset in DacsaGuestOs
 * of the DacsaRunsFunc that tells where it is. */
DacsaGenerator dacsa_generate_runs;

/* Of a process's `memory`: its map, its frames, the part of it that lies in a mapping. */
DacsaGenerator dacsa_generate_memory_map;
DacsaGenerator dacsa_generate_pagemap;
DacsaGenerator dacsa_generate_region;
