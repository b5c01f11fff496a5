/* The recovery after a worker that was killed. */
#include "snap/recover.h"

#include "snap/connect.h"
#include "snap/error.h"
#include "snap/hostfile.h"
#include "snap/procmaps.h"
#include "snap/putback.h"
#include "snap/state.h"
#include "snap/strays.h"
#include "snap/take.h"
#include "snap/tracee.h"
#include "snap/vmlock.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOCK_US (5 * G_USEC_PER_SEC)
#define UNWIND_US (10 * G_USEC_PER_SEC)
#define MONITOR_US (20 * G_USEC_PER_SEC)
#define MAX_NAP_US 20000

static int64_t
in_time(int64_t us)
{
  return g_get_monotonic_time() + us;
}

static bool
is_zombie(pid_t pid)
{
  g_autofree char *stat = dacsa_hostfile_process("", pid, "stat");
  const char *rest = stat ? strrchr(stat, ')') : NULL;

  return !rest || g_str_has_prefix(rest, ") Z");
}

/* One that has ended and was not waited for yet is none any more. */
static bool
is_same_process(pid_t pid, uint64_t start_time)
{
  return dacsa_procmaps_is_process(pid, start_time) && !is_zombie(pid);
}

/* -- QEMU's main thread -- */

/* Before the clone it is led past it; after it, and anywhere else, it goes on as it is. */
static bool
lead_out(const DacsaJournal *journal, GError **error)
{
  struct user_regs_struct regs;

  if (ptrace(PTRACE_GETREGS, journal->pid, 0, &regs) < 0)
    return dacsa_fail(error, DACSA_ERROR_BUSY, "cannot read QEMU's registers");
  return dacsa_chain_place(&journal->chain, &journal->gadgets, &regs) != DACSA_CHAIN_BEFORE_CLONE ||
         dacsa_tracee_enter(journal->pid, &regs, &journal->gadgets, journal->chain.tail, error);
}

static bool
free_main(const DacsaJournal *journal, GError **error)
{
  int signal;

  if (!dacsa_tracee_seize(journal->pid, 0, error))
    return false;
  bool ok = dacsa_tracee_interrupt(journal->pid, in_time(UNWIND_US), &signal, error) &&
            lead_out(journal, error);
  /* Where its process is stopped, it stops again. */
  ptrace(PTRACE_DETACH, journal->pid, 0, 0);
  return ok;
}

/* Whether or not it has come to a stop yet; whoever stopped it: the take would not have begun with
 * a QEMU that was stopped. */
static void
continue_group(const DacsaJournal *journal)
{
  if (journal->group_stop)
    kill(journal->pid, SIGCONT);
}

/* -- what the take made -- */

/* Where a process stands still: from /proc/PID/syscall, its stack pointer and its instruction.
 * false: it runs, or is gone. */
static bool
read_place(pid_t pid, uint64_t *ret_sp, uint64_t *ret_ip)
{
  g_autofree char *text = dacsa_hostfile_process("", pid, "syscall");
  const char *ip = text ? strrchr(text, ' ') : NULL;

  if (!ip || sscanf(ip, "%" SCNx64, ret_ip) != 1)
    return false;
  const char *sp = g_strrstr_len(text, ip - text, " ");
  return sp && sscanf(sp, "%" SCNx64, ret_sp) == 1;
}

static bool
is_recorded(const GPtrArray *records, pid_t pid, uint64_t start_time)
{
  for (guint i = 0; i < records->len; i++) {
    const DacsaRecord *record = g_ptr_array_index(records, i);

    if (record->child == pid && record->child_start == start_time)
      return true;
  }
  return false;
}

typedef enum { NOT_OURS, OURS, UNKNOWN } Whose;

/* UNKNOWN: it has QEMU's program, and runs just now. A process that is ending is nobody's. */
static Whose
whose(const DacsaJournal *journal, const GPtrArray *records, pid_t pid)
{
  g_autofree char *exe = g_strdup_printf("/proc/%d/exe", (int)pid);
  struct stat program;
  uint64_t start, sp, ip;

  if (pid == journal->pid || stat(exe, &program) < 0 || program.st_dev != journal->program_dev ||
      program.st_ino != journal->program_ino || is_zombie(pid) ||
      !dacsa_procmaps_start_time(pid, &start, NULL) || start < journal->begun ||
      is_recorded(records, pid, start))
    return NOT_OURS;
  if (!read_place(pid, &sp, &ip))
    return UNKNOWN;
  return dacsa_chain_made(&journal->chain, &journal->gadgets, sp, ip) ? OURS : NOT_OURS;
}

/* Kills what the take has made. false: there are processes of which it is not yet known whose they
 * are. */
static bool
kill_made(const DacsaJournal *journal)
{
  g_autoptr(GPtrArray) records = dacsa_state_load_all();
  g_autoptr(GDir) proc = g_dir_open("/proc", 0, NULL);
  const char *name;
  bool all_known = proc != NULL;

  while (proc && (name = g_dir_read_name(proc))) {
    const pid_t pid = (pid_t)g_ascii_strtoll(name, NULL, 10);
    int pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;

    if (pidfd < 0)
      continue;
    /* The pidfd pins the process that is looked at. */
    const Whose is = whose(journal, records, pid);
    if (is == OURS)
      syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
    all_known = all_known && is == NOT_OURS;
    close(pidfd);
  }
  return all_known;
}

/* -- waiting for the end of it -- */

static bool
is_out(const DacsaJournal *journal)
{
  uint64_t sp, ip;

  if (!is_same_process(journal->pid, journal->start_time))
    return true;
  return read_place(journal->pid, &sp, &ip) &&
         (sp < journal->chain.base || sp >= journal->chain.base + journal->chain.length);
}

/* Until the main thread is itself again: it waits for the helper, which ends by itself or is
 * killed.
 */
static bool
unwind(const DacsaJournal *journal, GError **error)
{
  const int64_t deadline = in_time(UNWIND_US);

  for (useconds_t nap = 200; !is_out(journal); nap = MIN(nap * 2, MAX_NAP_US)) {
    if (g_get_monotonic_time() > deadline)
      return dacsa_fail(error, DACSA_ERROR_BUSY,
                        "QEMU's main thread is still in the injected calls");
    kill_made(journal);
    usleep(nap);
  }
  return true;
}

/* Until nothing is left of what was made. A busy process may be another VM's that has just been
 * started: it is not waited for without end. */
static void
clean_up(const DacsaJournal *journal)
{
  const int64_t deadline = in_time(UNWIND_US);

  for (useconds_t nap = 200; !kill_made(journal) && g_get_monotonic_time() < deadline;
       nap = MIN(nap * 2, MAX_NAP_US))
    usleep(nap);
}

/* A copy of which no record tells. */
static void
end_copy(const DacsaJournal *journal, const char *state_path)
{
  const char *vm = journal->address->name;
  g_autoptr(DacsaRecord) record = dacsa_state_load_record(state_path, vm, journal->snapshot);
  g_autofree char *label = dacsa_take_label(state_path, vm, journal->snapshot);

  if (!record)
    dacsa_strays_end_one(label);
}

static bool
resume(const DacsaJournal *journal, GError **error)
{
  g_autoptr(DacsaMonitor) monitor = NULL;
  g_autofree char *state = NULL;

  if (!dacsa_connect(journal->address, in_time(MONITOR_US), &monitor, error) ||
      !dacsa_monitor_state(monitor, in_time(MONITOR_US), &state, error))
    return false;
  return strcmp(state, "paused") != 0 || dacsa_monitor_cont(monitor, error);
}

/* The VM comes first: what else there is to do and to see it need not wait for. */
static bool
recover_qemu(const DacsaJournal *journal, GError **error)
{
  g_autoptr(GError) bad = NULL;

  if (journal->has_chain && !free_main(journal, error))
    return false;
  continue_group(journal);
  if ((journal->has_chain && !unwind(journal, error)) || (journal->ran && !resume(journal, error)))
    return false;
  if (!dacsa_putback(journal->pid, &journal->gadgets, journal->vmas, &bad))
    g_warning("%s/%s: %s", journal->address->name, journal->snapshot, bad->message);
  return true;
}

bool
dacsa_recover(const DacsaJournal *journal, const char *state_path, GError **error)
{
  const char *vm = journal->address->name;
  g_autoptr(GError) cause = NULL;
  int lock;

  if (!dacsa_vmlock_take(journal->pid, in_time(LOCK_US), &lock, error))
    return false;
  /* Its worker may have come to its end by itself. A QEMU that is gone needs nothing, but may have
   * left something. */
  const bool there = dacsa_journal_exists(state_path, vm, journal->snapshot);
  bool ok = !there || !is_same_process(journal->pid, journal->start_time) ||
            recover_qemu(journal, &cause) || !is_same_process(journal->pid, journal->start_time);
  if (ok && there && journal->has_chain)
    clean_up(journal);
  if (ok && there)
    end_copy(journal, state_path);
  if (ok)
    dacsa_journal_remove(state_path, vm, journal->snapshot);
  else
    g_propagate_error(error, g_steal_pointer(&cause));
  dacsa_vmlock_release(journal->pid, lock);
  return ok;
}
