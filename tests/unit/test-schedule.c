/* When the next snapshot of a schedule is due. */
#include "check.h"

#include "snap/schedule.h"

#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)
#define UPTIME (100 * 24 * 60 * MINUTE)

/* Names as VMs have them. Owned. */
static char *
vm_name(unsigned i)
{
  return g_strdup_printf("vm%u", i);
}

static void
test_first(void)
{
  for (unsigned i = 0; i < 100; i++) {
    g_autofree char *name = vm_name(i);
    const int64_t often = dacsa_schedule_next(SECOND, name, -1, UPTIME);
    const int64_t seldom = dacsa_schedule_next(10 * MINUTE, name, -1, UPTIME);

    g_assert_cmpint(often, >=, UPTIME);
    g_assert_cmpint(often, <, UPTIME + SECOND);
    g_assert_cmpint(seldom, >=, UPTIME);
    g_assert_cmpint(seldom, <, UPTIME + DACSA_SCHEDULE_SOON_US);
  }
}

/* After the first they settle: each at its own moments, the same distance apart. */
static void
test_steady(void)
{
  const int64_t every = 10 * MINUTE;

  for (unsigned i = 0; i < 100; i++) {
    g_autofree char *name = vm_name(i);
    const int64_t first = dacsa_schedule_next(every, name, -1, UPTIME);
    int64_t last = dacsa_schedule_next(every, name, first, first);

    g_assert_cmpint(last - first, >, every / 2);
    g_assert_cmpint(last - first, <=, every / 2 + every);
    for (unsigned n = 0; n < 10; n++) {
      /* Late by what the loop needs, and asked again by a restarted daemon: it makes no difference.
       */
      const int64_t next = dacsa_schedule_next(every, name, last + 3000, last + 3000);

      g_assert_cmpint(next, ==, last + every);
      g_assert_cmpint(dacsa_schedule_next(every, name, last + 3000, last + every / 3), ==, next);
      last = next;
    }
  }
}

static void
test_spread(void)
{
  const int64_t every = 10 * MINUTE;
  unsigned in_minute[10] = {0};

  for (unsigned i = 0; i < 1000; i++) {
    g_autofree char *name = vm_name(i);
    const int64_t next = dacsa_schedule_next(every, name, UPTIME, UPTIME);

    in_minute[next % every / MINUTE]++;
  }
  for (unsigned i = 0; i < 10; i++) {
    g_assert_cmpuint(in_minute[i], >, 50);
    g_assert_cmpuint(in_minute[i], <, 200);
  }
}

/* Many were missed: one follows soon, and the next in its turn. */
static void
test_missed(void)
{
  const int64_t every = MINUTE, last = UPTIME - 30 * MINUTE;
  const int64_t next = dacsa_schedule_next(every, "web", last, UPTIME);

  g_assert_cmpint(next, >=, UPTIME);
  g_assert_cmpint(next, <, UPTIME + DACSA_SCHEDULE_SOON_US);
  g_assert_cmpint(dacsa_schedule_next(every, "web", next, next) - next, >, every / 2);
}

/* Near the host's start, and with the longest times there are. */
static void
test_extremes(void)
{
  const int64_t year = 366 * 24 * 60 * MINUTE;

  for (unsigned i = 0; i < 100; i++) {
    g_autofree char *name = vm_name(i);
    const int64_t next = dacsa_schedule_next(year, name, 0, 0);

    g_assert_cmpint(next, >, year / 2);
    g_assert_cmpint(next, <=, year / 2 + year);
    g_assert_cmpint(dacsa_schedule_next(SECOND, name, 0, 0), >, SECOND / 2);
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/schedule/first", test_first);
  g_test_add_func("/schedule/steady", test_steady);
  g_test_add_func("/schedule/spread", test_spread);
  g_test_add_func("/schedule/missed", test_missed);
  g_test_add_func("/schedule/extremes", test_extremes);
  return g_test_run();
}
