/* Open files: /proc/PID/fd and fdinfo in one table. */
#include "parsers/linux/fds.h"

#include "parsers/table.h"
#include "snap/error.h"

#include <string.h>
#include <sys/stat.h>

#define MAX_OPEN (1u << 20)       /* of one process */
#define FDS_AT_ONCE 512u          /* a page of pointers */
#define BITS_AT_ONCE (1u << 15)   /* a page of a bitmap */
#define KERNEL_O_CLOEXEC 02000000 /* include/uapi/asm-generic/fcntl.h */
#define FMODE_READ 0x1u           /* include/linux/fs.h */
#define FMODE_WRITE 0x2u
#define ANON_INODE "anon_inode:"

/* -- the table of a files_struct -- */

typedef struct {
  uint64_t max_fds, fd, open_fds, close_on_exec;
} FdTable;

static bool
read_fdtable(const DacsaLinux *l, uint64_t files, FdTable *ret, GError **error)
{
  uint64_t fdt;

  return dacsa_linux_get(l, files, M_FILES_FDT, &fdt, error) &&
         dacsa_linux_get(l, fdt, M_FDTABLE_MAX_FDS, &ret->max_fds, error) &&
         dacsa_linux_get(l, fdt, M_FDT_FD, &ret->fd, error) &&
         dacsa_linux_get(l, fdt, M_FDT_OPEN_FDS, &ret->open_fds, error) &&
         dacsa_linux_get(l, fdt, M_FDT_CLOSE_ON_EXEC, &ret->close_on_exec, error);
}

static bool
test_bit(const uint8_t *bits, uint32_t i)
{
  return bits[i / 8] >> (i % 8) & 1;
}

static bool
any_bit(const uint8_t *bits, uint32_t from, uint32_t n)
{
  for (uint32_t i = from; i < from + n; i++)
    if (test_bit(bits, i))
      return true;
  return false;
}

/* The n descriptors from `first` on; bit 0 of the bitmaps is number `base`. */
static bool
add_fds(const DacsaLinux *l, const FdTable *t, uint32_t base, uint32_t first, uint32_t n,
        const uint8_t *open, const uint8_t *cloexec, GArray *ret, GError **error)
{
  uint64_t files[FDS_AT_ONCE];

  if (!any_bit(open, first - base, n))
    return true;
  if (!dacsa_mem_read(l->memory, t->fd + 8 * (uint64_t)first, files, n * sizeof(files[0]), error))
    return false;
  for (uint32_t i = 0; i < n && ret->len < MAX_OPEN; i++) {
    const DacsaLinuxFd fd = {first + i, test_bit(cloexec, first - base + i),
                             GUINT64_FROM_LE(files[i])};

    /* A number that is reserved for a file being opened has no file yet. */
    if (test_bit(open, first - base + i) && fd.file != 0)
      g_array_append_val(ret, fd);
  }
  return true;
}

/* n descriptors, a multiple of 8, from base on. */
static bool
add_block(const DacsaLinux *l, const FdTable *t, uint32_t base, uint32_t n, GArray *ret,
          GError **error)
{
  uint8_t open[BITS_AT_ONCE / 8], cloexec[BITS_AT_ONCE / 8];

  if (!dacsa_mem_read(l->memory, t->open_fds + base / 8, open, n / 8, error) ||
      !dacsa_mem_read(l->memory, t->close_on_exec + base / 8, cloexec, n / 8, error))
    return false;
  for (uint32_t i = 0; i < n; i += FDS_AT_ONCE)
    if (!add_fds(l, t, base, base + i, MIN(n - i, FDS_AT_ONCE), open, cloexec, ret, error))
      return false;
  return true;
}

bool
dacsa_linux_fds(const DacsaLinux *l, uint64_t files, uint64_t *budget, GArray *ret, GError **error)
{
  FdTable t;

  if (!read_fdtable(l, files, &t, error))
    return false;
  /* fs/file.c: the size of a table is a multiple of BITS_PER_LONG. */
  const uint32_t max = (uint32_t)MIN(MIN(t.max_fds, DACSA_LINUX_MAX_FDS), *budget) & ~7u;
  *budget -= max;
  for (uint32_t base = 0; base < max; base += BITS_AT_ONCE)
    if (!add_block(l, &t, base, MIN(max - base, BITS_AT_ONCE), ret, error))
      return false;
  if (max < t.max_fds || ret->len >= MAX_OPEN)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "cut short: a table of %" PRIu64 " files",
                      t.max_fds);
  return true;
}

/* -- one file -- */

/* The columns; those of the system's table begin with the process. */
enum { PID, COMMAND, FD, TYPE, MODE, FLAGS, POS, DEV, INO, MNT_ID, PATH, N_COLUMNS };

static const DacsaColumn columns[N_COLUMNS] = {
    [PID] = {"pid", DACSA_CELL_NUMBER}, [COMMAND] = {"command", DACSA_CELL_TEXT},
    [FD] = {"fd", DACSA_CELL_NUMBER},   [TYPE] = {"type", DACSA_CELL_TEXT},
    [MODE] = {"mode", DACSA_CELL_TEXT}, [FLAGS] = {"flags", DACSA_CELL_TEXT},
    [POS] = {"pos", DACSA_CELL_NUMBER}, [DEV] = {"dev", DACSA_CELL_TEXT},
    [INO] = {"ino", DACSA_CELL_NUMBER}, [MNT_ID] = {"mnt_id", DACSA_CELL_NUMBER},
    [PATH] = {"path", DACSA_CELL_TEXT},
};

/* A table being filled. */
typedef struct {
  DacsaLinux *l;
  DacsaTable *table;
  guint skip;    /* of the columns above, how many the table does not have */
  uint64_t root; /* struct path; see dacsa_linux_root */
  uint32_t pid;
  const char *command; /* or NULL */
  const char *where;
} Listing;

static void
set_text(const Listing *s, guint column, const char *text)
{
  if (column >= s->skip)
    dacsa_table_set_text(s->table, column - s->skip, text);
}

static void
set_number(const Listing *s, guint column, uint64_t number)
{
  if (column >= s->skip)
    dacsa_table_set_number(s->table, column - s->skip, number);
}

static const char *
type_of_mode(uint64_t mode)
{
  switch (mode & S_IFMT) {
  case S_IFREG:
    return "REG";
  case S_IFDIR:
    return "DIR";
  case S_IFCHR:
    return "CHR";
  case S_IFBLK:
    return "BLK";
  case S_IFIFO:
    return "FIFO";
  case S_IFSOCK:
    return "SOCK";
  case S_IFLNK:
    return "LNK";
  default:
    return NULL;
  }
}

/* Anonymous files are what their names say: anon_inode:[eventfd], anon_inode:inotify. */
static void
set_anonymous_type(const Listing *s, const char *name)
{
  g_autofree char *type = g_strdup(name[0] == '[' ? name + 1 : name);
  size_t len = strlen(type);

  if (len > 0 && type[len - 1] == ']')
    type[len - 1] = '\0';
  set_text(s, TYPE, type);
}

/* path: as readlink of /proc/PID/fd/N gives it; NULL: not known. */
static void
set_type(const Listing *s, uint64_t dname, const char *path, uint64_t inode_mode)
{
  const DacsaLinux *l = s->l;

  if (dname != 0 && path && g_str_has_prefix(path, ANON_INODE))
    set_anonymous_type(s, path + strlen(ANON_INODE));
  else if (dname != 0 && dname == dacsa_linux_symbol(l, S_NS_DNAME))
    set_text(s, TYPE, "ns");
  else if (dname != 0 && dname == dacsa_linux_symbol(l, S_DMABUFFS_DNAME))
    set_text(s, TYPE, "dmabuf");
  else if (dname != 0 && path && g_str_has_prefix(path, "/memfd:"))
    set_text(s, TYPE, "memfd");
  else
    set_text(s, TYPE, type_of_mode(inode_mode));
}

static void
set_path_and_type(const Listing *s, uint64_t file, uint64_t inode_mode)
{
  const uint64_t path = file + dacsa_linux_offset(s->l, M_FILE_PATH);
  g_autofree char *name = NULL;
  g_autoptr(GError) cause = NULL;
  uint64_t dname = 0;

  if (!dacsa_linux_dname(s->l, path, &dname, &cause) ||
      !dacsa_linux_d_path(s->l, path, s->root, &name, &cause))
    dacsa_errors_add(s->l->errors, s->where, cause->message);
  set_text(s, PATH, name);
  set_type(s, dname, name, inode_mode);
}

static void
set_mode_and_flags(const Listing *s, uint64_t mode, uint64_t flags, bool close_on_exec)
{
  static const char *const modes[] = {NULL, "r", "w", "rw"}; /* NULL: O_PATH */
  char text[16];

  /* fs/proc/fd.c, seq_show: the flag is the table's, not the file's. */
  flags &= ~(uint64_t)KERNEL_O_CLOEXEC;
  if (close_on_exec)
    flags |= KERNEL_O_CLOEXEC;
  g_snprintf(text, sizeof(text), "0%o", (unsigned)flags);
  set_text(s, MODE, modes[mode & (FMODE_READ | FMODE_WRITE)]);
  set_text(s, FLAGS, text);
}

static void
set_pos_and_dev(const Listing *s, uint64_t pos, uint64_t dev)
{
  char text[32];

  g_snprintf(text, sizeof(text), "%" PRId64, (int64_t)pos);
  set_text(s, POS, text);
  g_snprintf(text, sizeof(text), "%u:%u", (unsigned)dev >> 20, (unsigned)dev & 0xfffff);
  set_text(s, DEV, text);
}

static bool
set_file(const Listing *s, const DacsaLinuxFd *fd, GError **error)
{
  const DacsaLinux *l = s->l;
  uint64_t mode, flags, pos, inode, inode_mode, ino, sb, dev, mnt, mnt_id;

  if (!dacsa_linux_get(l, fd->file, M_FILE_MODE, &mode, error) ||
      !dacsa_linux_get(l, fd->file, M_FILE_FLAGS, &flags, error) ||
      !dacsa_linux_get(l, fd->file, M_FILE_POS, &pos, error) ||
      !dacsa_linux_get(l, fd->file, M_FILE_INODE, &inode, error) ||
      !dacsa_linux_get(l, inode, M_INODE_MODE, &inode_mode, error) ||
      !dacsa_linux_get(l, inode, M_INODE_INO, &ino, error) ||
      !dacsa_linux_get(l, inode, M_INODE_SB, &sb, error) ||
      !dacsa_linux_get(l, sb, M_SB_DEV, &dev, error) ||
      !dacsa_linux_get(l, fd->file + dacsa_linux_offset(l, M_FILE_PATH), M_PATH_MNT, &mnt, error) ||
      !dacsa_linux_get(l, mnt - dacsa_linux_offset(l, M_MOUNT_MNT), M_MOUNT_ID, &mnt_id, error))
    return false;
  set_mode_and_flags(s, mode, flags, fd->close_on_exec);
  set_pos_and_dev(s, pos, dev);
  set_number(s, INO, ino);
  set_number(s, MNT_ID, mnt_id);
  set_path_and_type(s, fd->file, inode_mode);
  return true;
}

/* -- the files -- */

/* false: the table is full. A file that cannot be read has a line with its number alone. */
static bool
add_row(const Listing *s, const DacsaLinuxFd *fd)
{
  g_autoptr(GError) cause = NULL;

  set_number(s, PID, s->pid);
  set_text(s, COMMAND, s->command);
  set_number(s, FD, fd->fd);
  if (!set_file(s, fd, &cause))
    dacsa_errors_add(s->l->errors, s->where, cause->message);
  return dacsa_table_end_row(s->table);
}

/* Adds the open files of a process: of its leader, as /proc/PID/fd has it. false: the table is
 * full. */
static bool
add_process(const Listing *s, uint64_t task, uint64_t *budget)
{
  g_autoptr(GArray) fds = g_array_new(FALSE, FALSE, sizeof(DacsaLinuxFd));
  g_autoptr(GError) cause = NULL;
  uint64_t files;

  if (!dacsa_linux_get(s->l, task, M_TASK_FILES, &files, &cause) ||
      (files != 0 && !dacsa_linux_fds(s->l, files, budget, fds, &cause)))
    dacsa_errors_add(s->l->errors, s->where, cause->message);
  for (guint i = 0; i < fds->len; i++)
    if (!add_row(s, &g_array_index(fds, DacsaLinuxFd, i)))
      return false;
  return true;
}

bool
dacsa_linux_text_fds(DacsaGuest *guest, uint32_t pid, GString *out, GError **error)
{
  DacsaLinux *l = (DacsaLinux *)guest;
  g_autofree char *where = g_strdup_printf("processes/%u/fds", pid);
  g_autoptr(DacsaTable) table = dacsa_table_new(columns + FD, N_COLUMNS - FD);
  const Listing s = {l, table, FD, dacsa_linux_root(l), pid, NULL, where};
  uint64_t budget = DACSA_LINUX_MAX_FDS;
  uint64_t task;

  if (!dacsa_linux_task(l, pid, &task, error))
    return false;
  if (!add_process(&s, task, &budget))
    dacsa_errors_add(l->errors, where, "cut short: the table is full");
  dacsa_table_print(table, out);
  return true;
}

bool
dacsa_linux_json_fds(DacsaGuest *guest, GString *out, GError **error)
{
  DacsaLinux *l = (DacsaLinux *)guest;
  g_autoptr(DacsaTable) table = dacsa_table_new(columns, N_COLUMNS);
  const uint64_t root = dacsa_linux_root(l);
  uint64_t budget = DACSA_LINUX_MAX_ALL_FDS;
  bool fits = true;

  (void)error;
  dacsa_linux_tasks(l);
  for (guint i = 0; i < l->tasks->len && fits && budget > 0; i++) {
    const DacsaLinuxTask task = g_array_index(l->tasks, DacsaLinuxTask, i);
    g_autofree char *where = g_strdup_printf("processes/%u/fds", task.pid);
    g_autofree char *command = NULL;
    g_autoptr(GError) cause = NULL;

    if (!dacsa_linux_get_string(l, task.task, M_TASK_COMM, &command, &cause))
      dacsa_errors_add(l->errors, where, cause->message);
    const Listing s = {l, table, PID, root, task.pid, command, where};
    fits = add_process(&s, task.task, &budget);
  }
  if (!fits || budget == 0)
    dacsa_errors_add(l->errors, "json/fds.jsonl", "cut short: too many open files");
  dacsa_table_print_json(table, out);
  return true;
}
