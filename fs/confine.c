/* Landlock, and what comes with it. */
#include "fs/confine.h"

#include "snap/error.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* --- Landlock: which files --- */

/* Rights that this host's headers may not know yet: Documentation/userspace-api/landlock.rst. */
#define ACCESS_FS_TRUNCATE ((uint64_t)1 << 14)
#define ACCESS_FS_IOCTL_DEV ((uint64_t)1 << 15)
#define ACCESS_FS_FIRST (((uint64_t)1 << 13) - 1) /* all of the first version */
#define ACCESS_NET_ALL ((uint64_t)3)              /* bind and connect over TCP */
#define SCOPE_ALL ((uint64_t)3)                   /* abstract UNIX sockets, signals */

/* struct landlock_ruleset_attr as it is today; older kernels take less of it. */
typedef struct {
  uint64_t handled_access_fs;
  uint64_t handled_access_net;
  uint64_t scoped;
} Ruleset;

static const struct {
  int abi;
  size_t size;
  uint64_t fs, net, scoped; /* what it adds */
} versions[] = {
    {1, offsetof(Ruleset, handled_access_net), ACCESS_FS_FIRST, 0, 0},
    {2, offsetof(Ruleset, handled_access_net), LANDLOCK_ACCESS_FS_REFER, 0, 0},
    {3, offsetof(Ruleset, handled_access_net), ACCESS_FS_TRUNCATE, 0, 0},
    {4, offsetof(Ruleset, scoped), 0, ACCESS_NET_ALL, 0},
    {5, offsetof(Ruleset, scoped), ACCESS_FS_IOCTL_DEV, 0, 0},
    {6, sizeof(Ruleset), 0, 0, SCOPE_ALL},
};

#define OF_FILES                                                                                   \
  ((uint64_t)(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE) | ACCESS_FS_TRUNCATE)
#define READABLE ((uint64_t)(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR))
#define WRITABLE                                                                                   \
  (READABLE | OF_FILES |                                                                           \
   (uint64_t)(LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |                     \
              LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |                          \
              LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER))

static bool
allow_path(int ruleset, const char *path, uint64_t access, GError **error)
{
  struct stat st;
  int fd = open(path, O_PATH | O_CLOEXEC);

  if (fd < 0 || fstat(fd, &st) != 0) {
    dacsa_fail_errno(error, errno, "%s, which is to stay accessible", path);
    if (fd >= 0)
      close(fd);
    return false;
  }
  struct landlock_path_beneath_attr rule = {
      .allowed_access = S_ISDIR(st.st_mode) ? access : access & OF_FILES,
      .parent_fd = fd,
  };
  bool ok = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
  if (!ok)
    dacsa_fail_errno(error, errno, "Landlock's rule for %s", path);
  close(fd);
  return ok;
}

static bool
allow_paths(int ruleset, const DacsaConfinement *what, uint64_t handled, GError **error)
{
  for (size_t i = 0; what->readable && what->readable[i]; i++)
    if (!allow_path(ruleset, what->readable[i], READABLE & handled, error))
      return false;
  return !what->writable || allow_path(ruleset, what->writable, WRITABLE & handled, error);
}

static bool
restrict_files(const DacsaConfinement *what, char **ret_missing, GError **error)
{
  long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
  Ruleset rules = {0};
  size_t size = 0;

  if (abi < 1) {
    *ret_missing = g_strdup_printf("Landlock (%s): which files may be opened is not limited",
                                   g_strerror(errno));
    return true;
  }
  for (size_t i = 0; i < G_N_ELEMENTS(versions) && versions[i].abi <= abi; i++) {
    size = versions[i].size;
    rules.handled_access_fs |= versions[i].fs;
    rules.handled_access_net |= versions[i].net;
    rules.scoped |= versions[i].scoped;
  }
  int fd = (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0);
  if (fd < 0)
    return dacsa_fail_errno(error, errno, "Landlock's ruleset");
  bool ok = allow_paths(fd, what, rules.handled_access_fs, error);
  if (ok && syscall(SYS_landlock_restrict_self, fd, 0) != 0)
    ok = dacsa_fail_errno(error, errno, "Landlock");
  close(fd);
  return ok;
}

/* --- both --- */

/* What libraries open when they first need it: the zone of local time, what its text is
 * converted with, and the unwinder that ends threads (without which libc aborts). */
static bool
load_late_files(GError **error)
{
  g_autofree char *text = g_locale_from_utf8("-", -1, NULL, NULL, NULL);

  tzset();
  if (!dlopen("libgcc_s.so.1", RTLD_NOW))
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "%s", dlerror());
  return true;
}

/* Landlock confines the calling thread and those it starts: another would stay as it is. */
static bool
check_single(GError **error)
{
  g_autoptr(GDir) tasks = g_dir_open("/proc/self/task", 0, NULL);
  unsigned count = 0;

  while (tasks && g_dir_read_name(tasks))
    count++;
  return count <= 1 || dacsa_fail(error, DACSA_ERROR_UNSUPPORTED,
                                  "%u threads run, and only one of them would be confined", count);
}

bool
dacsa_confine(const DacsaConfinement *what, char **ret_missing, GError **error)
{
  g_autofree char *missing = NULL;

  if (!check_single(error) || !load_late_files(error))
    return false;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return dacsa_fail_errno(error, errno, "no new privileges");
  if (!restrict_files(what, &missing, error) || !dacsa_filter_load(what->filter, error))
    return false;
  *ret_missing = g_steal_pointer(&missing);
  return true;
}
