/* Finds the registers that matter for paging in the monitor's text. */
#include "parsers/cpus.h"

#include <string.h>

#define MAX_CPUS 4096u

/* The hexadecimal value behind `name`, which begins a word, within [text, end). */
static bool
find_register(const char *text, const char *end, const char *name, uint64_t *ret)
{
  size_t n = strlen(name);

  for (const char *at = text; (at = g_strstr_len(at, end - at, name)); at += n) {
    if (at > text && !strchr(" \n", at[-1]))
      continue;
    char *stop;
    *ret = g_ascii_strtoull(at + n, &stop, 16);
    return stop > at + n;
  }
  return false;
}

GArray *
dacsa_cpus_parse(const char *text)
{
  GArray *cpus = g_array_new(FALSE, FALSE, sizeof(DacsaCpu));
  const char *at = strstr(text, "CPU#");

  while (at && cpus->len < MAX_CPUS) {
    const char *next = strstr(at + 1, "CPU#");
    const char *end = next ? next : at + strlen(at);
    DacsaCpu cpu = {0};

    if (find_register(at, end, "RIP=", &cpu.rip) && find_register(at, end, "CR0=", &cpu.cr0) &&
        find_register(at, end, "CR3=", &cpu.cr3) && find_register(at, end, "CR4=", &cpu.cr4))
      g_array_append_val(cpus, cpu);
    at = next;
  }
  return cpus;
}
