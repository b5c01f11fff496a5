/* A Linux guest with nothing in it: a test says where members lie, and puts values there. */
#pragma once

#include "fake-mem.h"

#include "parsers/linux/view.h"

typedef struct {
  DacsaLinuxKernel kernel;
  DacsaVmcoreinfo info;
  DacsaLinux l;
} FakeLinux;

typedef struct {
  DacsaLinuxMember member;
  uint32_t offset, size;
  uint32_t elements; /* of an array */
} FakeMember;

/* A view of that kernel alone, with no memory; for tests that have a fixture of their own. */
void fake_linux_view_init(DacsaLinux *l, DacsaLinuxKernel *kernel);
void fake_linux_view_clear(DacsaLinux *l);
/* errors is exactly that. */
void fake_linux_view_check_errors(DacsaLinux *l, const char *expected);

void fake_linux_init(FakeLinux *f, const FakeMember *members, gsize n);
void fake_linux_clear(FakeLinux *f);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(FakeLinux, fake_linux_clear)

/* Gives the kernel the symbols: FakeSymbol (fake-kallsyms.h), ascending by address from base on.
 * Takes them. */
void fake_linux_symbols(FakeLinux *f, uint64_t base, GArray *symbols);

/* The value of a member, in as many bytes as it has. */
void fake_linux_put(FakeLinux *f, uint64_t base, DacsaLinuxMember member, uint64_t value);
/* A text that a pointer member points to; it stands at `at`. */
void fake_linux_put_text(FakeLinux *f, uint64_t base, DacsaLinuxMember member, uint64_t at,
                         const char *text);
/* A list (struct list_head): from head over the entries back to it. */
void fake_linux_put_list(FakeLinux *f, uint64_t head, DacsaLinuxMember member,
                         const uint64_t *entries, gsize n);

/* What the generator prints, which must not fail; owned. */
char *fake_linux_text(FakeLinux *f, bool (*generate)(DacsaGuest *, GString *, GError **));
void fake_linux_check(FakeLinux *f, bool (*generate)(DacsaGuest *, GString *, GError **),
                      const char *expected);
/* errors has a line with that in it; NULL: it is empty. */
void fake_linux_check_errors(FakeLinux *f, const char *expected);
