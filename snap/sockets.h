/*
 * Sockets that may appear, and their directories before them: tells when to look for them. By
 * inotify(7), and seldom by the clock, for what that does not see: a directory above theirs that is
 * moved or mounted on, a symbolic link that leads elsewhere, somebody who listens at an old socket.
 * It runs in the default GMainContext.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct DacsaSockets DacsaSockets;

/* by_clock: not because something has happened there. */
typedef void (*DacsaSocketsLook)(bool by_clock, void *data);

/* look is called soon after one may have appeared, once for all that happens meanwhile, and every
 * clock_s seconds (0: not so). */
DacsaSockets *dacsa_sockets_new(guint clock_s, DacsaSocketsLook look, void *data);
void dacsa_sockets_free(DacsaSockets *sockets);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaSockets, dacsa_sockets_free)

/* One more; the path is copied. */
void dacsa_sockets_add(DacsaSockets *sockets, const char *path);
