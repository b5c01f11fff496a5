/* A take's journal: written by the worker, read by whoever puts things right after it. */
#include "snap/journal.h"

#include "snap/error.h"
#include "snap/inject.h"
#include "snap/procmaps.h"
#include "snap/state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX DACSA_STATE_TAKING
#define GROUP "taking"
#define CHAIN "chain"
#define FORKED '+' /* between the address and the length of a VMA */
#define WITHHELD '~'
#define MAX_VMAS 4096u
#define MAX_ADDITION 512

void
dacsa_journal_free(DacsaJournal *self)
{
  if (!self)
    return;
  dacsa_vm_address_free(self->address);
  g_free(self->snapshot);
  g_clear_pointer(&self->vmas, g_array_unref);
  g_free(self);
}

bool
dacsa_journal_new(const DacsaVmAddress *address, const char *snapshot, const DacsaProbe *probe,
                  const GArray *vmas, bool ran, DacsaJournal **ret, GError **error)
{
  g_autoptr(DacsaJournal) self = g_new0(DacsaJournal, 1);
  g_autofree char *exe = g_strdup_printf("/proc/%d/exe", (int)probe->pid);
  struct stat program;

  if (stat(exe, &program) < 0)
    return dacsa_fail_errno(error, errno, "%s", exe);
  /* Whatever this process makes, or has QEMU make, is younger than itself. */
  if (!dacsa_procmaps_start_time(getpid(), &self->begun, error))
    return false;
  self->program_dev = program.st_dev;
  self->program_ino = program.st_ino;
  self->address = dacsa_vm_address_new(address->name, address->socket, address->uri, address->uuid);
  self->snapshot = g_strdup(snapshot);
  self->worker = getpid();
  self->pid = probe->pid;
  self->start_time = probe->start_time;
  self->ran = ran;
  self->group_stop = g_strcmp0(probe->method, "fork") == 0 && dacsa_inject_needs_stop(probe->pid);
  self->gadgets = probe->gadgets;
  self->vmas =
      vmas ? g_array_copy((GArray *)vmas) : g_array_new(FALSE, FALSE, sizeof(DacsaForkVma));
  *ret = g_steal_pointer(&self);
  return true;
}

/* -- both ways: the fields, each in one row -- */

static const struct {
  const char *key;
  size_t offset;
} texts[] = {{"name", G_STRUCT_OFFSET(DacsaVmAddress, name)},
             {"socket", G_STRUCT_OFFSET(DacsaVmAddress, socket)},
             {"uri", G_STRUCT_OFFSET(DacsaVmAddress, uri)},
             {"uuid", G_STRUCT_OFFSET(DacsaVmAddress, uuid)}},
  numbers[] = {{"start_time", G_STRUCT_OFFSET(DacsaJournal, start_time)},
               {"program_dev", G_STRUCT_OFFSET(DacsaJournal, program_dev)},
               {"program_ino", G_STRUCT_OFFSET(DacsaJournal, program_ino)},
               {"begun", G_STRUCT_OFFSET(DacsaJournal, begun)},
               {"syscall_ret", G_STRUCT_OFFSET(DacsaJournal, gadgets.syscall_ret)},
               {"restorer", G_STRUCT_OFFSET(DacsaJournal, gadgets.restorer)}},
  chain_numbers[] = {{"base", G_STRUCT_OFFSET(DacsaJournal, chain.base)},
                     {"length", G_STRUCT_OFFSET(DacsaJournal, chain.length)},
                     {"clone", G_STRUCT_OFFSET(DacsaJournal, chain.clone)},
                     {"tail", G_STRUCT_OFFSET(DacsaJournal, chain.tail)},
                     {"helper", G_STRUCT_OFFSET(DacsaJournal, chain.helper)},
                     {"child", G_STRUCT_OFFSET(DacsaJournal, chain.child)}};

static char *
vmas_to_text(const GArray *vmas)
{
  GString *text = g_string_new(NULL);

  for (guint i = 0; i < vmas->len; i++) {
    const DacsaForkVma *vma = &g_array_index(vmas, DacsaForkVma, i);

    g_string_append_printf(text, "%" PRIx64 "%c%" PRIx64 " ", vma->start,
                           vma->withheld ? WITHHELD : FORKED, vma->len);
  }
  return g_string_free(text, FALSE);
}

static bool
vmas_from_text(const char *text, GArray **ret)
{
  g_autoptr(GArray) vmas = g_array_new(FALSE, FALSE, sizeof(DacsaForkVma));
  DacsaForkVma vma = {0};
  char kind;
  int n;

  for (; sscanf(text, "%" SCNx64 "%c%" SCNx64 " %n", &vma.start, &kind, &vma.len, &n) == 3;
       text += n) {
    if (vmas->len == MAX_VMAS || (kind != FORKED && kind != WITHHELD))
      return false;
    vma.withheld = kind == WITHHELD;
    g_array_append_val(vmas, vma);
  }
  *ret = g_steal_pointer(&vmas);
  return *text == '\0';
}

static char *
to_text(const DacsaJournal *self)
{
  g_autoptr(GKeyFile) file = g_key_file_new();
  g_autofree char *vmas = vmas_to_text(self->vmas);

  for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
    const char *text = G_STRUCT_MEMBER(char *, self->address, texts[i].offset);

    if (text)
      g_key_file_set_string(file, GROUP, texts[i].key, text);
  }
  g_key_file_set_string(file, GROUP, "snapshot", self->snapshot);
  g_key_file_set_integer(file, GROUP, "worker", self->worker);
  g_key_file_set_integer(file, GROUP, "pid", self->pid);
  for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++)
    g_key_file_set_uint64(file, GROUP, numbers[i].key,
                          G_STRUCT_MEMBER(uint64_t, self, numbers[i].offset));
  g_key_file_set_boolean(file, GROUP, "group_stop", self->group_stop);
  g_key_file_set_string(file, GROUP, "vmas", vmas);
  g_key_file_set_boolean(file, GROUP, "ran", self->ran);
  g_key_file_set_boolean(file, GROUP, "complete", TRUE); /* the last line */
  return g_key_file_to_data(file, NULL, NULL);
}

/* What was added has its own last line: without it, nothing was entered. */
static void
read_chain(GKeyFile *file, DacsaJournal *self)
{
  self->has_chain = g_key_file_get_boolean(file, CHAIN, "complete", NULL);
  for (size_t i = 0; i < G_N_ELEMENTS(chain_numbers) && self->has_chain; i++) {
    g_autoptr(GError) error = NULL;

    G_STRUCT_MEMBER(uint64_t, self, chain_numbers[i].offset) =
        g_key_file_get_uint64(file, CHAIN, chain_numbers[i].key, &error);
    self->has_chain = !error;
  }
  if (g_key_file_get_boolean(file, CHAIN, "not_ours", NULL))
    self->ran = false;
}

bool
dacsa_journal_from_text(const char *text, size_t len, DacsaJournal **ret, GError **error)
{
  g_autoptr(GKeyFile) file = g_key_file_new();
  g_autoptr(DacsaJournal) self = g_new0(DacsaJournal, 1);
  g_autoptr(GError) cause = NULL;
  g_autofree char *vmas = NULL;

  /* A last line without its end was not written whole. */
  while (len > 0 && text[len - 1] != '\n')
    len--;
  if (!g_key_file_load_from_data(file, text, len, G_KEY_FILE_NONE, &cause) ||
      !g_key_file_get_boolean(file, GROUP, "complete", &cause))
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "not a take's journal: %s",
                      cause ? cause->message : "it is not complete");
  self->address = dacsa_vm_address_new(NULL, NULL, NULL, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
    G_STRUCT_MEMBER(char *, self->address, texts[i].offset) =
        g_key_file_get_string(file, GROUP, texts[i].key, NULL);
  self->snapshot = g_key_file_get_string(file, GROUP, "snapshot", &cause);
  if (!cause)
    self->worker = g_key_file_get_integer(file, GROUP, "worker", &cause);
  if (!cause)
    self->pid = g_key_file_get_integer(file, GROUP, "pid", &cause);
  for (size_t i = 0; i < G_N_ELEMENTS(numbers) && !cause; i++)
    G_STRUCT_MEMBER(uint64_t, self, numbers[i].offset) =
        g_key_file_get_uint64(file, GROUP, numbers[i].key, &cause);
  if (!cause)
    self->ran = g_key_file_get_boolean(file, GROUP, "ran", &cause);
  if (!cause)
    self->group_stop = g_key_file_get_boolean(file, GROUP, "group_stop", &cause);
  if (!cause)
    vmas = g_key_file_get_string(file, GROUP, "vmas", &cause);
  if (cause || !vmas_from_text(vmas, &self->vmas) || !self->address->name || self->pid <= 0)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "a take's journal is damaged: %s",
                      cause ? cause->message : "it names nothing");
  read_chain(file, self);
  *ret = g_steal_pointer(&self);
  return true;
}

/* -- the file -- */

static bool
write_whole(int fd, const char *text, size_t len, GError **error)
{
  const ssize_t n = write(fd, text, len);

  return n == (ssize_t)len ||
         dacsa_fail_errno(error, n < 0 ? errno : ENOSPC, "cannot write a take's journal");
}

/* It has no name that counts before it is complete; a file that has none at all, AppArmor would not
 * let be given one (security/apparmor/path.c: "deleted entry"). What one that was killed had begun
 * is begun anew. Without fsync: nothing of this is left after a power cut. */
bool
dacsa_journal_save(const DacsaJournal *self, const char *state_path, int *ret_fd, GError **error)
{
  g_autofree char *path = dacsa_state_file(state_path, self->address->name, self->snapshot, SUFFIX);
  g_autofree char *unfinished = g_strconcat(path, DACSA_STATE_UNFINISHED, NULL);
  g_autofree char *text = to_text(self);

  unlink(unfinished);
  int fd = open(unfinished, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0)
    return dacsa_fail_errno(error, errno, "cannot make %s", unfinished);
  bool ok = write_whole(fd, text, strlen(text), error);
  if (ok && renameat2(AT_FDCWD, unfinished, AT_FDCWD, path, RENAME_NOREPLACE) < 0)
    ok = errno == EEXIST
             ? dacsa_fail(error, DACSA_ERROR_BUSY,
                          "an earlier snapshot of this name is being cleaned up; try again")
             : dacsa_fail_errno(error, errno, "cannot write %s", path);
  if (ok) {
    *ret_fd = fd;
    return true;
  }
  unlink(unfinished);
  close(fd);
  return false;
}

bool
dacsa_journal_add_chain(int fd, const DacsaChain *chain, GError **error)
{
  char text[MAX_ADDITION];
  const int n =
      snprintf(text, sizeof(text),
               "\n[" CHAIN "]\ncomplete=false\nbase=%" PRIu64 "\nlength=%" PRIu64 "\nclone=%" PRIu64
               "\ntail=%" PRIu64 "\nhelper=%" PRIu64 "\nchild=%" PRIu64 "\ncomplete=true\n",
               chain->base, chain->length, chain->clone, chain->tail, chain->helper, chain->child);

  return write_whole(fd, text, (size_t)n, error);
}

bool
dacsa_journal_add_not_ours(int fd, GError **error)
{
  static const char text[] = "\n[" CHAIN "]\nnot_ours=true\n";

  return write_whole(fd, text, sizeof(text) - 1, error);
}

void
dacsa_journal_remove(const char *state_path, const char *vm, const char *snapshot)
{
  g_autofree char *path = dacsa_state_file(state_path, vm, snapshot, SUFFIX);

  unlink(path);
}

bool
dacsa_journal_exists(const char *state_path, const char *vm, const char *snapshot)
{
  g_autofree char *path = dacsa_state_file(state_path, vm, snapshot, SUFFIX);

  return access(path, F_OK) == 0;
}

/* A DacsaJournal, owned, or NULL. */
static void *
load_file(const char *path)
{
  g_autofree char *text = NULL;
  g_autoptr(GError) error = NULL;
  DacsaJournal *journal = NULL;
  gsize len;

  if (!g_file_get_contents(path, &text, &len, NULL))
    return NULL;
  if (!dacsa_journal_from_text(text, len, &journal, &error))
    g_warning("%s: %s", path, error->message);
  return journal;
}

DacsaJournal *
dacsa_journal_find(const char *state_path, const char *vm, const char *snapshot)
{
  g_autofree char *path = dacsa_state_file(state_path, vm, snapshot, SUFFIX);

  return load_file(path);
}

GPtrArray *
dacsa_journal_load(const char *state_path)
{
  return dacsa_state_load_files(state_path, SUFFIX, load_file, (GDestroyNotify)dacsa_journal_free);
}
