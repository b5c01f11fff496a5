/* A snapshot's record, to text and back, and text that is damaged. */
#include "check.h"

#include "snap/record.h"

#include <string.h>

static DacsaRecord *
record_new(void)
{
  DacsaRecord *r = dacsa_record_new();
  g_autoptr(GError) error = NULL;

  r->vm = g_strdup("web [1] = x");
  r->uuid = g_strdup("6c2f3c1e-0000-4000-8000-000000000001");
  r->name = g_strdup("gr\xc3\xbc\xc3\x9f; #1");
  r->method = g_strdup("fork");
  r->registers = g_strdup("CPU#0\r\nRAX=1\tRBX=2\\3\n  indented\n\n");
  r->taken_us = 1700000000123456;
  r->pause_us = 4711;
  r->quiesce_us = 12;
  r->fork_us = 13;
  r->resident_bytes = UINT64_C(0x123456789a);
  r->child = 4194303;
  r->child_start = 987654321;
  r->scheduled = 1;
  r->layout = dacsa_layout_new();
  CHECK_OK(dacsa_layout_append(r->layout, (DacsaRange){0, 0xa0000, 0x7f0000000000, true}, &error),
           error);
  return r;
}

static void
test_round_trip(void)
{
  g_autoptr(DacsaRecord) r = record_new();
  g_autoptr(DacsaRecord) back = NULL;
  g_autoptr(GError) error = NULL;
  g_autofree char *text = dacsa_record_to_text(r);

  CHECK_OK(dacsa_record_from_text(text, strlen(text), &back, &error), error);
  g_assert_cmpstr(back->vm, ==, r->vm);
  g_assert_cmpstr(back->uuid, ==, r->uuid);
  g_assert_cmpstr(back->name, ==, r->name);
  g_assert_cmpstr(back->method, ==, r->method);
  g_assert_cmpstr(back->registers, ==, r->registers);
  g_assert_cmpint(back->taken_us, ==, r->taken_us);
  g_assert_cmpint(back->pause_us, ==, r->pause_us);
  g_assert_cmpint(back->quiesce_us, ==, r->quiesce_us);
  g_assert_cmpint(back->fork_us, ==, r->fork_us);
  g_assert_cmpuint(back->resident_bytes, ==, r->resident_bytes);
  g_assert_cmpint(back->child, ==, r->child);
  g_assert_cmpuint(back->child_start, ==, r->child_start);
  g_assert_cmpint(back->scheduled, ==, 1);
  g_assert_cmpuint(dacsa_layout_end(back->layout), ==, 0xa0000);
}

/* The text with the line of `key` replaced; NULL: left out. */
static char *
with_line(const char *text, const char *key, const char *line)
{
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  g_autofree char *begin = g_strdup_printf("%s=", key);
  GString *out = g_string_new(NULL);
  bool found = false;

  for (size_t i = 0; lines[i]; i++) {
    bool here = g_str_has_prefix(lines[i], begin);

    found |= here;
    if (!here || line)
      g_string_append_printf(out, "%s\n", here ? line : lines[i]);
  }
  g_assert_true(found);
  return g_string_free(out, FALSE);
}

/* Records from before there were schedules. */
static void
test_earlier(void)
{
  g_autoptr(DacsaRecord) r = record_new();
  g_autoptr(DacsaRecord) back = NULL;
  g_autoptr(GError) error = NULL;
  g_autofree char *text = dacsa_record_to_text(r);
  g_autofree char *earlier = with_line(text, "scheduled", NULL);

  CHECK_OK(dacsa_record_from_text(earlier, strlen(earlier), &back, &error), error);
  g_assert_cmpint(back->scheduled, ==, 0);
  g_assert_cmpint(back->child, ==, r->child);
}

static void
test_times(void)
{
  g_autofree char *name = dacsa_record_default_name(INT64_C(1763868001999999));
  g_autofree char *time = dacsa_record_time(INT64_C(1763868001000042));

  g_assert_cmpstr(name, ==, "20251123T032001Z");
  g_assert_cmpstr(time, ==, "2025-11-23T03:20:01.000042Z");
}

static void
check_damaged(const char *text, size_t len)
{
  g_autoptr(GError) error = NULL;
  DacsaRecord *back = NULL;

  CHECK_FAILS(dacsa_record_from_text(text, len, &back, &error), error, DACSA_ERROR_BAD_DATA);
  g_assert_null(back);
}

static void
test_damaged(void)
{
  static const char *const cases[][2] = {{"vm", "vm="},
                                         {"name", "name="},
                                         {"vm", NULL},
                                         {"name", NULL},
                                         {"registers", NULL},
                                         {"layout", NULL},
                                         {"taken_us", NULL},
                                         {"taken_us", "taken_us=x"},
                                         {"child", "child=0"},
                                         {"child", "child=-5"},
                                         {"child", "child=4294967297"},
                                         {"child", NULL},
                                         {"layout", "layout=junk"},
                                         {"layout", "layout=0 0 0 ram\\n"}};
  g_autoptr(DacsaRecord) r = record_new();
  g_autofree char *text = dacsa_record_to_text(r);

  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *bad = with_line(text, cases[i][0], cases[i][1]);

    g_test_message("%s: %s", cases[i][0], cases[i][1] ? cases[i][1] : "absent");
    check_damaged(bad, strlen(bad));
  }
  check_damaged("", 0);
  check_damaged("\0\0\0\0", 4);
  check_damaged("[other]\nvm=x\n", 13);
}

/* A file that was cut short anywhere is refused, or is whole but for its last line's end. */
static void
test_cut_short(void)
{
  g_autoptr(DacsaRecord) r = record_new();
  g_autofree char *text = dacsa_record_to_text(r);
  const size_t layout_at = (size_t)(strstr(text, "\nlayout=") - text);

  for (size_t len = 0; len < layout_at; len++)
    check_damaged(text, len);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/record/round-trip", test_round_trip);
  g_test_add_func("/record/earlier", test_earlier);
  g_test_add_func("/record/times", test_times);
  g_test_add_func("/record/damaged", test_damaged);
  g_test_add_func("/record/cut-short", test_cut_short);
  return g_test_run();
}
