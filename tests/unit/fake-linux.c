#include "fake-linux.h"

#include "check.h"
#include "fake-kallsyms.h"

#include <string.h>

#define TABLES UINT64_C(0xffffffff90000000) /* where the symbol tables stand */

void
fake_linux_view_init(DacsaLinux *l, DacsaLinuxKernel *kernel)
{
  *l = (DacsaLinux){.kernel = kernel,
                    .phys = fake_mem_new(),
                    .memory = fake_mem_new(),
                    .errors = dacsa_errors_new(),
                    .levels = 4};
  g_mutex_init(&l->lock);
  dacsa_linux_once_init(l);
}

void
fake_linux_view_clear(DacsaLinux *l)
{
  dacsa_linux_once_clear(l);
  g_clear_pointer(&l->tasks, g_array_unref);
  g_clear_pointer(&l->pids, g_array_unref);
  dacsa_mem_unref(l->phys);
  dacsa_mem_unref(l->memory);
  dacsa_errors_free(l->errors);
  g_mutex_clear(&l->lock);
}

void
fake_linux_view_check_errors(DacsaLinux *l, const char *expected)
{
  g_autofree char *text = dacsa_errors_text(l->errors);

  g_assert_cmpstr(text, ==, expected);
}

void
fake_linux_init(FakeLinux *f, const FakeMember *members, gsize n)
{
  *f = (FakeLinux){0};
  for (gsize i = 0; i < n; i++)
    f->kernel.members[members[i].member] = (DacsaMember){.known = true,
                                                         .offset = members[i].offset,
                                                         .size = members[i].size,
                                                         .elements = members[i].elements};
  f->kernel.info = &f->info;
  fake_linux_view_init(&f->l, &f->kernel);
}

void
fake_linux_clear(FakeLinux *f)
{
  fake_linux_view_clear(&f->l);
  dacsa_kallsyms_free(f->kernel.kallsyms);
}

void
fake_linux_symbols(FakeLinux *f, uint64_t base, GArray *symbols)
{
  const DacsaKallsymsAnchor anchor = {"_stext", base, base};
  g_autoptr(GByteArray) data = g_byte_array_new();
  g_autoptr(DacsaMem) kernel = fake_mem_new();
  g_autoptr(GError) error = NULL;
  const DacsaKallsymsTables tables =
      fake_kallsyms_append(data, TABLES, FAKE_KALLSYMS_BASE_FIRST, base, false, symbols);

  fake_mem_write(kernel, TABLES, data->data, data->len);
  CHECK_OK(dacsa_kallsyms_load(kernel, &tables, &anchor, &f->kernel.kallsyms, &error), error);
  for (guint i = 0; i < symbols->len; i++)
    g_free(g_array_index(symbols, FakeSymbol, i).name);
  g_array_unref(symbols);
}

void
fake_linux_put(FakeLinux *f, uint64_t base, DacsaLinuxMember member, uint64_t value)
{
  const DacsaMember *m = &f->kernel.members[member];
  const uint64_t le = GUINT64_TO_LE(value);

  g_assert_true(m->known);
  fake_mem_write(f->l.memory, base + m->offset, &le, MIN(m->size, sizeof(le)));
}

void
fake_linux_put_text(FakeLinux *f, uint64_t base, DacsaLinuxMember member, uint64_t at,
                    const char *text)
{
  fake_mem_string(f->l.memory, at, text);
  fake_linux_put(f, base, member, at);
}

void
fake_linux_put_list(FakeLinux *f, uint64_t head, DacsaLinuxMember member, const uint64_t *entries,
                    gsize n)
{
  const uint32_t offset = f->kernel.members[member].offset;
  uint64_t node = head;

  for (gsize i = 0; i < n; i++) {
    fake_mem_u64(f->l.memory, node, entries[i] + offset);
    node = entries[i] + offset;
  }
  fake_mem_u64(f->l.memory, node, head);
}

char *
fake_linux_text(FakeLinux *f, bool (*generate)(DacsaGuest *, GString *, GError **))
{
  GString *out = g_string_new(NULL);
  g_autoptr(GError) error = NULL;

  CHECK_OK(generate(&f->l.guest, out, &error), error);
  return g_string_free(out, FALSE);
}

void
fake_linux_check(FakeLinux *f, bool (*generate)(DacsaGuest *, GString *, GError **),
                 const char *expected)
{
  g_autofree char *text = fake_linux_text(f, generate);

  g_assert_cmpstr(text, ==, expected);
}

void
fake_linux_check_errors(FakeLinux *f, const char *expected)
{
  g_autofree char *text = dacsa_errors_text(f->l.errors);

  if (!expected)
    g_assert_cmpstr(text, ==, "");
  else if (!strstr(text, expected))
    g_error("errors has no \"%s\" but:\n%s", expected, text);
}
