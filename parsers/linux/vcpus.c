/*
 * The kernel numbers CPUs as it finds them, QEMU as it makes them. What both know of a CPU is its
 * GDT: the kernel has it in its per-CPU variable gdt_page, and each CPU's GDTR names the same page,
 * at another address (arch/x86/include/asm/cpu_entry_area.h).
 */
#include "parsers/linux/vcpus.h"

#include "parsers/linux/process.h"
#include "snap/error.h"

bool
dacsa_linux_per_cpu(const DacsaLinux *l, DacsaLinuxSymbol symbol, uint32_t number, uint64_t *ret,
                    GError **error)
{
  const uint64_t offsets = dacsa_linux_symbol(l, S_PER_CPU_OFFSET);
  const uint64_t variable = dacsa_linux_symbol(l, symbol);
  uint64_t offset;

  if (offsets == 0 || variable == 0)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "the kernel does not name what CPUs have");
  if (!dacsa_mem_read_u64(l->memory, offsets + (uint64_t)number * 8, &offset, error))
    return false;
  *ret = variable + offset;
  return true;
}

static bool
kernel_gpa(const DacsaLinux *l, uint64_t gva, uint64_t *ret)
{
  const DacsaX86_64Tables tables = {l->phys, l->kernel->info->root, l->levels, 0};
  DacsaX86_64Page page;

  if (!dacsa_x86_64_translate(&tables, gva, &page, NULL))
    return false;
  *ret = page.gpa + (gva - page.gva);
  return true;
}

/* The vCPUs by the gpa of their GDT. */
static GHashTable *
vcpus_by_gdt(const DacsaLinux *l)
{
  GHashTable *by_gdt = g_hash_table_new(NULL, NULL);
  uint64_t gpa;

  for (guint i = 0; l->cpus && i < l->cpus->len; i++) {
    DacsaCpu *cpu = &g_array_index(l->cpus, DacsaCpu, i);

    if (cpu->has_state && kernel_gpa(l, cpu->gdt, &gpa) &&
        !g_hash_table_contains(by_gdt, GSIZE_TO_POINTER(gpa + 1)))
      g_hash_table_insert(by_gdt, GSIZE_TO_POINTER(gpa + 1), cpu);
  }
  return by_gdt;
}

static bool
current_task(const DacsaLinux *l, uint32_t number, uint64_t *ret, GError **error)
{
  uint64_t at;

  if (!dacsa_linux_per_cpu(l, S_CURRENT_TASK, number, &at, error))
    return false;
  if (dacsa_linux_has(l, M_PCPU_HOT_CURRENT))
    at += dacsa_linux_offset(l, M_PCPU_HOT_CURRENT);
  return dacsa_mem_read_u64(l->memory, at, ret, error);
}

static bool
add_running(const DacsaLinux *l, GHashTable *by_gdt, uint32_t number, GHashTable *running,
            GError **error)
{
  uint64_t task, gdt, gpa;

  if (!current_task(l, number, &task, error) ||
      !dacsa_linux_per_cpu(l, S_GDT_PAGE, number, &gdt, error))
    return false;
  DacsaLinuxVcpu *vcpu = g_new0(DacsaLinuxVcpu, 1);
  vcpu->number = number;
  if (kernel_gpa(l, gdt, &gpa))
    vcpu->cpu = g_hash_table_lookup(by_gdt, GSIZE_TO_POINTER(gpa + 1));
  g_hash_table_insert(running, GSIZE_TO_POINTER(task), vcpu);
  return true;
}

/* What runs: DacsaLinuxVcpu by task. */
static void *
find_running(DacsaLinux *l)
{
  GHashTable *running = g_hash_table_new_full(NULL, NULL, NULL, g_free);
  g_autoptr(GHashTable) by_gdt = vcpus_by_gdt(l);
  g_autoptr(GError) cause = NULL;
  uint32_t n;

  bool ok = dacsa_linux_nr_cpus(l, &n, &cause);
  for (uint32_t i = 0; ok && i < n; i++)
    ok = add_running(l, by_gdt, i, running, &cause);
  if (!ok)
    dacsa_errors_add(l->errors, "cpus", cause->message);
  return running;
}

const DacsaLinuxVcpu *
dacsa_linux_vcpu(DacsaLinux *l, uint64_t task)
{
  const GHashTable *running = dacsa_linux_once(l, DACSA_LINUX_ONCE_RUNNING, find_running,
                                               (GDestroyNotify)g_hash_table_unref);

  return g_hash_table_lookup((GHashTable *)(uintptr_t)running, GSIZE_TO_POINTER(task));
}
