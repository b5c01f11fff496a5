/* The file of what is known: a header, windows, findings, and a SHA-256 over all. */
#include "parsers/scan/clean.h"

#include "parsers/scan/engine.h"
#include "snap/error.h"
#include "snap/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "DACSAknown1\n"
#define MAX_WINDOWS (UINT64_C(4) << 20) /* 96 MiB: the pages of 16 GiB */
#define MAX_KEPT 4096u                  /* findings */

typedef struct {
  char magic[16];
  uint64_t windows, findings; /* how many */
  uint64_t longest;
  DacsaScanSalt salt;
} Header;

/* A finding as it is written. */
typedef struct {
  DacsaScanKey keys[DACSA_FINDING_MAX_PAGES];
  uint32_t n, offset;
  char signature[256];
} Kept;

/* All that a file says. */
typedef struct {
  Header header;
  GArray *windows;  /* DacsaScanSettled */
  GArray *findings; /* Kept */
} Content;

static void
content_init(Content *content)
{
  *content = (Content){.windows = g_array_new(FALSE, TRUE, sizeof(DacsaScanSettled)),
                       .findings = g_array_new(FALSE, TRUE, sizeof(Kept))};
}

static void
content_clear(Content *content)
{
  g_array_unref(content->windows);
  g_array_unref(content->findings);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Content, content_clear)

struct DacsaScanClean {
  int fd; /* -1: nothing is kept */
  DacsaScanWindows *windows;
  DacsaScanFindings *findings;
};

/* -- reading -- */

static void
add_to_sum(GChecksum *sum, const Content *content)
{
  g_checksum_update(sum, (const guchar *)&content->header, sizeof(content->header));
  g_checksum_update(sum, (const guchar *)content->windows->data,
                    (gssize)(content->windows->len * sizeof(DacsaScanSettled)));
  g_checksum_update(sum, (const guchar *)content->findings->data,
                    (gssize)(content->findings->len * sizeof(Kept)));
}

static bool
is_sane(const Header *header)
{
  return memcmp(header->magic, MAGIC, sizeof(MAGIC)) == 0 && header->windows <= MAX_WINDOWS &&
         header->findings <= MAX_KEPT && header->longest <= DACSA_SCAN_LONGEST;
}

/* What a file says; false: it is none, or not whole. */
static bool
read_file(int fd, Content *ret)
{
  g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
  uint8_t written[32], computed[32];
  gsize len = sizeof(computed);

  if (!dacsa_fd_read_all(fd, 0, &ret->header, sizeof(ret->header)) || !is_sane(&ret->header))
    return false;
  const size_t windows = ret->header.windows * sizeof(DacsaScanSettled);
  const size_t findings = ret->header.findings * sizeof(Kept);
  g_array_set_size(ret->windows, (guint)ret->header.windows);
  g_array_set_size(ret->findings, (guint)ret->header.findings);
  if (!dacsa_fd_read_all(fd, sizeof(ret->header), ret->windows->data, windows) ||
      !dacsa_fd_read_all(fd, sizeof(ret->header) + windows, ret->findings->data, findings) ||
      !dacsa_fd_read_all(fd, sizeof(ret->header) + windows + findings, written, len))
    return false;
  add_to_sum(sum, ret);
  g_checksum_get_digest(sum, computed, &len);
  return memcmp(written, computed, len) == 0;
}

/* A finding that has no room any more takes all windows with it in which something was found: they
 * are matched again. */
static void
take_over(DacsaScanClean *clean, const Content *content)
{
  bool all = true;

  for (guint i = 0; i < content->findings->len; i++) {
    const Kept *kept = &g_array_index(content->findings, Kept, i);

    all = all && kept->n >= 1 && kept->n <= DACSA_FINDING_MAX_PAGES &&
          memchr(kept->signature, '\0', sizeof(kept->signature)) &&
          dacsa_scan_findings_add(clean->findings, kept->keys, kept->n, kept->offset,
                                  kept->signature);
  }
  for (guint i = 0; i < content->windows->len; i++) {
    const DacsaScanSettled *settled = &g_array_index(content->windows, DacsaScanSettled, i);

    if (settled->scan > 0 && settled->scan < UINT32_MAX && (all || !settled->found))
      dacsa_scan_windows_add_settled(clean->windows, settled);
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
  g_auto(Content) content;
  int fd = -1;

  content_init(&content);
  if (directory && !open_file(directory, version, &fd, error))
    return false;
  DacsaScanClean *clean = g_new0(DacsaScanClean, 1);
  clean->fd = fd;
  clean->findings = dacsa_scan_findings_new();
  if (fd >= 0)
    flock(fd, LOCK_SH);
  if (fd >= 0 && read_file(fd, &content)) {
    clean->windows = dacsa_scan_windows_new(&content.header.salt, content.header.longest);
    take_over(clean, &content);
  } else {
    DacsaScanSalt salt;

    dacsa_scan_salt_init(&salt);
    clean->windows = dacsa_scan_windows_new(&salt, longest(data));
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
  dacsa_scan_findings_free(clean->findings);
  g_free(clean);
}

DacsaScanWindows *
dacsa_scan_clean_windows(DacsaScanClean *clean)
{
  return clean->windows;
}

DacsaScanFindings *
dacsa_scan_clean_findings(DacsaScanClean *clean)
{
  return clean->findings;
}

/* -- writing -- */

/* The most recently seen first. */
static gint
compare_windows(gconstpointer a, gconstpointer b)
{
  const DacsaScanSettled *x = a, *y = b;

  return x->scan != y->scan ? (x->scan > y->scan ? -1 : 1) : 0;
}

/* false: one of them cannot be kept. */
static bool
collect_findings(DacsaScanClean *clean, GArray *ret)
{
  const guint n = dacsa_scan_findings_count(clean->findings);

  for (guint i = 0; i < n; i++) {
    const DacsaScanFinding *finding = dacsa_scan_findings_get(clean->findings, i);
    Kept kept = {.n = finding->n, .offset = finding->offset};

    memcpy(kept.keys, finding->keys, finding->n * sizeof(DacsaScanKey));
    if (ret->len >= MAX_KEPT || g_strlcpy(kept.signature, finding->signature,
                                          sizeof(kept.signature)) >= sizeof(kept.signature))
      return false;
    g_array_append_val(ret, kept);
  }
  return true;
}

/* Windows in which something was found are kept only if all that was found is. */
static void
collect(DacsaScanClean *clean, Content *content)
{
  const bool all = collect_findings(clean, content->findings);
  guint n = 0;

  dacsa_scan_windows_settled(clean->windows, content->windows);
  for (guint i = 0; i < content->windows->len; i++) {
    const DacsaScanSettled settled = g_array_index(content->windows, DacsaScanSettled, i);

    if (all || !settled.found)
      g_array_index(content->windows, DacsaScanSettled, n++) = settled;
  }
  g_array_set_size(content->windows, n);
  if (!all)
    g_array_set_size(content->findings, 0);
  if (content->windows->len > MAX_WINDOWS) {
    g_array_sort(content->windows, compare_windows);
    g_array_set_size(content->windows, MAX_WINDOWS);
  }
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
write_file(int fd, const Content *content)
{
  const size_t windows = content->windows->len * sizeof(DacsaScanSettled);
  const size_t findings = content->findings->len * sizeof(Kept);
  const size_t end = sizeof(content->header) + windows + findings;
  g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
  uint8_t digest[32];
  gsize len = sizeof(digest);

  add_to_sum(sum, content);
  g_checksum_get_digest(sum, digest, &len);
  return write_all(fd, &content->header, sizeof(content->header), 0) &&
         write_all(fd, content->windows->data, windows, sizeof(content->header)) &&
         write_all(fd, content->findings->data, findings,
                   (off_t)(sizeof(content->header) + windows)) &&
         write_all(fd, digest, len, (off_t)end) && ftruncate(fd, (off_t)(end + len)) == 0;
}

/* What another scan has written since; with another secret (both began with no file) it is lost. */
static void
merge(DacsaScanClean *clean)
{
  g_auto(Content) content;

  content_init(&content);
  if (read_file(clean->fd, &content) &&
      memcmp(&content.header.salt, dacsa_scan_windows_salt(clean->windows),
             sizeof(DacsaScanSalt)) == 0)
    take_over(clean, &content);
}

bool
dacsa_scan_clean_save(DacsaScanClean *clean, GError **error)
{
  g_auto(Content) content;

  content_init(&content);
  if (clean->fd < 0)
    return true;
  if (flock(clean->fd, LOCK_EX) < 0)
    return dacsa_fail_errno(error, errno, "cannot lock the cache of what is known");
  merge(clean);
  collect(clean, &content);
  content.header = (Header){.magic = MAGIC,
                            .windows = content.windows->len,
                            .findings = content.findings->len,
                            .longest = dacsa_scan_windows_overlap(clean->windows) + 1,
                            .salt = *dacsa_scan_windows_salt(clean->windows)};
  bool ok = write_file(clean->fd, &content);
  const int errsv = errno;
  flock(clean->fd, LOCK_UN);
  return ok || dacsa_fail_errno(error, errsv, "cannot write the cache of what is known");
}
