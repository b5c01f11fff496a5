/* The whole ISF of a guest's kernel. */
#include "parsers/linux/isf.h"

#include "parsers/linux/image.h"
#include "parsers/linux/system.h"
#include "parsers/scratch.h"
#include "snap/error.h"

#include <malloc.h>

#define MAX_ISF (192u << 20) /* bytes; kernels have 25 to 40 million */
#define MAX_BTF (64u << 20)  /* bytes; kernels have 4 to 8 million */
#define LINKED_TEXT                                                                                \
  (DACSA_LINUX_IMAGE_START + 0x1000000u) /* _text without KASLR: CONFIG_PHYSICAL_START */
#define WHERE "symbols/linux/vmlinux.json"

static bool
read_types(const DacsaLinux *l, void **ret_data, DacsaTypes **ret, GError **error)
{
  const uint64_t size = l->kernel->btf_end - l->kernel->btf;
  g_autofree void *data = NULL;

  if (l->kernel->btf == 0)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "the kernel has no BTF");
  if (size > MAX_BTF)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "BTF of %" PRIu64 " bytes", size);
  data = dacsa_scratch_new((size_t)size);
  if (!dacsa_mem_read(l->memory, l->kernel->btf, data, (size_t)size, error) ||
      !dacsa_types_new(data, (size_t)size, ret, error))
    return false;
  *ret_data = g_steal_pointer(&data);
  return true;
}

/* VMCOREINFO says how far KASLR moved the kernel; without it, where its first symbol is. */
static uint64_t
kaslr_shift(const DacsaLinux *l)
{
  uint64_t text;

  if (l->kernel->info->text[0])
    return l->kernel->info->kaslr_offset;
  text = dacsa_kallsyms_find_optional(l->kernel->kallsyms, "_text");
  return text != 0 ? text - LINKED_TEXT : 0;
}

static void
write_metadata(DacsaJson *json)
{
  static const char *const sources[][3] = {{"symbols", "symtab", "kallsyms"},
                                           {"types", "dwarf", "BTF"}};

  dacsa_json_key(json, "metadata");
  dacsa_json_open(json);
  dacsa_json_add_text(json, "format", "6.2.0");
  dacsa_json_key(json, "producer");
  dacsa_json_open(json);
  dacsa_json_add_text(json, "name", "dacsa");
  dacsa_json_add_text(json, "version", DACSA_VERSION);
  dacsa_json_close(json);
  dacsa_json_key(json, "linux");
  dacsa_json_open(json);
  for (guint i = 0; i < G_N_ELEMENTS(sources); i++) {
    dacsa_json_key(json, sources[i][0]);
    g_string_append_c(json->out, '[');
    dacsa_json_open(json);
    dacsa_json_add_text(json, "kind", sources[i][1]);
    dacsa_json_add_text(json, "name", sources[i][2]);
    dacsa_json_close(json);
    g_string_append_c(json->out, ']');
  }
  dacsa_json_close(json);
  dacsa_json_close(json);
}

static void
note_omitted(DacsaLinux *l, const DacsaIsf *isf)
{
  g_autofree char *text = g_strdup_printf("%u types or members are left out", isf->omitted);

  if (isf->omitted > 0)
    dacsa_errors_add(l->errors, WHERE, text);
  if (dacsa_json_is_full(&isf->json))
    dacsa_errors_add(l->errors, WHERE, "cut short: too large");
}

static bool
write_isf(DacsaGuest *guest, GString *out, GError **error)
{
  DacsaLinux *l = (DacsaLinux *)guest;
  g_autoptr(GError) no_banner = NULL;
  g_autofree void *data = NULL;
  g_autoptr(DacsaTypes) types = NULL;
  g_autoptr(GString) banner = g_string_new(NULL);
  g_auto(DacsaIsf) isf = {0};

  if (!read_types(l, &data, &types, error))
    return false;
  if (!dacsa_linux_banner(guest, banner, &no_banner))
    dacsa_errors_add(l->errors, WHERE, no_banner->message);
  g_autoptr(DacsaIsfNames) names = dacsa_isf_names_new(types);
  const DacsaIsfSymbols symbols = {l->kernel->kallsyms, kaslr_shift(l),
                                   no_banner ? NULL : banner->str};
  dacsa_isf_init(&isf, types, names, out, MAX_ISF);
  dacsa_json_open(&isf.json);
  write_metadata(&isf.json);
  dacsa_isf_write_types(&isf);
  dacsa_isf_write_symbols(&isf, &symbols);
  dacsa_json_close(&isf.json);
  note_omitted(l, &isf);
  return true;
}

bool
dacsa_linux_isf(DacsaGuest *guest, GString *out, GError **error)
{
  bool written = write_isf(guest, out, error);

  /* Some hundred thousand names were held for a moment, and that is not needed again soon. */
  malloc_trim(0);
  return written;
}
