/* Loaded modules: /proc/modules (kernel/module/procfs.c, m_show), and their memory. */
#include "parsers/linux/system.h"
#include "parsers/linux/walk.h"
#include "parsers/table.h"
#include "snap/error.h"

#include <string.h>

#define MAX_MODULES 4096u
#define MAX_USERS 4096u
#define MAX_USERS_TEXT (256u << 10)
#define MAX_PARTS 16u
#define MAX_MODULE                                                                                 \
  (1u << 30) /* MODULES_LEN, where all of them have to fit in, is less than 2 GiB */
#define MAX_TAINTS 64u

typedef struct {
  GArray *modules;  /* DacsaLinuxModule */
  GPtrArray *names; /* char *, borrowed from them */
} Modules;

static void
clear_module(void *module)
{
  g_free(((DacsaLinuxModule *)module)->name);
}

static void
free_modules(void *data)
{
  Modules *modules = data;

  g_ptr_array_unref(modules->names);
  g_array_unref(modules->modules);
  g_free(modules);
}

/* -- the list -- */

typedef struct {
  DacsaLinux *l;
  GArray *modules;
} Collect;

static bool
visit_module(uint64_t entry, void *data)
{
  const Collect *c = data;
  DacsaLinuxModule module = {.module = entry};
  g_autoptr(GError) error = NULL;

  if (c->modules->len >= MAX_MODULES) {
    dacsa_errors_add(c->l->errors, "modules", "cut short: too many modules");
    return false;
  }
  if (!dacsa_linux_get(c->l, entry, M_MODULE_STATE, &module.state, &error) ||
      !dacsa_linux_get_string(c->l, entry, M_MODULE_NAME, &module.name, &error))
    dacsa_errors_add(c->l->errors, "modules", error->message);
  else if ((int64_t)module.state == c->l->kernel->enumerators[E_MODULE_STATE_UNFORMED])
    clear_module(&module);
  else
    g_array_append_val(c->modules, module);
  return true;
}

static void *
make_modules(DacsaLinux *l)
{
  Modules *modules = g_new0(Modules, 1);
  const uint64_t head = dacsa_linux_symbol(l, S_MODULES);
  g_autoptr(GError) error = NULL;
  Collect c = {l, g_array_new(FALSE, FALSE, sizeof(DacsaLinuxModule))};

  g_array_set_clear_func(c.modules, clear_module);
  modules->modules = c.modules;
  modules->names = g_ptr_array_new();
  if (head == 0)
    dacsa_errors_add(l->errors, "modules", "the kernel has no list of modules");
  else if (!dacsa_linux_list_each(l, head, M_MODULE_LIST, visit_module, &c, &error))
    dacsa_errors_add(l->errors, "modules", error->message);
  for (guint i = 0; i < c.modules->len; i++)
    g_ptr_array_add(modules->names, g_array_index(c.modules, DacsaLinuxModule, i).name);
  return modules;
}

static const Modules *
modules_of(DacsaLinux *l)
{
  return dacsa_linux_once(l, DACSA_LINUX_ONCE_MODULES, make_modules, free_modules);
}

const GArray *
dacsa_linux_modules_all(DacsaLinux *l)
{
  return modules_of(l)->modules;
}

bool
dacsa_linux_module_names(DacsaGuest *guest, const GPtrArray **ret, GError **error)
{
  (void)error;
  *ret = modules_of((DacsaLinux *)guest)->names;
  return true;
}

/* -- a module's memory -- */

static gint
compare_parts(gconstpointer a, gconstpointer b)
{
  const DacsaLinuxModulePart *x = a, *y = b;

  return x->start < y->start ? -1 : x->start > y->start;
}

static bool
add_part(const DacsaLinux *l, uint64_t base, DacsaLinuxMember start, DacsaLinuxMember size,
         GArray *parts, GError **error)
{
  DacsaLinuxModulePart part;

  if (!dacsa_linux_get(l, base, start, &part.start, error) ||
      !dacsa_linux_get(l, base, size, &part.size, error))
    return false;
  g_array_append_val(parts, part);
  return true;
}

/* include/linux/module.h: an array of memories by type (since 6.4), or one for the core and one,
 * gone once it is live, for its initialisation. The first is where the module begins. */
static bool
module_parts(const DacsaLinux *l, uint64_t module, GArray *parts, GError **error)
{
  const DacsaMember *mem = &l->kernel->members[M_MODULE_MEM];
  const uint64_t mems = module + dacsa_linux_offset(l, M_MODULE_MEM);

  if (!mem->known)
    return add_part(l, module, M_MODULE_CORE_BASE, M_MODULE_CORE_SIZE, parts, error) &&
           add_part(l, module, M_MODULE_INIT_BASE, M_MODULE_INIT_SIZE, parts, error);
  for (uint32_t i = 0; i < MIN(mem->elements, MAX_PARTS); i++)
    if (!add_part(l, mems + (uint64_t)i * dacsa_linux_size(l, T_MODULE_MEMORY),
                  M_MODULE_MEMORY_BASE, M_MODULE_MEMORY_SIZE, parts, error))
      return false;
  return true;
}

bool
dacsa_linux_module_memory(DacsaGuest *guest, uint32_t i, DacsaRuns **ret, GError **error)
{
  DacsaLinux *l = (DacsaLinux *)guest;
  const GArray *modules = dacsa_linux_modules_all(l);
  g_autoptr(DacsaRuns) runs = dacsa_runs_new();
  g_autoptr(GArray) parts = g_array_new(FALSE, FALSE, sizeof(DacsaLinuxModulePart));
  uint64_t size = 0;

  if (i >= modules->len)
    return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "there is no module %u", i);
  const DacsaLinuxModule *module = &g_array_index(modules, DacsaLinuxModule, i);
  if (!module_parts(l, module->module, parts, error))
    return false;
  g_array_sort(parts, compare_parts);
  for (guint n = 0; n < parts->len; n++) {
    const DacsaLinuxModulePart *part = &g_array_index(parts, DacsaLinuxModulePart, n);
    g_autoptr(GError) cause = NULL;

    if (part->size > MAX_MODULE - size)
      return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "the module at 0x%" PRIx64 " is too large",
                        module->module);
    /* What cannot be had is a hole: where each part stands is told by their sizes alone. */
    if (!dacsa_linux_kernel_runs(l, part->start, part->size, size, runs, &cause))
      dacsa_errors_add(l->errors, "kernel/modules", cause->message);
    size += part->size;
  }
  dacsa_runs_set_size(runs, size);
  *ret = g_steal_pointer(&runs);
  return true;
}

/* -- /proc/modules -- */

typedef struct {
  DacsaLinux *l;
  GString *out;
  guint n;
} Users;

/* print_unload_info: the modules that use this one. */
static bool
visit_use(uint64_t entry, void *data)
{
  Users *u = data;
  g_autoptr(GError) error = NULL;
  g_autofree char *name = NULL;
  uint64_t source;

  if (++u->n > MAX_USERS || u->out->len > MAX_USERS_TEXT) {
    dacsa_errors_add(u->l->errors, "modules", "cut short: a module with too many users");
    return false;
  }
  if (!dacsa_linux_get(u->l, entry, M_MODULE_USE_SOURCE, &source, &error) ||
      !dacsa_linux_get_string(u->l, source, M_MODULE_NAME, &name, &error))
    dacsa_errors_add(u->l->errors, "modules", error->message);
  else
    g_string_append_printf(u->out, "%s,", name);
  return true;
}

static bool
append_users(DacsaLinux *l, uint64_t module, GString *out, GError **error)
{
  const uint64_t head = module + dacsa_linux_offset(l, M_MODULE_SOURCE_LIST);
  Users u = {l, out, 0};
  uint64_t init, exit_function;
  gsize begin = out->len;

  if (!dacsa_linux_list_each(l, head, M_MODULE_USE_SOURCE_LIST, visit_use, &u, error) ||
      !dacsa_linux_get(l, module, M_MODULE_INIT, &init, error) ||
      !dacsa_linux_get(l, module, M_MODULE_EXIT, &exit_function, error))
    return false;
  if (init != 0 && exit_function == 0)
    g_string_append(out, "[permanent],");
  if (out->len == begin)
    g_string_append_c(out, '-');
  return true;
}

static const char *
state_name(const DacsaLinux *l, uint64_t state)
{
  if ((int64_t)state == l->kernel->enumerators[E_MODULE_STATE_GOING])
    return "Unloading";
  return (int64_t)state == l->kernel->enumerators[E_MODULE_STATE_COMING] ? "Loading" : "Live";
}

/* module_flags (kernel/module/main.c); taint_flags (kernel/panic.c) says which letter is for which
 * bit, and, until modules could have all of them, for which a module has none. */
static bool
append_taints(const DacsaLinux *l, const DacsaLinuxModule *module, uint64_t taints, GString *out,
              GError **error)
{
  const uint64_t flags = dacsa_linux_symbol(l, S_TAINT_FLAGS);
  uint64_t letter, shown = 1;

  if (taints == 0)
    return true;
  if (flags == 0)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "the kernel has no taint_flags");
  g_string_append_c(out, '(');
  for (unsigned i = 0; i < MAX_TAINTS && taints >> i != 0; i++) {
    const uint64_t flag = flags + (uint64_t)i * dacsa_linux_size(l, T_TAINT_FLAG);

    if (!(taints >> i & 1))
      continue;
    if (!dacsa_linux_get(l, flag, M_TAINT_FLAG_TRUE, &letter, error) ||
        (dacsa_linux_has(l, M_TAINT_FLAG_MODULE) &&
         !dacsa_linux_get(l, flag, M_TAINT_FLAG_MODULE, &shown, error)))
      return false;
    if (shown && g_ascii_isgraph((char)letter))
      g_string_append_c(out, (char)letter);
  }
  if ((int64_t)module->state == l->kernel->enumerators[E_MODULE_STATE_GOING])
    g_string_append_c(out, '-');
  if ((int64_t)module->state == l->kernel->enumerators[E_MODULE_STATE_COMING])
    g_string_append_c(out, '+');
  g_string_append_c(out, ')');
  return true;
}

/* What is printed of a module. */
typedef struct {
  uint64_t size, address;
  int32_t references;
  GString *users, *taints; /* owned */
} Facts;

static void
clear_facts(Facts *facts)
{
  g_string_free(facts->users, TRUE);
  g_string_free(facts->taints, TRUE);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Facts, clear_facts)

static bool
find_facts(DacsaLinux *l, const DacsaLinuxModule *module, Facts *f, GError **error)
{
  g_autoptr(GArray) parts = g_array_new(FALSE, FALSE, sizeof(DacsaLinuxModulePart));
  uint64_t references, taints;

  if (!module_parts(l, module->module, parts, error) ||
      !dacsa_linux_get(l, module->module, M_MODULE_REFCNT, &references, error) ||
      !dacsa_linux_get(l, module->module, M_MODULE_TAINTS, &taints, error) ||
      !append_users(l, module->module, f->users, error) ||
      !append_taints(l, module, taints, f->taints, error))
    return false;
  for (guint i = 0; i < parts->len; i++)
    f->size += g_array_index(parts, DacsaLinuxModulePart, i).size;
  f->address = parts->len > 0 ? g_array_index(parts, DacsaLinuxModulePart, 0).start : 0;
  /* MODULE_REF_BASE, which the kernel itself holds, does not count. */
  f->references = (int32_t)((uint32_t)references - 1);
  return true;
}

bool
dacsa_linux_modules(DacsaGuest *guest, GString *out, GError **error)
{
  DacsaLinux *l = (DacsaLinux *)guest;
  const GArray *modules = dacsa_linux_modules_all(l);

  (void)error;
  for (guint i = 0; i < modules->len; i++) {
    const DacsaLinuxModule *module = &g_array_index(modules, DacsaLinuxModule, i);
    g_auto(Facts) f = {.users = g_string_new(NULL), .taints = g_string_new(NULL)};
    g_autoptr(GError) cause = NULL;

    if (out->len > DACSA_LINUX_MAX_TEXT) {
      dacsa_errors_add(l->errors, "modules", "cut short: too large");
      break;
    }

    if (!find_facts(l, module, &f, &cause)) {
      dacsa_errors_add(l->errors, "modules", cause->message);
      continue;
    }
    g_string_append_printf(out, "%s %u %d %s %s 0x%016" PRIx64 "%s%s\n", module->name,
                           (uint32_t)f.size, f.references, f.users->str,
                           state_name(l, module->state), f.address, f.taints->len > 0 ? " " : "",
                           f.taints->str);
  }
  return true;
}

/* -- json -- */

enum {
  NAME,
  SIZE,
  REFERENCES,
  USED_BY,
  STATE,
  ADDRESS,
  TAINTS,
  VERSION,
  SRCVERSION,
  ARGUMENTS,
  MEMORY
};

static const DacsaColumn columns[] = {
    [NAME] = {"name", DACSA_CELL_TEXT},
    [SIZE] = {"size", DACSA_CELL_NUMBER},
    [REFERENCES] = {"references", DACSA_CELL_NUMBER},
    [USED_BY] = {"used_by", DACSA_CELL_TEXT},
    [STATE] = {"state", DACSA_CELL_TEXT},
    [ADDRESS] = {"address", DACSA_CELL_TEXT},
    [TAINTS] = {"taints", DACSA_CELL_TEXT},
    [VERSION] = {"version", DACSA_CELL_TEXT},
    [SRCVERSION] = {"srcversion", DACSA_CELL_TEXT},
    [ARGUMENTS] = {"arguments", DACSA_CELL_TEXT},
    [MEMORY] = {"memory", DACSA_CELL_TEXT}, /* of kernel/modules/<name>: 0xADDRESS+SIZE ... */
};

/* A text that the module may have; what cannot be read is absent. */
static void
set_pointed(DacsaLinux *l, DacsaTable *table, guint column, uint64_t module,
            DacsaLinuxMember member)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *text = NULL;

  if (!dacsa_linux_pointed_string(l, module, member, &text, &error))
    dacsa_errors_add(l->errors, "json/modules.jsonl", error->message);
  dacsa_table_set_text(table, column, text);
}

static void
set_facts(DacsaLinux *l, DacsaTable *table, const DacsaLinuxModule *module)
{
  g_auto(Facts) f = {.users = g_string_new(NULL), .taints = g_string_new(NULL)};
  g_autoptr(GError) error = NULL;
  g_autofree char *address = NULL;
  g_autofree char *references = NULL;

  dacsa_table_set_text(table, NAME, module->name);
  dacsa_table_set_text(table, STATE, state_name(l, module->state));
  if (!find_facts(l, module, &f, &error)) {
    dacsa_errors_add(l->errors, "modules", error->message);
    return;
  }
  address = g_strdup_printf("0x%016" PRIx64, f.address);
  references = g_strdup_printf("%d", f.references);
  dacsa_table_set_number(table, SIZE, f.size);
  dacsa_table_set_text(table, REFERENCES, references);
  g_string_truncate(f.users, f.users->len - 1); /* the last comma, or a `-` */
  dacsa_table_set_text(table, USED_BY, f.users->str);
  dacsa_table_set_text(table, ADDRESS, address);
  dacsa_table_set_text(table, TAINTS, f.taints->str);
}

static void
set_memory(const DacsaLinux *l, DacsaTable *table, uint64_t module)
{
  g_autoptr(GArray) parts = g_array_new(FALSE, FALSE, sizeof(DacsaLinuxModulePart));
  g_autoptr(GString) text = g_string_new(NULL);

  if (!module_parts(l, module, parts, NULL))
    return;
  g_array_sort(parts, compare_parts);
  for (guint i = 0; i < parts->len; i++) {
    const DacsaLinuxModulePart *part = &g_array_index(parts, DacsaLinuxModulePart, i);

    if (part->size > 0)
      g_string_append_printf(text, "%s0x%" PRIx64 "+%" PRIu64, text->len > 0 ? " " : "",
                             part->start, part->size);
  }
  dacsa_table_set_text(table, MEMORY, text->str);
}

bool
dacsa_linux_json_modules(DacsaGuest *guest, GString *out, GError **error)
{
  DacsaLinux *l = (DacsaLinux *)guest;
  const GArray *modules = dacsa_linux_modules_all(l);
  g_autoptr(DacsaTable) table = dacsa_table_new(columns, G_N_ELEMENTS(columns));

  (void)error;
  for (guint i = 0; i < modules->len; i++) {
    const DacsaLinuxModule *module = &g_array_index(modules, DacsaLinuxModule, i);

    set_facts(l, table, module);
    set_pointed(l, table, VERSION, module->module, M_MODULE_VERSION);
    set_pointed(l, table, SRCVERSION, module->module, M_MODULE_SRCVERSION);
    set_pointed(l, table, ARGUMENTS, module->module, M_MODULE_ARGS);
    set_memory(l, table, module->module);
    if (!dacsa_table_end_row(table)) {
      dacsa_errors_add(l->errors, "json/modules.jsonl", "cut short: too large");
      break;
    }
  }
  dacsa_table_print_json(table, out);
  return true;
}
