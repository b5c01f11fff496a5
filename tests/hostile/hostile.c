/*
 * hostile RECORD [-s SEED] [-n ROUNDS] [-e EDIT] [-t SECONDS]: what a real guest's memory may do to
 * us. Copies the memory of a living snapshot; then, round after round, damages it and walks the
 * whole tree over it in a process of its own, which must end by itself, in time, in bounded memory.
 *
 * First come the edits of edits.c, each with what must still be there; then ROUNDS rounds of random
 * damage, each from a seed of its own that is printed: -s SEED -n 1 does that one again.
 */
#include "edits.h"
#include "victim.h"
#include "walk-tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096u
/* What a walk over a hostile guest may need beyond one over the guest as it was: the largest of the
 * parsers' caps, a text of 256 MiB as it grows, and some. */
#define MORE_KIB (768l << 10)

typedef struct {
  uint64_t directories, files, failed, bytes, processes;
  uint64_t error_lines;
  guint errors_hash;
  double seconds;
  long rss_kib;
} Outcome;

/* -- random damage -- */

static uint64_t
any_page(const Victim *v, GRand *rand)
{
  const GArray *pages = g_rand_int(rand) % 4 == 0 ? v->opening : v->facts;

  if (g_rand_int(rand) % 8 == 0 || pages->len == 0) {
    const DacsaRange *r = &g_array_index(v->record->layout->ranges, DacsaRange, 0);

    return g_rand_int(rand) % (r->size / PAGE) * PAGE;
  }
  return g_array_index(pages, uint64_t, g_rand_int(rand) % pages->len);
}

static uint64_t
word_at(const Victim *v, uint64_t gpa)
{
  uint64_t word = 0;

  (void)!dacsa_mem_read_u64(v->phys, gpa, &word, NULL);
  return word;
}

static void
put_word(Victim *v, uint64_t gpa, uint64_t word)
{
  word = GUINT64_TO_LE(word);
  victim_write(v, gpa, &word, sizeof(word));
}

static void
damage_page(Victim *v, GRand *rand, uint64_t gpa)
{
  uint8_t page[PAGE];
  unsigned how = g_rand_int(rand) % 3;

  if (how == 0)
    memset(page, g_rand_int(rand) % 2 ? 0xff : 0, PAGE);
  else if (how == 1)
    for (unsigned i = 0; i < PAGE; i++)
      page[i] = (uint8_t)g_rand_int(rand);
  else
    dacsa_mem_read_some(v->phys, any_page(v, rand), page, PAGE);
  victim_write(v, gpa, page, PAGE);
}

static void
damage_word(Victim *v, GRand *rand, uint64_t gpa)
{
  static const uint64_t limits[] = {0, UINT64_MAX, INT64_MAX, UINT32_MAX, INT32_MAX, PAGE};
  uint64_t word = word_at(v, gpa);

  switch (g_rand_int(rand) % 4) {
  case 0:
    word = limits[g_rand_int(rand) % G_N_ELEMENTS(limits)];
    break;
  case 1: /* a pointer from elsewhere */
    word = word_at(v, any_page(v, rand) + g_rand_int(rand) % 512 * 8);
    break;
  case 2:
    word += g_rand_int(rand) % 512 * 8;
    break;
  default:
    word ^= UINT64_C(1) << g_rand_int(rand) % 64;
  }
  put_word(v, gpa, word);
}

/* From a few bits to thousands, and whole pages. */
static void
damage(Victim *v, uint32_t seed)
{
  GRand *rand = g_rand_new_with_seed(seed);
  unsigned words = 1u << g_rand_int(rand) % 13;
  unsigned pages = g_rand_int(rand) % 3 ? 0 : 1u << g_rand_int(rand) % 6;
  bool facts_only = g_rand_int(rand) % 4 != 0; /* else the kernel is seldom found */

  for (unsigned i = 0; i < words + pages; i++) {
    uint64_t gpa = facts_only && v->facts->len > 0
                       ? g_array_index(v->facts, uint64_t, g_rand_int(rand) % v->facts->len)
                       : any_page(v, rand);

    if (i < words)
      damage_word(v, rand, gpa + g_rand_int(rand) % 512 * 8);
    else
      damage_page(v, rand, gpa);
  }
  g_rand_free(rand);
}

/* -- a round -- */

static DacsaRecord *
copy_record(const DacsaRecord *record)
{
  g_autofree char *text = dacsa_record_to_text(record);
  DacsaRecord *copy = NULL;

  if (!dacsa_record_from_text(text, strlen(text), &copy, NULL))
    g_error("the record cannot be copied");
  return copy;
}

static uint64_t
count_lines(const char *text)
{
  uint64_t n = 0;

  for (; *text; text++)
    n += *text == '\n';
  return n;
}

/* In the child: the walk, its outcome into the pipe. */
static void
child_walks(Victim *v, unsigned seconds, int out)
{
  int64_t began = g_get_monotonic_time();

  /* Of its own time, since the machine may be busy; and by the clock, if it waits for ever. */
  setrlimit(RLIMIT_CPU, &(struct rlimit){seconds, seconds});
  alarm(3 * seconds);
  TreeWalk walk = walk_tree(copy_record(v->record), dup(v->copy));
  const Outcome outcome = {.directories = walk.directories,
                           .files = walk.files,
                           .failed = walk.failed,
                           .bytes = walk.bytes,
                           .processes = walk.processes,
                           .error_lines = count_lines(walk.errors),
                           .errors_hash = g_str_hash(walk.errors),
                           .seconds = (double)(g_get_monotonic_time() - began) / 1e6};

  if (g_getenv("SHOW_ERRORS"))
    fputs(walk.errors, stderr);
  if (write(out, &outcome, sizeof(outcome)) != sizeof(outcome))
    _exit(1);
  _exit(0);
}

/* false: the walk crashed or hung, which has been told. */
static bool
walk_in_child(Victim *v, const char *name, unsigned seconds, Outcome *ret)
{
  struct rusage usage;
  int ends[2];
  int status;

  fflush(stdout);
  if (pipe(ends) < 0)
    g_error("cannot make a pipe");
  pid_t pid = fork();
  if (pid < 0)
    g_error("cannot fork");
  if (pid == 0)
    child_walks(v, seconds, ends[1]);
  close(ends[1]);
  ssize_t n = read(ends[0], ret, sizeof(*ret));
  close(ends[0]);
  wait4(pid, &status, 0, &usage);
  ret->rss_kib = usage.ru_maxrss;
  if (n == sizeof(*ret) && WIFEXITED(status) && WEXITSTATUS(status) == 0)
    return true;
  if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGALRM || WTERMSIG(status) == SIGKILL))
    printf("FAIL %s: not done after %u s\n", name, seconds);
  else
    printf("FAIL %s: it crashed (status 0x%x)\n", name, (unsigned)status);
  return false;
}

static bool
run_round(Victim *v, const char *name, unsigned seconds, long base_kib, Outcome *ret)
{
  bool ok = walk_in_child(v, name, seconds, ret);

  if (ok)
    printf("%-28s %5.1f s %5ld MiB %4" PRIu64 " processes %6" PRIu64 " files %5" PRIu64
           " failed %5" PRIu64 " errors\n",
           name, ret->seconds, ret->rss_kib >> 10, ret->processes, ret->files, ret->failed,
           ret->error_lines);
  if (ok && base_kib > 0 && ret->rss_kib > base_kib + MORE_KIB) {
    printf("FAIL %s: %ld MiB, %ld without the damage\n", name, ret->rss_kib >> 10, base_kib >> 10);
    ok = false;
  }
  victim_restore(v);
  return ok;
}

/* -- all rounds -- */

typedef struct {
  const char *record, *edit;
  uint32_t seed;
  unsigned rounds, seconds;
} Options;

static bool
parse_options(int argc, char **argv, Options *ret)
{
  Options o = {.seed = (uint32_t)g_get_real_time(), .rounds = 20, .seconds = 60};
  int c;

  while ((c = getopt(argc, argv, "s:n:e:t:")) != -1) {
    if (c == 's')
      o.seed = (uint32_t)strtoul(optarg, NULL, 0);
    else if (c == 'n')
      o.rounds = (unsigned)strtoul(optarg, NULL, 0);
    else if (c == 'e')
      o.edit = optarg;
    else if (c == 't')
      o.seconds = (unsigned)strtoul(optarg, NULL, 0);
    else
      return false;
  }
  o.record = argv[optind];
  *ret = o;
  return o.record && !argv[optind + 1];
}

/* An edit breaks what it is about and no more. */
static bool
check_edit(const Edit *edit, const Outcome *before, const Outcome *after)
{
  uint64_t least = before->processes * edit->least_processes / 100;

  if (after->processes < least) {
    printf("FAIL %s: %" PRIu64 " processes are left of %" PRIu64 "\n", edit->name, after->processes,
           before->processes);
    return false;
  }
  if (edit->is_told && (after->error_lines == 0 || after->errors_hash == before->errors_hash)) {
    printf("FAIL %s: `errors` does not tell\n", edit->name);
    return false;
  }
  return true;
}

static bool
run_edits(Victim *v, const Options *o, const Outcome *before)
{
  bool ok = true;

  for (const Edit *edit = edits; edit->name; edit++) {
    Outcome outcome;

    if (o->edit && strcmp(o->edit, edit->name) != 0)
      continue;
    edit_apply(edit, v);
    if (!run_round(v, edit->name, o->seconds, before->rss_kib, &outcome) ||
        !check_edit(edit, before, &outcome))
      ok = false;
  }
  return ok;
}

int
main(int argc, char **argv)
{
  Options o;
  Outcome before, outcome;
  bool ok;

  if (!parse_options(argc, argv, &o))
    g_error("usage: hostile RECORD [-s SEED] [-n ROUNDS] [-e EDIT] [-t SECONDS]");
  Victim *v = victim_new(o.record);
  printf("%u + %u pages are read\n", v->opening->len, v->facts->len);
  ok = run_round(v, "as it was", o.seconds, 0, &before) && before.processes > 0 &&
       run_edits(v, &o, &before);
  for (unsigned i = 0; i < o.rounds; i++) {
    g_autofree char *name = g_strdup_printf("seed %u", o.seed + i);

    damage(v, o.seed + i);
    ok = run_round(v, name, o.seconds, before.rss_kib, &outcome) && ok;
  }
  victim_free(v);
  return ok ? 0 : 1;
}
