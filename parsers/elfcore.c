/* Heads of ELF core files. */
#include "parsers/elfcore.h"

#include <elf.h>
#include <string.h>

#define PAGE UINT64_C(4096)

struct DacsaElfcore {
  GByteArray *notes;
  GArray *loads;   /* Elf64_Phdr; p_offset counts from the start of the memory until the end */
  uint64_t memory; /* bytes of memory in the file so far */
  uint64_t start;  /* offset of the memory, once finished */
};

DacsaElfcore *
dacsa_elfcore_new(void)
{
  DacsaElfcore *core = g_new0(DacsaElfcore, 1);

  core->notes = g_byte_array_new();
  core->loads = g_array_new(FALSE, TRUE, sizeof(Elf64_Phdr));
  return core;
}

void
dacsa_elfcore_free(DacsaElfcore *core)
{
  if (!core)
    return;
  g_byte_array_unref(core->notes);
  g_array_unref(core->loads);
  g_free(core);
}

static uint64_t
align(uint64_t value, uint64_t to)
{
  return (value + to - 1) / to * to;
}

/* Appends bytes, and zeros up to a multiple of four. */
static void
append_padded(GByteArray *to, const void *bytes, size_t len)
{
  static const uint8_t zeros[4] = {0};

  g_byte_array_append(to, bytes, (guint)len);
  g_byte_array_append(to, zeros, (guint)(align(len, 4) - len));
}

void
dacsa_elfcore_add_note(DacsaElfcore *core, const char *owner, uint32_t type, const void *desc,
                       size_t len)
{
  const Elf64_Nhdr header = {(Elf64_Word)strlen(owner) + 1, (Elf64_Word)len, type};

  append_padded(core->notes, &header, sizeof(header));
  append_padded(core->notes, owner, strlen(owner) + 1);
  append_padded(core->notes, desc, len);
}

void
dacsa_elfcore_add_load(DacsaElfcore *core, uint64_t vaddr, uint64_t paddr, uint64_t file_size,
                       uint64_t size, uint32_t flags)
{
  const Elf64_Phdr load = {.p_type = PT_LOAD,
                           .p_flags = flags,
                           .p_offset = core->memory,
                           .p_vaddr = vaddr,
                           .p_paddr = paddr,
                           .p_filesz = file_size,
                           .p_memsz = size};

  g_array_append_val(core->loads, load);
  core->memory = align(core->memory + file_size, PAGE);
}

uint64_t
dacsa_elfcore_offset(const DacsaElfcore *core, guint i)
{
  return core->start +
         (i < core->loads->len ? g_array_index(core->loads, Elf64_Phdr, i).p_offset : core->memory);
}

DacsaRuns *
dacsa_elfcore_finish(DacsaElfcore *core)
{
  const size_t count = 1 + (size_t)core->loads->len;
  const bool many = count >= PN_XNUM;
  const size_t notes_at = sizeof(Elf64_Ehdr) + count * sizeof(Elf64_Phdr);
  const size_t section_at = align(notes_at + core->notes->len, 8);
  const Elf64_Ehdr header = {
      .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
      .e_type = ET_CORE,
      .e_machine = EM_X86_64,
      .e_version = EV_CURRENT,
      .e_phoff = sizeof(header),
      .e_shoff = many ? section_at : 0,
      .e_ehsize = sizeof(header),
      .e_phentsize = sizeof(Elf64_Phdr),
      .e_phnum = many ? PN_XNUM : (Elf64_Half)count,
      .e_shentsize = many ? sizeof(Elf64_Shdr) : 0,
      .e_shnum = many};
  const Elf64_Phdr note = {.p_type = PT_NOTE, .p_offset = notes_at, .p_filesz = core->notes->len};
  const Elf64_Shdr section = {.sh_type = SHT_NULL, .sh_size = 1, .sh_info = (Elf64_Word)count};
  GByteArray *head = g_byte_array_new();
  DacsaRuns *runs = dacsa_runs_new();

  core->start = align(section_at + (many ? sizeof(section) : 0), PAGE);
  g_byte_array_append(head, (const uint8_t *)&header, sizeof(header));
  g_byte_array_append(head, (const uint8_t *)&note, sizeof(note));
  for (guint i = 0; i < core->loads->len; i++) {
    Elf64_Phdr load = g_array_index(core->loads, Elf64_Phdr, i);

    load.p_offset += core->start;
    g_byte_array_append(head, (const uint8_t *)&load, sizeof(load));
  }
  g_byte_array_append(head, core->notes->data, core->notes->len);
  g_byte_array_set_size(head, (guint)section_at);
  memset(head->data + notes_at + core->notes->len, 0, section_at - notes_at - core->notes->len);
  if (many)
    g_byte_array_append(head, (const uint8_t *)&section, sizeof(section));
  dacsa_runs_set_head(runs, g_byte_array_free_to_bytes(head));
  return runs;
}
