/* Mounts FUSE by mount(2); see the kernel's Documentation/filesystems/fuse.rst for the options. */
#include "snap/mountpoint.h"

#include "snap/error.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_READ (1u << 20)

/* In this mount namespace: proc(5), /proc/PID/mountinfo. By its device number: what else is mounted
 * there, below or above, and how the path is spelled, does not matter. */
bool
dacsa_mountpoint_is_ours(const char *path)
{
  struct statx st;
  g_autofree char *text = NULL;

  if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, 0, &st) < 0 ||
      !g_file_get_contents("/proc/self/mountinfo", &text, NULL, NULL))
    return false;
  g_autofree char *device = g_strdup_printf("%u:%u", st.stx_dev_major, st.stx_dev_minor);
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  for (size_t i = 0; lines[i]; i++) {
    g_auto(GStrv) words = g_strsplit(lines[i], " ", -1);

    if (g_strv_length(words) >= 10 && strstr(lines[i], " - fuse.dacsa ") &&
        strcmp(words[2], device) == 0)
      return true;
  }
  return false;
}

bool
dacsa_mountpoint_mount(const char *path, const char *options, int *ret_fd, GError **error)
{
  struct stat st;

  /* A mount of ours that is still there is a dead daemon's: the caller holds the lock. */
  while (dacsa_mountpoint_is_ours(path) && umount2(path, MNT_DETACH) == 0)
    ;
  if (stat(path, &st) < 0)
    return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "%s: %s; make the directory first", path,
                      g_strerror(errno));
  if (!S_ISDIR(st.st_mode))
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "%s is not a directory; name one", path);
  int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (fd < 0)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED,
                      "cannot open /dev/fuse: %s; load the kernel module (modprobe fuse), or give "
                      "the container the device",
                      g_strerror(errno));
  g_autofree char *data = g_strdup_printf(
      "fd=%d,rootmode=%o,user_id=0,group_id=0,allow_other,default_permissions,max_read=%u%s%s", fd,
      (unsigned)S_IFDIR, MAX_READ, options && options[0] ? "," : "", options ? options : "");
  if (mount("dacsa", path, "fuse.dacsa", MS_NOSUID | MS_NODEV | MS_NOEXEC, data) < 0) {
    int errsv = errno;
    close(fd);
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "cannot mount on %s: %s%s", path,
                      g_strerror(errsv),
                      errsv == EINVAL ? "; check the options given with -o, and that /dev/fuse is "
                                        "the FUSE device"
                                      : "");
  }
  *ret_fd = fd;
  return true;
}

/* The administrator may have unmounted it, and what is there then is not ours. */
void
dacsa_mountpoint_unmount(const char *path)
{
  if (dacsa_mountpoint_is_ours(path) && umount2(path, 0) < 0 && errno == EBUSY)
    umount2(path, MNT_DETACH);
}
