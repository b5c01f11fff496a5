/*
 * From the inside out: the token index is what can be told at a glance (256 ascending numbers), the
 * token table in front of it proves it, the markers in front of that tell how long the names are,
 * and the names are right if each marker names the beginning of one.
 */
#include "parsers/kallsyms-find.h"

#define TOKENS 256u
#define INDEX_BYTES (TOKENS * 2u)
#define MAX_TOKEN 512u    /* KSYM_NAME_LEN: bytes of one token */
#define PER_MARKER 256u   /* names */
#define MIN_MARKERS 4u    /* a kernel has hundreds */
#define MAX_MARKERS 8192u /* 2 Mi symbols */
#define MIN_STEP (2u * PER_MARKER)
#define MAX_STEP (514u * PER_MARKER)
#define SEQ_BYTES 3u                     /* of an entry of seqs_of_names */
#define MAX_TOKEN_TABLES 64u             /* looked at; one is there */
#define MAX_MARKER_TABLES 64u            /* looked at for each of them */
#define MAX_TRIES 64u                    /* what visit is called for, altogether */
#define MAX_STEPS (64u << 20)            /* names and tokens passed over, altogether */
#define MAX_DISTANCE (UINT64_C(1) << 31) /* of the base from the tables: one image */

typedef struct {
  DacsaBytes data;
  uint64_t gva;
  DacsaKallsymsVisit visit;
  void *visit_data;
  unsigned token_tables, tries;
  uint64_t steps;
} Find;

/* All at offsets in data. */
typedef struct {
  size_t names, markers, token_table, token_index;
  uint32_t n, n_markers;
  size_t align; /* 8 or 4 */
} Place;

static uint32_t
u32_at(const Find *f, size_t at)
{
  uint32_t v = 0;

  dacsa_bytes_u32(f->data, at, &v);
  return v;
}

static uint16_t
u16_at(const Find *f, size_t at)
{
  uint16_t v = 0;

  dacsa_bytes_u16(f->data, at, &v);
  return v;
}

static size_t
align_up(size_t at, size_t align)
{
  return (at + align - 1) & ~(align - 1);
}

/* -- the tokens -- */

static bool
is_token_index(const Find *f, size_t at)
{
  uint16_t last = u16_at(f, at);

  if (last != 0 || f->data.len - at < INDEX_BYTES)
    return false;
  for (unsigned i = 1; i < TOKENS; i++) {
    uint16_t next = u16_at(f, at + i * 2);

    if (next <= last || next > last + MAX_TOKEN)
      return false;
    last = next;
  }
  return true;
}

/* Do the tokens that the index speaks of stand at `table`, each ending where the next begins, and
 * the last one just in front of the index? */
static bool
is_token_table(Find *f, size_t table, size_t index)
{
  size_t begin = 0;

  for (unsigned i = 0; i < TOKENS; i++) {
    size_t next = index - table;

    if (i + 1 < TOKENS)
      next = u16_at(f, index + (i + 1) * (size_t)2);
    const uint8_t *end = memchr(f->data.data + table + begin, 0, next - begin);

    f->steps++;
    if (!end)
      return false;
    size_t len = (size_t)(end - (f->data.data + table + begin)) + 1;
    if (i + 1 == TOKENS ? next - begin - len >= 8 : len != next - begin)
      return false;
    begin = next;
  }
  return true;
}

static bool
find_token_table(Find *f, size_t index, size_t *ret)
{
  size_t least = align_up(u16_at(f, index + (TOKENS - 1) * 2) + 1u, 4);

  for (size_t size = least; size <= least + MAX_TOKEN && size <= index; size += 4) {
    if (is_token_table(f, index - size, index)) {
      *ret = index - size;
      return true;
    }
  }
  return false;
}

/* -- the names -- */

/* Where the name behind the one at `at` begins; 0: there is none at `at`. */
static size_t
next_name(const Find *f, size_t at)
{
  uint8_t low, high = 0;
  size_t head = 1;

  if (!dacsa_bytes_u8(f->data, at, &low))
    return 0;
  if (low & 0x80) { /* see parsers/kallsyms.c */
    if (!dacsa_bytes_u8(f->data, at + 1, &high))
      return 0;
    head = 2;
  }
  size_t len = (low & 0x7fu) | (size_t)high << 7;
  return len > 0 ? at + head + len : 0;
}

/* Do n names begin at p->names, every 256th where its marker says, and end at the markers? */
static bool
names_match(Find *f, const Place *p)
{
  size_t at = p->names;

  for (uint32_t i = 0; i < p->n; i++) {
    if (i % PER_MARKER == 0 && at - p->names != u32_at(f, p->markers + i / PER_MARKER * 4))
      return false;
    at = next_name(f, at);
    if (at == 0 || at > p->markers || ++f->steps > MAX_STEPS)
      return false;
  }
  return align_up(at, p->align) == p->markers;
}

/* -- the addresses -- */

/*
 * Symbols are sorted by address. Whichever way kernel/kallsyms.c, kallsyms_sym_address, makes one
 * of an offset, over some gigabytes the offsets rise: from a base (possibly with the per-CPU ones,
 * which are not negative, in front and all others falling), or from where each stands itself.
 */
static bool
offsets_rise(const Find *f, size_t offsets, uint32_t n, bool from_place)
{
  bool base = true, percpu = true, place = true;
  int64_t last = INT64_MIN;

  for (uint32_t i = 0; i < n; i++) {
    int32_t offset = (int32_t)u32_at(f, offsets + (size_t)i * 4);

    if (i > 0) {
      int32_t before = (int32_t)u32_at(f, offsets + (size_t)(i - 1) * 4);
      base &= (uint32_t)before <= (uint32_t)offset;
      percpu &= before >= 0 ? offset < 0 || before <= offset : offset < 0 && before >= offset;
    }
    place &= last <= (int64_t)offset + (int64_t)i * 4;
    last = (int64_t)offset + (int64_t)i * 4;
  }
  return from_place ? place : base || percpu;
}

static bool
try_tables(Find *f, const Place *p, size_t offsets, size_t relative_base)
{
  const DacsaKallsymsTables tables = {
      .names = f->gva + p->names,
      .token_table = f->gva + p->token_table,
      .token_index = f->gva + p->token_index,
      .offsets = f->gva + offsets,
      .relative_base = relative_base ? f->gva + relative_base : 0,
      .num_syms = p->n,
  };
  uint64_t base;

  if (!dacsa_bytes_slice(f->data, offsets, (uint64_t)p->n * 4).data)
    return false;
  if (relative_base && (!dacsa_bytes_u64(f->data, relative_base, &base) ||
                        base - (f->gva - MAX_DISTANCE) >= 2 * MAX_DISTANCE))
    return false;
  if (!offsets_rise(f, offsets, p->n, !relative_base) || f->tries++ >= MAX_TRIES)
    return false;
  return f->visit(&tables, f->visit_data);
}

/* The three orders. */
static bool
try_place(Find *f, const Place *p)
{
  size_t bytes = (size_t)p->n * 4;
  size_t behind = p->token_index + INDEX_BYTES;
  size_t in_front = 16 + align_up(bytes, 8); /* base and num_syms, each in 8 bytes */

  if (p->align == 8 && p->names >= in_front && try_tables(f, p, p->names - in_front, p->names - 16))
    return true;
  return (p->align == 8 && try_tables(f, p, behind, align_up(behind + bytes, 8))) ||
         try_tables(f, p, behind, 0);
}

/* -- the markers -- */

/* How many markers begin at `at`; not more than fit in front of `end`. */
static uint32_t
count_markers(const Find *f, size_t at, size_t end)
{
  uint32_t n = 1;

  if (u32_at(f, at) != 0)
    return 0;
  for (; at + (n + 1) * 4 <= end && n < MAX_MARKERS; n++) {
    uint32_t step = u32_at(f, at + n * 4) - u32_at(f, at + (n - 1) * 4);

    if (step < MIN_STEP || step > MAX_STEP)
      break;
  }
  return n;
}

/* The names in front of these markers: num_syms is in front of them and agrees with the markers'
 * number. */
static bool
find_names(Find *f, Place *p)
{
  size_t last = u32_at(f, p->markers + (p->n_markers - 1) * 4);
  size_t nearest = p->markers > last ? p->markers - last : 0;
  size_t farthest = nearest > MAX_STEP ? nearest - MAX_STEP : 0;

  for (size_t at = nearest & ~(size_t)3; at >= farthest + 4; at -= 4) {
    for (p->align = 8; p->align >= 4; p->align -= 4) {
      if (at < p->align)
        continue;
      p->names = at;
      p->n = u32_at(f, at - p->align);
      if (at % p->align == 0 && p->markers % p->align == 0 && p->n > 0 &&
          (p->n - 1) / PER_MARKER + 1 == p->n_markers && names_match(f, p) && try_place(f, p))
        return true;
    }
  }
  return false;
}

/* Markers are in front of the token table, or of the sequence numbers in front of it. */
static bool
find_markers(Find *f, Place *p)
{
  size_t most = MAX_MARKERS * (4 + PER_MARKER * SEQ_BYTES) + 16;
  size_t farthest = p->token_table > most ? p->token_table - most : 0;
  unsigned tables = 0;

  for (size_t at = p->token_table & ~(size_t)3; at >= farthest + 4; at -= 4) {
    p->markers = at - 4;
    p->n_markers = count_markers(f, p->markers, p->token_table);
    if (p->n_markers < MIN_MARKERS)
      continue;
    if (find_names(f, p))
      return true;
    if (++tables == MAX_MARKER_TABLES)
      return false;
  }
  return false;
}

/* Looks for an index from *at on. */
static bool
find_index(Find *f, size_t *at, size_t *ret_token_table)
{
  for (; *at + INDEX_BYTES <= f->data.len && f->steps <= MAX_STEPS; *at += 4) {
    /* The first two numbers of an index: 0 and the length of a token, with its end. */
    uint32_t head = u32_at(f, *at);

    if (head & 0xffff || head < 2u << 16 || head > (MAX_TOKEN + 1) << 16)
      continue;
    if (is_token_index(f, *at) && find_token_table(f, *at, ret_token_table))
      return true;
  }
  return false;
}

bool
dacsa_kallsyms_find_index(DacsaBytes data, size_t from, size_t *ret)
{
  Find f = {.data = data};
  size_t token_table;

  *ret = from;
  return find_index(&f, ret, &token_table);
}

bool
dacsa_kallsyms_find_tables(DacsaBytes data, uint64_t gva, DacsaKallsymsVisit visit,
                           void *visit_data)
{
  Find f = {.data = data, .gva = gva, .visit = visit, .visit_data = visit_data};
  Place p = {0};

  for (; find_index(&f, &p.token_index, &p.token_table); p.token_index += 4) {
    if (find_markers(&f, &p))
      return true;
    if (++f.token_tables == MAX_TOKEN_TABLES || f.tries >= MAX_TRIES || f.steps > MAX_STEPS)
      return false;
  }
  return false;
}
