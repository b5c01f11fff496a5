/* The file of what is clean: a header, entries, and a SHA-256 over both. */
#include "parsers/scan/clean.h"

#include "parsers/scan/engine.h"
#include "snap/error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "DACSAclean2\n"
#define MAX_ENTRIES (UINT64_C(4) << 20) /* 96 MiB: the pages of 16 GiB */

typedef struct {
  char magic[16];
  uint64_t entries, longest;
  DacsaScanSalt salt;
} Header;

typedef struct {
  DacsaScanKey key;
  uint32_t scan, zero;
} Entry;

struct DacsaScanClean {
  int fd; /* -1: nothing is kept */
  DacsaScanWindows *windows;
};

/* -- reading -- */

static bool
read_all(int fd, void *buf, size_t len, off_t offset)
{
  char *at = buf;

  while (len > 0) {
    ssize_t n = pread(fd, at, len, offset);

    if (n <= 0)
      return false;
    at += n;
    offset += n;
    len -= (size_t)n;
  }
  return true;
}

/* The file's header and entries; false: there are none, or it is not whole. */
static bool
read_file(int fd, Header *ret_header, GArray *ret_entries)
{
  const size_t digest_len = 32;
  g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
  uint8_t written[32], computed[32];
  gsize len = sizeof(computed);

  if (!read_all(fd, ret_header, sizeof(*ret_header), 0) ||
      memcmp(ret_header->magic, MAGIC, sizeof(MAGIC)) != 0 || ret_header->entries > MAX_ENTRIES ||
      ret_header->longest > DACSA_SCAN_LONGEST)
    return false;
  const size_t bytes = ret_header->entries * sizeof(Entry);
  g_array_set_size(ret_entries, (guint)ret_header->entries);
  if (!read_all(fd, ret_entries->data, bytes, sizeof(*ret_header)) ||
      !read_all(fd, written, digest_len, (off_t)(sizeof(*ret_header) + bytes)))
    return false;
  g_checksum_update(sum, (const guchar *)ret_header, sizeof(*ret_header));
  g_checksum_update(sum, (const guchar *)ret_entries->data, (gssize)bytes);
  g_checksum_get_digest(sum, computed, &len);
  return memcmp(written, computed, digest_len) == 0;
}

static void
add_entries(DacsaScanWindows *windows, const GArray *entries)
{
  for (guint i = 0; i < entries->len; i++) {
    const Entry *entry = &g_array_index(entries, Entry, i);

    if (entry->scan > 0 && entry->scan < UINT32_MAX)
      dacsa_scan_windows_add_clean(windows, &entry->key, entry->scan);
  }
}

/* -- opening -- */

/* Whoever may write there could have us pass over what is not clean. */
static bool
check_owner(int fd, const char *path, GError **error)
{
  struct stat st;

  if (fstat(fd, &st) < 0)
    return dacsa_fail_errno(error, errno, "cannot look at %s", path);
  if (st.st_uid != geteuid() || st.st_mode & 022)
    return dacsa_fail(error, DACSA_ERROR_OS,
                      "%s belongs to another user, or others may write there; remove it, or scan "
                      "with --no-cache",
                      path);
  return true;
}

static bool
open_file(const char *directory, const char *version, int *ret, GError **error)
{
  g_autofree char *path = g_build_filename(directory, version, NULL);

  if (g_mkdir_with_parents(directory, 0700) < 0)
    return dacsa_fail_errno(error, errno, "cannot make %s; scan with --no-cache", directory);
  int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir < 0)
    return dacsa_fail_errno(error, errno, "cannot open %s; scan with --no-cache", directory);
  bool ok = check_owner(dir, directory, error);
  *ret = ok ? openat(dir, version, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600) : -1;
  close(dir);
  if (!ok)
    return false;
  if (*ret < 0)
    return dacsa_fail_errno(error, errno, "cannot open %s; scan with --no-cache", path);
  if (check_owner(*ret, path, error))
    return true;
  close(*ret);
  return false;
}

bool
dacsa_scan_clean_open(const char *directory, const char *version, size_t (*longest)(void *data),
                      void *data, DacsaScanClean **ret, GError **error)
{
  g_autoptr(GArray) entries = g_array_new(FALSE, TRUE, sizeof(Entry));
  Header header = {0};
  int fd = -1;

  if (directory && !open_file(directory, version, &fd, error))
    return false;
  DacsaScanClean *clean = g_new0(DacsaScanClean, 1);
  clean->fd = fd;
  if (fd >= 0)
    flock(fd, LOCK_SH);
  if (fd >= 0 && read_file(fd, &header, entries)) {
    clean->windows = dacsa_scan_windows_new(&header.salt, header.longest);
    add_entries(clean->windows, entries);
  } else {
    dacsa_scan_salt_init(&header.salt);
    clean->windows = dacsa_scan_windows_new(&header.salt, longest(data));
  }
  if (fd >= 0)
    flock(fd, LOCK_UN);
  *ret = clean;
  return true;
}

void
dacsa_scan_clean_free(DacsaScanClean *clean)
{
  if (!clean)
    return;
  if (clean->fd >= 0)
    close(clean->fd);
  dacsa_scan_windows_free(clean->windows);
  g_free(clean);
}

DacsaScanWindows *
dacsa_scan_clean_windows(DacsaScanClean *clean)
{
  return clean->windows;
}

/* -- writing -- */

static void
collect(const DacsaScanKey *key, uint32_t scan, void *data)
{
  const Entry entry = {*key, scan, 0};

  g_array_append_val((GArray *)data, entry);
}

/* The most recently seen first. */
static gint
compare_entries(gconstpointer a, gconstpointer b)
{
  const Entry *x = a, *y = b;

  return x->scan != y->scan ? (x->scan > y->scan ? -1 : 1) : 0;
}

static bool
write_all(int fd, const void *buf, size_t len, off_t offset)
{
  const char *at = buf;

  while (len > 0) {
    ssize_t n = pwrite(fd, at, len, offset);

    if (n <= 0)
      return false;
    at += n;
    offset += n;
    len -= (size_t)n;
  }
  return true;
}

static bool
write_file(int fd, const Header *header, const GArray *entries)
{
  const size_t bytes = entries->len * sizeof(Entry);
  g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
  uint8_t digest[32];
  gsize len = sizeof(digest);

  g_checksum_update(sum, (const guchar *)header, sizeof(*header));
  g_checksum_update(sum, (const guchar *)entries->data, (gssize)bytes);
  g_checksum_get_digest(sum, digest, &len);
  return write_all(fd, header, sizeof(*header), 0) &&
         write_all(fd, entries->data, bytes, sizeof(*header)) &&
         write_all(fd, digest, len, (off_t)(sizeof(*header) + bytes)) &&
         ftruncate(fd, (off_t)(sizeof(*header) + bytes + len)) == 0;
}

/* What another scan has written since; with another secret (both began with no file) it is lost. */
static void
merge(DacsaScanClean *clean)
{
  g_autoptr(GArray) entries = g_array_new(FALSE, TRUE, sizeof(Entry));
  Header header = {0};

  if (read_file(clean->fd, &header, entries) &&
      memcmp(&header.salt, dacsa_scan_windows_salt(clean->windows), sizeof(header.salt)) == 0)
    add_entries(clean->windows, entries);
}

bool
dacsa_scan_clean_save(DacsaScanClean *clean, GError **error)
{
  g_autoptr(GArray) entries = g_array_new(FALSE, TRUE, sizeof(Entry));
  Header header = {.magic = MAGIC};

  if (clean->fd < 0)
    return true;
  if (flock(clean->fd, LOCK_EX) < 0)
    return dacsa_fail_errno(error, errno, "cannot lock the cache of clean content");
  merge(clean);
  dacsa_scan_windows_each_clean(clean->windows, collect, entries);
  if (entries->len > MAX_ENTRIES) {
    g_array_sort(entries, compare_entries);
    g_array_set_size(entries, MAX_ENTRIES);
  }
  header.entries = entries->len;
  header.longest = dacsa_scan_windows_overlap(clean->windows) + 1;
  header.salt = *dacsa_scan_windows_salt(clean->windows);
  bool ok = write_file(clean->fd, &header, entries);
  const int errsv = errno;
  flock(clean->fd, LOCK_UN);
  return ok || dacsa_fail_errno(error, errsv, "cannot write the cache of clean content");
}
