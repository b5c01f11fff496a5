/*
 * A kernel's image as its page tables map it (Documentation/arch/x86/x86_64/mm.rst): text,
 * read-only data, data. It lies in one piece in physical memory, so that it is read without the
 * tables.
 */
#pragma once

#include "parsers/x86_64.h"
#include "snap/bytes.h"

#define DACSA_LINUX_IMAGE_START UINT64_C(0xffffffff80000000) /* __START_KERNEL_map */
#define DACSA_LINUX_IMAGE_END UINT64_C(0xffffffffc0000000)

typedef struct {
  uint64_t gva, size; /* bytes, whole pages */
  bool writable, executable;
} DacsaLinuxExtent;

typedef struct {
  GArray *extents;    /* DacsaLinuxExtent, ascending, at least one */
  uint64_t phys_base; /* gpa = gva - DACSA_LINUX_IMAGE_START + phys_base */
} DacsaLinuxImage;

/* Finds the image in the address space of these tables. NOT_FOUND: there is none in it. */
bool dacsa_linux_image_open(const DacsaX86_64Tables *tables, DacsaLinuxImage **ret,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;
void dacsa_linux_image_free(DacsaLinuxImage *image);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaLinuxImage, dacsa_linux_image_free)

/* The addresses the image spans: [*ret_start, *ret_end), holes within. */
void dacsa_linux_image_span(const DacsaLinuxImage *image, uint64_t *ret_start, uint64_t *ret_end);

/* The image as memory: its extents by gva, nothing else. References phys, copies the image. */
DacsaMem *dacsa_linux_image_memory(const DacsaLinuxImage *image, DacsaMem *phys);

/*
 * Reads [gva, gva + len), or as much of it as can be read from its start on, and holds it: *ret is
 * good until the next hold, or until memory is freed, and reads within it cost no more than a copy.
 * What is held already is not read again. For one thread. memory: of dacsa_linux_image_memory.
 */
DacsaBytes dacsa_linux_image_hold(DacsaMem *memory, uint64_t gva, size_t len);
