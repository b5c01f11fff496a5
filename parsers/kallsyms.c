/* Decodes kallsyms. Names are not kept decoded: a hash of each is, and a hit is decoded again. */
#include "parsers/kallsyms.h"

#include "snap/bytes.h"
#include "snap/error.h"

#include <inttypes.h>
#include <string.h>

#define MAX_SYMBOLS (2u << 20)
#define MAX_NAME 1024u /* decoded; KSYM_NAME_LEN is 512 */
#define MAX_NAMES_BYTES (64u << 20)
#define MAX_CHAIN 8192u /* symbols of one hash that are found by name; a kernel has a thousand */
#define TOKENS 256u
#define MAX_TOKEN_TABLE 65536u /* indexed by 16 bits */

struct DacsaKallsyms {
  uint8_t *names;
  size_t names_len;
  uint8_t token_table[MAX_TOKEN_TABLE];
  size_t token_table_len;
  uint16_t token_index[TOKENS];
  uint8_t token_len[TOKENS];
  uint32_t n;
  uint32_t *name_at; /* n: where each compressed name begins in names */
  int32_t *offsets;  /* n */
  uint64_t relative_base;
  bool absolute_percpu;
  uint32_t *index; /* of each hash, the last symbol's number + 1; 0: none */
  uint32_t index_mask;
  uint32_t *same_hash; /* n: of each symbol, the one before it, likewise */
};

static uint32_t
hash_bytes(uint32_t h, const uint8_t *data, size_t len)
{
  for (size_t i = 0; i < len; i++)
    h = (h ^ data[i]) * 16777619u;
  return h;
}

#define HASH_START 2166136261u

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
  uint32_t h = HASH_START;
  size_t skip = 1;
  size_t done = 0;

  for (size_t i = 0; i < len && done < MAX_NAME; i++) {
    size_t n = k->token_len[tokens[i]];
    size_t from = MIN(skip, n);

    done += n;
    h = hash_bytes(h, token(k, tokens[i]) + from, n - from);
    skip -= from;
  }
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

  if (!k->absolute_percpu)
    return k->relative_base + (uint32_t)offset;
  /* kernel/kallsyms.c, kallsyms_sym_address: values that are not negative are absolute. */
  return offset >= 0 ? (uint64_t)offset : k->relative_base - 1 - (uint64_t)(int64_t)offset;
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
  }
  return true;
}

static bool
load_names(DacsaKallsyms *k, DacsaMem *kernel, const DacsaKallsymsTables *t, GError **error)
{
  /* The tokens lie behind the names in every layout so far; without that a name has 64 bytes. */
  uint64_t len = t->token_table > t->names ? t->token_table - t->names : (uint64_t)k->n * 64;
  size_t at = 0;

  len = MIN(len, MAX_NAMES_BYTES);
  k->names = g_malloc(len);
  k->names_len = dacsa_mem_read_some(kernel, t->names, k->names, len);
  k->name_at = g_new(uint32_t, k->n);
  k->index_mask = 1;
  while (k->index_mask < k->n * 2)
    k->index_mask <<= 1;
  k->index = g_new0(uint32_t, k->index_mask);
  k->index_mask--;
  k->same_hash = g_new0(uint32_t, k->n);
  g_autofree uint16_t *chain_len = g_new0(uint16_t, k->index_mask + 1);
  for (uint32_t i = 0; i < k->n; i++) {
    const uint8_t *tokens;
    size_t n, next;

    if (!name_tokens(k, at, &tokens, &n, &next))
      return dacsa_fail(error, DACSA_ERROR_BAD_DATA,
                        "kallsyms: name %u of %u runs out of the table", i, k->n);
    /* Chains, for a guest can give all its symbols one name: probing would be quadratic. And not
     * too long ones, or each look-up would be a walk over all symbols. */
    uint32_t slot = tokens_hash(k, tokens, n) & k->index_mask;
    if (chain_len[slot] < MAX_CHAIN) {
      chain_len[slot]++;
      k->same_hash[i] = k->index[slot];
      k->index[slot] = i + 1;
    }
    k->name_at[i] = (uint32_t)at;
    at = next;
  }
  return true;
}

static bool
load_offsets(DacsaKallsyms *k, DacsaMem *kernel, const DacsaKallsymsTables *t, GError **error)
{
  k->offsets = g_new(int32_t, k->n);
  if (!dacsa_mem_read_u64(kernel, t->relative_base, &k->relative_base, error) ||
      !dacsa_mem_read(kernel, t->offsets, k->offsets, (size_t)k->n * 4, error))
    return false;
  for (uint32_t i = 0; i < k->n; i++)
    k->offsets[i] = GINT32_FROM_LE(k->offsets[i]);
  return true;
}

/* Finds symbol number of `name`; false: none. */
static bool
lookup(const DacsaKallsyms *k, const char *name, uint32_t *ret)
{
  uint32_t slot = hash_bytes(HASH_START, (const uint8_t *)name, strlen(name)) & k->index_mask;
  bool found = false;

  for (uint32_t at = k->index[slot]; at != 0; at = k->same_hash[at - 1]) {
    g_autofree char *text = decode(k, at - 1);

    /* Of several of that name, the one with the lowest number: numbers fall along the chain. */
    if (text && text[0] != '\0' && strcmp(text + 1, name) == 0) {
      *ret = at - 1;
      found = true;
    }
  }
  return found;
}

bool
dacsa_kallsyms_load(DacsaMem *kernel, const DacsaKallsymsTables *tables, const char *anchor,
                    uint64_t anchor_address, DacsaKallsyms **ret, GError **error)
{
  g_autoptr(DacsaKallsyms) k = g_new0(DacsaKallsyms, 1);
  uint32_t at;

  if (tables->num_syms == 0 || tables->num_syms > MAX_SYMBOLS)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "kallsyms: %" PRIu64 " symbols cannot be",
                      tables->num_syms);
  k->n = (uint32_t)tables->num_syms;
  if (!load_tokens(k, kernel, tables, error) || !load_names(k, kernel, tables, error) ||
      !load_offsets(k, kernel, tables, error))
    return false;
  if (!lookup(k, anchor, &at))
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "kallsyms: no %s among %u symbols", anchor,
                      k->n);
  k->absolute_percpu = true;
  if (address(k, at) != anchor_address)
    k->absolute_percpu = false;
  if (address(k, at) != anchor_address)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA,
                      "kallsyms: %s is at 0x%" PRIx64 ", not at 0x%" PRIx64, anchor, address(k, at),
                      anchor_address);
  *ret = g_steal_pointer(&k);
  return true;
}

void
dacsa_kallsyms_free(DacsaKallsyms *k)
{
  if (!k)
    return;
  g_free(k->names);
  g_free(k->name_at);
  g_free(k->offsets);
  g_free(k->index);
  g_free(k->same_hash);
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

uint32_t
dacsa_kallsyms_count(const DacsaKallsyms *k)
{
  return k->n;
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
