/* Findings of dacsa scan. */
#include "fs/scan-finding.h"

#include "parsers/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MAX_FINDINGS 100000u /* of one snapshot */
#define SPREAD_PAGES 1024u

typedef struct {
  DacsaFindingKind kind;
  const DacsaScanUnit *unit; /* NULL: of no process */
  uint64_t address;
  char *path; /* what is mapped there, or the file; NULL: anonymous */
  char *signature;
} Finding;

struct DacsaFindings {
  const DacsaFindingsOptions *options;
  GMutex lock;    /* of what follows */
  GPtrArray *all; /* Finding */
  bool is_full;
};

static void
finding_free(void *data)
{
  Finding *finding = data;

  g_free(finding->path);
  g_free(finding->signature);
  g_free(finding);
}

DacsaFindings *
dacsa_findings_new(const DacsaFindingsOptions *options)
{
  DacsaFindings *findings = g_new0(DacsaFindings, 1);

  findings->options = options;
  findings->all = g_ptr_array_new_with_free_func(finding_free);
  g_mutex_init(&findings->lock);
  return findings;
}

void
dacsa_findings_free(DacsaFindings *findings)
{
  if (!findings)
    return;
  g_ptr_array_unref(findings->all);
  g_mutex_clear(&findings->lock);
  g_free(findings);
}

/* -- gathering -- */

static void
add(DacsaFindings *findings, Finding *finding)
{
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&findings->lock);

  if (findings->all->len < MAX_FINDINGS) {
    g_ptr_array_add(findings->all, finding);
  } else {
    findings->is_full = true;
    finding_free(finding);
  }
}

bool
dacsa_findings_full(const DacsaFindings *findings)
{
  return findings->is_full;
}

static Finding *
memory_finding_new(const DacsaScanUnit *unit, guint page, guint offset, const char *signature)
{
  static const DacsaFindingKind kinds[] = {[DACSA_UNIT_PROCESS] = DACSA_FINDING_MEMORY,
                                           [DACSA_UNIT_MODULE] = DACSA_FINDING_MODULE,
                                           [DACSA_UNIT_PHYSMEM] = DACSA_FINDING_PHYSMEM};
  Finding *finding = g_new0(Finding, 1);
  const uint64_t address = dacsa_scan_unit_address(unit, page) + offset;
  const DacsaScanMapping *mapping = dacsa_scan_unit_mapping(unit, address);

  finding->kind = kinds[unit->kind];
  finding->unit = unit;
  finding->address = address;
  finding->path = mapping ? g_strdup(mapping->path) : NULL;
  finding->signature = g_strdup(signature);
  return finding;
}

void
dacsa_findings_add_memory(DacsaFindings *findings, const DacsaScanUnit *unit, guint page,
                          guint offset, const char *signature)
{
  add(findings, memory_finding_new(unit, page, offset, signature));
}

void
dacsa_findings_add_file(DacsaFindings *findings, DacsaFindingKind kind, const DacsaScanUnit *unit,
                        const char *path, const char *signature)
{
  Finding *finding = g_new0(Finding, 1);

  finding->kind = kind;
  finding->unit = unit;
  finding->path = g_strdup(path);
  finding->signature = g_strdup(signature);
  add(findings, finding);
}

/* -- spreading -- */

/* Pages of a unit that follow each other, and what they hold. */
typedef struct {
  const DacsaScanUnit *unit;
  guint first, n;
  DacsaScanKey keys[SPREAD_PAGES];
  bool known[SPREAD_PAGES];
} Pages;

/* Whether the finding's pages stand there from page i on, each behind the other. */
static bool
stands_at(const DacsaScanFinding *finding, const Pages *p, guint i)
{
  if (finding->n > p->n - i)
    return false;
  for (guint n = 0; n < finding->n; n++)
    if (!p->known[i + n] || !dacsa_scan_key_equal(&p->keys[i + n], &finding->keys[n]))
      return false;
  return true;
}

static void
spread_to_pages(DacsaFindings *findings, GHashTable *by_page, const Pages *p)
{
  for (guint i = 0; i < p->n; i++) {
    const GPtrArray *here = p->known[i] ? g_hash_table_lookup(by_page, &p->keys[i]) : NULL;

    for (guint n = 0; here && n < here->len; n++) {
      const DacsaScanFinding *finding = g_ptr_array_index(here, n);

      if (stands_at(finding, p, i))
        add(findings,
            memory_finding_new(p->unit, p->first + i, finding->offset, finding->signature));
    }
  }
}

static void
load_pages(Pages *p, guint first, guint n, DacsaScanPages *pages)
{
  uint64_t frames[SPREAD_PAGES];

  p->first = first;
  p->n = dacsa_scan_unit_frames(p->unit, first, n, frames) ? n : 0;
  for (guint i = 0; i < p->n; i++)
    p->known[i] = dacsa_scan_pages_get(pages, frames[i], &p->keys[i]);
}

/* Part by part; parts overlap, so that each finding's pages are in one. */
static void
spread_to_stretch(DacsaFindings *findings, GHashTable *by_page, Pages *p,
                  const DacsaScanStretch *stretch, DacsaScanPages *pages)
{
  guint page = stretch->first, n = stretch->n;

  while (n > SPREAD_PAGES) {
    load_pages(p, page, SPREAD_PAGES, pages);
    spread_to_pages(findings, by_page, p);
    page += SPREAD_PAGES - DACSA_FINDING_MAX_PAGES;
    n -= SPREAD_PAGES - DACSA_FINDING_MAX_PAGES;
  }
  load_pages(p, page, n, pages);
  spread_to_pages(findings, by_page, p);
}

void
dacsa_findings_spread(DacsaFindings *findings, DacsaScanFindings *known, const GPtrArray *units,
                      DacsaScanPages *pages)
{
  const guint n_known = dacsa_scan_findings_count(known);
  g_autoptr(GHashTable) by_page = g_hash_table_new_full(dacsa_scan_key_hash, dacsa_scan_key_equal,
                                                        NULL, (GDestroyNotify)g_ptr_array_unref);

  for (guint i = 0; i < n_known; i++) {
    const DacsaScanFinding *finding = dacsa_scan_findings_get(known, i);
    GPtrArray *same = g_hash_table_lookup(by_page, &finding->keys[0]);

    if (!same) {
      same = g_ptr_array_new();
      g_hash_table_insert(by_page, (void *)(uintptr_t)&finding->keys[0], same);
    }
    g_ptr_array_add(same, (void *)(uintptr_t)finding);
  }
  if (n_known == 0)
    return;
  g_autofree Pages *p = g_new0(Pages, 1);
  for (guint i = 0; i < units->len; i++) {
    DacsaScanUnit *unit = g_ptr_array_index(units, i);

    p->unit = unit;
    /* A unit that cannot be opened any more has been told of. */
    const guint n = dacsa_scan_unit_open(unit, NULL) ? unit->stretches->len : 0;
    for (guint k = 0; k < n; k++)
      spread_to_stretch(findings, by_page, p, &g_array_index(unit->stretches, DacsaScanStretch, k),
                        pages);
    dacsa_scan_unit_close(unit);
  }
}

/* -- printing -- */

/* Whose memory holds signatures because it looks for them. */
static bool
is_antivirus(const DacsaScanUnit *unit)
{
  static const char *const names[] = {"clamd",      "clamscan", "clamdscan",     "clamonacc",
                                      "freshclam",  "yara",     "clamav-milter", "rkhunter",
                                      "chkrootkit", "maldet",   "savscand",      "esets_daemon"};

  for (size_t i = 0; unit && unit->name && i < G_N_ELEMENTS(names); i++)
    if (strcmp(unit->name, names[i]) == 0)
      return true;
  return false;
}

static bool
is_excluded(const DacsaFindings *findings, const Finding *finding)
{
  GRegex *exclude = findings->options->exclude;

  return exclude && ((finding->unit && finding->unit->name &&
                      g_regex_match(exclude, finding->unit->name, 0, NULL)) ||
                     (finding->path && g_regex_match(exclude, finding->path, 0, NULL)));
}

static gint
compare_findings(gconstpointer a, gconstpointer b)
{
  const Finding *x = *(const Finding *const *)a, *y = *(const Finding *const *)b;
  const uint32_t x_pid = x->unit ? x->unit->pid : UINT32_MAX;
  const uint32_t y_pid = y->unit ? y->unit->pid : UINT32_MAX;

  if (x_pid != y_pid)
    return x_pid < y_pid ? -1 : 1;
  if (x->kind != y->kind)
    return x->kind < y->kind ? -1 : 1;
  if (x->address != y->address)
    return x->address < y->address ? -1 : 1;
  const int paths = g_strcmp0(x->path, y->path);
  return paths != 0 ? paths : strcmp(x->signature, y->signature);
}

/* A guest's text for a terminal: nothing that would control it. Owned. */
static char *
plain(const char *text)
{
  GString *out = g_string_new(NULL);
  g_autofree char *valid = g_utf8_make_valid(text, -1);

  for (const char *at = valid; *at; at = g_utf8_next_char(at)) {
    const gunichar c = g_utf8_get_char(at);

    if (g_unichar_iscntrl(c) || g_unichar_type(c) == G_UNICODE_FORMAT)
      g_string_append_printf(out, "\\x%02x", c);
    else
      g_string_append_unichar(out, c);
  }
  return g_string_free(out, FALSE);
}

static void
print_line(const Finding *finding, const char *vm, const char *snapshot)
{
  g_autofree char *path = plain(finding->path ? finding->path : "anonymous");
  g_autofree char *name = plain(finding->unit && finding->unit->name ? finding->unit->name : "?");
  g_autofree char *signature = plain(finding->signature);

  printf("%s/%s ", vm, snapshot);
  switch (finding->kind) {
  case DACSA_FINDING_MEMORY:
    printf("pid %u (%s) 0x%" PRIx64 " %s", finding->unit->pid, name, finding->address, path);
    break;
  case DACSA_FINDING_MODULE:
    printf("module %s 0x%" PRIx64, name, finding->address);
    break;
  case DACSA_FINDING_EXE:
    printf("pid %u (%s) exe %s", finding->unit->pid, name, path);
    break;
  case DACSA_FINDING_FILE:
    printf("file %s", path);
    break;
  case DACSA_FINDING_PHYSMEM:
    printf("physmem 0x%" PRIx64, finding->address);
    break;
  }
  printf(": %s FOUND%s\n", signature, is_antivirus(finding->unit) ? " (antivirus)" : "");
}

enum { VM, SNAPSHOT, KIND, PID, COMMAND, PATH, ADDRESS, SIGNATURE, ANTIVIRUS };

static const DacsaColumn columns[] = {
    [VM] = {"vm", DACSA_CELL_TEXT},
    [SNAPSHOT] = {"snapshot", DACSA_CELL_TEXT},
    [KIND] = {"kind", DACSA_CELL_TEXT},
    [PID] = {"pid", DACSA_CELL_NUMBER},
    [COMMAND] = {"command", DACSA_CELL_TEXT},
    [PATH] = {"path", DACSA_CELL_TEXT},
    [ADDRESS] = {"address", DACSA_CELL_TEXT},
    [SIGNATURE] = {"signature", DACSA_CELL_TEXT},
    [ANTIVIRUS] = {"antivirus", DACSA_CELL_BOOLEAN},
};

static void
print_json(const Finding *finding, const char *vm, const char *snapshot)
{
  static const char *const kinds[] = {"memory", "module", "exe", "file", "physmem"};
  g_autoptr(DacsaTable) table = dacsa_table_new(columns, G_N_ELEMENTS(columns));
  g_autoptr(GString) out = g_string_new(NULL);
  g_autofree char *address = g_strdup_printf("0x%" PRIx64, finding->address);

  dacsa_table_set_text(table, VM, vm);
  dacsa_table_set_text(table, SNAPSHOT, snapshot);
  dacsa_table_set_text(table, KIND, kinds[finding->kind]);
  if (finding->unit && finding->unit->pid > 0)
    dacsa_table_set_number(table, PID, finding->unit->pid);
  if (finding->unit && finding->unit->pid > 0)
    dacsa_table_set_text(table, COMMAND, finding->unit->name);
  dacsa_table_set_text(table, PATH, finding->path);
  if (finding->kind != DACSA_FINDING_EXE && finding->kind != DACSA_FINDING_FILE)
    dacsa_table_set_text(table, ADDRESS, address);
  dacsa_table_set_text(table, SIGNATURE, finding->signature);
  if (is_antivirus(finding->unit))
    dacsa_table_set_number(table, ANTIVIRUS, 1);
  if (dacsa_table_end_row(table)) {
    dacsa_table_print_json(table, out);
    fputs(out->str, stdout);
  }
}

guint
dacsa_findings_print(DacsaFindings *findings, const char *vm, const char *snapshot,
                     guint *ret_processes)
{
  const Finding *last = NULL, *last_process = NULL;
  guint printed = 0;

  *ret_processes = 0;
  g_ptr_array_sort(findings->all, compare_findings);
  for (guint i = 0; i < findings->all->len; i++) {
    const Finding *finding = g_ptr_array_index(findings->all, i);

    if ((last && compare_findings(&last, &finding) == 0) || is_excluded(findings, finding))
      continue;
    if (findings->options->json)
      print_json(finding, vm, snapshot);
    else
      print_line(finding, vm, snapshot);
    printed++;
    if (finding->unit && finding->unit->pid > 0 &&
        (!last_process || last_process->unit != finding->unit)) {
      ++*ret_processes;
      last_process = finding;
    }
    last = finding;
  }
  fflush(stdout);
  g_ptr_array_set_size(findings->all, 0);
  return printed;
}
