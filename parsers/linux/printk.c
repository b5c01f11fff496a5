/*
 * The log of the kernel: the ring of descriptors and texts of kernel/printk/printk_ringbuffer.c
 * (since 5.10), or the buffer of records before it (struct printk_log of kernel/printk/printk.c).
 */
#include "parsers/linux/system.h"
#include "parsers/table.h"
#include "snap/bytes.h"
#include "snap/error.h"

#include <string.h>

#define MAX_RECORDS (1u << 20) /* CONFIG_LOG_BUF_SHIFT is at most 25, a descriptor for 32 bytes */
#define MAX_LOG (UINT64_C(1) << 28)
#define MAX_BITS 28u
#define MAX_PRINTED (64u << 20)
#define ID_BITS 62 /* enum desc_state is in the two bits above: DESC_FLAGS_SHIFT */
#define ID_MASK ((UINT64_C(1) << ID_BITS) - 1)
#define DATALESS UINT64_C(1)   /* LPOS_DATALESS */
#define EMPTY_LINE UINT64_C(3) /* EMPTY_LINE_LPOS (NO_LPOS); FAILED_LPOS is 1 */
#define BLOCK_HEAD 8u          /* prb_data_block.id */
#define CALLER_CPU 0x80000000u /* printk_caller_id: else a thread */
#define NSEC_PER_USEC 1000u

typedef struct {
  uint64_t seq, ns;
  uint8_t facility, level;
  bool has_caller;
  uint32_t caller;
  char *subsystem, *device; /* owned; NULL: none */
  char *text;               /* owned; may have zeros in it */
  size_t len;
} Record;

static void
clear_record(void *data)
{
  Record *record = data;

  g_free(record->subsystem);
  g_free(record->device);
  g_free(record->text);
}

static void
note(DacsaLinux *l, const char *text)
{
  dacsa_errors_add(l->errors, "kernel/dmesg", text);
}

/* A member that a kernel may lack, whose structure is at base; 0 then. */
static uint64_t
get_optional(const DacsaLinux *l, uint64_t base, DacsaLinuxMember member)
{
  uint64_t value;

  return dacsa_linux_has(l, member) && dacsa_linux_get(l, base, member, &value, NULL) ? value : 0;
}

static char *
get_name(const DacsaLinux *l, uint64_t base, DacsaLinuxMember member)
{
  g_autofree char *name = NULL;

  if (!dacsa_linux_has(l, member) || !dacsa_linux_get_string(l, base, member, &name, NULL) ||
      !name[0])
    return NULL;
  return g_steal_pointer(&name);
}

/* -- the ring since 5.10 -- */

typedef struct {
  uint64_t descs, infos; /* gvas of the arrays */
  uint64_t count_bits, head, tail;
  uint64_t size_bits;
  DacsaBytes data; /* of the texts */
} Ring;

static bool
read_ring(const DacsaLinux *l, uint64_t rb, Ring *ring, GError **error)
{
  return dacsa_linux_get(l, rb, M_PRB_DESCS, &ring->descs, error) &&
         dacsa_linux_get(l, rb, M_PRB_INFOS, &ring->infos, error) &&
         dacsa_linux_get(l, rb, M_PRB_COUNT_BITS, &ring->count_bits, error) &&
         dacsa_linux_get(l, rb, M_PRB_HEAD_ID, &ring->head, error) &&
         dacsa_linux_get(l, rb, M_PRB_TAIL_ID, &ring->tail, error) &&
         dacsa_linux_get(l, rb, M_PRB_SIZE_BITS, &ring->size_bits, error);
}

/* All the texts at once: what of them cannot be read is noted, and reads as the end. */
static bool
read_texts(DacsaLinux *l, uint64_t rb, Ring *ring, uint8_t **ret, GError **error)
{
  uint64_t data;

  if (ring->size_bits > MAX_BITS || ring->count_bits > MAX_BITS)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "the log has an impossible size");
  if (!dacsa_linux_get(l, rb, M_PRB_DATA, &data, error))
    return false;
  size_t size = (size_t)1 << ring->size_bits;
  *ret = g_malloc(size);
  ring->data = dacsa_bytes(*ret, dacsa_mem_read_some(l->memory, data, *ret, size));
  if (ring->data.len < size)
    note(l, "a part of the texts cannot be read");
  return true;
}

/* get_data: the block [begin, next) in positions that count on; one that would not fit before the
 * ring's end stands, whole, at its start. */
static bool
find_block(const Ring *ring, uint64_t begin, uint64_t next, uint64_t id, DacsaBytes *ret,
           GError **error)
{
  const uint64_t size = UINT64_C(1) << ring->size_bits;
  const uint64_t mask = size - 1;
  uint64_t at = begin & mask, len = next - begin, its_id = 0;

  if (next - begin > 2 * size)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "a record of impossible length");
  if (begin >> ring->size_bits != (next - 1) >> ring->size_bits) {
    at = 0;
    len = next & mask;
  }
  DacsaBytes block = dacsa_bytes_slice(ring->data, at, len);
  if (!dacsa_bytes_u64(block, 0, &its_id) || its_id != id)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "a record whose text is not there");
  *ret = dacsa_bytes_slice(block, BLOCK_HEAD, block.len - BLOCK_HEAD);
  return true;
}

static bool
read_info(const DacsaLinux *l, uint64_t info, Record *ret, GError **error)
{
  uint64_t len, facility, level;

  if (!dacsa_linux_get(l, info, M_PRINTK_INFO_SEQ, &ret->seq, error) ||
      !dacsa_linux_get(l, info, M_PRINTK_INFO_TS, &ret->ns, error) ||
      !dacsa_linux_get(l, info, M_PRINTK_INFO_LEN, &len, error) ||
      !dacsa_linux_get(l, info, M_PRINTK_INFO_FACILITY, &facility, error) ||
      !dacsa_linux_get(l, info, M_PRINTK_INFO_LEVEL, &level, error))
    return false;
  ret->len = (size_t)len;
  ret->facility = (uint8_t)facility;
  ret->level = (uint8_t)level;
  ret->has_caller = dacsa_linux_has(l, M_PRINTK_INFO_CALLER);
  ret->caller = (uint32_t)get_optional(l, info, M_PRINTK_INFO_CALLER);
  ret->subsystem = get_name(l, info, M_PRINTK_INFO_SUBSYSTEM);
  ret->device = get_name(l, info, M_PRINTK_INFO_DEVICE);
  return true;
}

/* The record of a descriptor; false without an error: there is none. A record that may still be
 * continued (desc_committed) counts too. */
static bool
read_descriptor(const DacsaLinux *l, const Ring *ring, uint64_t id, Record *ret, GError **error)
{
  const uint64_t i = id & ((UINT64_C(1) << ring->count_bits) - 1);
  const uint64_t desc = ring->descs + i * dacsa_linux_size(l, T_PRB_DESC);
  const uint64_t info = ring->infos + i * dacsa_linux_size(l, T_PRINTK_INFO);
  uint64_t state, begin, next;
  DacsaBytes text = {NULL, 0};

  if (!dacsa_linux_get(l, desc, M_PRB_DESC_STATE, &state, error) ||
      !dacsa_linux_get(l, desc, M_PRB_DESC_BEGIN, &begin, error) ||
      !dacsa_linux_get(l, desc, M_PRB_DESC_NEXT, &next, error))
    return false;
  int64_t its_state = (int64_t)(state >> ID_BITS);
  if ((state & ID_MASK) != id || (its_state != l->kernel->enumerators[E_DESC_COMMITTED] &&
                                  its_state != l->kernel->enumerators[E_DESC_FINALIZED]))
    return false;
  if (begin & DATALESS && next & DATALESS) {
    if (begin != EMPTY_LINE || next != EMPTY_LINE)
      return false; /* its text had no room */
  } else if (!find_block(ring, begin, next, id, &text, error)) {
    return false;
  }
  if (!read_info(l, info, ret, error))
    return false;
  ret->len = MIN(ret->len, text.len);
  ret->text = g_malloc(ret->len + 1);
  if (ret->len > 0)
    memcpy(ret->text, text.data, ret->len);
  ret->text[ret->len] = '\0';
  return true;
}

static bool
read_prb(DacsaLinux *l, uint64_t rb, GArray *records, GError **error)
{
  g_autofree uint8_t *texts = NULL;
  Ring ring;

  if (!read_ring(l, rb, &ring, error) || !read_texts(l, rb, &ring, &texts, error))
    return false;
  uint64_t n = ((ring.head - ring.tail) & ID_MASK) + 1;
  uint64_t bytes = 0;
  if (n > MIN(UINT64_C(1) << ring.count_bits, MAX_RECORDS)) {
    note(l, "cut short: the log claims more records than it has room for");
    n = MIN(UINT64_C(1) << ring.count_bits, MAX_RECORDS);
  }
  for (uint64_t i = 0; i < n; i++) {
    g_autoptr(GError) cause = NULL;
    Record record = {0};

    if (read_descriptor(l, &ring, (ring.tail + i) & ID_MASK, &record, &cause)) {
      g_array_append_val(records, record);
      /* The records' texts share the ring: together they are no longer than it is. */
      bytes += record.len;
      if (bytes > ring.data.len) {
        note(l, "cut short: the log's texts overlap");
        break;
      }
      continue;
    }
    clear_record(&record);
    if (cause)
      note(l, cause->message);
  }
  return true;
}

/* -- the buffer before 5.10 -- */

/* One record at `at`; *ret_len is its whole length, 0 where the buffer is continued at its start.
 */
static bool
read_log_record(const DacsaLinux *l, uint64_t at, uint64_t room, Record *ret, uint64_t *ret_len,
                GError **error)
{
  const uint64_t head = dacsa_linux_size(l, T_PRINTK_LOG);
  uint64_t len, facility, level;

  if (!dacsa_linux_get(l, at, M_PRINTK_LOG_LEN, ret_len, error))
    return false;
  if (*ret_len == 0)
    return true;
  if (!dacsa_linux_get(l, at, M_PRINTK_LOG_TS, &ret->ns, error) ||
      !dacsa_linux_get(l, at, M_PRINTK_LOG_TEXT_LEN, &len, error) ||
      !dacsa_linux_get(l, at, M_PRINTK_LOG_FACILITY, &facility, error) ||
      !dacsa_linux_get(l, at, M_PRINTK_LOG_LEVEL, &level, error))
    return false;
  if (*ret_len < head || *ret_len > room || len > *ret_len - head)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "a record of impossible length");
  ret->len = (size_t)len;
  ret->facility = (uint8_t)facility;
  ret->level = (uint8_t)level;
  ret->has_caller = dacsa_linux_has(l, M_PRINTK_LOG_CALLER);
  ret->caller = (uint32_t)get_optional(l, at, M_PRINTK_LOG_CALLER);
  ret->text = g_malloc0(ret->len + 1);
  return dacsa_mem_read(l->memory, at + head, ret->text, ret->len, error);
}

static bool
read_log_buf(DacsaLinux *l, GArray *records, GError **error)
{
  uint64_t buf, seq;
  uint32_t size, at, end;

  if (!dacsa_mem_read_u64(l->memory, dacsa_linux_symbol(l, S_LOG_BUF), &buf, error) ||
      !dacsa_mem_read_u32(l->memory, dacsa_linux_symbol(l, S_LOG_BUF_LEN), &size, error) ||
      !dacsa_mem_read_u64(l->memory, dacsa_linux_symbol(l, S_LOG_FIRST_SEQ), &seq, error) ||
      !dacsa_mem_read_u32(l->memory, dacsa_linux_symbol(l, S_LOG_FIRST_IDX), &at, error) ||
      !dacsa_mem_read_u32(l->memory, dacsa_linux_symbol(l, S_LOG_NEXT_IDX), &end, error))
    return false;
  if (size > MAX_LOG || at >= size || end > size)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "the log has an impossible size");
  for (unsigned steps = 0; at != end; steps++) {
    Record record = {.seq = seq};
    uint64_t len;

    if (steps >= MAX_RECORDS || at >= size)
      return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "the log has no end");
    if (!read_log_record(l, buf + at, size - at, &record, &len, error)) {
      clear_record(&record);
      return false;
    }
    at = len == 0 ? 0 : at + (uint32_t)len;
    if (len == 0)
      continue;
    g_array_append_val(records, record);
    seq++;
  }
  return true;
}

/* -- all records -- */

static void *
make_records(DacsaLinux *l)
{
  GArray *records = g_array_new(FALSE, FALSE, sizeof(Record));
  const uint64_t prb = dacsa_linux_symbol(l, S_PRB);
  g_autoptr(GError) error = NULL;
  uint64_t rb;

  g_array_set_clear_func(records, clear_record);
  /* prb points to the ring of early boot until the one that it is replaced with is there. */
  bool done =
      prb != 0 ? dacsa_mem_read_u64(l->memory, prb, &rb, &error) && read_prb(l, rb, records, &error)
               : dacsa_linux_symbol(l, S_LOG_BUF) != 0 && read_log_buf(l, records, &error);
  if (!done)
    note(l, error ? error->message : "the kernel has no log that is known");
  return records;
}

static void
free_records(void *records)
{
  g_array_unref(records);
}

static const GArray *
records_of(DacsaLinux *l)
{
  return dacsa_linux_once(l, DACSA_LINUX_ONCE_DMESG, make_records, free_records);
}

/* -- as dmesg prints it -- */

/* A part of a line. Control characters and what is no UTF-8 are printed as \xNN, so that a guest
 * cannot write to an analyst's terminal. */
static void
append_text(GString *out, const char *text, const char *end)
{
  while (text < end) {
    gunichar c = g_utf8_get_char_validated(text, end - text);

    if (c == (gunichar)-1 || c == (gunichar)-2 || (c < ' ' && c != '\t') || c == 0x7f) {
      g_string_append_printf(out, "\\x%02x", (unsigned char)*text++);
      continue;
    }
    g_string_append_len(out, text, g_utf8_next_char(text) - text);
    text = g_utf8_next_char(text);
  }
}

/* As syslog(2) has it (kernel/printk/printk.c, record_print_text): the time before each line. */
static void
append_record(GString *out, const Record *record)
{
  const char *text = record->text;
  const char *end = text + record->len;

  do {
    const char *line_end = memchr(text, '\n', (size_t)(end - text));

    if (!line_end)
      line_end = end;
    g_string_append_printf(out, "[%5" PRIu64 ".%06" PRIu64 "] ",
                           record->ns / (NSEC_PER_USEC * G_USEC_PER_SEC),
                           record->ns / NSEC_PER_USEC % G_USEC_PER_SEC);
    append_text(out, text, line_end);
    g_string_append_c(out, '\n');
    text = line_end + 1;
  } while (text < end);
}

bool
dacsa_linux_dmesg(DacsaGuest *guest, GString *out, GError **error)
{
  DacsaLinux *l = (DacsaLinux *)guest;
  const GArray *records = records_of(l);

  (void)error;
  for (guint i = 0; i < records->len; i++) {
    if (out->len > MAX_PRINTED) {
      note(l, "cut short: too large");
      break;
    }
    append_record(out, &g_array_index(records, Record, i));
  }
  return true;
}

/* -- json -- */

enum { SEQUENCE, TIMESTAMP, FACILITY, LEVEL, CALLER, SUBSYSTEM, DEVICE, TEXT };

static const DacsaColumn columns[] = {
    [SEQUENCE] = {"seq", DACSA_CELL_NUMBER},      [TIMESTAMP] = {"timestamp_ns", DACSA_CELL_NUMBER},
    [FACILITY] = {"facility", DACSA_CELL_NUMBER}, [LEVEL] = {"level", DACSA_CELL_NUMBER},
    [CALLER] = {"caller", DACSA_CELL_TEXT},       [SUBSYSTEM] = {"subsystem", DACSA_CELL_TEXT},
    [DEVICE] = {"device", DACSA_CELL_TEXT},       [TEXT] = {"text", DACSA_CELL_TEXT},
};

/* A kernel without CONFIG_PRINTK_CALLER leaves the member alone: 0 then, and thread 0 is none. */
static void
set_caller(DacsaTable *table, const Record *record)
{
  char text[16];

  if (!record->has_caller || record->caller == 0)
    return;
  g_snprintf(text, sizeof(text), "%c%u", record->caller & CALLER_CPU ? 'C' : 'T',
             record->caller & ~CALLER_CPU);
  dacsa_table_set_text(table, CALLER, text);
}

bool
dacsa_linux_json_dmesg(DacsaGuest *guest, GString *out, GError **error)
{
  DacsaLinux *l = (DacsaLinux *)guest;
  const GArray *records = records_of(l);
  g_autoptr(DacsaTable) table = dacsa_table_new(columns, G_N_ELEMENTS(columns));

  (void)error;
  for (guint i = 0; i < records->len; i++) {
    const Record *record = &g_array_index(records, Record, i);

    dacsa_table_set_number(table, SEQUENCE, record->seq);
    dacsa_table_set_number(table, TIMESTAMP, record->ns);
    dacsa_table_set_number(table, FACILITY, record->facility);
    dacsa_table_set_number(table, LEVEL, record->level);
    set_caller(table, record);
    dacsa_table_set_text(table, SUBSYSTEM, record->subsystem);
    dacsa_table_set_text(table, DEVICE, record->device);
    dacsa_table_set_text(table, TEXT, record->text);
    if (!dacsa_table_end_row(table)) {
      dacsa_errors_add(l->errors, "json/dmesg.jsonl", "cut short: too large");
      break;
    }
  }
  dacsa_table_print_json(table, out);
  return true;
}
