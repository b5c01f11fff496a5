/* Sockets, from the hash tables of the protocols and from open files. */
#include "parsers/linux/sockets.h"

#include "parsers/linux/walk.h"
#include "snap/error.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#define MAX_SOCKETS (1u << 20)
#define MAX_BUCKETS (1u << 22) /* of one hash table */
#define MAX_NAMESPACES (1u << 16)
#define MAX_DEVICES (1u << 16) /* in all namespaces */
#define MAX_REHASHES 8u        /* tables that a table is being moved into, one after the other */
#define BUCKETS_AT_ONCE (64u << 10) /* bytes */
#define UNIX_HASH_SIZE 512u         /* include/net/af_unix.h */
#define NETLINK_MAX_LINKS 32u       /* include/uapi/linux/netlink.h, MAX_LINKS */
#define TCP_NEW_SYN_RECV 12u        /* include/net/tcp_states.h */
#define RHT_LOCKED UINT64_C(1)      /* lib/rhashtable.c: bit 0 of a bucket is its lock */
#define WHERE "netconns"

typedef struct {
  uint64_t net;
  uint32_t inum;
} Namespace;

typedef struct {
  DacsaLinux *l;
  DacsaLinuxSockets *found;
  GArray *namespaces; /* Namespace */
  GHashTable *tables; /* gvas of hash tables that were walked: namespaces may share them */
  bool repeated;      /* a socket was met a second time in the tables */
} Search;

static void
note(const Search *s, const char *what, const GError *cause)
{
  g_autofree char *text = g_strdup_printf("%s: %s", what, cause->message);

  dacsa_errors_add(s->l->errors, WHERE, text);
}

/* -- one socket -- */

static bool
read_socket(const DacsaLinux *l, uint64_t sk, DacsaLinuxSocket *ret, GError **error)
{
  uint64_t family, state, type, protocol;

  *ret = (DacsaLinuxSocket){.sk = sk};
  if (!dacsa_linux_get(l, sk, M_SKC_FAMILY, &family, error) ||
      !dacsa_linux_get(l, sk, M_SKC_STATE, &state, error) ||
      !dacsa_linux_get(l, sk, M_SKC_NET, &ret->net, error))
    return false;
  ret->family = (uint16_t)family;
  ret->state = (uint8_t)state;
  ret->is_whole = !(family == AF_INET || family == AF_INET6) ||
                  (state != TCP_TIME_WAIT && state != TCP_NEW_SYN_RECV);
  if (!ret->is_whole) {
    ret->type = SOCK_STREAM;
    ret->protocol = IPPROTO_TCP;
    return true;
  }
  if (!dacsa_linux_get(l, sk, M_SK_TYPE, &type, error) ||
      !dacsa_linux_get(l, sk, M_SK_PROTOCOL, &protocol, error))
    return false;
  ret->type = (uint16_t)type;
  ret->protocol = (uint32_t)protocol;
  return true;
}

/* false: no more of them, or not of this chain. */
static bool
add_socket(Search *s, uint64_t sk, const char *what)
{
  DacsaLinuxSockets *found = s->found;
  g_autoptr(GError) cause = NULL;
  DacsaLinuxSocket socket;

  if (found->sockets->len >= MAX_SOCKETS)
    return false;
  if (g_hash_table_contains(found->by_sk, GSIZE_TO_POINTER(sk))) {
    s->repeated = true;
    return false;
  }
  if (!read_socket(s->l, sk, &socket, &cause)) {
    note(s, what, cause);
    return false;
  }
  g_array_append_val(found->sockets, socket);
  g_hash_table_insert(found->by_sk, GSIZE_TO_POINTER(sk), GUINT_TO_POINTER(found->sockets->len));
  return true;
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
  Search *search;
  const char *what;
} Chain;

static bool
visit_socket(uint64_t sk, void *data)
{
  const Chain *c = data;

  return add_socket(c->search, sk, c->what);
}

static void
walk_chain(Search *s, const Buckets *b, uint64_t head)
{
  Chain chain = {s, b->what};
  g_autoptr(GError) cause = NULL;

  if (!dacsa_linux_hlist_each(s->l, head, b->member, visit_socket, &chain, &cause))
    note(s, b->what, cause);
}

/* Most buckets are empty: they are read many at a time, and only the others walked. */
static bool
walk_some_buckets(Search *s, const Buckets *b, uint64_t first, uint64_t n, uint8_t *buf,
                  GError **error)
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
walk_buckets(Search *s, const Buckets *b)
{
  g_autofree uint8_t *buf = g_malloc(BUCKETS_AT_ONCE);
  g_autoptr(GError) cause = NULL;

  if (b->base == 0 || !g_hash_table_add(s->tables, GSIZE_TO_POINTER(b->base)))
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
walk_established(Search *s, uint64_t hashinfo, GError **error)
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
walk_listening(Search *s, uint64_t hashinfo, GError **error)
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
walk_tcp(Search *s, uint64_t hashinfo)
{
  g_autoptr(GError) cause = NULL;

  if (hashinfo == 0 || !g_hash_table_add(s->tables, GSIZE_TO_POINTER(hashinfo)))
    return;
  if (!walk_listening(s, hashinfo, &cause))
    note(s, "TCP listeners", cause);
  g_clear_error(&cause);
  if (!walk_established(s, hashinfo, &cause))
    note(s, "TCP connections", cause);
}

/* -- UDP: net/ipv4/udp.c -- */

static void
walk_udp(Search *s, uint64_t table)
{
  const DacsaLinux *l = s->l;
  Buckets b = {.head = dacsa_linux_offset(l, M_UDP_HSLOT_HEAD),
               .stride = dacsa_linux_size(l, T_UDP_HSLOT),
               .member = M_SKC_NODE,
               .what = "UDP sockets"};
  g_autoptr(GError) cause = NULL;

  if (table == 0 || !g_hash_table_add(s->tables, GSIZE_TO_POINTER(table)))
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
walk_heads(Search *s, uint64_t base, uint64_t n, const char *what)
{
  const Buckets b = {base, n, 0, sizeof(uint64_t), M_SKC_NODE, what};

  walk_buckets(s, &b);
}

/* net/ipv4/raw.c, net/ipv4/ping.c */
static void
walk_embedded(Search *s, DacsaLinuxSymbol table, DacsaLinuxMember heads, const char *what)
{
  const DacsaLinux *l = s->l;
  const uint64_t base = dacsa_linux_symbol(l, table);

  if (base != 0 && dacsa_linux_has(l, heads))
    walk_heads(s, base + dacsa_linux_offset(l, heads), l->kernel->members[heads].elements, what);
}

/* -- netlink: net/netlink/af_netlink.c, lib/rhashtable.c -- */

/* A chain of an rhashtable: the bucket is a pointer with a lock in it, else it is like others. */
static void
walk_rhash_chain(Search *s, const Buckets *b, uint64_t node)
{
  const uint64_t first = node & ~RHT_LOCKED;

  if (first != 0 && add_socket(s, first - dacsa_linux_offset(s->l, b->member), b->what))
    walk_chain(s, b, first);
}

static bool
walk_rhash_buckets(Search *s, const Buckets *b, GError **error)
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
walk_rhashtable(Search *s, uint64_t table, GError **error)
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
walk_netlink(Search *s)
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

/* -- namespaces -- */

static bool
visit_namespace(uint64_t net, void *data)
{
  Search *s = data;
  Namespace ns = {.net = net};
  g_autoptr(GError) cause = NULL;
  uint64_t inum;

  if (dacsa_linux_get(s->l, net, M_NET_INUM, &inum, &cause))
    ns.inum = (uint32_t)inum;
  else
    note(s, "network namespaces", cause);
  g_array_append_val(s->namespaces, ns);
  return s->namespaces->len < MAX_NAMESPACES;
}

static void
find_namespaces(Search *s)
{
  const uint64_t head = dacsa_linux_symbol(s->l, S_NET_NAMESPACE_LIST);
  g_autoptr(GError) cause = NULL;

  if (head != 0 && !dacsa_linux_list_each(s->l, head, M_NET_LIST, visit_namespace, s, &cause))
    note(s, "network namespaces", cause);
  if (s->namespaces->len >= MAX_NAMESPACES)
    dacsa_errors_add(s->l->errors, WHERE, "cut short: too many network namespaces");
}

typedef struct {
  Search *search;
  uint64_t net;
} DeviceVisit;

static char *
device_key(uint64_t net, uint32_t index)
{
  return g_strdup_printf("%" PRIx64 ":%u", net, index);
}

static bool
visit_device(uint64_t device, void *data)
{
  const DeviceVisit *v = data;
  const DacsaLinux *l = v->search->l;
  GHashTable *devices = v->search->found->devices;
  g_autoptr(GError) cause = NULL;
  char *name = NULL;
  uint64_t index;

  if (!dacsa_linux_get(l, device, M_DEVICE_INDEX, &index, &cause) ||
      !dacsa_linux_get_string(l, device, M_DEVICE_NAME, &name, &cause))
    note(v->search, "network devices", cause);
  else
    g_hash_table_insert(devices, device_key(v->net, (uint32_t)index), name);
  return g_hash_table_size(devices) < MAX_DEVICES;
}

static void
find_devices(Search *s, uint64_t net)
{
  const DacsaLinux *l = s->l;
  DeviceVisit visit = {s, net};
  g_autoptr(GError) cause = NULL;

  if (!dacsa_linux_list_each(l, net + dacsa_linux_offset(l, M_NET_DEVICES), M_DEVICE_LIST,
                             visit_device, &visit, &cause))
    note(s, "network devices", cause);
}

/* -- all of them -- */

/* A pointer that a namespace has in `member`; `otherwise`: on kernels that have no such member. */
static uint64_t
pointer_of_namespace(const Search *s, uint64_t net, DacsaLinuxMember member, uint64_t otherwise)
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
walk_packet(Search *s, uint64_t net)
{
  if (dacsa_linux_has(s->l, M_NET_PACKET))
    walk_heads(s, net + dacsa_linux_offset(s->l, M_NET_PACKET), 1, "packet sockets");
}

/* What each namespace has of its own, on this kernel or on another. */
static void
walk_namespace(Search *s, uint64_t net)
{
  walk_tcp(s, pointer_of_namespace(s, net, M_NET_TCP, 0));
  walk_udp(s, pointer_of_namespace(s, net, M_NET_UDP, 0));
  walk_heads(s, pointer_of_namespace(s, net, M_NET_UNIX_BUCKETS, 0), UNIX_HASH_SIZE,
             "UNIX sockets");
  walk_packet(s, net);
}

static void
walk_tables(Search *s)
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
  for (guint i = 0; i < s->namespaces->len; i++) {
    const uint64_t net = g_array_index(s->namespaces, Namespace, i).net;

    find_devices(s, net);
    walk_namespace(s, net);
  }
  if (s->repeated)
    dacsa_errors_add(l->errors, WHERE, "cut short: a chain of sockets runs into another one");
}

/* Sockets that are in no table, and then the owners of all. */
static void
add_owned(Search *s)
{
  DacsaLinuxSockets *found = s->found;

  found->owners = dacsa_linux_owners(s->l);
  for (guint i = 0; i < found->owners->len; i++) {
    const uint64_t sk = g_array_index(found->owners, DacsaLinuxOwner, i).sk;
    guint n = GPOINTER_TO_UINT(g_hash_table_lookup(found->by_sk, GSIZE_TO_POINTER(sk)));

    if (n == 0 && !add_socket(s, sk, "sockets of open files"))
      continue;
    DacsaLinuxSocket *socket =
        &g_array_index(found->sockets, DacsaLinuxSocket, n > 0 ? n - 1 : found->sockets->len - 1);
    if (socket->n_owners++ == 0)
      socket->owner = i;
  }
}

static void
name_namespaces(Search *s)
{
  g_autoptr(GHashTable) inums = g_hash_table_new(NULL, NULL);

  for (guint i = 0; i < s->namespaces->len; i++) {
    const Namespace ns = g_array_index(s->namespaces, Namespace, i);

    g_hash_table_insert(inums, GSIZE_TO_POINTER(ns.net), GUINT_TO_POINTER(ns.inum));
  }
  for (guint i = 0; i < s->found->sockets->len; i++) {
    DacsaLinuxSocket *socket = &g_array_index(s->found->sockets, DacsaLinuxSocket, i);

    socket->netns = GPOINTER_TO_UINT(g_hash_table_lookup(inums, GSIZE_TO_POINTER(socket->net)));
  }
}

static void
sockets_free(void *data)
{
  DacsaLinuxSockets *sockets = data;

  g_array_unref(sockets->sockets);
  g_array_unref(sockets->owners);
  g_hash_table_unref(sockets->by_sk);
  g_hash_table_unref(sockets->devices);
  g_free(sockets);
}

static void *
sockets_make(DacsaLinux *l)
{
  DacsaLinuxSockets *found = g_new0(DacsaLinuxSockets, 1);
  g_autoptr(GArray) namespaces = g_array_new(FALSE, FALSE, sizeof(Namespace));
  g_autoptr(GHashTable) tables = g_hash_table_new(NULL, NULL);
  Search s = {l, found, namespaces, tables, false};

  found->sockets = g_array_new(FALSE, FALSE, sizeof(DacsaLinuxSocket));
  found->by_sk = g_hash_table_new(NULL, NULL);
  found->devices = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  find_namespaces(&s);
  walk_tables(&s);
  add_owned(&s);
  name_namespaces(&s);
  if (found->sockets->len >= MAX_SOCKETS)
    dacsa_errors_add(l->errors, WHERE, "cut short: too many sockets");
  return found;
}

const DacsaLinuxSockets *
dacsa_linux_sockets(DacsaLinux *l)
{
  return dacsa_linux_once(l, DACSA_LINUX_ONCE_SOCKETS, sockets_make, sockets_free);
}

const DacsaLinuxSocket *
dacsa_linux_sockets_find(const DacsaLinuxSockets *sockets, uint64_t sk)
{
  guint n = GPOINTER_TO_UINT(g_hash_table_lookup(sockets->by_sk, GSIZE_TO_POINTER(sk)));

  return n > 0 ? &g_array_index(sockets->sockets, DacsaLinuxSocket, n - 1) : NULL;
}

const char *
dacsa_linux_sockets_device(const DacsaLinuxSockets *sockets, uint64_t net, uint32_t index)
{
  g_autofree char *key = device_key(net, index);

  return g_hash_table_lookup(sockets->devices, key);
}
