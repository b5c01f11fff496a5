/* From an image to its symbols and types. */
#include "parsers/linux/symbols.h"

#include "parsers/btf-find.h"
#include "parsers/kallsyms-find.h"
#include "snap/error.h"

#include <inttypes.h>

/* A kernel's tables lie within so much in front of the token index, and behind it. */
#define USUAL_BEFORE (3u << 20)
#define USUAL_BEHIND (1u << 20)
#define CHUNK (256u << 10)
#define OVERLAP (16u << 10) /* of two chunks: the tokens and their index are smaller */
#define MAX_WINDOWS 16u
#define MAX_EXTENT (128u << 20) /* of the image, looked through at once */
#define MAX_LOOKED_AT (512u << 20)
#define MAX_BTF (64u << 20)
#define ANCHOR "_stext" /* arch/x86/kernel/vmlinux.lds.S; VMCOREINFO has it too */

/* -- the image's parts, the likeliest first -- */

/* Called with a part of the image; true: found, stop. */
typedef bool (*PartVisit)(DacsaBytes part, uint64_t gva, void *data);

typedef bool (*PartKind)(const DacsaLinuxExtent *extent);

static bool
is_rodata(const DacsaLinuxExtent *e)
{
  return !e->writable && !e->executable;
}

static bool
is_text(const DacsaLinuxExtent *e)
{
  return !e->writable && e->executable;
}

/* A kernel booted with rodata=off, or one that is still booting. */
static bool
is_writable(const DacsaLinuxExtent *e)
{
  return e->writable;
}

static bool
visit_parts(const DacsaLinuxImage *image, DacsaMem *memory, PartVisit visit, void *data)
{
  static const PartKind kinds[] = {is_rodata, is_text, is_writable};
  uint64_t looked_at = 0;

  for (size_t kind = 0; kind < G_N_ELEMENTS(kinds); kind++) {
    for (guint i = 0; i < image->extents->len; i++) {
      const DacsaLinuxExtent *e = &g_array_index(image->extents, DacsaLinuxExtent, i);
      size_t len = (size_t)MIN(e->size, (uint64_t)MAX_EXTENT);

      looked_at += len;
      if (!kinds[kind](e) || looked_at > MAX_LOOKED_AT)
        continue;
      if (visit(dacsa_linux_image_hold(memory, e->gva, len), e->gva, data))
        return true;
    }
  }
  return false;
}

/* -- symbols -- */

typedef struct {
  DacsaMem *memory;
  DacsaKallsymsAnchor anchor;
  DacsaKallsyms *found;
  GError *error; /* why the last tables that looked right were not */
} Search;

static bool
try_tables(const DacsaKallsymsTables *tables, void *data)
{
  Search *s = data;

  g_clear_error(&s->error);
  return dacsa_kallsyms_load(s->memory, tables, &s->anchor, &s->found, &s->error);
}

/* Looks at the surroundings of what may be the token index: how little of the image is kept in
 * memory at once decides how long all this takes. */
static bool
search_around(Search *s, const DacsaLinuxExtent *e, uint64_t index)
{
  uint64_t start = index - e->gva > USUAL_BEFORE ? index - USUAL_BEFORE : e->gva;
  uint64_t end = MIN(e->gva + e->size, index + USUAL_BEHIND);

  start &= ~(DACSA_PAGE_SIZE - 1);
  return dacsa_kallsyms_find_tables(dacsa_linux_image_hold(s->memory, start, end - start), start,
                                    try_tables, s);
}

static bool
search_extent(Search *s, const DacsaLinuxExtent *e)
{
  g_autofree uint8_t *chunk = g_malloc(CHUNK);
  unsigned windows = 0;
  size_t index;

  for (uint64_t at = 0; at < e->size; at += CHUNK - OVERLAP) {
    size_t len = dacsa_mem_read_some(s->memory, e->gva + at, chunk, MIN(e->size - at, CHUNK));

    for (size_t from = 0; dacsa_kallsyms_find_index(dacsa_bytes(chunk, len), from, &index);
         from = index + 4) {
      if (search_around(s, e, e->gva + at + index))
        return true;
      if (++windows == MAX_WINDOWS)
        return false;
    }
  }
  return false;
}

/* Where the tables usually are: in read-only data, close together. */
static bool
search_usual(const DacsaLinuxImage *image, Search *s)
{
  for (guint i = 0; i < image->extents->len; i++) {
    const DacsaLinuxExtent *e = &g_array_index(image->extents, DacsaLinuxExtent, i);

    if (is_rodata(e) && e->size <= MAX_EXTENT && search_extent(s, e))
      return true;
  }
  return false;
}

static bool
search_part(DacsaBytes part, uint64_t gva, void *data)
{
  return dacsa_kallsyms_find_tables(part, gva, try_tables, data);
}

/* _stext is where VMCOREINFO says, or anywhere in the image. */
static DacsaKallsymsAnchor
make_anchor(const DacsaLinuxImage *image, const DacsaVmcoreinfo *info)
{
  DacsaKallsymsAnchor anchor = {.name = ANCHOR};

  anchor.low = info ? dacsa_vmcoreinfo_symbol(info, ANCHOR) : 0;
  anchor.high = anchor.low;
  if (anchor.low == 0) {
    dacsa_linux_image_span(image, &anchor.low, &anchor.high);
    anchor.high--;
  }
  return anchor;
}

static bool
load_named(DacsaMem *memory, const DacsaVmcoreinfo *info, const DacsaKallsymsAnchor *anchor,
           DacsaKallsyms **ret)
{
  DacsaKallsymsTables tables = {
      .names = dacsa_vmcoreinfo_symbol(info, "kallsyms_names"),
      .token_table = dacsa_vmcoreinfo_symbol(info, "kallsyms_token_table"),
      .token_index = dacsa_vmcoreinfo_symbol(info, "kallsyms_token_index"),
      .offsets = dacsa_vmcoreinfo_symbol(info, "kallsyms_offsets"),
      .relative_base = dacsa_vmcoreinfo_symbol(info, "kallsyms_relative_base"),
  };
  uint64_t num_syms = dacsa_vmcoreinfo_symbol(info, "kallsyms_num_syms");
  uint32_t n;

  if (!tables.names || !tables.token_table || !tables.token_index || !tables.offsets || !num_syms ||
      !dacsa_mem_read_u32(memory, num_syms, &n, NULL))
    return false;
  tables.num_syms = n;
  return dacsa_kallsyms_load(memory, &tables, anchor, ret, NULL);
}

bool
dacsa_linux_symbols_load(const DacsaLinuxImage *image, DacsaMem *memory,
                         const DacsaVmcoreinfo *info, DacsaKallsyms **ret, GError **error)
{
  Search s = {.memory = memory, .anchor = make_anchor(image, info)};

  if (info && load_named(memory, info, &s.anchor, ret))
    return true;
  if (search_usual(image, &s) || visit_parts(image, memory, search_part, &s)) {
    *ret = s.found;
    return true;
  }
  if (s.error) {
    g_propagate_error(error, s.error);
    return false;
  }
  return dacsa_fail(error, DACSA_ERROR_NOT_FOUND,
                    "there is no symbol table (kallsyms) in the kernel's image");
}

/* -- types -- */

typedef struct {
  uint64_t start, end;
} BtfPlace;

static bool
search_btf(DacsaBytes part, uint64_t gva, void *data)
{
  BtfPlace *place = data;
  size_t at, len;

  if (!dacsa_btf_find(part, &at, &len))
    return false;
  *place = (BtfPlace){gva + at, gva + at + len};
  return true;
}

bool
dacsa_linux_symbols_btf(const DacsaLinuxImage *image, DacsaMem *memory,
                        const DacsaKallsyms *kallsyms, uint64_t *ret_start, uint64_t *ret_end,
                        GError **error)
{
  BtfPlace place = {dacsa_kallsyms_find_optional(kallsyms, "__start_BTF"),
                    dacsa_kallsyms_find_optional(kallsyms, "__stop_BTF")};

  if (place.end <= place.start && !visit_parts(image, memory, search_btf, &place))
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "the kernel has no BTF");
  if (place.end - place.start > MAX_BTF)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "the kernel's BTF has an impossible size");
  *ret_start = place.start;
  *ret_end = place.end;
  return true;
}
