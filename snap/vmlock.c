/* A lock on a VM that ends with its holder: a file that is locked, and there only as long. */
#include "snap/vmlock.h"

#include "snap/error.h"
#include "snap/state.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_NAP_US 20000

static char *
path_of(pid_t pid)
{
  return g_strdup_printf(DACSA_STATE_ROOT "/vm-%d.lock", (int)pid);
}

/* The file that has the name may be another one by now: the holder of this one has removed it. */
static bool
has_name(int fd, const char *path)
{
  struct stat opened, named;

  return fstat(fd, &opened) == 0 && stat(path, &named) == 0 && opened.st_dev == named.st_dev &&
         opened.st_ino == named.st_ino;
}

bool
dacsa_vmlock_take(pid_t pid, int64_t deadline, int *ret, GError **error)
{
  g_autofree char *path = path_of(pid);

  for (useconds_t nap = 2000;; nap = MIN(nap * 2, MAX_NAP_US)) {
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
      return dacsa_fail_errno(error, errno, "cannot open %s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && has_name(fd, path)) {
      *ret = fd;
      return true;
    }
    close(fd);
    if (g_get_monotonic_time() > deadline)
      return dacsa_fail(error, DACSA_ERROR_BUSY,
                        "another dacsa takes a snapshot of this VM; try again");
    usleep(nap);
  }
}

void
dacsa_vmlock_release(pid_t pid, int lock)
{
  g_autofree char *path = path_of(pid);

  unlink(path);
  close(lock);
}
