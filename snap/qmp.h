/*
 * A QMP client (QEMU's docs/interop/qmp-spec): one connection, one command at a time or several
 * in flight, every wait with a deadline. Deadlines are g_get_monotonic_time() values; -1: for ever.
 */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct DacsaQmp DacsaQmp;

/* Connects, reads the greeting, asks for QMP's command mode; the reply to that is the first one
 * due. NOT_FOUND: nothing listens there, and never anything else; BAD_DATA: what listens is not
 * QMP; BUSY: another client holds the monitor, or who listened has hung up; UNSUPPORTED: QEMU is in
 * another PID namespace. */
bool dacsa_qmp_connect(const char *path, int64_t deadline, DacsaQmp **ret,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;
void dacsa_qmp_free(DacsaQmp *qmp);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaQmp, dacsa_qmp_free)

/* The process that listens on the socket (SO_PEERCRED): QEMU, where QEMU made the socket. */
pid_t dacsa_qmp_peer(const DacsaQmp *qmp);

/* How often QEMU has told, since the connection was made, that it stopped (event STOP). */
guint dacsa_qmp_stops(const DacsaQmp *qmp);
guint dacsa_qmp_resumes(const DacsaQmp *qmp);

/* Sends a command and does not wait. arguments: a JSON object's text, or NULL. */
bool dacsa_qmp_send(DacsaQmp *qmp, const char *command, const char *arguments,
                    GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The reply to the oldest unanswered command; those to another connection's are passed over. Its
 * "return" value, owned; ret may be NULL. UNSUPPORTED: QEMU answered with an error. BUSY: the
 * deadline passed; the reply is still due. */
bool dacsa_qmp_receive(DacsaQmp *qmp, int64_t deadline, JsonNode **ret,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;
