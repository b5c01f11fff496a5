/* Linux guests: the ops table. */
#pragma once

#include "parsers/guest.h"

extern const DacsaGuestOs dacsa_linux_os;
