/* The walks over lists, trees and arrays: which of them, where it begins, then the memory. */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/fuzz-mem.h"

#include "parsers/linux/walk.h"

#define MAX_VISITS (1u << 16)

static bool
visit(uint64_t entry, void *data)
{
  unsigned *visits = data;

  (void)entry;
  return ++*visits < MAX_VISITS;
}

static bool
visit_index(uint64_t index, uint64_t count, uint64_t entry, void *data)
{
  (void)index;
  (void)count;
  return visit(entry, data);
}

static void
make_kernel(DacsaLinuxKernel *k)
{
  static const DacsaMember slots = {.known = true, .offset = 40, .size = 512, .elements = 64};

  k->members[M_TASK_TASKS] = (DacsaMember){.known = true, .offset = 16, .size = 16};
  k->members[M_RB_RIGHT] = (DacsaMember){.known = true, .offset = 8, .size = 8};
  k->members[M_RB_LEFT] = (DacsaMember){.known = true, .offset = 16, .size = 8};
  k->members[M_XARRAY_HEAD] = (DacsaMember){.known = true, .offset = 8, .size = 8};
  k->members[M_XA_NODE_SHIFT] = (DacsaMember){.known = true, .offset = 0, .size = 1};
  k->members[M_XA_NODE_SLOTS] = slots;
  k->members[M_MAPLE_RANGE64_PIVOT] =
      (DacsaMember){.known = true, .offset = 8, .size = 120, .elements = 15};
  k->members[M_MAPLE_RANGE64_SLOT] =
      (DacsaMember){.known = true, .offset = 128, .size = 128, .elements = 16};
  k->members[M_MAPLE_ARANGE64_PIVOT] =
      (DacsaMember){.known = true, .offset = 8, .size = 72, .elements = 9};
  k->members[M_MAPLE_ARANGE64_SLOT] =
      (DacsaMember){.known = true, .offset = 80, .size = 80, .elements = 10};
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  FuzzInput in = {data, size};
  unsigned which = (unsigned)fuzz_take(&in, 1) % 5;
  uint64_t at = fuzz_take(&in, 8);
  g_autoptr(DacsaMem) memory = fuzz_mem_new_wrapped(in.data, in.size);
  g_autofree DacsaLinuxKernel *kernel = g_new0(DacsaLinuxKernel, 1);
  DacsaLinux l = {.kernel = kernel, .memory = memory};
  g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(uint64_t));
  g_autoptr(GError) error = NULL;
  unsigned visits = 0;
  bool ok = true;

  make_kernel(kernel);
  switch (which) {
  case 0:
    ok = dacsa_linux_list_each(&l, at, M_TASK_TASKS, visit, &visits, &error);
    break;
  case 1:
    ok = dacsa_linux_hlist_each(&l, at, M_TASK_TASKS, visit, &visits, &error);
    break;
  case 2:
    ok = dacsa_linux_rbtree_each(&l, at, M_TASK_TASKS, visit, &visits, &error);
    break;
  case 3:
    ok = dacsa_linux_xarray_each(&l, at, visit_index, &visits, &error);
    break;
  default:
    ok = dacsa_linux_maple_entries(&l, at, entries, &error);
  }
  FUZZ_CHECK(ok, error);
  g_assert_cmpuint(visits, <=, MAX_VISITS);
  g_assert_cmpuint(entries->len, <=, DACSA_LINUX_MAX_VMAS);
  return 0;
}
