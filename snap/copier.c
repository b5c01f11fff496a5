/* Copies memory out of a process, a piece at a time, without its holes. */
#include "snap/copier.h"

#include "snap/error.h"
#include "snap/fd.h"
#include "snap/procmaps.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#define PAGE 4096u
#define PIECE (UINT64_C(16) << 20)
#define PIECE_PAGES (PIECE / PAGE)
#define HUGE (UINT64_C(2) << 20)
#define MAX_HUGE_RUNS 8192 /* each is a VMA of its own, of which a process may have 65530 */
#define PRESENT_OR_SWAPPED (UINT64_C(3) << 62)

/* What a page is copied from. */
typedef enum { HOLE, PROCESS, FILE_DATA, FILE_PERHAPS } Origin;

/* Part of a range that one VMA of the process holds. */
typedef struct {
  uint64_t hva, len, to;
  int file;        /* that is mapped there, or -1 */
  uint64_t offset; /* of hva in file */
  bool own_pages;  /* the process's page tables tell of pages that the file does not have */
  bool tells;      /* the file knows its holes */
} Segment;

typedef struct {
  uint32_t segment;
  uint64_t at, len; /* in the segment */
} Piece;

struct DacsaCopier {
  pid_t pid;
  int pagemap;
  GArray *segments, *pieces;
  gint huge_runs;
};

/* -- what there is -- */

static void
segment_clear(void *data)
{
  const Segment *segment = data;

  if (segment->file >= 0)
    close(segment->file);
}

/* Opens what is mapped at vma: a memfd and the shared anonymous memory of the kernel's own making
 * are files, too. */
static bool
open_file(const DacsaCopier *self, const DacsaHostVma *vma, Segment *segment, GError **error)
{
  g_autofree char *path = g_strdup_printf("/proc/%d/map_files/%" PRIx64 "-%" PRIx64, (int)self->pid,
                                          vma->start, vma->end);
  struct stat st;
  struct statfs fs;

  segment->file = open(path, O_RDONLY | O_CLOEXEC);
  if (segment->file < 0 || fstat(segment->file, &st) < 0 || fstatfs(segment->file, &fs) < 0)
    return dacsa_fail_errno(error, errno, "cannot open the file that holds QEMU's memory (%s)",
                            path);
  if (!S_ISREG(st.st_mode))
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "guest RAM is no file's memory (%s)",
                      vma->path ? vma->path : path);
  /* hugetlbfs says that all of a file is data; but what QEMU has mapped of it is all that the guest
   * has written, and the rest is zeros or what another process wrote. */
  segment->tells = fs.f_type != HUGETLBFS_MAGIC && lseek(segment->file, 0, SEEK_HOLE) >= 0;
  segment->own_pages = !vma->shared || fs.f_type == HUGETLBFS_MAGIC;
  return true;
}

/* Adds what vma holds of the range, from hva to its end or the VMA's. */
static bool
add_segment(DacsaCopier *self, const DacsaHostVma *vma, uint64_t hva, uint64_t len, uint64_t to,
            GError **error)
{
  const bool has_file = vma->shared || (vma->path && vma->path[0] == '/');
  Segment segment = {hva, len, to, .file = -1, .own_pages = true};

  if (vma->device)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "guest RAM is a device's memory");
  if (has_file && !open_file(self, vma, &segment, error)) {
    segment_clear(&segment);
    return false;
  }
  segment.offset = vma->offset + (hva - vma->start);
  g_array_append_val(self->segments, segment);
  return true;
}

static bool
add_range(DacsaCopier *self, const GArray *vmas, const DacsaRange *range, uint64_t to,
          GError **error)
{
  for (uint64_t done = 0; done < range->size;) {
    const uint64_t hva = range->offset + done;
    const DacsaHostVma *vma = dacsa_procmaps_find(vmas, hva);

    if (!vma)
      return dacsa_fail(error, DACSA_ERROR_FAULT, "QEMU has no memory at 0x%" PRIx64, hva);
    const uint64_t len = MIN(range->size - done, vma->end - hva);
    if (!add_segment(self, vma, hva, len, to + done, error))
      return false;
    done += len;
  }
  return true;
}

/* Cut where the addresses are multiples of a piece, so that no huge page is cut. */
static void
cut_pieces(DacsaCopier *self)
{
  for (guint i = 0; i < self->segments->len; i++) {
    const Segment *segment = &g_array_index(self->segments, Segment, i);

    for (uint64_t at = 0; at < segment->len;) {
      const uint64_t room = PIECE - (segment->hva + at) % PIECE;
      const Piece piece = {i, at, MIN(room, segment->len - at)};

      g_array_append_val(self->pieces, piece);
      at += piece.len;
    }
  }
}

bool
dacsa_copier_new(pid_t pid, const DacsaLayout *from, const uint64_t *to, DacsaCopier **ret,
                 GError **error)
{
  g_autoptr(DacsaCopier) self = g_new0(DacsaCopier, 1);
  g_autofree char *path = g_strdup_printf("/proc/%d/pagemap", (int)pid);
  g_autoptr(GArray) vmas = NULL;

  self->pid = pid;
  self->segments = g_array_new(FALSE, FALSE, sizeof(Segment));
  g_array_set_clear_func(self->segments, segment_clear);
  self->pieces = g_array_new(FALSE, FALSE, sizeof(Piece));
  self->pagemap = open(path, O_RDONLY | O_CLOEXEC);
  if (self->pagemap < 0)
    return dacsa_fail_errno(error, errno, "cannot open %s", path);
  if (!dacsa_procmaps_read(pid, &vmas, error))
    return false;
  for (guint i = 0; i < from->ranges->len; i++)
    if (!add_range(self, vmas, &g_array_index(from->ranges, DacsaRange, i), to[i], error))
      return false;
  cut_pieces(self);
  *ret = g_steal_pointer(&self);
  return true;
}

void
dacsa_copier_free(DacsaCopier *self)
{
  if (!self)
    return;
  if (self->pagemap >= 0)
    close(self->pagemap);
  g_array_unref(self->segments);
  g_array_unref(self->pieces);
  g_free(self);
}

size_t
dacsa_copier_count(const DacsaCopier *self)
{
  return self->pieces->len;
}

/* -- where its pages are -- */

/* Marks what the file has of the piece; a page of it that is data in part is. */
static bool
mark_file(const Segment *segment, const Piece *piece, uint8_t *origins, GError **error)
{
  const uint64_t begin = segment->offset + piece->at;
  const uint64_t end = begin + piece->len;
  struct stat st;

  if (!segment->tells) {
    if (fstat(segment->file, &st) < 0 || st.st_blocks > 0)
      memset(origins, FILE_PERHAPS, piece->len / PAGE);
    return true;
  }
  for (uint64_t at = begin; at < end;) {
    const off_t data = lseek(segment->file, (off_t)at, SEEK_DATA);

    if (data < 0 && errno == ENXIO)
      break;
    const off_t hole = data < 0 ? -1 : lseek(segment->file, data, SEEK_HOLE);
    if (hole < 0)
      return dacsa_fail_errno(error, errno, "cannot look for data in the file of QEMU's memory");
    const uint64_t first = (uint64_t)data / PAGE * PAGE;
    const uint64_t last = MIN(end, ((uint64_t)hole + PAGE - 1) / PAGE * PAGE);
    if (first >= end)
      break;
    memset(origins + (MAX(first, begin) - begin) / PAGE, FILE_DATA,
           (last - MAX(first, begin)) / PAGE);
    at = last;
  }
  return true;
}

static bool
mark_own(const DacsaCopier *self, uint64_t hva, size_t pages, uint8_t *origins, GError **error)
{
  g_autofree uint64_t *entries = g_new(uint64_t, pages);
  const size_t size = pages * sizeof(uint64_t);

  if (pread(self->pagemap, entries, size, (off_t)(hva / PAGE * sizeof(uint64_t))) != (ssize_t)size)
    return dacsa_fail(error, DACSA_ERROR_FAULT, "QEMU's page tables cannot be read at 0x%" PRIx64,
                      hva);
  for (size_t i = 0; i < pages; i++)
    if (entries[i] & PRESENT_OR_SWAPPED)
      origins[i] = PROCESS;
  return true;
}

/* A stretch of pages of one origin. */
typedef struct {
  const Segment *segment;
  uint64_t at, len; /* in the segment */
  Origin origin;
} Run;

typedef bool (*RunFunc)(DacsaCopier *self, const Run *run, GError **error);

static bool
each_run(DacsaCopier *self, size_t number, RunFunc func, GError **error)
{
  const Piece *piece = &g_array_index(self->pieces, Piece, number);
  const Segment *segment = &g_array_index(self->segments, Segment, piece->segment);
  const size_t pages = piece->len / PAGE;
  uint8_t origins[PIECE_PAGES] = {HOLE};

  if ((segment->file >= 0 && !mark_file(segment, piece, origins, error)) ||
      (segment->own_pages && !mark_own(self, segment->hva + piece->at, pages, origins, error)))
    return false;
  for (size_t first = 0, next; first < pages; first = next) {
    for (next = first + 1; next < pages && origins[next] == origins[first];)
      next++;
    const Run run = {segment, piece->at + first * PAGE, (next - first) * PAGE, origins[first]};
    if (run.origin != HOLE && !func(self, &run, error))
      return false;
  }
  return true;
}

/* -- making pages -- */

static void *
run_to(const Run *run)
{
  return (void *)(uintptr_t)(run->segment->to + run->at);
}

/* Where the kernel cannot make them ahead (before 5.14), copying does. */
static bool
populate_run(DacsaCopier *self, const Run *run, GError **error)
{
  const uint64_t begin = (uint64_t)(uintptr_t)run_to(run);
  const uint64_t first = (begin + HUGE - 1) / HUGE * HUGE;
  const uint64_t last = (begin + run->len) / HUGE * HUGE;

  if (run->origin == FILE_PERHAPS)
    return true;
  if (first < last && g_atomic_int_add(&self->huge_runs, 1) < MAX_HUGE_RUNS)
    madvise((void *)(uintptr_t)first, last - first, MADV_HUGEPAGE);
  if (madvise(run_to(run), run->len, MADV_POPULATE_WRITE) < 0 && errno != EINVAL)
    return dacsa_fail_errno(error, errno, "cannot make room for the copy");
  return true;
}

bool
dacsa_copier_populate(DacsaCopier *self, size_t piece, GError **error)
{
  return each_run(self, piece, populate_run, error);
}

/* -- copying -- */

static bool
copy_from_process(const DacsaCopier *self, const Run *run, GError **error)
{
  for (uint64_t done = 0; done < run->len;) {
    struct iovec to = {(char *)run_to(run) + done, run->len - done};
    struct iovec from = {(void *)(uintptr_t)(run->segment->hva + run->at + done), to.iov_len};
    const ssize_t n = process_vm_readv(self->pid, &to, 1, &from, 1, 0);

    if (n <= 0)
      return dacsa_fail(error, DACSA_ERROR_FAULT, "QEMU's memory cannot be read at %p: %s",
                        from.iov_base, n < 0 ? g_strerror(errno) : "nothing is there");
    done += (uint64_t)n;
  }
  return true;
}

/* Reads the file at a distance into the run; past its end there are zeros, as in a hole. */
static bool
read_file(const Run *run, uint64_t at, char *to, uint64_t len, GError **error)
{
  const uint64_t offset = run->segment->offset + run->at + at;
  size_t n;

  if (!dacsa_fd_read(run->segment->file, offset, to, len, &n))
    return dacsa_fail(error, DACSA_ERROR_FAULT,
                      "the file of QEMU's memory cannot be read at 0x%" PRIx64 ": %s", offset + n,
                      g_strerror(errno));
  memset(to + n, 0, len - n);
  return true;
}

static bool
is_zero(const char *data, size_t len)
{
  return data[0] == 0 && memcmp(data, data + 1, len - 1) == 0;
}

/* By way of a buffer, so that zeros take no memory here. */
static bool
copy_perhaps(const Run *run, GError **error)
{
  g_autofree char *buffer = g_malloc(HUGE);

  for (uint64_t at = 0, len; at < run->len; at += len) {
    len = MIN(run->len - at, HUGE);
    if (!read_file(run, at, buffer, len, error))
      return false;
    if (!is_zero(buffer, len))
      memcpy((char *)run_to(run) + at, buffer, len);
  }
  return true;
}

static bool
copy_run(DacsaCopier *self, const Run *run, GError **error)
{
  if (run->origin == PROCESS)
    return copy_from_process(self, run, error);
  return run->origin == FILE_DATA ? read_file(run, 0, run_to(run), run->len, error)
                                  : copy_perhaps(run, error);
}

bool
dacsa_copier_copy(DacsaCopier *self, size_t piece, GError **error)
{
  return each_run(self, piece, copy_run, error);
}
