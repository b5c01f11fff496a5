/* Settings: tables by hand, in a tree of directories, with handlers of all kinds. */
#include "check.h"
#include "fake-kallsyms.h"
#include "fake-linux.h"

#include "parsers/linux/system.h"

#include <string.h>

#define KERNEL UINT64_C(0xffffffff80000000)
#define AT(n) (UINT64_C(0xffff888000000000) + (uint64_t)(n)*0x1000u)
#define ROOT AT(0) /* sysctl_table_root */
#define DIR(n) AT(1 + (n))
#define HEADER AT(10)
#define TABLE AT(11)
#define NODES AT(12)
#define DATA(n) (AT(13) + (n)*0x80u)
#define NAME(n) (AT(14) + (n)*0x40u)
#define DIR_TABLE(n) (DIR(n) + 0x200)
#define DIR_NODES(n) (DIR(n) + 0x300)

enum { CLOCK = 20, INIT_NET = 30 };

static const FakeMember members[] = {
    {M_RB_RIGHT, 8, 8, 0},           {M_RB_LEFT, 16, 8, 0},
    {M_CTL_ROOT_DIR, 8, 96, 0},      {M_CTL_DIR_ROOT, 80, 8, 0},
    {M_CTL_NODE_NODE, 0, 24, 0},     {M_CTL_NODE_HEADER, 24, 8, 0},
    {M_CTL_HEADER_TABLE, 0, 8, 0},   {M_CTL_HEADER_NODE, 8, 8, 0},
    {M_CTL_TABLE_PROCNAME, 0, 8, 0}, {M_CTL_TABLE_DATA, 8, 8, 0},
    {M_CTL_TABLE_MAXLEN, 16, 4, 0},  {M_CTL_TABLE_MODE, 20, 2, 0},
    {M_CTL_TABLE_HANDLER, 24, 8, 0}, {M_CLOCKSOURCE_MULT, 0, 4, 0},
    {M_CLOCKSOURCE_SHIFT, 4, 4, 0},  {M_NET_SYSCTLS, 64, 96, 0},
};

static const char *const handlers[] = {
    "proc_dointvec", "proc_douintvec",      "proc_doulongvec_minmax",
    "proc_dostring", "proc_dou8vec_minmax", "proc_dointvec_jiffies",
    "proc_do_uuid",  "proc_taint",          "something_special",
};

enum { INT, UINT, ULONG, STRING, U8, JIFFIES, UUID, TAINT, SPECIAL };

#define HANDLER(n) (KERNEL + 0x100 + (n)*0x10u)

static void
put_entry(FakeLinux *f, uint64_t table, unsigned i, uint64_t name_at, const char *name,
          unsigned handler, uint64_t data, uint32_t maxlen, uint16_t mode)
{
  const uint64_t entry = table + i * 32;

  fake_linux_put_text(f, entry, M_CTL_TABLE_PROCNAME, name_at, name);
  fake_linux_put(f, entry, M_CTL_TABLE_DATA, data);
  fake_linux_put(f, entry, M_CTL_TABLE_MAXLEN, maxlen);
  fake_linux_put(f, entry, M_CTL_TABLE_MODE, mode);
  fake_linux_put(f, entry, M_CTL_TABLE_HANDLER, HANDLER(handler));
}

/* Node i of those at nodes, for entry i of the header's table: the next one is to its right. */
static void
put_node(FakeLinux *f, uint64_t nodes, uint64_t header, unsigned i, uint64_t right)
{
  fake_linux_put(f, nodes + i * 32, M_CTL_NODE_HEADER, header);
  fake_linux_put(f, nodes + i * 32, M_RB_RIGHT, right);
  fake_linux_put(f, nodes + i * 32, M_RB_LEFT, 0);
}

static void
put_dir(FakeLinux *f, unsigned n, const char *name, uint64_t first, uint64_t right)
{
  put_entry(f, DIR_TABLE(n), 0, DIR(n) + 0x400, name, 0, 0, 0, 0040555);
  fake_linux_put(f, DIR(n), M_CTL_HEADER_TABLE, DIR_TABLE(n));
  fake_linux_put(f, DIR(n), M_CTL_HEADER_NODE, DIR_NODES(n));
  fake_mem_u64(f->l.memory, DIR(n) + members[3].offset, first);
  put_node(f, DIR_NODES(n), DIR(n), 0, right);
}

typedef struct {
  const char *name;
  unsigned handler;
  uint32_t maxlen;
  uint16_t mode;
} Row;

/* kernel/ with one table: entry i has its data at DATA(i). */
static void
put_table(FakeLinux *f, const Row *rows, unsigned n)
{
  fake_linux_put(f, HEADER, M_CTL_HEADER_TABLE, TABLE);
  fake_linux_put(f, HEADER, M_CTL_HEADER_NODE, NODES);
  for (unsigned i = 0; i < n; i++) {
    put_entry(f, TABLE, i, NAME(i), rows[i].name, rows[i].handler, DATA(i), rows[i].maxlen,
              rows[i].mode);
    put_node(f, NODES, HEADER, i, i + 1 < n ? NODES + (i + 1) * 32 : 0);
  }
}

static void
set_up(FakeLinux *f)
{
  GArray *symbols = g_array_new(FALSE, FALSE, sizeof(FakeSymbol));

  fake_linux_init(f, members, G_N_ELEMENTS(members));
  fake_kallsyms_add(symbols, "T_stext", KERNEL);
  for (unsigned i = 0; i < G_N_ELEMENTS(handlers); i++) {
    g_autofree char *name = g_strdup_printf("T%s", handlers[i]);

    fake_kallsyms_add(symbols, name, HANDLER(i));
  }
  fake_linux_symbols(f, KERNEL, symbols);
  f->kernel.types[T_CTL_NODE] = 32;
  f->kernel.types[T_CTL_TABLE] = 32;
  f->kernel.symbols[S_SYSCTL_TABLE_ROOT] = ROOT;
  f->kernel.symbols[S_CLOCKSOURCE_JIFFIES] = AT(CLOCK);
  fake_linux_put(f, AT(CLOCK), M_CLOCKSOURCE_MULT, 4000000u << 8); /* 250 Hz */
  fake_linux_put(f, AT(CLOCK), M_CLOCKSOURCE_SHIFT, 8);
  put_dir(f, 0, "kernel", NODES, 0);
  fake_mem_u64(f->l.memory, ROOT + 8 + 80, DIR_NODES(0));
}

static void
test_values(void)
{
  static const Row rows[] = {
      {"printk", INT, 16, 0644},      {"unsigned", UINT, 4, 0644}, {"large", ULONG, 8, 0444},
      {"hostname", STRING, 64, 0644}, {"u8", U8, 1, 0644},         {"time", JIFFIES, 4, 0644},
      {"boot_id", UUID, 16, 0444},    {"tainted", TAINT, 8, 0644}, {"own", SPECIAL, 4, 0644},
      {"drop", INT, 4, 0200},         {"a.b c", INT, 4, 0644},     {"lines", STRING, 64, 0644},
  };
  static const uint8_t uuid[] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x46, 0x77,
                                 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
  static const uint32_t ints[] = {7, 4, (uint32_t)-1, 0};
  g_auto(FakeLinux) f;

  set_up(&f);
  put_table(&f, rows, G_N_ELEMENTS(rows));
  fake_mem_write(f.l.memory, DATA(0), ints, sizeof(ints));
  fake_mem_u32(f.l.memory, DATA(1), 0xffffffff);
  fake_mem_u64(f.l.memory, DATA(2), UINT64_MAX);
  fake_mem_string(f.l.memory, DATA(3), "web\x1b");
  fake_mem_u8(f.l.memory, DATA(4), 0xff);
  fake_mem_u32(f.l.memory, DATA(5), 60 * 250);
  fake_mem_write(f.l.memory, DATA(6), uuid, sizeof(uuid));
  f.kernel.symbols[S_TAINTED_MASK] = DATA(7);
  fake_mem_u64(f.l.memory, DATA(7), 4096);
  fake_mem_u32(f.l.memory, DATA(10), 1);
  fake_mem_string(f.l.memory, DATA(11), "one\ntwo");
  fake_linux_check(&f, dacsa_linux_sysctl,
                   "kernel.a/b?c = 1\n"
                   "kernel.boot_id = 00112233-4455-4677-8899-aabbccddeeff\n"
                   "kernel.hostname = web\\033\n"
                   "kernel.large = 18446744073709551615\n"
                   "kernel.lines = one\n"
                   "kernel.lines = two\n"
                   "kernel.printk = 7\t4\t-1\t0\n"
                   "kernel.tainted = 4096\n"
                   "kernel.time = 60\n"
                   "kernel.u8 = 255\n"
                   "kernel.unsigned = 4294967295\n");
  fake_linux_check_errors(
      &f, "kernel/sysctl: absent, since they print themselves in their own way: kernel.own\n");
}

/* What belongs to the initial network namespace is in a set of its own, and the common one has a
 * link to it. */
static void
test_sets(void)
{
  static const Row rows[] = {{"link", INT, 4, 0120777}};
  g_auto(FakeLinux) f;

  set_up(&f);
  put_table(&f, rows, 1);
  f.kernel.symbols[S_INIT_NET] = AT(INIT_NET);
  put_dir(&f, 1, "net", 0, 0);
  fake_mem_u64(f.l.memory, AT(INIT_NET) + 64 + 80, DIR_NODES(1));
  put_dir(&f, 2, "ipv4", 0, 0);
  fake_mem_u64(f.l.memory, DIR(1) + 80, DIR_NODES(2));
  put_entry(&f, DIR_TABLE(3), 0, NAME(8), "ip_forward", INT, DATA(0), 4, 0644);
  fake_linux_put(&f, DIR(3), M_CTL_HEADER_TABLE, DIR_TABLE(3));
  fake_linux_put(&f, DIR(3), M_CTL_HEADER_NODE, DIR_NODES(3));
  put_node(&f, DIR_NODES(3), DIR(3), 0, 0);
  fake_mem_u64(f.l.memory, DIR(2) + 80, DIR_NODES(3));
  fake_mem_u32(f.l.memory, DATA(0), 1);
  fake_linux_check(&f, dacsa_linux_sysctl, "net.ipv4.ip_forward = 1\n");
  fake_linux_check_errors(&f, NULL);
}

static void
test_broken(void)
{
  static const Row rows[] = {{"first", INT, 0xffffffff, 0644}, {"lost", INT, 4, 0644}};
  g_auto(FakeLinux) f;

  set_up(&f);
  put_table(&f, rows, G_N_ELEMENTS(rows));
  fake_linux_put(&f, TABLE + 32, M_CTL_TABLE_DATA, 0x1234);
  put_node(&f, NODES, HEADER, 1, NODES); /* a circle */
  put_dir(&f, 0, "kernel", NODES, DIR_NODES(1));
  put_dir(&f, 1, "deep", DIR_NODES(1), 0); /* a directory in itself */
  fake_mem_u32(f.l.memory, DATA(0), 1);
  fake_mem_cut(f.l.memory, DATA(0) + 0x800);
  fake_linux_check(&f, dacsa_linux_sysctl, "");
  fake_linux_check_errors(&f, "kernel.first is absent: ");
  fake_linux_check_errors(&f, "kernel.lost is absent: nothing at 0x1234");
  fake_linux_check_errors(&f, "a list runs in a circle");
  fake_linux_check_errors(&f, "the directories of settings are too deep");
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/sysctl/values", test_values);
  g_test_add_func("/sysctl/sets", test_sets);
  g_test_add_func("/sysctl/broken", test_broken);
  return g_test_run();
}
