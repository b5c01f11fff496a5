/* /proc/cpuinfo (arch/x86/kernel/cpu/proc.c, show_cpuinfo), from each CPU's struct cpuinfo_x86. */
#include "parsers/linux/system.h"
#include "parsers/linux/vcpus.h"
#include "snap/error.h"

#define MAX_CPUS 8192u /* CONFIG_NR_CPUS */
#define MAX_WORDS 64u  /* of 32 capabilities */
#define MAX_NAME 64u
#define POINTER 8u

/* arch/x86/include/asm/cpufeatures.h: bits of x86_capability. */
#define FEATURE_TSC (0 * 32 + 4)
#define FEATURE_APERFMPERF (3 * 32 + 28)
#define FEATURE_VMX (4 * 32 + 5)

/* The names of flags: an array of pointers to texts, some of them NULL. */
typedef struct {
  char **names; /* owned, and the texts */
  uint32_t n;
} Names;

static void
clear_names(Names *names)
{
  for (uint32_t i = 0; i < names->n; i++)
    g_free(names->names[i]);
  g_free(names->names);
}

typedef struct {
  DacsaLinux *l;
  GArray *cpus;     /* uint32_t: those online */
  GArray *packages; /* uint64_t: of each of them */
  uint32_t caps;    /* NCAPINTS: words of x86_capability that are features, the rest are bugs */
  Names features, bugs, vmx, power;
  uint64_t hz, khz;
} Machine;

static void
clear_machine(Machine *m)
{
  g_clear_pointer(&m->cpus, g_array_unref);
  g_clear_pointer(&m->packages, g_array_unref);
  clear_names(&m->features);
  clear_names(&m->bugs);
  clear_names(&m->vmx);
  clear_names(&m->power);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Machine, clear_machine)

static void
note(DacsaLinux *l, const char *text)
{
  dacsa_errors_add(l->errors, "kernel/cpuinfo", text);
}

/* -- the machine -- */

/* Where the next symbol is, which is where an array ends that no size is known of. 0: none. */
static uint64_t
next_symbol(const DacsaLinux *l, uint64_t address)
{
  const uint32_t n = dacsa_kallsyms_count(l->kernel->kallsyms);
  uint64_t next = UINT64_MAX, at;
  char type;

  for (uint32_t i = 0; i < n; i++) {
    g_free(dacsa_kallsyms_symbol(l->kernel->kallsyms, i, &at, &type));
    if (at > address)
      next = MIN(next, at);
  }
  return next == UINT64_MAX ? 0 : next;
}

/* n names of an array; what cannot be read is without a name. */
static void
read_names(const DacsaLinux *l, uint64_t array, uint32_t n, Names *ret)
{
  uint64_t text;

  if (array == 0)
    return;
  ret->names = g_new0(char *, n);
  ret->n = n;
  for (uint32_t i = 0; i < n; i++)
    if (dacsa_mem_read_u64(l->memory, array + (uint64_t)i * POINTER, &text, NULL) && text != 0 &&
        !dacsa_mem_read_string(l->memory, text, MAX_NAME, &ret->names[i], NULL))
      ret->names[i] = NULL;
}

/* The words of x86_capability: NCAPINTS of features, then NBUGINTS, whose array of names ends where
 * the next symbol begins. */
static void
read_flags(Machine *m)
{
  const DacsaLinux *l = m->l;
  const uint64_t bugs = dacsa_linux_symbol(l, S_X86_BUG_FLAGS);
  const uint32_t words = MIN(l->kernel->members[M_CPU_CAPABILITY].elements, MAX_WORDS);
  const uint64_t end = bugs != 0 ? next_symbol(l, bugs) : 0;
  uint64_t bug_words = end > bugs ? (end - bugs) / (32u * POINTER) : 0;

  if (bug_words == 0 || bug_words >= words) {
    note(m->l, "flags and bugs are absent: their names are not where they should be");
    return;
  }
  m->caps = words - (uint32_t)bug_words;
  read_names(l, dacsa_linux_symbol(l, S_X86_CAP_FLAGS), m->caps * 32, &m->features);
  read_names(l, bugs, (uint32_t)bug_words * 32, &m->bugs);
  read_names(l, dacsa_linux_symbol(l, S_X86_VMX_FLAGS),
             MIN(l->kernel->members[M_CPU_VMX].elements, MAX_WORDS) * 32, &m->vmx);
  read_names(l, dacsa_linux_symbol(l, S_X86_POWER_FLAGS), 32, &m->power);
}

static bool
read_online(Machine *m, GError **error)
{
  const uint64_t mask = dacsa_linux_symbol(m->l, S_CPU_ONLINE_MASK);
  const uint32_t size = m->l->kernel->types[T_CPUMASK];
  uint64_t word;

  if (mask == 0)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "the kernel has no __cpu_online_mask");
  for (uint32_t i = 0; i < MIN(size * 8, MAX_CPUS); i++) {
    if (i % 64 == 0 && !dacsa_mem_read_u64(m->l->memory, mask + i / 8, &word, error))
      return false;
    if (word >> i % 64 & 1)
      g_array_append_val(m->cpus, i);
  }
  return true;
}

/* CPUs of one package are siblings. */
static void
read_packages(Machine *m)
{
  for (guint i = 0; i < m->cpus->len; i++) {
    uint64_t info, package = UINT64_MAX;

    if (!dacsa_linux_per_cpu(m->l, S_CPU_INFO, g_array_index(m->cpus, uint32_t, i), &info, NULL) ||
        !dacsa_linux_get(m->l, info, M_CPU_PACKAGE, &package, NULL))
      package = UINT64_MAX;
    g_array_append_val(m->packages, package);
  }
}

static unsigned
siblings(const Machine *m, uint64_t package)
{
  unsigned n = 0;

  for (guint i = 0; i < m->packages->len; i++)
    n += g_array_index(m->packages, uint64_t, i) == package;
  return n;
}

/* arch_freq_get_on_cpu: cpu_khz where neither a driver nor counters know of a speed that changes.
 */
static void
read_khz(Machine *m)
{
  const uint64_t driver = dacsa_linux_symbol(m->l, S_CPUFREQ_DRIVER);
  uint64_t scaled = 0;
  uint32_t khz;

  if ((driver == 0 || (dacsa_mem_read_u64(m->l->memory, driver, &scaled, NULL) && scaled == 0)) &&
      dacsa_linux_symbol(m->l, S_CPU_KHZ) != 0 &&
      dacsa_mem_read_u32(m->l->memory, dacsa_linux_symbol(m->l, S_CPU_KHZ), &khz, NULL))
    m->khz = khz;
}

static bool
read_machine(DacsaLinux *l, Machine *m, GError **error)
{
  m->l = l;
  m->cpus = g_array_new(FALSE, FALSE, sizeof(uint32_t));
  m->packages = g_array_new(FALSE, FALSE, sizeof(uint64_t));
  m->hz = dacsa_linux_hz(l);
  if (!read_online(m, error))
    return false;
  read_packages(m);
  read_flags(m);
  read_khz(m);
  return true;
}

/* -- a CPU -- */

typedef struct {
  const Machine *m;
  uint64_t info;
  GString *out;
} Cpu;

/* A line with a number; absent and noted where it cannot be had. */
static void
line(const Cpu *c, const char *format, DacsaLinuxMember member)
{
  g_autoptr(GError) error = NULL;
  uint64_t v;

  if (dacsa_linux_get(c->m->l, c->info, member, &v, &error))
    g_string_append_printf(c->out, format, (unsigned)v);
  else
    note(c->m->l, error->message);
}

static void
text_line(const Cpu *c, const char *format, DacsaLinuxMember member)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *text = NULL;

  if (dacsa_linux_get_string(c->m->l, c->info, member, &text, &error))
    g_string_append_printf(c->out, format, text[0] ? text : "unknown");
  else
    note(c->m->l, error->message);
}

/* A number where 0 means that there is no line. */
static void
optional_line(const Cpu *c, const char *format, DacsaLinuxMember member)
{
  uint64_t v;

  if (!dacsa_linux_has(c->m->l, member) || !dacsa_linux_get(c->m->l, c->info, member, &v, NULL) ||
      v != 0)
    line(c, format, member);
}

static bool
has(const Cpu *c, unsigned bit)
{
  uint64_t word;

  return dacsa_linux_get_element(c->m->l, c->info, M_CPU_CAPABILITY, bit / 32, &word, NULL) &&
         word >> bit % 32 & 1;
}

/* The names of the bits of an array of 32-bit words that are set, from its word `first` on. */
static void
append_flags(const Cpu *c, DacsaLinuxMember member, uint32_t first, const Names *names)
{
  uint64_t word = 0;

  for (uint32_t i = 0; i < names->n; i++) {
    if (i % 32 == 0 &&
        !dacsa_linux_get_element(c->m->l, c->info, member, first + i / 32, &word, NULL))
      word = 0;
    if (word >> i % 32 & 1 && names->names[i])
      g_string_append_printf(c->out, " %s", names->names[i]);
  }
}

static void
append_frequency(const Cpu *c)
{
  const uint64_t khz = c->m->khz;

  if (!has(c, FEATURE_TSC))
    return;
  if (khz == 0 || has(c, FEATURE_APERFMPERF))
    note(c->m->l, "cpu MHz is absent: it changes, and is measured when it is asked for");
  else
    g_string_append_printf(c->out, "cpu MHz\t\t: %" PRIu64 ".%03" PRIu64 "\n", khz / 1000,
                           khz % 1000);
}

static void
append_topology(const Cpu *c)
{
  uint64_t package;

  line(c, "physical id\t: %d\n", M_CPU_PACKAGE);
  if (dacsa_linux_get(c->m->l, c->info, M_CPU_PACKAGE, &package, NULL))
    g_string_append_printf(c->out, "siblings\t: %u\n", siblings(c->m, package));
  line(c, "core id\t\t: %d\n", M_CPU_CORE);
  line(c, "cpu cores\t: %d\n", M_CPU_CORES);
  line(c, "apicid\t\t: %d\n", M_CPU_APICID);
  line(c, "initial apicid\t: %d\n", M_CPU_INITIAL_APICID);
  g_string_append(c->out, "fpu\t\t: yes\nfpu_exception\t: yes\n");
  line(c, "cpuid level\t: %d\n", M_CPU_CPUID_LEVEL);
  g_string_append(c->out, "wp\t\t: yes\n");
}

static void
append_all_flags(const Cpu *c)
{
  uint64_t vmx;

  if (c->m->caps == 0)
    return;
  g_string_append(c->out, "flags\t\t:");
  append_flags(c, M_CPU_CAPABILITY, 0, &c->m->features);
  if (has(c, FEATURE_VMX) && dacsa_linux_get_element(c->m->l, c->info, M_CPU_VMX, 0, &vmx, NULL) &&
      vmx != 0) {
    g_string_append(c->out, "\nvmx flags\t:");
    append_flags(c, M_CPU_VMX, 0, &c->m->vmx);
  }
  g_string_append(c->out, "\nbugs\t\t:");
  append_flags(c, M_CPU_CAPABILITY, c->m->caps, &c->m->bugs);
  g_string_append_c(c->out, '\n');
}

static void
append_bogomips(const Cpu *c)
{
  const uint64_t hz = c->m->hz;
  g_autoptr(GError) error = NULL;
  uint64_t loops;

  if (hz == 0 || hz > 5000)
    note(c->m->l, "bogomips is absent: how often the clock ticks is not known");
  else if (!dacsa_linux_get(c->m->l, c->info, M_CPU_LOOPS, &loops, &error))
    note(c->m->l, error->message);
  else
    g_string_append_printf(c->out, "bogomips\t: %" PRIu64 ".%02" PRIu64 "\n", loops / (500000 / hz),
                           loops / (5000 / hz) % 100);
}

static void
append_power(const Cpu *c)
{
  uint64_t power = 0;

  if (!dacsa_linux_get(c->m->l, c->info, M_CPU_POWER, &power, NULL))
    power = 0;
  g_string_append(c->out, "power management:");
  for (unsigned i = 0; i < 32; i++) {
    const char *name = i < c->m->power.n ? c->m->power.names[i] : NULL;

    if (!(power >> i & 1))
      continue;
    if (name)
      g_string_append_printf(c->out, "%s%s", name[0] ? " " : "", name);
    else
      g_string_append_printf(c->out, " [%u]", i);
  }
  g_string_append(c->out, "\n\n");
}

static void
append_cpu(const Cpu *c)
{
  uint64_t virt_bits;

  line(c, "processor\t: %u\n", M_CPU_INDEX);
  text_line(c, "vendor_id\t: %s\n", M_CPU_VENDOR);
  line(c, "cpu family\t: %d\n", M_CPU_FAMILY);
  line(c, "model\t\t: %u\n", M_CPU_MODEL);
  text_line(c, "model name\t: %s\n", M_CPU_MODEL_ID);
  line(c, "stepping\t: %d\n", M_CPU_STEPPING);
  optional_line(c, "microcode\t: 0x%x\n", M_CPU_MICROCODE);
  append_frequency(c);
  optional_line(c, "cache size\t: %u KB\n", M_CPU_CACHE_SIZE);
  append_topology(c);
  append_all_flags(c);
  append_bogomips(c);
  optional_line(c, "TLB size\t: %d 4K pages\n", M_CPU_TLBSIZE);
  line(c, "clflush size\t: %u\n", M_CPU_CLFLUSH);
  line(c, "cache_alignment\t: %d\n", M_CPU_CACHE_ALIGNMENT);
  if (dacsa_linux_get(c->m->l, c->info, M_CPU_VIRT_BITS, &virt_bits, NULL)) {
    line(c, "address sizes\t: %u bits physical, ", M_CPU_PHYS_BITS);
    g_string_append_printf(c->out, "%u bits virtual\n", (unsigned)virt_bits);
  }
  append_power(c);
}

bool
dacsa_linux_cpuinfo(DacsaGuest *guest, GString *out, GError **error)
{
  DacsaLinux *l = (DacsaLinux *)guest;
  g_auto(Machine) m = {0};

  if (!read_machine(l, &m, error))
    return false;
  for (guint i = 0; i < m.cpus->len; i++) {
    const uint32_t cpu = g_array_index(m.cpus, uint32_t, i);
    Cpu c = {.m = &m, .out = out};
    g_autoptr(GError) cause = NULL;

    if (out->len > DACSA_LINUX_MAX_TEXT) {
      note(l, "cut short: too large");
      break;
    }

    if (dacsa_linux_per_cpu(l, S_CPU_INFO, cpu, &c.info, &cause))
      append_cpu(&c);
    else
      note(l, cause->message);
  }
  return true;
}
