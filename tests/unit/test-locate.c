/* Where a signature shows, with matchers that count what they are asked to look at. */
#include "parsers/scan/locate.h"

#include <string.h>

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define LONGEST (16 * KIB)

/* A signature: its occurrences; or one whose parts must all be there. */
typedef struct {
  GArray *places; /* DacsaScanRange */
  bool all;
  size_t shortest; /* what is shorter is not looked at, as libclamav has it */
  size_t bytes;    /* looked at so far */
  unsigned looks;
} Fake;

static void
fake_init(Fake *f)
{
  *f = (Fake){.places = g_array_new(false, false, sizeof(DacsaScanRange))};
}

static void
fake_clear(Fake *f)
{
  g_array_unref(f->places);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Fake, fake_clear)

static void
plant(Fake *f, size_t start, size_t len)
{
  DacsaScanRange range = {start, start + len};

  g_array_append_val(f->places, range);
}

static bool
fake_shows(size_t start, size_t end, void *data)
{
  Fake *f = (Fake *)data;
  unsigned inside = 0;

  g_assert_cmpuint(start, <, end);
  f->bytes += end - start;
  f->looks++;
  if (end - start < f->shortest)
    return false;
  for (guint i = 0; i < f->places->len; i++) {
    const DacsaScanRange *p = &g_array_index(f->places, DacsaScanRange, i);

    inside += p->start >= start && p->end <= end;
  }
  return f->all ? inside == f->places->len : inside > 0;
}

static GArray *
locate(Fake *f, size_t len, unsigned most, bool *ret_more)
{
  DacsaScanSearch search = {len, LONGEST, most, fake_shows, NULL, f};

  f->bytes = f->looks = 0;
  return dacsa_scan_locate(&search, ret_more);
}

static void
check_all(Fake *f, size_t len)
{
  bool more = true;
  g_autoptr(GArray) found = locate(f, len, 1000, &more);

  g_assert_false(more);
  g_assert_cmpmem(found->data, found->len * sizeof(DacsaScanRange), f->places->data,
                  f->places->len * sizeof(DacsaScanRange));
}

/* One, of any length, at any place of small and large buffers. */
static void
test_one(void)
{
  static const size_t lengths[] = {1, 7, 64, 65, 4096, LONGEST};
  static const size_t buffers[] = {LONGEST, 64 * KIB, 64 * KIB + 1, MIB, 32 * MIB, 32 * MIB + 77};

  for (size_t b = 0; b < G_N_ELEMENTS(buffers); b++)
    for (size_t l = 0; l < G_N_ELEMENTS(lengths); l++)
      for (size_t at = 0; at <= 16; at++) {
        g_auto(Fake) f;

        fake_init(&f);
        plant(&f, (buffers[b] - lengths[l]) / 16 * at + (buffers[b] - lengths[l]) % 16 * (at == 16),
              lengths[l]);
        check_all(&f, buffers[b]);
      }
}

/* On every border of the parts it searches in. */
static void
test_borders(void)
{
  for (size_t border = 4 * MIB; border < 32 * MIB; border += 4 * MIB)
    for (size_t before = 0; before <= 32; before++) {
      g_auto(Fake) f;

      fake_init(&f);
      plant(&f, border - before, 32);
      plant(&f, border + 4 * KIB + before, LONGEST);
      check_all(&f, 32 * MIB);
    }
}

/* What it costs: near two looks at the buffer for one, and never many. */
static void
test_cost(void)
{
  size_t len = 32 * MIB;
  g_auto(Fake) f;

  fake_init(&f);
  plant(&f, len - 100, 68);
  check_all(&f, len);
  g_assert_cmpuint(f.bytes, <, 2 * len + len / 2); /* with the first, which says that it shows */
  g_assert_cmpuint(f.looks, <, 70);
  g_array_set_size(f.places, 0);
  for (size_t i = 0; i < 256; i++)
    plant(&f, i * (len / 256) + 12345, 68);
  check_all(&f, len);
  g_assert_cmpuint(f.bytes, <, 8 * len);
}

static void
test_many(void)
{
  g_auto(Fake) f;

  fake_init(&f);
  for (size_t i = 0; i < 300; i++)
    plant(&f, i * 40, 40); /* each right behind the other */
  check_all(&f, MIB);
  g_assert_cmpuint(f.bytes, <, 40 * MIB);
}

static void
test_cap(void)
{
  bool more = false;
  g_auto(Fake) f;

  fake_init(&f);
  for (size_t i = 0; i < 300; i++)
    plant(&f, i * 1000, 40);
  g_autoptr(GArray) found = locate(&f, MIB, 256, &more);
  g_assert_true(more);
  g_assert_cmpmem(found->data, found->len * sizeof(DacsaScanRange), f.places->data,
                  256 * sizeof(DacsaScanRange));
  g_array_set_size(f.places, 256);
  g_autoptr(GArray) all = locate(&f, MIB, 256, &more);
  g_assert_false(more);
  g_assert_cmpuint(all->len, ==, 256);
}

/* A true guess saves looks and changes nothing; a false one changes nothing. */
static size_t
next_place(const DacsaScanRange *range, size_t start, size_t end, void *data)
{
  const Fake *f = (const Fake *)data;

  for (guint i = 0; i < f->places->len; i++) {
    const DacsaScanRange *p = &g_array_index(f->places, DacsaScanRange, i);

    if (p->start >= start && p->end <= end && p->end - p->start == range->end - range->start)
      return p->start;
  }
  return end;
}

static size_t
nonsense_place(const DacsaScanRange *range, size_t start, size_t end, void *data)
{
  (void)range, (void)data;
  return start + (end - start) / 2;
}

static void
test_guesses(void)
{
  static const DacsaScanAgain guesses[] = {NULL, next_place, nonsense_place};
  unsigned looks[G_N_ELEMENTS(guesses)];

  for (size_t g = 0; g < G_N_ELEMENTS(guesses); g++) {
    bool more = true;
    g_auto(Fake) f;

    fake_init(&f);
    for (size_t i = 0; i < 200; i++)
      plant(&f, i * 3000 + (i % 50 == 7 ? 500 : 0), i % 50 == 7 ? 41 : 40);
    DacsaScanSearch search = {MIB, LONGEST, 1000, fake_shows, guesses[g], &f};
    g_autoptr(GArray) found = dacsa_scan_locate(&search, &more);
    looks[g] = f.looks;
    g_assert_cmpmem(found->data, found->len * sizeof(DacsaScanRange), f.places->data,
                    f.places->len * sizeof(DacsaScanRange));
  }
  g_assert_cmpuint(looks[1] * 4, <, looks[0]);
}

/* What is too short to be looked at shows with what stands before it. */
static void
test_short(void)
{
  bool more = false;
  g_auto(Fake) f;

  fake_init(&f);
  f.shortest = 6;
  plant(&f, 1000, 3);
  plant(&f, 0, 3);
  g_autoptr(GArray) found = locate(&f, MIB, 1000, &more);
  g_assert_cmpuint(found->len, ==, 2);
  g_assert_cmpuint(g_array_index(found, DacsaScanRange, 0).end, ==, 6);
  g_assert_cmpuint(g_array_index(found, DacsaScanRange, 1).start, ==, 997);
  g_assert_cmpuint(g_array_index(found, DacsaScanRange, 1).end, ==, 1003);
}

/* Parts of one signature, far apart: one range that shows it, smaller than all, at no great cost.
 */
static void
test_scattered(void)
{
  size_t len = 32 * MIB;
  bool more = true;
  g_auto(Fake) f;

  fake_init(&f);
  f.all = true;
  plant(&f, 9 * MIB, 100);
  plant(&f, 14 * MIB, 100);
  g_autoptr(GArray) found = locate(&f, len, 1000, &more);
  g_assert_cmpuint(found->len, ==, 1);
  g_assert_false(more);
  const DacsaScanRange *range = &g_array_index(found, DacsaScanRange, 0);
  g_assert_true(fake_shows(range->start, range->end, &f));
  g_assert_cmpuint(range->end - range->start, <, 10 * MIB);
  g_assert_cmpuint(f.bytes, <, 10 * len);
}

/* Nonsense: it shows only in the whole. Then that is what is told. */
static bool
whole_only(size_t start, size_t end, void *data)
{
  (void)data;
  return start == 0 && end == MIB;
}

static bool
at_random(size_t start, size_t end, void *data)
{
  GRand *rand = (GRand *)data;

  return (start == 0 && end == MIB) || g_rand_boolean(rand);
}

static void
test_nonsense(void)
{
  bool more = true;
  g_autoptr(GRand) rand = g_rand_new_with_seed(7);
  DacsaScanSearch search = {MIB, LONGEST, 100, whole_only, NULL, NULL};
  g_autoptr(GArray) found = dacsa_scan_locate(&search, &more);

  g_assert_cmpuint(found->len, ==, 1);
  g_assert_false(more);
  g_assert_cmpuint(g_array_index(found, DacsaScanRange, 0).end, ==, MIB);
  search.shows = at_random;
  search.data = rand;
  for (int i = 0; i < 100; i++) {
    g_autoptr(GArray) some = dacsa_scan_locate(&search, &more);

    g_assert_cmpuint(some->len, >=, 1);
    g_assert_cmpuint(some->len, <=, 100);
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/locate/one", test_one);
  g_test_add_func("/locate/borders", test_borders);
  g_test_add_func("/locate/cost", test_cost);
  g_test_add_func("/locate/many", test_many);
  g_test_add_func("/locate/cap", test_cap);
  g_test_add_func("/locate/guesses", test_guesses);
  g_test_add_func("/locate/short", test_short);
  g_test_add_func("/locate/scattered", test_scattered);
  g_test_add_func("/locate/nonsense", test_nonsense);
  return g_test_run();
}
