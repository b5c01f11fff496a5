/* Heads of ELF cores: what is at which place, and what happens with very many segments. */
#include "check.h"

#include "parsers/elfcore.h"

#include <elf.h>
#include <string.h>

static const uint8_t *
head_of(const DacsaRuns *runs, size_t at, size_t len)
{
  g_assert_cmpuint(at + len, <=, dacsa_runs_head_len(runs));
  return (const uint8_t *)g_bytes_get_data(runs->head, NULL) + at;
}

static Elf64_Ehdr
header_of(const DacsaRuns *runs)
{
  Elf64_Ehdr header;

  memcpy(&header, head_of(runs, 0, sizeof(header)), sizeof(header));
  return header;
}

static Elf64_Phdr
segment_of(const DacsaRuns *runs, size_t i)
{
  Elf64_Phdr segment;

  memcpy(&segment, head_of(runs, sizeof(Elf64_Ehdr) + i * sizeof(segment), sizeof(segment)),
         sizeof(segment));
  return segment;
}

static void
test_layout(void)
{
  static const uint8_t notes[] = {5,   0, 0, 0, 3, 0, 0,   0,   1,   0,   0,   0, 'C', 'O', 'R',
                                  'E', 0, 0, 0, 0, 1, 2,   3,   0,   6,   0,   0, 0,   0,   0,
                                  0,   0, 2, 2, 0, 0, 'L', 'I', 'N', 'U', 'X', 0, 0,   0};
  g_autoptr(DacsaElfcore) core = dacsa_elfcore_new();

  dacsa_elfcore_add_note(core, "CORE", NT_PRSTATUS, (const uint8_t[]){1, 2, 3}, 3);
  dacsa_elfcore_add_note(core, "LINUX", NT_X86_XSTATE, NULL, 0);
  dacsa_elfcore_add_load(core, 0x400000, 0x7000, 0x1000, 0x1000, PF_R | PF_X);
  dacsa_elfcore_add_load(core, 0x500000, 0, 0x10, 0x2000, PF_R);
  dacsa_elfcore_add_load(core, 0x600000, 0, 0x2000, 0x2000, PF_R | PF_W);
  g_autoptr(DacsaRuns) runs = dacsa_elfcore_finish(core);

  const Elf64_Ehdr header = header_of(runs);
  g_assert_cmpmem(header.e_ident, SELFMAG, ELFMAG, SELFMAG);
  g_assert_cmpuint(header.e_type, ==, ET_CORE);
  g_assert_cmpuint(header.e_machine, ==, EM_X86_64);
  g_assert_cmpuint(header.e_phoff, ==, sizeof(header));
  g_assert_cmpuint(header.e_phnum, ==, 4);
  g_assert_cmpuint(header.e_shnum, ==, 0);

  const Elf64_Phdr note = segment_of(runs, 0);
  g_assert_cmpuint(note.p_type, ==, PT_NOTE);
  g_assert_cmpmem(head_of(runs, note.p_offset, note.p_filesz), note.p_filesz, notes, sizeof(notes));

  const uint64_t start = dacsa_elfcore_offset(core, 0);
  g_assert_cmpuint(start % 4096, ==, 0);
  g_assert_cmpuint(start, >=, dacsa_runs_head_len(runs));
  g_assert_cmpuint(dacsa_elfcore_offset(core, 1), ==, start + 0x1000);
  g_assert_cmpuint(dacsa_elfcore_offset(core, 2), ==, start + 0x2000);
  g_assert_cmpuint(dacsa_elfcore_offset(core, 3), ==, start + 0x4000);
  for (size_t i = 0; i < 3; i++)
    g_assert_cmpuint(segment_of(runs, i + 1).p_offset, ==, dacsa_elfcore_offset(core, (guint)i));
  const Elf64_Phdr first = segment_of(runs, 1);
  g_assert_cmpuint(first.p_type, ==, PT_LOAD);
  g_assert_cmphex(first.p_vaddr, ==, 0x400000);
  g_assert_cmphex(first.p_paddr, ==, 0x7000);
  g_assert_cmphex(first.p_filesz, ==, 0x1000);
  g_assert_cmphex(first.p_flags, ==, PF_R | PF_X);
  g_assert_cmphex(segment_of(runs, 2).p_filesz, ==, 0x10);
  g_assert_cmphex(segment_of(runs, 2).p_memsz, ==, 0x2000);
}

static void
test_empty(void)
{
  g_autoptr(DacsaElfcore) core = dacsa_elfcore_new();
  g_autoptr(DacsaRuns) runs = dacsa_elfcore_finish(core);

  g_assert_cmpuint(header_of(runs).e_phnum, ==, 1);
  g_assert_cmpuint(segment_of(runs, 0).p_filesz, ==, 0);
  g_assert_cmpuint(runs->size, ==, dacsa_runs_head_len(runs));
}

/* More segments than the header can count: the number is in the first section header. */
static void
check_many(guint loads, bool in_section)
{
  g_autoptr(DacsaElfcore) core = dacsa_elfcore_new();

  for (guint i = 0; i < loads; i++)
    dacsa_elfcore_add_load(core, i * UINT64_C(0x2000), 0, 0x1000, 0x1000, PF_R);
  g_autoptr(DacsaRuns) runs = dacsa_elfcore_finish(core);
  const Elf64_Ehdr header = header_of(runs);
  g_assert_cmpuint(header.e_phnum, ==, in_section ? PN_XNUM : loads + 1);
  g_assert_cmpuint(header.e_shnum, ==, in_section);
  g_assert_cmphex(segment_of(runs, loads).p_vaddr, ==, (loads - 1) * UINT64_C(0x2000));
  g_assert_cmpuint(segment_of(runs, loads).p_offset, ==, dacsa_elfcore_offset(core, loads - 1));
  g_assert_cmpuint(dacsa_elfcore_offset(core, 0), >=, dacsa_runs_head_len(runs));
  if (in_section) {
    Elf64_Shdr section;

    memcpy(&section, head_of(runs, header.e_shoff, sizeof(section)), sizeof(section));
    g_assert_cmpuint(header.e_shentsize, ==, sizeof(section));
    g_assert_cmpuint(section.sh_type, ==, SHT_NULL);
    g_assert_cmpuint(section.sh_info, ==, loads + 1);
  }
}

static void
test_many(void)
{
  check_many(PN_XNUM - 2, false);
  check_many(PN_XNUM - 1, true);
  check_many(100000, true);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/elfcore/layout", test_layout);
  g_test_add_func("/elfcore/empty", test_empty);
  g_test_add_func("/elfcore/many", test_many);
  return g_test_run();
}
