/* The content of an open file: text, runs of guest memory, or physical memory with its holes. Its
 * size is known from the start and never changes. */
#pragma once

#include "parsers/runs.h"
#include "snap/mem.h"
#include "snap/resident.h"

typedef struct DacsaFile DacsaFile;

DacsaFile *dacsa_file_new_text(GString *text);                   /* takes text */
DacsaFile *dacsa_file_new_runs(DacsaRuns *runs, DacsaMem *phys); /* takes runs, references phys */

/* For each page of a file of runs of whole pages one little-endian u64: its guest frame number.
 * References pages. */
DacsaFile *dacsa_file_new_pagemap(DacsaFile *pages);

/* References both. What is not resident are the file's holes. */
DacsaFile *dacsa_file_new_physmem(DacsaMem *phys, DacsaResident *resident, uint64_t size);

DacsaFile *dacsa_file_ref(DacsaFile *file);
void dacsa_file_unref(DacsaFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaFile, dacsa_file_unref)

uint64_t dacsa_file_size(const DacsaFile *file);

/* Bytes of it that are no holes (of physical memory, which is not looked at for this: all). */
uint64_t dacsa_file_data_bytes(const DacsaFile *file);

/* Bytes of memory that keeping the file costs. */
size_t dacsa_file_cost(const DacsaFile *file);

/* The runs the file is made of; NULL: it is not. */
const DacsaRuns *dacsa_file_runs(const DacsaFile *file);

/* Reads up to len bytes at offset; *ret_len is less only at the end of the file. */
bool dacsa_file_read(DacsaFile *file, uint64_t offset, void *buf, size_t len, size_t *ret_len,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* lseek's SEEK_DATA and SEEK_HOLE: the next byte of data, or of a hole, at or after offset. false:
 * offset is at or past the end, or no data follows (ENXIO). */
bool dacsa_file_seek(DacsaFile *file, uint64_t offset, bool hole, uint64_t *ret);
