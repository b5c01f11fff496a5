/* Mounts FUSE by mount(2); see the kernel's Documentation/filesystems/fuse.rst for the options. */
#include "snap/mountpoint.h"

#include "snap/error.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_READ (1u << 20)

bool
dacsa_mountpoint_mount(const char *path, const char *options, int *ret_fd, GError **error)
{
  struct stat st;

  /* A FUSE mount whose server died answers ENOTCONN, to stat too. */
  if (stat(path, &st) < 0 && errno == ENOTCONN)
    umount2(path, MNT_DETACH);
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

void
dacsa_mountpoint_unmount(const char *path)
{
  if (umount2(path, 0) < 0)
    umount2(path, MNT_DETACH);
}
