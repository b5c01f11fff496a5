/* The sockets that are in hash tables. */
#include "parsers/linux/socktables.h"

#include "parsers/linux/walk.h"
#include "snap/error.h"

#include <string.h>

#define MAX_BUCKETS (1u << 22) /* of one hash table */
#define MAX_REHASHES 8u        /* tables that a table is being moved into, one after the other */
#define BUCKETS_AT_ONCE (64u << 10) /* bytes */
#define UNIX_HASH_SIZE 512u         /* include/net/af_unix.h */
#define NETLINK_MAX_LINKS 32u       /* include/uapi/linux/netlink.h, MAX_LINKS */
#define RHT_LOCKED UINT64_C(1)      /* lib/rhashtable.c: bit 0 of a bucket is its lock */
#define WHERE "netconns"

static void
note(const DacsaLinuxSockTables *s, const char *what, const GError *cause)
{
  g_autofree char *text = g_strdup_printf("%s: %s", what, cause->message);

  dacsa_errors_add(s->l->errors, WHERE, text);
}

/* -- hash tables -- */

/* Buckets of `stride` bytes, at `head` in each the first pointer of a chain, which links its
 * sockets by `member`. */
typedef struct {
  uint64_t base, n;
  uint64_t head;
  uint32_t stride;
  DacsaLinuxMember member;
  const char *what;
} Buckets;

typedef struct {
  DacsaLinuxSockTables *tables;
  const char *what;
} Chain;

static bool
visit_socket(uint64_t sk, void *data)
{
  const Chain *c = data;

  return c->tables->visit(sk, c->what, c->tables->data);
}

static void
walk_chain(DacsaLinuxSockTables *s, const Buckets *b, uint64_t head)
{
  Chain chain = {s, b->what};
  g_autoptr(GError) cause = NULL;

  if (!dacsa_linux_hlist_each(s->l, head, b->member, visit_socket, &chain, &cause))
    note(s, b->what, cause);
}

/* Most buckets are empty: they are read many at a time, and only the others walked. */
static bool
walk_some_buckets(DacsaLinuxSockTables *s, const Buckets *b, uint64_t first, uint64_t n,
                  uint8_t *buf, GError **error)
{
  if (!dacsa_mem_read(s->l->memory, b->base + first * b->stride, buf, n * b->stride, error))
    return false;
  for (uint64_t i = 0; i < n; i++) {
    uint64_t node;

    memcpy(&node, buf + i * b->stride + b->head, sizeof(node));
    node = GUINT64_FROM_LE(node);
    if (node != 0 && !(node & 1))
      walk_chain(s, b, b->base + (first + i) * b->stride + b->head);
  }
  return true;
}

static void
walk_buckets(DacsaLinuxSockTables *s, const Buckets *b)
{
  g_autofree uint8_t *buf = g_malloc(BUCKETS_AT_ONCE);
  g_autoptr(GError) cause = NULL;

  if (b->base == 0 || !g_hash_table_add(s->seen, GSIZE_TO_POINTER(b->base)))
    return;
  if (b->stride < sizeof(uint64_t) || b->stride > BUCKETS_AT_ONCE ||
      b->head > b->stride - sizeof(uint64_t)) {
    dacsa_errors_add(s->l->errors, WHERE, "a hash table of a form that is not known");
    return;
  }
  const uint64_t at_once = BUCKETS_AT_ONCE / b->stride;
  const uint64_t n = MIN(b->n, MAX_BUCKETS);
  for (uint64_t i = 0; i < n && !cause; i += at_once)
    if (!walk_some_buckets(s, b, i, MIN(n - i, at_once), buf, &cause))
      note(s, b->what, cause);
  if (b->n > n)
    dacsa_errors_add(s->l->errors, WHERE, "cut short: a hash table is too large");
}

/* -- TCP: net/ipv4/inet_hashtables.c -- */

static bool
walk_established(DacsaLinuxSockTables *s, uint64_t hashinfo, GError **error)
{
  const DacsaLinux *l = s->l;
  Buckets b = {.head = dacsa_linux_offset(l, M_EHASH_CHAIN),
               .stride = dacsa_linux_size(l, T_EHASH_BUCKET),
               .member = M_SKC_NODE,
               .what = "TCP connections"};

  if (!dacsa_linux_get(l, hashinfo, M_EHASH, &b.base, error) ||
      !dacsa_linux_get(l, hashinfo, M_EHASH_MASK, &b.n, error))
    return false;
  b.n++;
  walk_buckets(s, &b);
  return true;
}

/* An array in the table itself, until 5.18; since then the second table, which was there before,
 * but linked the sockets elsewhere. */
static bool
walk_listening(DacsaLinuxSockTables *s, uint64_t hashinfo, GError **error)
{
  const DacsaLinux *l = s->l;
  Buckets b = {.head = dacsa_linux_offset(l, M_LISTEN_HEAD),
               .stride = dacsa_linux_size(l, T_LISTEN_BUCKET),
               .member = M_SKC_NODE,
               .what = "TCP listeners"};

  if (dacsa_linux_has(l, M_LISTENING_HASH)) {
    b.base = hashinfo + dacsa_linux_offset(l, M_LISTENING_HASH);
    b.n = l->kernel->members[M_LISTENING_HASH].elements;
  } else {
    if (!dacsa_linux_get(l, hashinfo, M_LHASH2, &b.base, error) ||
        !dacsa_linux_get(l, hashinfo, M_LHASH2_MASK, &b.n, error))
      return false;
    b.n++;
  }
  walk_buckets(s, &b);
  return true;
}

static void
walk_tcp(DacsaLinuxSockTables *s, uint64_t hashinfo)
{
  g_autoptr(GError) cause = NULL;

  if (hashinfo == 0 || !g_hash_table_add(s->seen, GSIZE_TO_POINTER(hashinfo)))
    return;
  if (!walk_listening(s, hashinfo, &cause))
    note(s, "TCP listeners", cause);
  g_clear_error(&cause);
  if (!walk_established(s, hashinfo, &cause))
    note(s, "TCP connections", cause);
}

/* -- UDP: net/ipv4/udp.c -- */

static void
walk_udp(DacsaLinuxSockTables *s, uint64_t table)
{
  const DacsaLinux *l = s->l;
  Buckets b = {.head = dacsa_linux_offset(l, M_UDP_HSLOT_HEAD),
               .stride = dacsa_linux_size(l, T_UDP_HSLOT),
               .member = M_SKC_NODE,
               .what = "UDP sockets"};
  g_autoptr(GError) cause = NULL;

  if (table == 0 || !g_hash_table_add(s->seen, GSIZE_TO_POINTER(table)))
    return;
  if (!dacsa_linux_get(l, table, M_UDP_HASH, &b.base, &cause) ||
      !dacsa_linux_get(l, table, M_UDP_MASK, &b.n, &cause)) {
    note(s, b.what, cause);
    return;
  }
  b.n++;
  walk_buckets(s, &b);
}

/* -- tables that are plain arrays of chains -- */

static void
walk_heads(DacsaLinuxSockTables *s, uint64_t base, uint64_t n, const char *what)
{
  const Buckets b = {base, n, 0, sizeof(uint64_t), M_SKC_NODE, what};

  walk_buckets(s, &b);
}

/* net/ipv4/raw.c, net/ipv4/ping.c */
static void
walk_embedded(DacsaLinuxSockTables *s, DacsaLinuxSymbol table, DacsaLinuxMember heads,
              const char *what)
{
  const DacsaLinux *l = s->l;
  const uint64_t base = dacsa_linux_symbol(l, table);

  if (base != 0 && dacsa_linux_has(l, heads))
    walk_heads(s, base + dacsa_linux_offset(l, heads), l->kernel->members[heads].elements, what);
}

/* -- netlink: net/netlink/af_netlink.c, lib/rhashtable.c -- */

/* A chain of an rhashtable: the bucket is a pointer with a lock in it, else it is like others. */
static void
walk_rhash_chain(DacsaLinuxSockTables *s, const Buckets *b, uint64_t node)
{
  const uint64_t first = node & ~RHT_LOCKED;

  if (first != 0 && s->visit(first - dacsa_linux_offset(s->l, b->member), b->what, s->data))
    walk_chain(s, b, first);
}

static bool
walk_rhash_buckets(DacsaLinuxSockTables *s, const Buckets *b, GError **error)
{
  const uint64_t at_once = BUCKETS_AT_ONCE / sizeof(uint64_t);
  g_autofree uint64_t *buf = g_new(uint64_t, at_once);

  for (uint64_t i = 0; i < b->n; i += at_once) {
    const uint64_t n = MIN(b->n - i, at_once);

    if (!dacsa_mem_read(s->l->memory, b->base + i * sizeof(uint64_t), buf, n * sizeof(uint64_t),
                        error))
      return false;
    for (uint64_t j = 0; j < n; j++)
      walk_rhash_chain(s, b, GUINT64_FROM_LE(buf[j]));
  }
  return true;
}

/* While a table is being made larger, what is moved already is in the next one. */
static bool
walk_rhashtable(DacsaLinuxSockTables *s, uint64_t table, GError **error)
{
  const DacsaLinux *l = s->l;

  for (unsigned i = 0; table != 0 && i < MAX_REHASHES; i++) {
    Buckets b = {.base = table + dacsa_linux_offset(l, M_BUCKET_TABLE_BUCKETS),
                 .member = M_NETLINK_NODE,
                 .what = "netlink sockets"};
    uint64_t nest;

    if (!dacsa_linux_get(l, table, M_BUCKET_TABLE_SIZE, &b.n, error) ||
        !dacsa_linux_get(l, table, M_BUCKET_TABLE_NEST, &nest, error))
      return false;
    if (nest != 0)
      return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "a hash table in pieces");
    if (b.n > MAX_BUCKETS)
      return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "a hash table of %" PRIu64 " buckets", b.n);
    if (!walk_rhash_buckets(s, &b, error) ||
        !dacsa_linux_get(l, table, M_BUCKET_TABLE_FUTURE, &table, error))
      return false;
  }
  return true;
}

static void
walk_netlink(DacsaLinuxSockTables *s)
{
  const DacsaLinux *l = s->l;
  const uint64_t symbol = dacsa_linux_symbol(l, S_NL_TABLE);
  uint64_t tables;

  if (symbol == 0)
    return;
  for (unsigned i = 0; i < NETLINK_MAX_LINKS; i++) {
    g_autoptr(GError) cause = NULL;
    uint64_t table;

    if (!dacsa_mem_read_u64(l->memory, symbol, &tables, &cause) ||
        !dacsa_linux_get(l, tables + (uint64_t)i * dacsa_linux_size(l, T_NETLINK_TABLE),
                         M_NETLINK_TABLE_HASH, &table, &cause) ||
        !walk_rhashtable(s, table, &cause))
      note(s, "netlink sockets", cause);
  }
}

/* -- all of them -- */

/* A pointer that a namespace has in `member`; `otherwise`: on kernels that have no such member. */
static uint64_t
pointer_of_namespace(const DacsaLinuxSockTables *s, uint64_t net, DacsaLinuxMember member,
                     uint64_t otherwise)
{
  g_autoptr(GError) cause = NULL;
  uint64_t value;

  if (!dacsa_linux_has(s->l, member))
    return otherwise;
  if (dacsa_linux_get(s->l, net, member, &value, &cause))
    return value;
  note(s, "network namespaces", cause);
  return otherwise;
}

static void
walk_packet(DacsaLinuxSockTables *s, uint64_t net)
{
  if (dacsa_linux_has(s->l, M_NET_PACKET))
    walk_heads(s, net + dacsa_linux_offset(s->l, M_NET_PACKET), 1, "packet sockets");
}

/* What each namespace has of its own, on this kernel or on another. */
void
dacsa_linux_sock_tables_namespace(DacsaLinuxSockTables *s, uint64_t net)
{
  walk_tcp(s, pointer_of_namespace(s, net, M_NET_TCP, 0));
  walk_udp(s, pointer_of_namespace(s, net, M_NET_UDP, 0));
  walk_heads(s, pointer_of_namespace(s, net, M_NET_UNIX_BUCKETS, 0), UNIX_HASH_SIZE,
             "UNIX sockets");
  walk_packet(s, net);
}

void
dacsa_linux_sock_tables_system(DacsaLinuxSockTables *s)
{
  const DacsaLinux *l = s->l;

  walk_tcp(s, dacsa_linux_symbol(l, S_TCP_HASHINFO));
  walk_udp(s, dacsa_linux_symbol(l, S_UDP_TABLE));
  walk_udp(s, dacsa_linux_symbol(l, S_UDPLITE_TABLE));
  walk_embedded(s, S_RAW_V4, M_RAW_HASH, "raw sockets");
  walk_embedded(s, S_RAW_V6, M_RAW_HASH, "raw sockets");
  walk_embedded(s, S_PING_TABLE, M_PING_HASH, "ping sockets");
  walk_heads(s, dacsa_linux_symbol(l, S_UNIX_SOCKET_TABLE), UNIX_HASH_SIZE, "UNIX sockets");
  walk_netlink(s);
}
