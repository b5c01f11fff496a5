/*
 * A recorded guest: those pages of a real guest's memory that its parsers read, its layout and its
 * registers, in a file of some MiB. What was not recorded reads as zeros. A fuzz input is a list of
 * changes to it.
 */
#pragma once

#include "snap/layout.h"
#include "snap/mem.h"

typedef struct {
  char *registers;
  DacsaLayout *layout;
  GArray *opening; /* uint64_t, gpas of the pages that finding the kernel reads */
  GArray *facts;   /* and of those that everything else does */
  DacsaMem *phys;  /* the memory */
} Image;

/* Each ends the program where it cannot: these are tools of tests. */
Image *image_load(const char *path);
Image *image_load_given(void); /* the one that FUZZ_IMAGE names */
/* Takes registers, layout (copied) and the pages' content from phys. */
void image_save(const char *path, const char *registers, const DacsaLayout *layout,
                const GArray *opening, const GArray *facts, DacsaMem *phys);

/* The content of a recorded page, to be changed: 4096 bytes, put back by image_restore. */
uint8_t *image_page(Image *image, uint64_t gpa);
void image_restore(Image *image);

/*
 * Changes the recorded pages as an input says: 9 bytes a change, which page, where, how, with what.
 * pages: image->opening or image->facts.
 */
void image_mutate(Image *image, const GArray *pages, const uint8_t *data, size_t size);
