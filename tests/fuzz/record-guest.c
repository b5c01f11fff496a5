/* record-guest RECORD IMAGE: records a living snapshot's guest for the fuzz targets of whole
 * guests. */
#include "image.h"
#include "snap/physmem.h"
#include "source.h"

#include <stdio.h>

int
main(int argc, char **argv)
{
  g_autoptr(GArray) opening = NULL;
  g_autoptr(GArray) facts = NULL;
  int mem;

  if (argc != 3)
    g_error("usage: record-guest RECORD IMAGE");
  g_autoptr(DacsaRecord) record = source_open(argv[1], &mem);
  g_autoptr(DacsaMem) phys = dacsa_physmem_new(mem, record->layout);
  source_record_pages(phys, record->registers, &opening, &facts);
  image_save(argv[2], record->registers, record->layout, opening, facts, phys);
  printf("%u + %u pages\n", opening->len, facts->len);
  return facts->len > 0 ? 0 : 1;
}
