/* The method `fork`: QEMU is made to fork (snap/inject.h); copy-on-write keeps the child as it was.
 */
#pragma once

#include "snap/method.h"

extern const DacsaMethod dacsa_method_fork;
