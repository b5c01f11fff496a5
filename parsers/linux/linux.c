/* Opens a Linux guest and describes it. */
#include "parsers/linux/linux.h"

#include "parsers/linux/core.h"
#include "parsers/linux/discover.h"
#include "parsers/linux/files.h"
#include "parsers/linux/isf.h"
#include "parsers/linux/system.h"
#include "parsers/linux/process.h"
#include "parsers/linux/view.h"
#include "snap/error.h"

#include <string.h>

/* The kernel the memo holds, if the guest still runs it: the same text in the same page. */
static DacsaLinuxKernel *
known_kernel(const DacsaGuestSource *source)
{
  DacsaLinuxKernel *kernel = source->memo->value;
  g_autoptr(DacsaVmcoreinfo) info = NULL;

  if (!kernel || !kernel->info->text[0] ||
      !dacsa_vmcoreinfo_read(source->phys, kernel->info->gpa, &info, NULL) ||
      strcmp(info->text, kernel->info->text) != 0)
    return NULL;
  return dacsa_linux_kernel_ref(kernel);
}

static DacsaMem *
kernel_space(DacsaMem *phys, const DacsaVmcoreinfo *info)
{
  const DacsaX86_64Tables tables = {phys, info->root, info->five_levels ? 5 : 4, 0};

  return dacsa_x86_64_space_new(&tables);
}

static void
remember(DacsaGuestMemo *memo, DacsaLinuxKernel *kernel)
{
  if (memo->value)
    memo->free_value(memo->value);
  memo->value = dacsa_linux_kernel_ref(kernel);
  memo->free_value = (GDestroyNotify)dacsa_linux_kernel_unref;
}

/* NOT_FOUND: there is no Linux. Once a kernel is found, what is missing of it is damage. */
static bool
find_kernel(const DacsaGuestSource *source, DacsaLinuxKernel **ret, GError **error)
{
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&source->memo->lock);
  g_autoptr(GError) cause = NULL;
  DacsaLinuxFound *found;

  *ret = known_kernel(source);
  if (*ret)
    return true;
  if (!dacsa_linux_discover(source, &found, error))
    return false;
  if (!dacsa_linux_kernel_load(found, ret, &cause))
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "Linux: %s", cause->message);
  remember(source->memo, *ret);
  return true;
}

static bool
linux_open(const DacsaGuestSource *source, DacsaGuest **ret, GError **error)
{
  DacsaLinuxKernel *kernel;

  if (!find_kernel(source, &kernel, error))
    return false;
  DacsaLinux *l = g_new0(DacsaLinux, 1);
  l->guest.os = &dacsa_linux_os;
  l->kernel = kernel;
  l->phys = source->phys;
  l->errors = source->errors;
  l->cpus = source->cpus;
  l->taken_us = source->taken_us;
  l->levels = kernel->info->five_levels ? 5 : 4;
  l->memory = kernel_space(source->phys, kernel->info);
  g_mutex_init(&l->lock);
  dacsa_linux_once_init(l);
  *ret = &l->guest;
  return true;
}

static void
linux_free(DacsaGuest *guest)
{
  DacsaLinux *l = (DacsaLinux *)guest;

  dacsa_linux_once_clear(l);
  g_clear_pointer(&l->tasks, g_array_unref);
  g_clear_pointer(&l->pids, g_array_unref);
  dacsa_mem_unref(l->memory);
  dacsa_linux_kernel_unref(l->kernel);
  g_mutex_clear(&l->lock);
  g_free(l);
}

static void
linux_describe(DacsaGuest *guest, GString *out)
{
  const DacsaLinux *l = (DacsaLinux *)guest;
  const DacsaVmcoreinfo *info = l->kernel->info;

  g_autofree char *release = g_strescape(info->release, NULL);
  g_autofree char *build_id = g_strescape(info->build_id, NULL);

  g_string_append(out, "os: linux\n");
  if (release[0])
    g_string_append_printf(out, "kernel: %s\n", release);
  if (build_id[0])
    g_string_append_printf(out, "build_id: %s\n", build_id);
  g_string_append_printf(out, "arch: x86_64\npaging: %u-level\n", l->levels);
}

static bool
linux_processes(DacsaGuest *guest, const GArray **ret, GError **error)
{
  DacsaLinux *l = (DacsaLinux *)guest;

  (void)error;
  dacsa_linux_tasks(l);
  *ret = l->pids;
  return true;
}

const DacsaGuestOs dacsa_linux_os = {
    .name = "linux",
    .open = linux_open,
    .free = linux_free,
    .describe = linux_describe,
    .system_text =
        {
            [DACSA_SYSTEM_MODULES] = dacsa_linux_modules,
            [DACSA_SYSTEM_NETCONNS] = dacsa_linux_system_netconns,
            [DACSA_SYSTEM_BANNER] = dacsa_linux_banner,
            [DACSA_SYSTEM_CMDLINE] = dacsa_linux_kernel_cmdline,
            [DACSA_SYSTEM_CPUINFO] = dacsa_linux_cpuinfo,
            [DACSA_SYSTEM_DMESG] = dacsa_linux_dmesg,
            [DACSA_SYSTEM_KALLSYMS] = dacsa_linux_kallsyms,
            [DACSA_SYSTEM_MOUNTS] = dacsa_linux_mounts,
            [DACSA_SYSTEM_SYSCTL] = dacsa_linux_sysctl,
            [DACSA_SYSTEM_JSON_FDS] = dacsa_linux_json_fds,
            [DACSA_SYSTEM_JSON_MODULES] = dacsa_linux_json_modules,
            [DACSA_SYSTEM_JSON_NETCONNS] = dacsa_linux_json_netconns,
            [DACSA_SYSTEM_JSON_MOUNTS] = dacsa_linux_json_mounts,
            [DACSA_SYSTEM_JSON_DMESG] = dacsa_linux_json_dmesg,
            [DACSA_SYSTEM_JSON_PROCESSES] = dacsa_linux_json_processes,
            [DACSA_SYSTEM_JSON_THREADS] = dacsa_linux_json_threads,
            [DACSA_SYSTEM_JSON_MAPS] = dacsa_linux_json_maps,
        },
    .btf = dacsa_linux_btf,
    .vmcoreinfo = dacsa_linux_vmcoreinfo,
    .kernel_mappings = dacsa_linux_kernel_mappings,
    .running = dacsa_linux_running,
    .modules = dacsa_linux_module_names,
    .module_memory = dacsa_linux_module_memory,
    .isf = dacsa_linux_isf,
    .processes = linux_processes,
    .process_text =
        {
            [DACSA_PROCESS_COMM] = dacsa_linux_comm,
            [DACSA_PROCESS_CMDLINE] = dacsa_linux_cmdline,
            [DACSA_PROCESS_ENVIRON] = dacsa_linux_environ,
            [DACSA_PROCESS_STATUS] = dacsa_linux_status,
            [DACSA_PROCESS_MAPS] = dacsa_linux_maps,
            [DACSA_PROCESS_FDS] = dacsa_linux_text_fds,
            [DACSA_PROCESS_NETCONNS] = dacsa_linux_text_netconns,
            [DACSA_PROCESS_THREADS] = dacsa_linux_threads,
        },
    .memory = dacsa_linux_memory,
    .regions = dacsa_linux_regions,
    .has_core = dacsa_linux_has_core,
    .core = dacsa_linux_core,
    .has_exe = dacsa_linux_has_exe,
    .exe = dacsa_linux_exe,
    .files = dacsa_linux_files,
    .file_lookup = dacsa_linux_file_lookup,
    .file = dacsa_linux_file,
    .file_content = dacsa_linux_file_content,
};
