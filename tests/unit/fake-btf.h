/* BTF made by hand, with some basic types in it from the start. */
#pragma once

#include "parsers/types.h"

#include <bpf/btf.h>

typedef struct {
  struct btf *btf;
  int chr, s32, u32, u64, boolean, ptr; /* types: char, int, ..., void * */
} FakeBtf;

FakeBtf fake_btf_new(void);
void fake_btf_clear(FakeBtf *b);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(FakeBtf, fake_btf_clear)

/* A struct of so many bytes, whose fields follow. Its type. */
int fake_btf_struct(FakeBtf *b, const char *name, uint32_t size);

/* To the struct or union added last; offset in bytes. */
void fake_btf_field(FakeBtf *b, const char *name, int type, uint32_t offset);

/* The same; offset and width in bits. */
void fake_btf_bits(FakeBtf *b, const char *name, int type, uint32_t offset, uint32_t width);

/* What the parser makes of it; it borrows b's bytes. */
DacsaTypes *fake_btf_types(FakeBtf *b);
