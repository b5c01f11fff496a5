/* Decodes kallsyms. Names are not kept decoded: a hash of each is, and a hit is decoded again. */
#include "parsers/kallsyms.h"

#include "parsers/scratch.h"
#include "snap/bytes.h"
#include "snap/error.h"

#include <inttypes.h>
#include <string.h>

#define MAX_SYMBOLS (2u << 20)
#define MAX_NAME 1024u /* decoded; KSYM_NAME_LEN is 512 */
#define MAX_NAMES_BYTES (64u << 20)
#define TOKENS 256u
#define MAX_TOKEN_TABLE 65536u /* indexed by 16 bits */
/* Of one lookup. A guest can give names that meet in one place; a kernel's own do not. */
#define MAX_CHAIN 65536u
#define MAX_DECODED 16u

/*
 * How an offset becomes an address (kernel/kallsyms.c, kallsyms_sym_address): added to the base;
 * the same, but those that are not negative are addresses themselves
 * (CONFIG_KALLSYMS_ABSOLUTE_PERCPU); added to the address of the offset.
 */
typedef enum { FROM_BASE, ABSOLUTE_PERCPU, FROM_PLACE } Mode;

/* A token as a step of a name's hash: hash = hash * times + plus. */
typedef struct {
  uint32_t times, plus;
} Step;

struct DacsaKallsyms {
  DacsaKallsymsTables tables;
  void *block; /* in which the arrays and the names lie */
  uint8_t *names;
  size_t names_len;
  uint8_t token_table[MAX_TOKEN_TABLE];
  size_t token_table_len;
  uint16_t token_index[TOKENS];
  uint8_t token_len[TOKENS];
  Step token_step[TOKENS];
  Step first_step[TOKENS]; /* without the first letter */
  uint32_t n;
  uint32_t *name_at; /* n: where each compressed name begins in names */
  int32_t *offsets;  /* n */
  uint64_t offsets_at;
  uint64_t relative_base;
  Mode mode;
  uint32_t *hash;      /* n: of each name */
  uint32_t *index;     /* of each hash, the first symbol's number + 1; 0: none */
  uint32_t *same_slot; /* n: of each symbol, the next one's, likewise */
  unsigned index_shift;
};

/* The hash of a text is a polynomial of its letters, so that names are hashed token by token. */
#define HASH_LETTER 0x9e3779b1u

static Step
text_step(const uint8_t *text, size_t len)
{
  Step step = {1, 0};

  for (size_t i = 0; i < len; i++)
    step = (Step){step.times * HASH_LETTER, step.plus * HASH_LETTER + text[i]};
  return step;
}

static uint32_t
hash_slot(const DacsaKallsyms *k, uint32_t hash)
{
  return (hash * 0x85ebca6bu) >> k->index_shift;
}

/* The compressed name at `at`: its tokens. A length byte with the top bit set is followed by more
 * of it (since 6.1, "kallsyms: support "big" kernel symbols"); older names are shorter than that.
 */
static bool
name_tokens(const DacsaKallsyms *k, size_t at, const uint8_t **ret, size_t *ret_len,
            size_t *ret_next)
{
  DacsaBytes names = dacsa_bytes(k->names, k->names_len);
  uint8_t low, high = 0;

  if (!dacsa_bytes_u8(names, at, &low))
    return false;
  size_t head = 1;
  size_t len = low;
  if (low & 0x80) {
    if (!dacsa_bytes_u8(names, at + 1, &high))
      return false;
    head = 2;
    len = (low & 0x7fu) | (size_t)high << 7;
  }
  DacsaBytes tokens = dacsa_bytes_slice(names, at + head, len);
  if (len == 0 || !tokens.data)
    return false;
  *ret = tokens.data;
  *ret_len = len;
  *ret_next = at + head + len;
  return true;
}

static const uint8_t *
token(const DacsaKallsyms *k, uint8_t i)
{
  return k->token_table + k->token_index[i];
}

/* The hash of the decoded name, without its first letter, the type. */
static uint32_t
tokens_hash(const DacsaKallsyms *k, const uint8_t *tokens, size_t len)
{
  size_t i = 0;

  while (i < len && k->token_len[tokens[i]] == 0)
    i++;
  if (i == len)
    return 0;
  uint32_t h = k->first_step[tokens[i]].plus;
  for (i++; i < len; i++)
    h = h * k->token_step[tokens[i]].times + k->token_step[tokens[i]].plus;
  return h;
}

/* The decoded name with its type letter in front, or NULL. */
static char *
decode(const DacsaKallsyms *k, uint32_t i)
{
  g_autoptr(GString) text = g_string_sized_new(64);
  const uint8_t *tokens;
  size_t len, next;

  if (!name_tokens(k, k->name_at[i], &tokens, &len, &next))
    return NULL;
  for (size_t t = 0; t < len && text->len < MAX_NAME; t++)
    g_string_append_len(text, (const char *)token(k, tokens[t]), k->token_len[tokens[t]]);
  return g_string_free(g_steal_pointer(&text), FALSE);
}

static uint64_t
address(const DacsaKallsyms *k, uint32_t i)
{
  int32_t offset = k->offsets[i];

  switch (k->mode) {
  case FROM_PLACE:
    return k->offsets_at + (uint64_t)i * 4 + (uint64_t)(int64_t)offset;
  case ABSOLUTE_PERCPU:
    return offset >= 0 ? (uint64_t)offset : k->relative_base - 1 - (uint64_t)(int64_t)offset;
  case FROM_BASE:
  default:
    return k->relative_base + (uint32_t)offset;
  }
}

static bool
load_tokens(DacsaKallsyms *k, DacsaMem *kernel, const DacsaKallsymsTables *t, GError **error)
{
  uint8_t raw[TOKENS * 2];

  if (!dacsa_mem_read(kernel, t->token_index, raw, sizeof(raw), error))
    return false;
  k->token_table_len =
      dacsa_mem_read_some(kernel, t->token_table, k->token_table, sizeof(k->token_table));
  for (unsigned i = 0; i < TOKENS; i++) {
    uint16_t at;

    dacsa_bytes_u16(dacsa_bytes(raw, sizeof(raw)), i * 2, &at);
    const uint8_t *end =
        at < k->token_table_len ? memchr(k->token_table + at, 0, k->token_table_len - at) : NULL;
    if (!end || end - (k->token_table + at) > 255)
      return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "kallsyms: token %u has no end", i);
    k->token_index[i] = at;
    k->token_len[i] = (uint8_t)(end - (k->token_table + at));
    k->token_step[i] = text_step(k->token_table + at, k->token_len[i]);
    if (k->token_len[i] > 0)
      k->first_step[i] = text_step(k->token_table + at + 1, k->token_len[i] - 1u);
  }
  return true;
}

/* The arrays' room, and the names'. */
static void
make_room(DacsaKallsyms *k, size_t names_len)
{
  unsigned bits = 1;

  while (1u << bits < k->n)
    bits++;
  k->index_shift = 32 - bits;
  uint32_t *words = dacsa_scratch_new(((size_t)4 * k->n + ((size_t)1 << bits)) * 4 + names_len);
  k->block = words;
  k->name_at = words;
  k->hash = k->name_at + k->n;
  k->same_slot = k->hash + k->n;
  k->offsets = (int32_t *)(k->same_slot + k->n);
  k->index = (uint32_t *)(k->offsets + k->n);
  k->names = (uint8_t *)(k->index + ((size_t)1 << bits));
  memset(k->index, 0, ((size_t)1 << bits) * 4);
}

static bool
load_names(DacsaKallsyms *k, DacsaMem *kernel, const DacsaKallsymsTables *t, GError **error)
{
  /* The tokens lie behind the names in every layout so far; without that a name has 64 bytes. */
  uint64_t len = t->token_table > t->names ? t->token_table - t->names : (uint64_t)k->n * 64;
  size_t at = 0;

  len = MIN(len, MAX_NAMES_BYTES);
  make_room(k, len);
  k->names_len = dacsa_mem_read_some(kernel, t->names, k->names, len);
  for (uint32_t i = 0; i < k->n; i++) {
    const uint8_t *tokens;
    size_t n, next;

    if (!name_tokens(k, at, &tokens, &n, &next))
      return dacsa_fail(error, DACSA_ERROR_BAD_DATA,
                        "kallsyms: name %u of %u runs out of the table", i, k->n);
    k->hash[i] = tokens_hash(k, tokens, n);
    k->name_at[i] = (uint32_t)at;
    at = next;
  }
  return true;
}

/* Chains, in ascending order, for a guest can give all its symbols one name: probing would be
 * quadratic, and the first of several of a name is wanted. */
static void
make_index(DacsaKallsyms *k)
{
  for (uint32_t i = k->n; i-- > 0;) {
    uint32_t slot = hash_slot(k, k->hash[i]);

    k->same_slot[i] = k->index[slot];
    k->index[slot] = i + 1;
  }
}

static bool
load_offsets(DacsaKallsyms *k, DacsaMem *kernel, const DacsaKallsymsTables *t, GError **error)
{
  k->offsets_at = t->offsets;
  if (t->relative_base && !dacsa_mem_read_u64(kernel, t->relative_base, &k->relative_base, error))
    return false;
  if (!dacsa_mem_read(kernel, t->offsets, k->offsets, (size_t)k->n * 4, error))
    return false;
  for (uint32_t i = 0; i < k->n; i++)
    k->offsets[i] = GINT32_FROM_LE(k->offsets[i]);
  return true;
}

/* Finds symbol number of `name`, the first if there are several; false: none. */
static bool
lookup(const DacsaKallsyms *k, const char *name, uint32_t *ret)
{
  uint32_t hash = text_step((const uint8_t *)name, strlen(name)).plus;
  unsigned passed = 0, decoded = 0;

  if (!k)
    return false;
  for (uint32_t at = k->index[hash_slot(k, hash)]; at != 0 && passed < MAX_CHAIN;
       at = k->same_slot[at - 1], passed++) {
    if (k->hash[at - 1] != hash)
      continue;
    g_autofree char *text = decode(k, at - 1);
    if (text && text[0] != '\0' && strcmp(text + 1, name) == 0) {
      *ret = at - 1;
      return true;
    }
    if (++decoded == MAX_DECODED)
      return false;
  }
  return false;
}

/* Chooses the way from offsets to addresses in which the anchor is where it is. */
static bool
choose_mode(DacsaKallsyms *k, const DacsaKallsymsTables *tables, const DacsaKallsymsAnchor *anchor,
            GError **error)
{
  static const Mode with_base[] = {ABSOLUTE_PERCPU, FROM_BASE}, without[] = {FROM_PLACE};
  const Mode *modes = tables->relative_base ? with_base : without;
  size_t n = tables->relative_base ? G_N_ELEMENTS(with_base) : G_N_ELEMENTS(without);
  uint32_t at;

  if (!lookup(k, anchor->name, &at))
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "kallsyms: no %s among %u symbols", anchor->name,
                      k->n);
  for (size_t i = 0; i < n; i++) {
    k->mode = modes[i];
    if (address(k, at) >= anchor->low && address(k, at) <= anchor->high)
      return true;
  }
  return dacsa_fail(error, DACSA_ERROR_BAD_DATA,
                    "kallsyms: %s is at 0x%" PRIx64 ", not within 0x%" PRIx64 "-0x%" PRIx64,
                    anchor->name, address(k, at), anchor->low, anchor->high);
}

bool
dacsa_kallsyms_load(DacsaMem *kernel, const DacsaKallsymsTables *tables,
                    const DacsaKallsymsAnchor *anchor, DacsaKallsyms **ret, GError **error)
{
  g_autoptr(DacsaKallsyms) k = g_new0(DacsaKallsyms, 1);

  if (tables->num_syms == 0 || tables->num_syms > MAX_SYMBOLS)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "kallsyms: %" PRIu64 " symbols cannot be",
                      tables->num_syms);
  k->tables = *tables;
  k->n = (uint32_t)tables->num_syms;
  if (!load_tokens(k, kernel, tables, error) || !load_names(k, kernel, tables, error) ||
      !load_offsets(k, kernel, tables, error))
    return false;
  make_index(k);
  if (!choose_mode(k, tables, anchor, error))
    return false;
  *ret = g_steal_pointer(&k);
  return true;
}

void
dacsa_kallsyms_free(DacsaKallsyms *k)
{
  if (!k)
    return;
  g_free(k->block);
  g_free(k);
}

bool
dacsa_kallsyms_find(const DacsaKallsyms *k, const char *name, uint64_t *ret, GError **error)
{
  uint32_t i;

  if (!lookup(k, name, &i))
    return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "the kernel has no symbol %s", name);
  *ret = address(k, i);
  return true;
}

uint64_t
dacsa_kallsyms_find_optional(const DacsaKallsyms *k, const char *name)
{
  uint32_t i;

  return lookup(k, name, &i) ? address(k, i) : 0;
}

const DacsaKallsymsTables *
dacsa_kallsyms_tables(const DacsaKallsyms *k)
{
  return k ? &k->tables : NULL;
}

uint32_t
dacsa_kallsyms_count(const DacsaKallsyms *k)
{
  return k ? k->n : 0;
}

char *
dacsa_kallsyms_symbol(const DacsaKallsyms *k, uint32_t i, uint64_t *ret_address, char *ret_type)
{
  char *text = decode(k, i);

  *ret_address = address(k, i);
  *ret_type = text && text[0] ? text[0] : '?';
  if (text && text[0])
    memmove(text, text + 1, strlen(text));
  return text ? text : g_strdup("");
}
