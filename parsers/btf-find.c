/* BTF by its header. */
#include "parsers/btf-find.h"

#define MAGIC 0xeb9fu
#define VERSION 1u
#define MIN_HEADER 24u
#define MAX_HEADER 256u /* it may grow */

/* The length of the BTF at `at`; 0: none is there. */
static size_t
btf_length(DacsaBytes data, size_t at)
{
  uint8_t version, flags, first, last;
  uint32_t header, type_off, type_len, str_off, str_len;

  if (!dacsa_bytes_u8(data, at + 2, &version) || version != VERSION ||
      !dacsa_bytes_u8(data, at + 3, &flags) || flags != 0 ||
      !dacsa_bytes_u32(data, at + 4, &header) || header < MIN_HEADER || header > MAX_HEADER ||
      !dacsa_bytes_u32(data, at + 8, &type_off) || !dacsa_bytes_u32(data, at + 12, &type_len) ||
      !dacsa_bytes_u32(data, at + 16, &str_off) || !dacsa_bytes_u32(data, at + 20, &str_len))
    return 0;
  /* Types, then strings, as libbpf and pahole write them, nothing between but padding. */
  uint64_t types_end = (uint64_t)type_off + type_len;
  if (type_off % 4 != 0 || type_len == 0 || str_len < 2 || str_off < types_end ||
      str_off - types_end >= 8)
    return 0;
  uint64_t strings = (uint64_t)at + header + str_off;
  if (!dacsa_bytes_u8(data, strings, &first) || first != 0 ||
      !dacsa_bytes_u8(data, strings + str_len - 1, &last) || last != 0)
    return 0;
  return (size_t)(header + str_off) + str_len;
}

bool
dacsa_btf_find(DacsaBytes data, size_t *ret_at, size_t *ret_len)
{
  static const uint8_t magic[] = {MAGIC & 0xff, MAGIC >> 8, VERSION, 0};
  const uint8_t *at = data.data, *end = data.data + data.len;

  *ret_len = 0;
  while (at && (at = memmem(at, (size_t)(end - at), magic, sizeof(magic)))) {
    size_t offset = (size_t)(at - data.data);
    size_t len = btf_length(data, offset);

    if (len > *ret_len) {
      *ret_at = offset;
      *ret_len = len;
    }
    at += sizeof(magic);
  }
  return *ret_len > 0;
}
