/* The method `copy`: all of the guest's memory is copied, by a process of its own (snap/holder.h),
 * while the VM stands still. For memory that a fork would not freeze; the pause is that of the
 * copy. */
#pragma once

#include "snap/method.h"

extern const DacsaMethod dacsa_method_copy;
