/*
 * A job in a forked process of its own: it may wait for a monitor for as long as it likes, and it
 * finishes whatever happens to the process that started it. The caller has a single thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

/* Runs in the worker. Sends its result with dacsa_worker_reply, at most once, and may then go on.
 */
typedef void (*DacsaWorkerJob)(int reply_fd, void *data);

/* Runs in the caller's main loop: either payload or error is NULL. Both are borrowed. */
typedef void (*DacsaWorkerDone)(GVariant *payload, const GError *error, void *data);

/* Runs in the caller's main loop when the worker has ended and is reaped, always last. replied:
 * done has been called; else it never will, for it died without a reply. */
typedef void (*DacsaWorkerEnded)(pid_t worker, bool replied, void *data);

/* In the worker: the result. Exactly one of payload (owned or floating) and error is given. */
void dacsa_worker_reply(int reply_fd, GVariant *payload, const GError *error);

typedef struct DacsaWorker DacsaWorker;

/* Starts a worker. done is called once: with its reply, or with BUSY when it has not replied after
 * deadline_us (it goes on all the same), or with OS when it died without a reply. data of the job
 * is used in the worker's copy of memory only. */
bool dacsa_worker_start(DacsaWorkerJob job, void *job_data, gint64 deadline_us,
                        DacsaWorkerDone done, void *done_data,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same for a job that leaves something to be put right should it die: then ended is called
 * instead of done. data is of both. */
bool dacsa_worker_start_watched(DacsaWorkerJob job, void *job_data, gint64 deadline_us,
                                DacsaWorkerDone done, DacsaWorkerEnded ended, void *data,
                                GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same, with ended too, for a job that takes as long as it takes, and that may be ended before:
 * there is no deadline, and it ends when the caller's process does. *ret is the worker's, good
 * until done or ended is called or dacsa_worker_end is. */
bool dacsa_worker_start_expendable(DacsaWorkerJob job, void *job_data, DacsaWorkerDone done,
                                   DacsaWorkerEnded ended, void *data, DacsaWorker **ret,
                                   GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Kills it, wherever it is: done is not called any more, but ended is, as if it had replied. It is
 * gone as soon as the kernel has finished the system call it was in; the pid is for
 * dacsa_worker_await. */
pid_t dacsa_worker_end(DacsaWorker *worker);

/* In another worker: waits until one is gone that was ended. false: it is not in time. */
bool dacsa_worker_await(pid_t pid, int timeout_ms) G_GNUC_WARN_UNUSED_RESULT;
