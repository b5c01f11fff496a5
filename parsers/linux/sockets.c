/* Sockets, from the hash tables of the protocols and from open files. */
#include "parsers/linux/sockets.h"

#include "parsers/linux/socktables.h"
#include "parsers/linux/walk.h"
#include "snap/error.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define MAX_SOCKETS (1u << 20)
#define MAX_NAMESPACES (1u << 16)
#define MAX_DEVICES (1u << 16) /* in all namespaces */
#define WHERE "netconns"

typedef struct {
  uint64_t net;
  uint32_t inum;
} Namespace;

typedef struct {
  DacsaLinux *l;
  DacsaLinuxSockets *found;
  GArray *namespaces; /* Namespace */
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
                  (state != TCP_TIME_WAIT && state != DACSA_LINUX_TCP_NEW_SYN_RECV);
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
add_socket(uint64_t sk, const char *what, void *data)
{
  Search *s = data;
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

static void
walk_tables(Search *s)
{
  g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
  DacsaLinuxSockTables tables = {s->l, add_socket, s, seen};

  dacsa_linux_sock_tables_system(&tables);
  for (guint i = 0; i < s->namespaces->len; i++) {
    const uint64_t net = g_array_index(s->namespaces, Namespace, i).net;

    find_devices(s, net);
    dacsa_linux_sock_tables_namespace(&tables, net);
  }
  if (s->repeated)
    dacsa_errors_add(s->l->errors, WHERE, "cut short: a chain of sockets runs into another one");
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

    if (n == 0 && !add_socket(sk, "sockets of open files", s))
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
  Search s = {l, found, namespaces, false};

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
