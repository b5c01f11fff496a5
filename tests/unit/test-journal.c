/* A take's journal: what is read is what was written; one that is cut short is none. */
#include "check.h"

#include "snap/journal.h"
#include "snap/state.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

typedef struct {
  char *dir;
  DacsaVmAddress *address;
  DacsaProbe *probe; /* of this very process */
  GArray *vmas;
} Fixture;

static void
set_up(Fixture *f)
{
  g_autoptr(GError) error = NULL;
  const DacsaForkVma vmas[] = {{0x7f0000000000, 0x20000000, false},
                               {0x7f1000000000, 0x40000, true}};

  f->dir = g_dir_make_tmp("dacsa-test-XXXXXX", &error);
  g_assert_no_error(error);
  f->address = dacsa_vm_address_new("a vm/1", "/run/a.qmp", NULL, NULL);
  f->probe = g_new0(DacsaProbe, 1);
  f->probe->pid = getpid();
  f->probe->start_time = 4711;
  f->probe->gadgets = (DacsaGadgets){0x401000, 0x402000};
  f->vmas = g_array_new(FALSE, FALSE, sizeof(DacsaForkVma));
  g_array_append_vals(f->vmas, vmas, G_N_ELEMENTS(vmas));
}

static void
tear_down(Fixture *f)
{
  dacsa_journal_remove(f->dir, f->address->name, "s");
  g_assert_cmpint(g_rmdir(f->dir), ==, 0); /* nothing else was made there */
  g_free(f->dir);
  dacsa_vm_address_free(f->address);
  dacsa_probe_free(f->probe);
  g_array_unref(f->vmas);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Fixture, tear_down)

static int
save(const Fixture *f, bool ran)
{
  g_autoptr(DacsaJournal) journal = NULL;
  g_autoptr(GError) error = NULL;
  int fd;

  CHECK_OK(dacsa_journal_new(f->address, "s", f->probe, f->vmas, ran, &journal, &error), error);
  CHECK_OK(dacsa_journal_save(journal, f->dir, &fd, &error), error);
  return fd;
}

static void
check_vmas(const GArray *a, const GArray *b)
{
  g_assert_cmpuint(a->len, ==, b->len);
  for (guint i = 0; i < a->len; i++) {
    const DacsaForkVma *x = &g_array_index(a, DacsaForkVma, i);
    const DacsaForkVma *y = &g_array_index(b, DacsaForkVma, i);

    g_assert_cmphex(x->start, ==, y->start);
    g_assert_cmphex(x->len, ==, y->len);
    g_assert_true(x->withheld == y->withheld);
  }
}

static void
test_written(void)
{
  g_auto(Fixture) f;
  const DacsaChain chain = {UINT64_C(0x7ffc12345640), 7620, 1, 2, 3, UINT64_MAX};
  g_autoptr(GError) error = NULL;

  set_up(&f);
  int fd = save(&f, true);
  CHECK_OK(dacsa_journal_add_chain(fd, &chain, &error), error);
  close(fd);
  g_assert_true(dacsa_journal_exists(f.dir, "a vm/1", "s"));
  g_autoptr(GPtrArray) all = dacsa_journal_load(f.dir);
  g_assert_cmpuint(all->len, ==, 1);
  const DacsaJournal *journal = all->pdata[0];
  g_assert_cmpstr(journal->address->name, ==, "a vm/1");
  g_assert_cmpstr(journal->address->socket, ==, "/run/a.qmp");
  g_assert_null(journal->address->uri);
  g_assert_cmpstr(journal->snapshot, ==, "s");
  g_assert_cmpint(journal->worker, ==, getpid());
  g_assert_cmpint(journal->pid, ==, getpid());
  g_assert_cmpuint(journal->start_time, ==, 4711);
  g_assert_cmpuint(journal->begun, >, 0);
  g_assert_true(journal->ran);
  g_assert_cmphex(journal->gadgets.restorer, ==, 0x402000);
  check_vmas(journal->vmas, f.vmas);
  g_assert_true(journal->has_chain);
  g_assert_cmpmem(&journal->chain, sizeof(chain), &chain, sizeof(chain));
}

/* The chain of a later attempt counts, and of one that was not written to its end nothing. */
static void
test_chains(void)
{
  g_auto(Fixture) f;
  const DacsaChain first = {1, 2, 3, 4, 5, 6}, second = {11, 12, 13, 14, 15, 16};
  static const char torn[] = "\n[chain]\ncomplete=false\nbase=21\nlen";
  g_autoptr(GError) error = NULL;

  set_up(&f);
  int fd = save(&f, true);
  CHECK_OK(dacsa_journal_add_chain(fd, &first, &error), error);
  CHECK_OK(dacsa_journal_add_chain(fd, &second, &error), error);
  CHECK_OK(dacsa_journal_add_not_ours(fd, &error), error);
  g_autoptr(DacsaJournal) journal = dacsa_journal_find(f.dir, "a vm/1", "s");
  g_assert_true(journal->has_chain);
  g_assert_cmpuint(journal->chain.child, ==, 16);
  g_assert_false(journal->ran);
  g_assert_cmpint(write(fd, torn, strlen(torn)), ==, strlen(torn));
  close(fd);
  g_autoptr(DacsaJournal) cut = dacsa_journal_find(f.dir, "a vm/1", "s");
  g_assert_nonnull(cut);
  g_assert_false(cut->has_chain);
}

/* Two takes of one name do not write into each other's journal. */
static void
test_twice(void)
{
  g_auto(Fixture) f;
  g_autoptr(DacsaJournal) journal = NULL;
  g_autoptr(GError) error = NULL;
  int fd;

  set_up(&f);
  close(save(&f, false));
  CHECK_OK(dacsa_journal_new(f.address, "s", f.probe, f.vmas, true, &journal, &error), error);
  CHECK_FAILS(dacsa_journal_save(journal, f.dir, &fd, &error), error, DACSA_ERROR_BUSY);
  g_autoptr(DacsaJournal) there = dacsa_journal_find(f.dir, "a vm/1", "s");
  g_assert_false(there->ran);
}

/* What a take that was killed had begun to write is neither a journal nor in the way of the next.
 */
static void
test_unfinished(void)
{
  g_auto(Fixture) f;
  g_autofree char *path = NULL;
  g_autofree char *text = g_strnfill(100000, '#');

  set_up(&f);
  path = g_build_filename(f.dir, "a%20vm%2F1@s.taking" DACSA_STATE_UNFINISHED, NULL);
  g_assert_true(g_file_set_contents(path, text, -1, NULL));
  g_assert_false(dacsa_journal_exists(f.dir, "a vm/1", "s"));
  close(save(&f, true));
  g_autoptr(DacsaJournal) journal = dacsa_journal_find(f.dir, "a vm/1", "s");
  g_assert_true(journal->ran);
}

static void
test_cut_short(void)
{
  g_auto(Fixture) f;
  g_autofree char *path = NULL;
  g_autofree char *text = NULL;
  gsize len;

  set_up(&f);
  close(save(&f, true));
  path = g_build_filename(f.dir, "a%20vm%2F1@s.taking", NULL);
  g_assert_true(g_file_get_contents(path, &text, &len, NULL));
  for (gsize n = 0; n < len; n++) {
    g_autoptr(DacsaJournal) journal = NULL;
    g_autoptr(GError) error = NULL;

    CHECK_FAILS(dacsa_journal_from_text(text, n, &journal, &error), error, DACSA_ERROR_BAD_DATA);
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/journal/written", test_written);
  g_test_add_func("/journal/chains", test_chains);
  g_test_add_func("/journal/twice", test_twice);
  g_test_add_func("/journal/unfinished", test_unfinished);
  g_test_add_func("/journal/cut-short", test_cut_short);
  return g_test_run();
}
