/* What a confined process cannot do any more, and what it still can: with the real scan engine. */
#include "check.h"
#include "fake-dir.h"

#include "fs/confine.h"
#include "parsers/scan/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MARKER "dacsa-confine-test-marker"
#define SIZE ((size_t)1 << 20)

/* Directories, made anew for a test, and an engine that was loaded before. */
typedef struct {
  char *dir, *readable, *writable;
  char *inside, *outside; /* files */
  DacsaScanEngine *engine;
} World;

static char *
put(const char *dir, const char *name, const char *text)
{
  g_autoptr(GError) error = NULL;
  char *path = g_build_filename(dir, name, NULL);

  g_file_set_contents(path, text, -1, &error);
  g_assert_no_error(error);
  return path;
}

static char *
make_dir(const char *dir, const char *name)
{
  char *path = g_build_filename(dir, name, NULL);

  g_assert_cmpint(g_mkdir(path, 0700), ==, 0);
  return path;
}

static void
load_engine(World *w)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GString) text = g_string_new(NULL);

  for (const char *c = MARKER; *c; c++)
    g_string_append_printf(text, "%02x", (unsigned char)*c);
  g_string_prepend(text, "Test.Marker:0:*:");
  g_string_append(text, "\n");
  g_autofree char *bodies = put(w->dir, "a.ndb", text->str);
  g_autofree char *pcres =
      put(w->dir, "b.ldb",
          "Test.Regex;Engine:81-255,Target:0;0&1;646163736121;0/dacsa![a-z]+[0-9]/i\n");
  g_autofree char *rules =
      put(w->dir, "c.yar", "rule r { strings: $a = /dacsa-confine-[a-z]+/ condition: $a }");
  const char *databases[] = {bodies, pcres, NULL}, *files[] = {rules, NULL};
  DacsaScanOptions options = {databases, files, w->writable};
  CHECK_OK(dacsa_scan_engine_load(&options, &w->engine, &error), error);
}

static void
world_init(World *w)
{
  w->dir = fake_dir_new();
  w->readable = make_dir(w->dir, "readable");
  w->writable = make_dir(w->dir, "writable");
  w->inside = put(w->readable, "inside", "text " MARKER " text");
  w->outside = put(w->dir, "outside", "secret");
  load_engine(w);
}

static void
world_clear(World *w)
{
  dacsa_scan_engine_free(w->engine);
  fake_dir_free(w->dir);
  g_free(w->readable);
  g_free(w->writable);
  g_free(w->inside);
  g_free(w->outside);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(World, world_clear)

static void
confine(const World *w)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *missing = NULL;
  const char *readable[] = {w->readable, "/usr/lib", NULL};
  DacsaConfinement what = {readable, w->writable, DACSA_FILTER_FILES};

  CHECK_OK(dacsa_confine(&what, &missing, &error), error);
  if (missing)
    g_test_message("not confined by: %s", missing);
}

/* Runs check in a confined process; its wait status. */
static int
run_confined(bool (*check)(const World *w))
{
  int status = 0;
  g_auto(World) w;

  world_init(&w);
  pid_t child = fork();
  g_assert_cmpint(child, >=, 0);
  if (child == 0) {
    confine(&w);
    _exit(check(&w) ? 0 : 1);
  }
  g_assert_cmpint(waitpid(child, &status, 0), ==, child);
  return status;
}

/* --- what is refused --- */

static bool
is_refused(long result)
{
  return result < 0 && (errno == EPERM || errno == EACCES || errno == ENOSYS);
}

static bool
other_files(const World *w)
{
  g_autofree char *up = g_build_filename(w->readable, "..", "outside", NULL);

  return is_refused(open("/etc/passwd", O_RDONLY)) && is_refused(open(w->outside, O_RDONLY)) &&
         is_refused(open(up, O_RDONLY)) && is_refused(open("/", O_RDONLY | O_DIRECTORY)) &&
         is_refused(open("/proc/self/mem", O_RDWR)) && is_refused(open("/dev/null", O_RDWR));
}

static bool
writes(const World *w)
{
  g_autofree char *new = g_build_filename(w->readable, "new", NULL);

  return is_refused(open(w->inside, O_RDWR)) && is_refused(open(w->inside, O_RDONLY | O_TRUNC)) &&
         is_refused(open(new, O_WRONLY | O_CREAT, 0600)) && is_refused(unlink(w->inside)) &&
         is_refused(truncate(w->inside, 0)) && is_refused(rename(w->inside, new)) &&
         is_refused(mkdir(new, 0700)) && is_refused(unlink(w->outside));
}

static bool
attributes(const World *w)
{
  return is_refused(chmod(w->inside, 0777)) && is_refused(chown(w->inside, 1, 1)) &&
         is_refused(link(w->inside, w->outside)) && is_refused(mknod(w->outside, S_IFIFO, 0));
}

static bool
sockets(const World *w)
{
  int pair[2];

  (void)w;
  return is_refused(socket(AF_INET, SOCK_STREAM, 0)) &&
         is_refused(socket(AF_UNIX, SOCK_STREAM, 0)) &&
         is_refused(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
}

static bool
processes(const World *w)
{
  (void)w;
  return is_refused(fork()) && is_refused(syscall(SYS_fork)) && is_refused(syscall(SYS_vfork)) &&
         is_refused(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)) &&
         is_refused(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
}

static bool
signals(const World *w)
{
  (void)w;
  return is_refused(kill(getppid(), SIGTERM)) && is_refused(kill(0, SIGTERM)) &&
         is_refused(syscall(SYS_tgkill, getppid(), getppid(), SIGTERM)) &&
         is_refused(syscall(SYS_pidfd_open, getppid(), 0)) && is_refused(syscall(SYS_setuid, 0)) &&
         is_refused(fcntl(0, F_SETOWN, getppid()));
}

static bool
code(const World *w)
{
  void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  (void)w;
  return page != MAP_FAILED && is_refused(mprotect(page, 4096, PROT_READ | PROT_EXEC)) &&
         mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
             MAP_FAILED &&
         errno == EPERM;
}

static void
test_refused(void)
{
  static const struct {
    const char *name;
    bool (*check)(const World *w);
  } rows[] = {{"other files", other_files},
              {"writes", writes},
              {"attributes", attributes},
              {"sockets", sockets},
              {"processes", processes},
              {"signals", signals},
              {"code", code}};

  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    int status = run_confined(rows[i].check);

    g_test_message("%s: %#x", rows[i].name, (unsigned)status);
    g_assert_cmpint(status, ==, 0);
  }
}

/* --- what is deadly --- */

static bool
run_program(const World *w)
{
  char *const none[] = {NULL};

  (void)w;
  execve("/bin/true", none, none);
  return true;
}

static bool
trace(const World *w)
{
  (void)w;
  ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
  return true;
}

static bool
load_bpf(const World *w)
{
  (void)w;
  syscall(SYS_bpf, 0, NULL, 0);
  return true;
}

static void
test_deadly(void)
{
  bool (*const checks[])(const World *w) = {run_program, trace, load_bpf};

  for (size_t i = 0; i < G_N_ELEMENTS(checks); i++) {
    int status = run_confined(checks[i]);

    g_assert_true(WIFSIGNALED(status));
    g_assert_cmpint(WTERMSIG(status), ==, SIGSYS);
  }
}

/* --- what still works --- */

static bool
files_below(const World *w)
{
  g_autofree char *text = NULL;
  g_autofree char *new = g_build_filename(w->writable, "new", NULL);
  g_autofree char *sub = g_build_filename(w->writable, "sub", NULL);
  g_autoptr(GDir) dir = g_dir_open(w->readable, 0, NULL);

  return dir && g_file_get_contents(w->inside, &text, NULL, NULL) && strstr(text, MARKER) &&
         g_file_set_contents(new, "text", -1, NULL) && g_mkdir(sub, 0700) == 0 &&
         g_rmdir(sub) == 0 && truncate(new, 0) != 0 && g_remove(new) == 0;
}

static bool
has_match(const World *w, const void *data, size_t len, const char *signature)
{
  g_autoptr(GArray) found = NULL;
  bool more = false;

  if (!dacsa_scan_engine_memory(w->engine, data, len, &found, &more, NULL))
    return false;
  for (guint i = 0; i < found->len; i++)
    if (strcmp(g_array_index(found, DacsaScanMatch, i).signature, signature) == 0)
      return true;
  return false;
}

static gpointer
match_in_thread(gpointer data)
{
  const World *w = (const World *)data;
  g_autofree char *buffer = (char *)g_malloc0(SIZE);

  memcpy(buffer + 500000, MARKER, strlen(MARKER));
  memcpy(buffer + 700000, "dacsa!abc1", 10);
  return GINT_TO_POINTER(has_match(w, buffer, SIZE, "Test.Marker.UNOFFICIAL") &&
                         has_match(w, buffer, SIZE, "Test.Regex.UNOFFICIAL") &&
                         has_match(w, buffer, SIZE, "YARA.r"));
}

/* Threads that are started afterwards match memory. */
static bool
match_memory(const World *w)
{
  GThread *threads[4];
  bool ok = true;

  for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
    threads[i] = g_thread_new("match", match_in_thread, (gpointer)w);
  for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
    ok = GPOINTER_TO_INT(g_thread_join(threads[i])) && ok;
  return ok;
}

static void
match_in_pool(gpointer data, gpointer user_data)
{
  if (match_in_thread(data))
    g_atomic_int_inc((gint *)user_data);
}

/* GLib's pools ask for their threads' scheduling. */
static bool
match_in_a_pool(const World *w)
{
  gint done = 0;
  GThreadPool *pools[] = {g_thread_pool_new(match_in_pool, &done, 2, true, NULL),
                          g_thread_pool_new(match_in_pool, &done, 2, false, NULL)};

  for (size_t i = 0; i < G_N_ELEMENTS(pools); i++) {
    for (int n = 0; n < 4; n++)
      g_thread_pool_push(pools[i], (gpointer)w, NULL);
    g_thread_pool_free(pools[i], false, true);
  }
  return done == 8 && g_get_num_processors() >= 1;
}

static bool
match_files(const World *w)
{
  g_autoptr(GPtrArray) names = NULL;
  int fd = open(w->inside, O_RDONLY | O_CLOEXEC);

  return fd >= 0 && dacsa_scan_engine_file(w->engine, fd, &names, NULL) && names->len == 2 &&
         strcmp((char *)names->pdata[0], "Test.Marker.UNOFFICIAL") == 0 &&
         strcmp((char *)names->pdata[1], "YARA.r") == 0;
}

/* A large compressed file makes libclamav unpack to its temporary directory. */
static GByteArray *
gzip_of_marker(void)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GZlibCompressor) zlib = g_zlib_compressor_new(G_ZLIB_COMPRESSOR_FORMAT_GZIP, 9);
  g_autofree char *text = (char *)g_malloc0(SIZE);
  GByteArray *out = g_byte_array_new();
  gsize in_len = 0, out_len = 0;

  memcpy(text + SIZE / 2, MARKER, strlen(MARKER));
  g_byte_array_set_size(out, SIZE);
  g_converter_convert(G_CONVERTER(zlib), text, SIZE, out->data, out->len, G_CONVERTER_INPUT_AT_END,
                      &in_len, &out_len, &error);
  g_assert_no_error(error);
  g_byte_array_set_size(out, (guint)out_len);
  return out;
}

/* libclamav left nothing behind. */
static bool
is_empty(const char *path)
{
  g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);

  return dir && !g_dir_read_name(dir);
}

static bool
unpack(const World *w)
{
  g_autoptr(GByteArray) gzip = gzip_of_marker();

  return !memmem(gzip->data, gzip->len, MARKER, strlen(MARKER)) &&
         has_match(w, gzip->data, gzip->len, "Test.Marker.UNOFFICIAL") && is_empty(w->writable);
}

/* Of a mail libclamav makes a directory of files. */
static bool
unpack_mail(const World *w)
{
  g_autofree char *base64 = g_base64_encode((const guchar *)MARKER, strlen(MARKER));
  g_autofree char *mail = g_strdup_printf(
      "Received: by host\nFrom: a@b.c\nTo: d@e.f\nSubject: none\nMIME-Version: 1.0\n"
      "Content-Type: multipart/mixed; boundary=\"xyz\"\n\n--xyz\n"
      "Content-Type: application/octet-stream; name=\"a.bin\"\n"
      "Content-Disposition: attachment; filename=\"a.bin\"\n"
      "Content-Transfer-Encoding: base64\n\n%s\n--xyz--\n",
      base64);

  return has_match(w, mail, strlen(mail), "Test.Marker.UNOFFICIAL") && is_empty(w->writable);
}

/* libclamav converts texts; what that takes is loaded when it is needed. */
static bool
convert(const World *w)
{
  g_autofree char *text = g_convert("\xe4", 1, "UTF-8", "CP1252", NULL, NULL, NULL);

  (void)w;
  return text && strcmp(text, "\xc3\xa4") == 0;
}

static bool
open_descriptors(const World *w)
{
  (void)w;
  return write(STDERR_FILENO, "", 0) == 0 && fcntl(STDERR_FILENO, F_GETFL) >= 0 &&
         printf("# still here\n") > 0 && fflush(stdout) == 0;
}

static bool
aborts(const World *w)
{
  (void)w;
  signal(SIGABRT, SIG_DFL);
  abort();
}

static void
test_allowed(void)
{
  static const struct {
    const char *name;
    bool (*check)(const World *w);
  } rows[] = {{"files", files_below},      {"memory", match_memory},
              {"a pool", match_in_a_pool}, {"a file", match_files},
              {"unpacking", unpack},       {"a mail", unpack_mail},
              {"converting", convert},     {"descriptors", open_descriptors}};

  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    int status = run_confined(rows[i].check);

    g_test_message("%s: %#x", rows[i].name, (unsigned)status);
    g_assert_cmpint(status, ==, 0);
  }
  int status = run_confined(aborts);
  g_assert_true(WIFSIGNALED(status));
  g_assert_cmpint(WTERMSIG(status), ==, SIGABRT);
}

/* --- errors --- */

static gpointer
wait_for_lock(gpointer data)
{
  g_mutex_lock((GMutex *)data);
  g_mutex_unlock((GMutex *)data);
  return NULL;
}

/* Nothing is given up: it can go on and say why. */
static void
test_errors(void)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *missing = NULL;
  const char *nowhere[] = {"/nonexistent/path", NULL};
  DacsaConfinement what = {nowhere, NULL, DACSA_FILTER_FILES},
                   nothing = {NULL, NULL, DACSA_FILTER_FILES};
  GMutex mutex;
  int status = 0;

  pid_t child = fork();
  if (child == 0) {
    CHECK_FAILS(dacsa_confine(&what, &missing, &error), error, DACSA_ERROR_NOT_FOUND);
    _exit(0);
  }
  g_assert_cmpint(waitpid(child, &status, 0), ==, child);
  g_assert_cmpint(status, ==, 0);
  g_mutex_init(&mutex);
  g_mutex_lock(&mutex);
  GThread *other = g_thread_new("other", wait_for_lock, &mutex);
  CHECK_FAILS(dacsa_confine(&nothing, &missing, &error), error, DACSA_ERROR_UNSUPPORTED);
  g_mutex_unlock(&mutex);
  g_thread_join(other);
  g_mutex_clear(&mutex);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/confine/refused", test_refused);
  g_test_add_func("/confine/deadly", test_deadly);
  g_test_add_func("/confine/allowed", test_allowed);
  g_test_add_func("/confine/errors", test_errors);
  return g_test_run();
}
