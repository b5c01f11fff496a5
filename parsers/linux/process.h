/* What the files about one process (status, threads, the JSON tables) share; nobody else includes
 * it. Functions that append leave out as it was where they fail. */
#pragma once

#include "parsers/linux/view.h"

#define DACSA_LINUX_PF_WQ_WORKER 0x00000020u /* include/linux/sched.h */
#define DACSA_LINUX_PF_KTHREAD 0x00200000u

/* Appends the name as fs/proc/array.c, proc_task_name, has it: a worker's with its work. */
bool dacsa_linux_task_name(const DacsaLinux *l, uint64_t task, GString *out,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* `S (sleeping)`: as fs/proc/array.c, get_task_state. */
bool dacsa_linux_task_state(const DacsaLinux *l, uint64_t task, const char **ret,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Appends the arguments as /proc/PID/cmdline has them; mm may be 0. */
bool dacsa_linux_mm_cmdline(DacsaLinux *l, uint64_t mm, const char *where, GString *out,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Calls visit with the task_struct of each thread of the group, the leader first. */
bool dacsa_linux_threads_each(const DacsaLinux *l, uint64_t leader,
                              bool (*visit)(uint64_t task, void *data), void *data, GError **error);

/* User and system time in ns, as kernel/sched/cputime.c, cputime_adjust, gives them to /proc. */
bool dacsa_linux_task_times(const DacsaLinux *l, uint64_t task, uint64_t *ret_user,
                            uint64_t *ret_system, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The path of its cgroup in the one hierarchy that has all controllers (version 2); out is empty.
 */
bool dacsa_linux_task_cgroup(const DacsaLinux *l, uint64_t task, GString *out,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* -- struct pid -- */

/* The struct pid that the task's group is, of a kind (E_PIDTYPE_*); 0: none. */
bool dacsa_linux_group_pid(const DacsaLinux *l, uint64_t signal, DacsaLinuxEnumerator kind,
                           uint64_t *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The depth of the namespace that it was made in; the first is 0. */
bool dacsa_linux_pid_level(const DacsaLinux *l, uint64_t pid, uint64_t *ret,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Its number at that level, and the pid_namespace there. */
bool dacsa_linux_pid_at(const DacsaLinux *l, uint64_t pid, uint64_t level, uint64_t *ret_number,
                        uint64_t *ret_ns, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Its number in the namespace ns at that level; 0 (no error): it is not in there, or pid is 0. */
bool dacsa_linux_pid_in(const DacsaLinux *l, uint64_t pid, uint64_t level, uint64_t ns,
                        uint64_t *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* -- memory counters -- */

/* Pages of a kind (E_MM_*PAGES, E_MM_SWAPENTS), as this kernel's get_mm_counter has them for
 * /proc/PID/status. */
bool dacsa_linux_mm_counter(DacsaLinux *l, uint64_t mm, DacsaLinuxEnumerator kind, uint64_t *ret,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* -- masks -- */

#define DACSA_LINUX_MAX_CPUS 8192u /* CONFIG_NR_CPUS with MAXSMP */

bool dacsa_linux_nr_cpus(const DacsaLinux *l, uint32_t *ret,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Reads the bit mask that a member is; words of 8 bytes. owned. */
bool dacsa_linux_mask(const DacsaLinux *l, uint64_t base, DacsaLinuxMember member, GArray **ret,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Appends the first n bits as lib/vsprintf.c prints `%*pb` (bitmap_string), and `%*pbl`
 * (bitmap_list_string). */
void dacsa_linux_mask_print(const GArray *mask, unsigned n, GString *out);
void dacsa_linux_mask_print_list(const GArray *mask, unsigned n, GString *out);

/* -- time -- */

/* UNIX time in ns at which the clock of start_boottime was 0. */
bool dacsa_linux_boot_time(const DacsaLinux *l, int64_t *ret,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* `12.034567`; and RFC 3339 of a UNIX time, NULL where there is no such date. Owned. */
char *dacsa_linux_seconds(uint64_t ns);
char *dacsa_linux_date(int64_t ns);

/* -- the files, for the ops table -- */

bool dacsa_linux_environ(DacsaGuest *guest, uint32_t pid, GString *out, GError **error);
bool dacsa_linux_status(DacsaGuest *guest, uint32_t pid, GString *out, GError **error);
bool dacsa_linux_threads(DacsaGuest *guest, uint32_t pid, GString *out, GError **error);
bool dacsa_linux_json_processes(DacsaGuest *guest, GString *out, GError **error);
bool dacsa_linux_json_threads(DacsaGuest *guest, GString *out, GError **error);
bool dacsa_linux_json_maps(DacsaGuest *guest, GString *out, GError **error);
