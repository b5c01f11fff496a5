/* Looks for VMCOREINFO where nothing says where it is. */
#pragma once

#include "parsers/linux/vmcoreinfo.h"
#include "parsers/x86_64.h"

/* Through the pointer to its page (vmcoreinfo_data), which lies in the writable part of the kernel
 * image that these tables map: only that is read, however much RAM there is. NULL: not found. */
DacsaVmcoreinfo *dacsa_vmcoreinfo_find_by_pointer(const DacsaX86_64Tables *tables);

/* By the beginning of every page there is. NULL: not found. */
DacsaVmcoreinfo *dacsa_vmcoreinfo_find_by_page(DacsaMem *phys);
