/*
 * Tells a service manager how the daemon is doing: sd_notify(3), a datagram to the socket that
 * NOTIFY_SOCKET names. Without that variable nobody is told, and that is no error.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* text: NAME=VALUE lines, such as "READY=1". */
bool dacsa_notify(const char *text, GError **error) G_GNUC_WARN_UNUSED_RESULT;
