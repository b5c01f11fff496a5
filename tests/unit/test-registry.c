/* VMs and snapshots that come and go, and their numbers. */
#include "check.h"
#include "fake-snapshot.h"

#include <unistd.h>

/* A registry lives as long as its process: there is no way to free one. */
static DacsaRegistry *registry;

static DacsaRegistry *
fresh(void)
{
  static GPtrArray *all; /* so that none is a leak */

  if (!all)
    all = g_ptr_array_new();
  registry = dacsa_registry_new();
  g_ptr_array_add(all, registry);
  return registry;
}

static void
test_vms(void)
{
  DacsaRegistry *r = fresh();

  fake_vm_set(r, "a/b", "state: running\n");
  fake_vm_set(r, "web", "state: running\n");
  fake_vm_set(r, "web", "state: paused\n");
  g_autoptr(GPtrArray) vms = dacsa_registry_vms(r);
  g_assert_cmpuint(vms->len, ==, 2);
  g_autoptr(DacsaVmView) slash = dacsa_registry_vm_by_file_name(r, "a%2Fb");
  g_autoptr(DacsaVmView) web = dacsa_registry_vm_by_file_name(r, "web");
  g_assert_nonnull(slash);
  g_assert_cmpstr(slash->name, ==, "a/b");
  g_assert_cmpstr(web->status, ==, "state: paused\n");
  g_assert_cmpuint(slash->serial, !=, web->serial);
  g_assert_null(dacsa_registry_vm_by_file_name(r, "a/b"));
  dacsa_registry_remove_vm(r, "web");
  dacsa_registry_remove_vm(r, "never there");
  g_assert_null(dacsa_registry_vm_by_file_name(r, "web"));
  g_assert_null(dacsa_registry_vm(r, web->serial));
  g_autoptr(GPtrArray) rest = dacsa_registry_vms(r);
  g_assert_cmpuint(rest->len, ==, 1);
  g_assert_cmpstr(web->status, ==, "state: paused\n"); /* a copy of its own */
}

/* They stand in the order of their numbers, which is that in which they were first seen, whatever
 * the order in which a later viewer is told of them. */
static void
test_order(void)
{
  static const DacsaVmNews news[] = {
      {7, "late", "", "1@1", 3}, {2, "early", "", "1@1", 1}, {5, "middle", "", "1@1", 2}};
  static const DacsaVmNews again = {9, "early", "", "2@2", 4};
  DacsaRegistry *r = fresh();

  for (size_t i = 0; i < G_N_ELEMENTS(news); i++)
    dacsa_registry_set_vm(r, &news[i]);
  g_autoptr(GPtrArray) vms = dacsa_registry_vms(r);
  for (guint i = 0; i < vms->len; i++) {
    static const char *const names[] = {"early", "middle", "late"};
    const DacsaVmView *vm = g_ptr_array_index(vms, i);

    g_assert_cmpstr(vm->name, ==, names[i]);
    g_assert_cmpint(vm->since_us, ==, i + 1);
  }
  dacsa_registry_remove_vm(r, "early");
  dacsa_registry_set_vm(r, &again);
  g_assert_null(dacsa_registry_vm(r, 2));
  g_autoptr(DacsaVmView) early = dacsa_registry_vm(r, 9);
  g_assert_cmpstr(early->name, ==, "early");
}

static uint32_t
serial_of(const char *vm, guint i)
{
  g_autoptr(DacsaVmView) view = dacsa_registry_vm_by_file_name(registry, vm);

  g_assert_nonnull(view);
  g_assert_cmpuint(i, <, view->snapshots->len);
  return dacsa_snapshot_serial(g_ptr_array_index(view->snapshots, i));
}

static void
test_snapshots(void)
{
  DacsaRegistry *r = fresh();
  uint32_t serial, vm_serial = 0;

  fake_vm_set(r, "web", "");
  fake_vm_set(r, "db", "");
  fake_snapshot_add(r, "web", "one", 1, 'a');
  fake_snapshot_add(r, "web", "two", 2, 'b');
  fake_snapshot_add(r, "db", "one", 3, 'c');
  const uint32_t first = serial_of("web", 0);
  g_autoptr(DacsaVmView) before = dacsa_registry_vm_by_file_name(r, "web");
  g_autoptr(DacsaSnapshot) held = dacsa_registry_snapshot(r, first, &vm_serial);
  g_assert_cmpstr(dacsa_snapshot_record(held)->name, ==, "one");
  g_assert_cmpuint(vm_serial, ==, before->serial);
  g_assert_true(dacsa_registry_remove_snapshot(r, "web", "one", &serial));
  g_assert_cmpuint(serial, ==, first);
  g_assert_false(dacsa_registry_remove_snapshot(r, "web", "one", &serial));
  g_assert_false(dacsa_registry_remove_snapshot(r, "none", "one", &serial));
  g_assert_null(dacsa_registry_snapshot(r, first, &vm_serial));
  g_assert_cmpuint(before->snapshots->len, ==, 2); /* the view is of its moment */
  fake_snapshot_add(r, "web", "one", 4, 'd');
  g_assert_cmpuint(serial_of("web", 1), >, first); /* the same name, another number */
  g_assert_cmpuint(serial_of("web", 1), >, serial_of("db", 0));
  g_assert_cmpuint(serial_of("web", 0), !=, before->serial);
}

static DacsaRecord *
record_new(const char *vm, const char *name)
{
  DacsaRecord *record = dacsa_record_new();

  record->vm = g_strdup(vm);
  record->name = g_strdup(name);
  record->registers = g_strdup("");
  record->layout = dacsa_layout_new();
  return record;
}

/* One that was there keeps its number; of one that this viewer never saw there is a tombstone, too.
 */
static void
test_buried(void)
{
  DacsaRegistry *r = fresh();
  uint32_t serial, vm_serial;

  fake_vm_set(r, "web", "");
  fake_snapshot_add(r, "web", "one", 1, 'a');
  const uint32_t first = serial_of("web", 0);
  const DacsaGraveNews known = {first, "why", 7, 8}, again = {first, "other", 1, 1};
  const DacsaGraveNews unseen = {first + 100, "x", 9, 0};
  g_assert_true(dacsa_registry_bury_snapshot(r, &known, record_new("web", "one")));
  g_assert_cmpuint(serial_of("web", 0), ==, first);
  g_assert_true(dacsa_registry_bury_snapshot(r, &unseen, record_new("web", "two")));
  g_assert_cmpuint(serial_of("web", 1), ==, first + 100);
  g_assert_false(dacsa_registry_bury_snapshot(r, &unseen, record_new("no", "two")));
  /* The first reason counts. */
  g_assert_true(dacsa_registry_bury_snapshot(r, &again, record_new("web", "one")));
  g_autoptr(DacsaSnapshot) one = dacsa_registry_snapshot(r, first, &vm_serial);
  const DacsaGrave *grave = dacsa_snapshot_grave(one);
  g_assert_nonnull(grave);
  g_assert_cmpstr(grave->why, ==, "why");
  g_assert_cmpint(grave->dropped_us, ==, 7);
  g_assert_cmpuint(grave->private_bytes, ==, 8);
  g_assert_true(dacsa_registry_remove_snapshot(r, "web", "one", &serial));
  g_assert_cmpuint(serial, ==, first);
}

/* A VM that is gone is known for as long as it has snapshots, dropped ones too, and no longer. */
static void
test_gone(void)
{
  DacsaRegistry *r = fresh();
  const DacsaGraveNews grave = {1000, "x", 9, 0};
  uint32_t serial, vm_serial;

  fake_vm_set(r, "web", "");
  dacsa_registry_remove_vm(r, "web");
  g_assert_false(dacsa_registry_bury_snapshot(r, &grave, record_new("web", "dead")));
  fake_vm_set(r, "web", "");
  fake_snapshot_add(r, "web", "one", 1, 'a');
  const uint32_t one = serial_of("web", 0);
  dacsa_registry_remove_vm(r, "web");
  g_assert_null(dacsa_registry_vm_by_file_name(r, "web"));
  g_assert_true(dacsa_registry_bury_snapshot(r, &grave, record_new("web", "dead")));
  g_autoptr(DacsaSnapshot) held = dacsa_registry_snapshot(r, one, &vm_serial);
  g_assert_nonnull(held);
  g_assert_true(dacsa_registry_remove_snapshot(r, "web", "one", &serial));
  g_assert_true(dacsa_registry_remove_snapshot(r, "web", "dead", &serial));
  g_assert_cmpuint(serial, ==, 1000);
  g_assert_false(dacsa_registry_bury_snapshot(r, &grave, record_new("web", "dead")));
  g_assert_cmpstr(dacsa_snapshot_record(held)->name, ==, "one"); /* who has it open may go on */
  /* The last snapshot of a VM that is there does not take it along. */
  fake_vm_set(r, "web", "");
  fake_snapshot_add(r, "web", "one", 1, 'a');
  g_assert_true(dacsa_registry_remove_snapshot(r, "web", "one", &serial));
  g_autoptr(DacsaVmView) web = dacsa_registry_vm_by_file_name(r, "web");
  g_assert_nonnull(web);
}

/* A later viewer is told of tombstones after the snapshots that live: they stand where they stood.
 */
static void
test_snapshot_order(void)
{
  DacsaRegistry *r = fresh();

  fake_vm_set(r, "web", "");
  fake_snapshot_add(r, "web", "first", 1, 'a');
  const uint32_t first = serial_of("web", 0);
  fake_snapshot_add(r, "web", "skipped", 2, 'a');
  fake_snapshot_add(r, "web", "last", 3, 'a');
  const uint32_t skipped = serial_of("web", 1);
  uint32_t serial;
  g_assert_true(dacsa_registry_remove_snapshot(r, "web", "skipped", &serial));
  const DacsaGraveNews grave = {skipped, "x", 9, 0}, earliest = {first - 1, "x", 9, 0};
  g_assert_true(dacsa_registry_bury_snapshot(r, &grave, record_new("web", "skipped")));
  g_assert_cmpuint(serial_of("web", 0), ==, first);
  g_assert_cmpuint(serial_of("web", 1), ==, skipped);
  g_assert_cmpuint(serial_of("web", 2), ==, skipped + 1);
  g_assert_true(dacsa_registry_bury_snapshot(r, &earliest, record_new("web", "earliest")));
  g_assert_cmpuint(serial_of("web", 0), ==, first - 1);
  g_assert_cmpuint(serial_of("web", 3), ==, skipped + 1);
}

/* What comes for a VM that is not known is let go, descriptors and all. */
static void
test_snapshot_of_nobody(void)
{
  DacsaRegistry *r = fresh();
  const int before = check_next_descriptor();

  fake_snapshot_add(r, "nobody", "one", 1, 'a');
  g_assert_cmpint(check_next_descriptor(), ==, before);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/registry/vms", test_vms);
  g_test_add_func("/registry/order", test_order);
  g_test_add_func("/registry/snapshots", test_snapshots);
  g_test_add_func("/registry/buried", test_buried);
  g_test_add_func("/registry/gone", test_gone);
  g_test_add_func("/registry/snapshot-order", test_snapshot_order);
  g_test_add_func("/registry/snapshot-of-nobody", test_snapshot_of_nobody);
  return g_test_run();
}
