/* Recoveries under way. */
#include "snap/rescue.h"

#include "snap/journal.h"
#include "snap/recover.h"
#include "snap/worker.h"

#include <string.h>

#define RECOVER_US (60 * G_USEC_PER_SEC)
#define RETRY_MS 500

typedef struct {
  char *state_path, *vm, *snapshot;
  char *told; /* the last failure that was told; NULL: none */
  void (*over)(void *data);
  void *data;
} Rescue;

static void start_worker(Rescue *self);

static void
rescue_free(Rescue *self)
{
  g_free(self->state_path);
  g_free(self->vm);
  g_free(self->snapshot);
  g_free(self->told);
  g_free(self);
}

static void
recover_job(int reply_fd, void *data)
{
  const Rescue *self = data;
  g_autoptr(DacsaJournal) journal = dacsa_journal_find(self->state_path, self->vm, self->snapshot);
  g_autoptr(GError) error = NULL;
  bool ok = !journal || dacsa_recover(journal, self->state_path, &error);

  /* One that cannot be read tells nothing that could be done. */
  if (!journal && dacsa_journal_exists(self->state_path, self->vm, self->snapshot)) {
    g_warning("%s/%s: the journal of its take cannot be read; see that the VM runs", self->vm,
              self->snapshot);
    dacsa_journal_remove(self->state_path, self->vm, self->snapshot);
  }

  dacsa_worker_reply(reply_fd, ok ? g_variant_new_boolean(TRUE) : NULL, ok ? NULL : error);
}

static gboolean
retry(void *data)
{
  start_worker(data);
  return G_SOURCE_REMOVE;
}

/* What fails again and again is told once. */
static void
recover_done(GVariant *payload, const GError *error, void *data)
{
  Rescue *self = data;

  (void)payload;
  if (!error || g_strcmp0(self->told, error->message) == 0)
    return;
  g_free(self->told);
  self->told = g_strdup(error->message);
  g_message("%s/%s: it was being taken when its process was killed, and the VM is not as it was: "
            "%s; it is tried again",
            self->vm, self->snapshot, error->message);
}

static void
recover_ended(pid_t worker, bool replied, void *data)
{
  Rescue *self = data;

  (void)worker;
  (void)replied;
  if (dacsa_journal_exists(self->state_path, self->vm, self->snapshot)) {
    g_timeout_add(RETRY_MS, retry, self);
    return;
  }
  self->over(self->data);
  rescue_free(self);
}

static void
start_worker(Rescue *self)
{
  g_autoptr(GError) error = NULL;

  if (dacsa_worker_start_watched(recover_job, self, RECOVER_US, recover_done, recover_ended, self,
                                 &error))
    return;
  recover_done(NULL, error, self);
  g_timeout_add(RETRY_MS, retry, self);
}

void
dacsa_rescue_start(const char *state_path, const char *vm, const char *snapshot,
                   void (*over)(void *data), void *data)
{
  Rescue *self = g_new0(Rescue, 1);

  self->state_path = g_strdup(state_path);
  self->vm = g_strdup(vm);
  self->snapshot = g_strdup(snapshot);
  self->over = over;
  self->data = data;
  start_worker(self);
}
