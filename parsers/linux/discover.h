/* Finds a Linux kernel in physical memory: its VMCOREINFO page. */
#pragma once

#include "parsers/guest.h"
#include "parsers/linux/vmcoreinfo.h"

/*
 * With vCPU registers, through the kernel's own page tables: the pointer to the page
 * (vmcoreinfo_data) lies in the writable part of the kernel image, so that only that is read,
 * however much RAM there is. Without, or where that fails, every page's beginning is looked at.
 * NOT_FOUND: this is not Linux.
 */
bool dacsa_linux_discover(const DacsaGuestSource *source, DacsaVmcoreinfo **ret,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;
