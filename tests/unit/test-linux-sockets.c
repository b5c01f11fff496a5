/* Sockets made by hand, in hash tables and behind open files, as kernels of several ages have them;
 * and tables that a hostile guest would have. */
#include "check.h"
#include "fake-opens.h"
#include "fake-mem.h"

#include "parsers/linux/sockets.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#define TASK(n) FAKE(n)
#define FILES FAKE(0x10)
#define NET FAKE(0x20)
#define OTHER_NET FAKE(0x21)
#define HASHINFO FAKE(0x22)
#define NET_LIST_HEAD FAKE(0x23)
#define DEVICE FAKE(0x24)
#define UDP_TABLE FAKE(0x25)
#define TABLES(n) FAKE(0x30 + (n)) /* arrays of buckets */
#define SK(n) FAKE(0x100 + (n))
#define SOCKET(n) FAKE(0x200 + (n)) /* a struct socket_alloc */
#define FILE_AT(n) FAKE(0x300 + (n))
#define ADDRESS(n) FAKE(0x400 + (n))
#define SOCKET_FILE_OPS FAKE(0x500)

#define NULLS UINT64_C(1) /* the end of a chain of a table of TCP */

static const DacsaMember members[M_N] = {
    FAKE_AT(M_SOCKET_SK, 8),
    FAKE_AT(M_INODE_INO, 8),
    FAKE_AT(M_NET_LIST, 16),
    FAKE_AT(M_NET_INUM, 4),
    FAKE_AT(M_NET_DEVICES, 16),
    FAKE_AT(M_NET_UDP, 8),
    FAKE_AT(M_NET_UNIX_BUCKETS, 8),
    FAKE_AT(M_NET_PACKET, 8),
    FAKE_AT(M_DEVICE_LIST, 16),
    FAKE_AT(M_DEVICE_INDEX, 4),
    FAKE_AT(M_DEVICE_NAME, 16),
    FAKE_AT(M_EHASH, 8),
    FAKE_AT(M_EHASH_MASK, 4),
    FAKE_AT(M_LHASH2, 8),
    FAKE_AT(M_LHASH2_MASK, 4),
    FAKE_AT(M_UDP_HASH, 8),
    FAKE_AT(M_UDP_MASK, 4),
    FAKE_AT(M_NETLINK_TABLE_HASH, 8),
    FAKE_AT(M_BUCKET_TABLE_SIZE, 4),
    FAKE_AT(M_BUCKET_TABLE_NEST, 4),
    FAKE_AT(M_BUCKET_TABLE_FUTURE, 8),
    FAKE_AT(M_SKC_DADDR, 4),
    FAKE_AT(M_SKC_RCV_SADDR, 4),
    FAKE_AT(M_SKC_V6_DADDR, 16),
    FAKE_AT(M_SKC_V6_RCV_SADDR, 16),
    FAKE_AT(M_SKC_DPORT, 2),
    FAKE_AT(M_SKC_NUM, 2),
    FAKE_AT(M_SKC_FAMILY, 2),
    FAKE_AT(M_SKC_STATE, 1),
    FAKE_AT(M_SKC_BOUND_DEV, 4),
    FAKE_AT(M_SKC_NET, 8),
    FAKE_AT(M_SKC_NODE, 16),
    FAKE_AT(M_SKC_LISTENER, 8),
    FAKE_AT(M_SK_TYPE, 2),
    FAKE_AT(M_SK_PROTOCOL, 2),
    FAKE_AT(M_SK_SOCKET, 8),
    FAKE_AT(M_SK_UID, 4),
    FAKE_AT(M_SK_ACK_BACKLOG, 4),
    FAKE_AT(M_SK_RMEM_ALLOC, 4),
    FAKE_AT(M_SK_WMEM_ALLOC, 4),
    FAKE_AT(M_TW_SUBSTATE, 1),
    FAKE_AT(M_TCP_RCV_NXT, 4),
    FAKE_AT(M_TCP_COPIED_SEQ, 4),
    FAKE_AT(M_TCP_WRITE_SEQ, 4),
    FAKE_AT(M_TCP_SND_UNA, 4),
    FAKE_AT(M_UDP_FORWARD_DEFICIT, 4),
    FAKE_AT(M_UNIX_ADDR, 8),
    FAKE_AT(M_UNIX_PEER, 8),
    FAKE_AT(M_UNIX_ADDRESS_LEN, 4),
    FAKE_AT(M_PACKET_NUM, 2),
    FAKE_AT(M_PACKET_IFINDEX, 4),
    FAKE_AT(M_NETLINK_NODE, 8),
    FAKE_AT(M_NETLINK_PORTID, 4),
    FAKE_AT(M_NETLINK_DST_PORTID, 4),
    /* a bit field */
    [M_SKC_IPV6ONLY] = {.known = true, .offset = 0x7000, .size = 1, .bits = 1, .shift = 5},
    /* arrays, and what lies inside of others */
    [M_EHASH_CHAIN] = {.known = true, .offset = 0, .size = 8},
    [M_LISTEN_HEAD] = {.known = true, .offset = 8, .size = 8},
    [M_UDP_HSLOT_HEAD] = {.known = true, .offset = 0, .size = 8},
    [M_RAW_HASH] = {.known = true, .offset = 0x40, .size = 32, .elements = 4},
    [M_BUCKET_TABLE_BUCKETS] = {.known = true, .offset = 0x7800, .size = 0},
    [M_UNIX_ADDRESS_NAME] = {.known = true, .offset = 0x7800, .size = 0},
    [M_SOCKADDR_UN_PATH] = {.known = true, .offset = 2, .size = 108},
    [M_SOCKET_ALLOC_SOCKET] = {.known = true, .offset = 0, .size = 8},
    [M_SOCKET_ALLOC_INODE] = {.known = true, .offset = 0x20000000, .size = 8},
};

/* -- making them -- */

static void
put_list(FakeOpens *f, uint64_t head, uint64_t node)
{
  fake_mem_u64(f->l.memory, head, node);
  fake_mem_u64(f->l.memory, node, head);
}

/* An array of n empty buckets. */
static void
put_buckets(FakeOpens *f, uint64_t base, unsigned n, unsigned stride, uint64_t end)
{
  for (unsigned i = 0; i < n * stride / 8; i++)
    fake_mem_u64(f->l.memory, base + UINT64_C(8) * i, end);
}

/* Puts socket n in front of the chain at `head`. */
static void
put_into(FakeOpens *f, uint64_t head, unsigned n)
{
  const uint64_t node = fake_opens_at(f, SK(n), M_SKC_NODE);
  uint64_t first;

  g_assert_true(dacsa_mem_read_u64(f->l.memory, head, &first, NULL));
  fake_mem_u64(f->l.memory, node, first);
  fake_mem_u64(f->l.memory, head, node);
}

static uint64_t
ehash(unsigned bucket)
{
  return TABLES(0) + UINT64_C(8) * bucket;
}

static uint64_t
lhash2(unsigned bucket)
{
  return TABLES(1) + UINT64_C(16) * bucket + 8;
}

static void
put_sk(FakeOpens *f, unsigned n, unsigned family, unsigned type, unsigned protocol, unsigned state)
{
  static const DacsaLinuxMember zero[] = {
      M_SKC_DADDR,       M_SKC_RCV_SADDR,       M_SKC_DPORT,
      M_SKC_NUM,         M_SKC_BOUND_DEV,       M_SK_UID,
      M_SK_SOCKET,       M_SK_RMEM_ALLOC,       M_SK_ACK_BACKLOG,
      M_TCP_RCV_NXT,     M_TCP_COPIED_SEQ,      M_TCP_WRITE_SEQ,
      M_TCP_SND_UNA,     M_UDP_FORWARD_DEFICIT, M_SKC_IPV6ONLY,
      M_UNIX_ADDR,       M_UNIX_PEER,           M_SKC_V6_DADDR,
      M_SKC_V6_RCV_SADDR};

  for (size_t i = 0; i < G_N_ELEMENTS(zero); i++)
    fake_opens_put(f, SK(n), zero[i], 0);
  fake_opens_put(f, SK(n), M_SK_WMEM_ALLOC, 1);
  fake_opens_put(f, SK(n), M_SKC_FAMILY, family);
  fake_opens_put(f, SK(n), M_SKC_STATE, state);
  fake_opens_put(f, SK(n), M_SKC_NET, NET);
  fake_opens_put(f, SK(n), M_SK_TYPE, type);
  fake_opens_put(f, SK(n), M_SK_PROTOCOL, protocol);
}

static void
put_v4(FakeOpens *f, unsigned n, const char *local, uint16_t port, const char *remote,
       uint16_t remote_port)
{
  fake_opens_put(f, SK(n), M_SKC_RCV_SADDR, inet_addr(local));
  fake_opens_put(f, SK(n), M_SKC_DADDR, inet_addr(remote));
  fake_opens_put(f, SK(n), M_SKC_NUM, port);
  fake_opens_put(f, SK(n), M_SKC_DPORT, htons(remote_port));
}

static void
put_v6(FakeOpens *f, unsigned n, const char *local, uint16_t port, const char *remote,
       uint16_t remote_port)
{
  struct in6_addr a;

  inet_pton(AF_INET6, local, &a);
  fake_mem_write(f->l.memory, fake_opens_at(f, SK(n), M_SKC_V6_RCV_SADDR), &a, sizeof(a));
  inet_pton(AF_INET6, remote, &a);
  fake_mem_write(f->l.memory, fake_opens_at(f, SK(n), M_SKC_V6_DADDR), &a, sizeof(a));
  fake_opens_put(f, SK(n), M_SKC_NUM, port);
  fake_opens_put(f, SK(n), M_SKC_DPORT, htons(remote_port));
}

/* A file that leads to socket n, whose inode number is 1000 + n. */
static void
put_socket_file(FakeOpens *f, unsigned n)
{
  fake_opens_put(f, FILE_AT(n), M_FILE_OP, SOCKET_FILE_OPS);
  fake_opens_put(f, FILE_AT(n), M_FILE_PRIVATE, SOCKET(n));
  fake_opens_put(f, SOCKET(n), M_SOCKET_SK, SK(n));
  fake_opens_put(f, SK(n), M_SK_SOCKET, SOCKET(n));
  fake_opens_put(f, SOCKET(n) + f->kernel.members[M_SOCKET_ALLOC_INODE].offset, M_INODE_INO,
                 1000 + n);
}

static void
put_namespace(FakeOpens *f)
{
  const uint64_t name = fake_opens_at(f, DEVICE, M_DEVICE_NAME);

  f->kernel.symbols[S_NET_NAMESPACE_LIST] = NET_LIST_HEAD;
  put_list(f, NET_LIST_HEAD, fake_opens_at(f, NET, M_NET_LIST));
  fake_opens_put(f, NET, M_NET_INUM, 42);
  put_list(f, fake_opens_at(f, NET, M_NET_DEVICES), fake_opens_at(f, DEVICE, M_DEVICE_LIST));
  fake_opens_put(f, DEVICE, M_DEVICE_INDEX, 7);
  fake_mem_string(f->l.memory, name, "eth0");
  fake_opens_put(f, NET, M_NET_UDP, UDP_TABLE);
  fake_opens_put(f, UDP_TABLE, M_UDP_HASH, TABLES(2));
  fake_opens_put(f, UDP_TABLE, M_UDP_MASK, 3);
  put_buckets(f, TABLES(2), 4, 16, 0);
  fake_opens_put(f, NET, M_NET_UNIX_BUCKETS, TABLES(3));
  put_buckets(f, TABLES(3), 512, 8, 0);
  fake_opens_put(f, NET, M_NET_PACKET, 0);
}

/* Empty tables, processes 1 and 2 that share what they have open. */
static void
set_up(FakeOpens *f)
{
  static const uint64_t tasks[] = {TASK(1), TASK(2)};
  static const char *const names[] = {"httpd", "worker"};

  fake_opens_init(f, members);
  fake_opens_tasks(f, tasks, names, 2);
  fake_opens_files(f, FILES, 64);
  fake_opens_put(f, TASK(1), M_TASK_FILES, FILES);
  fake_opens_put(f, TASK(2), M_TASK_FILES, FILES);
  f->kernel.symbols[S_SOCKET_FILE_OPS] = SOCKET_FILE_OPS;
  f->kernel.symbols[S_TCP_HASHINFO] = HASHINFO;
  f->kernel.types[T_EHASH_BUCKET] = 8;
  f->kernel.types[T_LISTEN_BUCKET] = 16;
  f->kernel.types[T_UDP_HSLOT] = 16;
  f->kernel.types[T_NETLINK_TABLE] = FAKE_STRUCT;
  fake_opens_put(f, HASHINFO, M_EHASH, TABLES(0));
  fake_opens_put(f, HASHINFO, M_EHASH_MASK, 1023);
  put_buckets(f, TABLES(0), 1024, 8, NULLS);
  fake_opens_put(f, HASHINFO, M_LHASH2, TABLES(1));
  fake_opens_put(f, HASHINFO, M_LHASH2_MASK, 3);
  put_buckets(f, TABLES(1), 4, 16, NULLS);
  put_namespace(f);
}

/* -- checking them -- */

/* The table, its padding squeezed. */
static void
check_text(const char *text, const char *expected)
{
  g_autoptr(GRegex) blanks = g_regex_new(" +", 0, 0, NULL);
  g_autofree char *squeezed = g_regex_replace_literal(blanks, text, -1, 0, " ", 0, NULL);

  g_assert_cmpstr(squeezed, ==, expected);
}

#define HEADER                                                                                     \
  "proto local remote state pid command type inode uid netns iface rx_queue tx_queue v6only peer " \
  "owners\n"

static void
check_netconns(FakeOpens *f, const char *expected)
{
  g_autoptr(GString) out = g_string_new(NULL);
  g_autoptr(GError) error = NULL;

  CHECK_OK(dacsa_linux_system_netconns(&f->l.guest, out, &error), error);
  check_text(out->str, expected);
}

/* -- tests -- */

static void
test_tcp(void)
{
  g_auto(FakeOpens) f;

  set_up(&f);
  put_sk(&f, 0, AF_INET, SOCK_STREAM, IPPROTO_TCP, TCP_LISTEN);
  put_v4(&f, 0, "0.0.0.0", 80, "0.0.0.0", 0);
  put_socket_file(&f, 0);
  fake_opens_put(&f, SK(0), M_SK_ACK_BACKLOG, 3);
  put_into(&f, lhash2(2), 0);
  fake_opens_open(&f, FILES, 3, FILE_AT(0), false);
  put_sk(&f, 1, AF_INET6, SOCK_STREAM, IPPROTO_TCP, TCP_ESTABLISHED);
  put_v6(&f, 1, "::1", 443, "2001:db8::5", 50000);
  fake_opens_put(&f, SK(1), M_TCP_RCV_NXT, 5);
  fake_opens_put(&f, SK(1), M_TCP_COPIED_SEQ, 0xfffffffb);
  fake_opens_put(&f, SK(1), M_TCP_WRITE_SEQ, 100);
  fake_opens_put(&f, SK(1), M_TCP_SND_UNA, 90);
  fake_opens_put(&f, SK(1), M_SKC_IPV6ONLY, 0x20);
  fake_opens_put(&f, SK(1), M_SKC_BOUND_DEV, 7);
  fake_opens_put(&f, SK(1), M_SK_UID, 33);
  put_into(&f, ehash(1023), 1);
  check_netconns(&f, HEADER
                 "tcp 0.0.0.0:80 0.0.0.0:0 LISTEN 1 httpd STREAM 1000 0 42 - 3 0 - - 1,2\n"
                 "tcp6 [::1]:443 [2001:db8::5]:50000 ESTABLISHED - - STREAM - 33 42 eth0 10 10 yes "
                 "- -\n");
  fake_opens_check_errors(&f, "");
}

/* Of a connection that is not yet or no longer a struct sock, its sock_common alone is read: the
 * rest is another object's. */
static void
test_tcp_without_sock(void)
{
  g_auto(FakeOpens) f;

  set_up(&f);
  put_sk(&f, 0, AF_INET, SOCK_STREAM, IPPROTO_TCP, TCP_LISTEN);
  put_v4(&f, 0, "0.0.0.0", 80, "0.0.0.0", 0);
  put_socket_file(&f, 0);
  put_into(&f, lhash2(0), 0);
  fake_opens_open(&f, FILES, 3, FILE_AT(0), false);
  for (unsigned n = 1; n < 4; n++) {
    put_sk(&f, n, AF_INET, 0, 0, n < 3 ? TCP_TIME_WAIT : DACSA_LINUX_TCP_NEW_SYN_RECV);
    put_v4(&f, n, "10.0.0.1", 80, "10.0.0.2", (uint16_t)(4000 + n));
    fake_opens_put(&f, SK(n), M_SK_SOCKET, 0x4141414141414141);
    put_into(&f, ehash(5), n);
  }
  fake_opens_put(&f, SK(1), M_TW_SUBSTATE, TCP_TIME_WAIT);
  fake_opens_put(&f, SK(2), M_TW_SUBSTATE, TCP_FIN_WAIT2);
  fake_opens_put(&f, SK(3), M_SKC_LISTENER, SK(0));
  check_netconns(&f, HEADER
                 "tcp 0.0.0.0:80 0.0.0.0:0 LISTEN 1 httpd STREAM 1000 0 42 - 0 0 - - 1,2\n"
                 "tcp 10.0.0.1:80 10.0.0.2:4003 SYN-RECV 1 httpd STREAM - - 42 - - - - - 1,2\n"
                 "tcp 10.0.0.1:80 10.0.0.2:4002 FIN-WAIT-2 - - STREAM - - 42 - - - - - -\n"
                 "tcp 10.0.0.1:80 10.0.0.2:4001 TIME-WAIT - - STREAM - - 42 - - - - - -\n");
  fake_opens_check_errors(&f, "");
}

/* Older kernels have the listeners in the table itself. */
static void
test_listening_hash(void)
{
  g_auto(FakeOpens) f;

  set_up(&f);
  f.kernel.members[M_LISTENING_HASH] =
      (DacsaMember){.known = true, .offset = 0x7000, .size = 64, .elements = 4};
  f.kernel.members[M_LHASH2].known = false;
  put_buckets(&f, HASHINFO + 0x7000, 4, 16, NULLS);
  put_sk(&f, 0, AF_INET, SOCK_STREAM, IPPROTO_TCP, TCP_LISTEN);
  put_v4(&f, 0, "127.0.0.1", 22, "0.0.0.0", 0);
  put_into(&f, HASHINFO + 0x7000 + 3 * 16 + 8, 0);
  check_netconns(&f, HEADER "tcp 127.0.0.1:22 0.0.0.0:0 LISTEN - - STREAM - 0 42 - 0 0 - - -\n");
  fake_opens_check_errors(&f, "");
}

static void
test_udp_and_raw(void)
{
  g_auto(FakeOpens) f;

  set_up(&f);
  f.kernel.symbols[S_RAW_V4] = TABLES(4);
  put_buckets(&f, TABLES(4) + 0x40, 4, 8, 0);
  put_sk(&f, 0, AF_INET, SOCK_DGRAM, IPPROTO_UDP, TCP_CLOSE);
  put_v4(&f, 0, "0.0.0.0", 53, "0.0.0.0", 0);
  fake_opens_put(&f, SK(0), M_SK_RMEM_ALLOC, 4096);
  fake_opens_put(&f, SK(0), M_UDP_FORWARD_DEFICIT, 1024);
  fake_opens_put(&f, SK(0), M_SK_WMEM_ALLOC, 769);
  put_into(&f, TABLES(2) + 16 * 3, 0);
  put_sk(&f, 1, AF_INET6, SOCK_DGRAM, IPPROTO_UDPLITE, TCP_ESTABLISHED);
  put_v6(&f, 1, "::1", 1024, "::1", 53);
  put_into(&f, TABLES(2), 1);
  put_sk(&f, 2, AF_INET, SOCK_RAW, IPPROTO_ICMP, TCP_CLOSE);
  put_v4(&f, 2, "0.0.0.0", IPPROTO_ICMP, "0.0.0.0", 0);
  put_into(&f, TABLES(4) + 0x40 + 8, 2);
  check_netconns(&f,
                 HEADER "raw 0.0.0.0:1 0.0.0.0:0 UNCONN - - RAW - 0 42 - 0 0 - - -\n"
                        "udplite6 [::1]:1024 [::1]:53 ESTABLISHED - - DGRAM - 0 42 - 0 0 no - -\n"
                        "udp 0.0.0.0:53 0.0.0.0:0 UNCONN - - DGRAM - 0 42 - 3072 768 - - -\n");
  fake_opens_check_errors(&f, "");
}

static void
put_unix_name(FakeOpens *f, unsigned n, const char *name, size_t len)
{
  fake_opens_put(f, SK(n), M_UNIX_ADDR, ADDRESS(n));
  fake_opens_put(f, ADDRESS(n), M_UNIX_ADDRESS_LEN, 2 + len);
  fake_mem_write(f->l.memory, ADDRESS(n) + 0x7800 + 2, name, len);
}

static void
test_unix(void)
{
  g_auto(FakeOpens) f;

  set_up(&f);
  for (unsigned n = 0; n < 4; n++)
    put_sk(&f, n, AF_UNIX, SOCK_STREAM, 0, n == 0 ? TCP_LISTEN : TCP_ESTABLISHED);
  fake_opens_put(&f, SK(3), M_SKC_STATE, TCP_CLOSE);
  fake_opens_put(&f, SK(3), M_SK_TYPE, SOCK_DGRAM);
  put_unix_name(&f, 0, "/run/s", sizeof("/run/s"));
  put_unix_name(&f, 1, "/run/s", sizeof("/run/s"));
  put_unix_name(&f, 3, "\0a\0b", 4);
  fake_opens_put(&f, SK(1), M_UNIX_PEER, SK(2));
  fake_opens_put(&f, SK(2), M_UNIX_PEER, SK(1));
  put_socket_file(&f, 2);
  for (unsigned n = 4; n > 0; n--)
    put_into(&f, TABLES(3) + UINT64_C(8) * 511, n - 1);
  check_netconns(&f, HEADER "unix /run/s * LISTEN - - STREAM - 0 42 - - - - - -\n"
                            "unix /run/s * ESTABLISHED - - STREAM - 0 42 - - - - 1002 -\n"
                            "unix * /run/s ESTABLISHED - - STREAM 1002 0 42 - - - - - -\n"
                            "unix @a@b * UNCONN - - DGRAM - 0 42 - - - - - -\n");
  fake_opens_check_errors(&f, "");
}

static void
put_netlink(FakeOpens *f, unsigned n, uint32_t portid, uint64_t next)
{
  put_sk(f, n, AF_NETLINK, SOCK_RAW, 0, TCP_CLOSE);
  fake_opens_put(f, SK(n), M_NETLINK_PORTID, portid);
  fake_opens_put(f, SK(n), M_NETLINK_DST_PORTID, 0);
  fake_mem_u64(f->l.memory, fake_opens_at(f, SK(n), M_NETLINK_NODE), next);
}

/* A table of two buckets, of which one is locked, and which is being moved into another. */
static void
put_rhashtable(FakeOpens *f, uint64_t table, uint64_t future, uint64_t first)
{
  fake_opens_put(f, table, M_BUCKET_TABLE_SIZE, 2);
  fake_opens_put(f, table, M_BUCKET_TABLE_NEST, 0);
  fake_opens_put(f, table, M_BUCKET_TABLE_FUTURE, future);
  fake_mem_u64(f->l.memory, table + 0x7800, 0);
  fake_mem_u64(f->l.memory, table + 0x7808, first);
}

static void
test_netlink_and_packet(void)
{
  g_auto(FakeOpens) f;

  set_up(&f);
  f.kernel.symbols[S_NL_TABLE] = FAKE(0x50);
  fake_mem_u64(f.l.memory, FAKE(0x50), FAKE(0x1000));
  for (unsigned i = 0; i < 32; i++)
    fake_opens_put(&f, FAKE(0x1000 + i), M_NETLINK_TABLE_HASH, 0);
  fake_opens_put(&f, FAKE(0x1000), M_NETLINK_TABLE_HASH, TABLES(5));
  put_netlink(&f, 0, 77, fake_opens_at(&f, SK(1), M_NETLINK_NODE));
  put_netlink(&f, 1, 0, 3);
  put_netlink(&f, 2, 78, 3);
  put_rhashtable(&f, TABLES(5), TABLES(6), fake_opens_at(&f, SK(0), M_NETLINK_NODE) | 1);
  put_rhashtable(&f, TABLES(6), 0, fake_opens_at(&f, SK(2), M_NETLINK_NODE));
  put_sk(&f, 3, AF_PACKET, SOCK_RAW, 0x300, TCP_CLOSE);
  fake_opens_put(&f, SK(3), M_PACKET_NUM, htons(3));
  fake_opens_put(&f, SK(3), M_PACKET_IFINDEX, 7);
  put_into(&f, fake_opens_at(&f, NET, M_NET_PACKET), 3);
  check_netconns(&f, HEADER "netlink route:77 route:0 UNCONN - - RAW - 0 42 - 0 0 - - -\n"
                            "netlink route:0 route:0 UNCONN - - RAW - 0 42 - 0 0 - - -\n"
                            "netlink route:78 route:0 UNCONN - - RAW - 0 42 - 0 0 - - -\n"
                            "packet 0003:eth0 * UNCONN - - RAW - 0 42 eth0 0 0 - - -\n");
  fake_opens_check_errors(&f, "");
}

/* A socket that is in no table; and whose it is, for each of those who have it. */
static void
test_owners(void)
{
  g_auto(FakeOpens) f;
  g_autoptr(GString) out = g_string_new(NULL);
  g_autoptr(GString) json = g_string_new(NULL);
  g_autoptr(GError) error = NULL;

  set_up(&f);
  put_sk(&f, 0, AF_INET, SOCK_STREAM, IPPROTO_TCP, TCP_CLOSE);
  put_socket_file(&f, 0);
  fake_opens_put(&f, SK(0), M_SKC_NET, OTHER_NET);
  put_sk(&f, 1, AF_VSOCK, SOCK_STREAM, 0, TCP_CLOSE);
  put_into(&f, TABLES(2), 1);
  fake_opens_open(&f, FILES, 3, FILE_AT(0), false);
  fake_opens_put(&f, FILE_AT(9), M_FILE_OP, 0); /* no socket */
  fake_opens_open(&f, FILES, 4, FILE_AT(9), false);
  CHECK_OK(dacsa_linux_text_netconns(&f.l.guest, 2, out, &error), error);
  check_text(out->str,
             HEADER "tcp 0.0.0.0:0 0.0.0.0:0 CLOSE 2 worker STREAM 1000 0 - - 0 0 - - 1,2\n");
  CHECK_OK(dacsa_linux_json_netconns(&f.l.guest, json, &error), error);
  g_assert_cmpstr(json->str, ==,
                  "{\"proto\":\"vsock\",\"state\":\"UNCONN\",\"type\":\"STREAM\",\"uid\":0,"
                  "\"netns\":42}\n"
                  "{\"proto\":\"tcp\",\"local\":\"0.0.0.0:0\",\"remote\":\"0.0.0.0:0\","
                  "\"state\":\"CLOSE\",\"pid\":1,\"command\":\"httpd\",\"type\":\"STREAM\","
                  "\"inode\":1000,\"uid\":0,\"rx_queue\":0,\"tx_queue\":0,\"owners\":\"1,2\"}\n");
  CHECK_FAILS(dacsa_linux_text_netconns(&f.l.guest, 3, out, &error), error, DACSA_ERROR_NOT_FOUND);
  fake_opens_check_errors(&f, "");
}

/* -- hostile tables -- */

static void
test_chains_in_a_circle(void)
{
  g_auto(FakeOpens) f;

  set_up(&f);
  for (unsigned n = 0; n < 3; n++) {
    put_sk(&f, n, AF_INET, SOCK_STREAM, IPPROTO_TCP, TCP_ESTABLISHED);
    put_v4(&f, n, "10.0.0.1", (uint16_t)(n + 1), "10.0.0.2", 9);
    put_into(&f, ehash(n == 2 ? 6 : 5), n);
  }
  /* 1 -> 0 -> 1, and 2 -> 0 */
  fake_mem_u64(f.l.memory, fake_opens_at(&f, SK(0), M_SKC_NODE),
               fake_opens_at(&f, SK(1), M_SKC_NODE));
  fake_mem_u64(f.l.memory, fake_opens_at(&f, SK(2), M_SKC_NODE),
               fake_opens_at(&f, SK(0), M_SKC_NODE));
  check_netconns(&f,
                 HEADER "tcp 10.0.0.1:2 10.0.0.2:9 ESTABLISHED - - STREAM - 0 42 - 0 0 - - -\n"
                        "tcp 10.0.0.1:1 10.0.0.2:9 ESTABLISHED - - STREAM - 0 42 - 0 0 - - -\n"
                        "tcp 10.0.0.1:3 10.0.0.2:9 ESTABLISHED - - STREAM - 0 42 - 0 0 - - -\n");
  g_autofree char *errors = dacsa_errors_text(f.l.errors);
  g_assert_nonnull(strstr(errors, "netconns: cut short: a chain of sockets runs into another one"));
}

/* A chain into nowhere, a table that is larger than memory: the rest is shown. */
static void
test_broken_tables(void)
{
  g_auto(FakeOpens) f;

  set_up(&f);
  put_sk(&f, 0, AF_INET, SOCK_STREAM, IPPROTO_TCP, TCP_ESTABLISHED);
  put_v4(&f, 0, "10.0.0.1", 1, "10.0.0.2", 9);
  put_into(&f, ehash(7), 0);
  fake_mem_u64(f.l.memory, ehash(3), 0x4141414141414140);
  fake_opens_put(&f, HASHINFO, M_LHASH2, 0x4242424242424242);
  fake_opens_put(&f, NET, M_NET_UNIX_BUCKETS, 0x4343434343434343);
  fake_opens_put(&f, UDP_TABLE, M_UDP_MASK, UINT32_MAX);
  put_list(&f, fake_opens_at(&f, NET, M_NET_DEVICES), fake_opens_at(&f, NET, M_NET_DEVICES) + 8);
  check_netconns(&f,
                 HEADER "tcp 10.0.0.1:1 10.0.0.2:9 ESTABLISHED - - STREAM - 0 42 - 0 0 - - -\n");
  g_autofree char *errors = dacsa_errors_text(f.l.errors);
  g_assert_nonnull(strstr(errors, "netconns: TCP listeners: "));
  g_assert_nonnull(strstr(errors, "netconns: TCP connections: "));
  g_assert_nonnull(strstr(errors, "netconns: UNIX sockets: "));
  g_assert_nonnull(strstr(errors, "netconns: UDP sockets: "));
  g_assert_nonnull(strstr(errors, "netconns: cut short: a hash table is too large"));
}

/* A kernel of which nothing is known has an empty table. */
static void
test_unknown_kernel(void)
{
  static const DacsaMember none[M_N];
  static const uint64_t tasks[] = {TASK(1)};
  static const char *const names[] = {"init"};
  g_auto(FakeOpens) f;

  fake_opens_init(&f, none);
  fake_opens_tasks(&f, tasks, names, 1);
  check_netconns(&f, HEADER);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/linux-sockets/tcp", test_tcp);
  g_test_add_func("/linux-sockets/tcp-without-sock", test_tcp_without_sock);
  g_test_add_func("/linux-sockets/listening-hash", test_listening_hash);
  g_test_add_func("/linux-sockets/udp-and-raw", test_udp_and_raw);
  g_test_add_func("/linux-sockets/unix", test_unix);
  g_test_add_func("/linux-sockets/netlink-and-packet", test_netlink_and_packet);
  g_test_add_func("/linux-sockets/owners", test_owners);
  g_test_add_func("/linux-sockets/chains-in-a-circle", test_chains_in_a_circle);
  g_test_add_func("/linux-sockets/broken-tables", test_broken_tables);
  g_test_add_func("/linux-sockets/unknown-kernel", test_unknown_kernel);
  return g_test_run();
}
