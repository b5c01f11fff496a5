/* The table of sockets: what ss and /proc/net tell, in one. */
#include "parsers/linux/sockets.h"

#include "parsers/table.h"
#include "snap/error.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#define WHERE "netconns"
#define MAX_OWNERS_SHOWN 64u

enum {
  PROTO,
  LOCAL,
  REMOTE,
  STATE,
  PID,
  COMMAND,
  TYPE,
  INODE,
  UID,
  NETNS,
  IFACE,
  RX_QUEUE,
  TX_QUEUE,
  V6ONLY,
  PEER,
  OWNERS,
  N_COLUMNS
};

static const DacsaColumn columns[N_COLUMNS] = {
    [PROTO] = {"proto", DACSA_CELL_TEXT},         [LOCAL] = {"local", DACSA_CELL_TEXT},
    [REMOTE] = {"remote", DACSA_CELL_TEXT},       [STATE] = {"state", DACSA_CELL_TEXT},
    [PID] = {"pid", DACSA_CELL_NUMBER},           [COMMAND] = {"command", DACSA_CELL_TEXT},
    [TYPE] = {"type", DACSA_CELL_TEXT},           [INODE] = {"inode", DACSA_CELL_NUMBER},
    [UID] = {"uid", DACSA_CELL_NUMBER},           [NETNS] = {"netns", DACSA_CELL_NUMBER},
    [IFACE] = {"iface", DACSA_CELL_TEXT},         [RX_QUEUE] = {"rx_queue", DACSA_CELL_NUMBER},
    [TX_QUEUE] = {"tx_queue", DACSA_CELL_NUMBER}, [V6ONLY] = {"v6only", DACSA_CELL_BOOLEAN},
    [PEER] = {"peer", DACSA_CELL_NUMBER},   /* inode of the socket at the other end, if UNIX */
    [OWNERS] = {"owners", DACSA_CELL_TEXT}, /* pid is the first, or who is asked about */
};

/* A table being filled. */
typedef struct {
  DacsaLinux *l;
  const DacsaLinuxSockets *sockets;
  DacsaTable *table;
} Listing;

/* A field that cannot be read leaves its cell absent, and is told. */
static bool
get(const Listing *s, uint64_t base, DacsaLinuxMember member, uint64_t *ret)
{
  g_autoptr(GError) cause = NULL;

  if (dacsa_linux_get(s->l, base, member, ret, &cause))
    return true;
  dacsa_errors_add(s->l->errors, WHERE, cause->message);
  return false;
}

static bool
is_tcp(const DacsaLinuxSocket *k)
{
  return dacsa_linux_socket_is_internet(k) && k->type == SOCK_STREAM && k->protocol == IPPROTO_TCP;
}

/* -- what it is -- */

static void
set_kind(const Listing *s, const DacsaLinuxSocket *k)
{
  g_autofree char *proto = dacsa_linux_socket_proto(k);
  uint64_t state = k->state;

  dacsa_table_set_text(s->table, PROTO, proto);
  dacsa_table_set_text(s->table, TYPE, dacsa_linux_socket_type(k));
  /* A connection in FIN-WAIT-2 for long is kept as one in TIME-WAIT is. */
  if (k->is_whole || k->state != TCP_TIME_WAIT || get(s, k->sk, M_TW_SUBSTATE, &state))
    dacsa_table_set_text(s->table, STATE, dacsa_linux_socket_state(k, state));
}

/* -- the Internet -- */

static void
set_address(const Listing *s, guint column, const DacsaLinuxSocket *k, DacsaLinuxMember v4,
            DacsaLinuxMember v6, uint16_t port)
{
  const bool is_six = k->family == AF_INET6;
  char text[INET6_ADDRSTRLEN];
  uint8_t address[16];
  g_autofree char *cell = NULL;
  g_autoptr(GError) cause = NULL;

  /* In network order, hence as bytes. */
  if (!dacsa_mem_read(s->l->memory, k->sk + dacsa_linux_offset(s->l, is_six ? v6 : v4), address,
                      is_six ? 16 : 4, &cause)) {
    dacsa_errors_add(s->l->errors, WHERE, cause->message);
    return;
  }
  inet_ntop(k->family, address, text, sizeof(text));
  cell = g_strdup_printf(is_six ? "[%s]:%u" : "%s:%u", text, port);
  dacsa_table_set_text(s->table, column, cell);
}

static void
set_device(const Listing *s, const DacsaLinuxSocket *k, uint32_t index)
{
  const char *name = dacsa_linux_sockets_device(s->sockets, k->net, index);
  g_autofree char *number = NULL;

  if (index == 0)
    return;
  if (!name)
    name = number = g_strdup_printf("if%u", index);
  dacsa_table_set_text(s->table, IFACE, name);
}

/* net/ipv4/tcp_ipv4.c, get_tcp4_sock */
static void
set_tcp_queues(const Listing *s, const DacsaLinuxSocket *k)
{
  uint64_t next, read, written, acknowledged;

  if (k->state == TCP_LISTEN) {
    if (get(s, k->sk, M_SK_ACK_BACKLOG, &next))
      dacsa_table_set_number(s->table, RX_QUEUE, next);
    dacsa_table_set_number(s->table, TX_QUEUE, 0);
    return;
  }
  if (get(s, k->sk, M_TCP_RCV_NXT, &next) && get(s, k->sk, M_TCP_COPIED_SEQ, &read)) {
    int32_t unread = (int32_t)((uint32_t)next - (uint32_t)read);

    dacsa_table_set_number(s->table, RX_QUEUE, (uint64_t)MAX(unread, 0));
  }
  if (get(s, k->sk, M_TCP_WRITE_SEQ, &written) && get(s, k->sk, M_TCP_SND_UNA, &acknowledged))
    dacsa_table_set_number(s->table, TX_QUEUE,
                           (uint32_t)((uint32_t)written - (uint32_t)acknowledged));
}

/* net/ipv4/udp.c, udp4_format_sock: in bytes of memory, with what goes with the data. */
static void
set_datagram_queues(const Listing *s, const DacsaLinuxSocket *k)
{
  const bool is_udp = k->protocol == IPPROTO_UDP || k->protocol == IPPROTO_UDPLITE;
  uint64_t received, sent;
  uint64_t deficit = 0;

  if (get(s, k->sk, M_SK_RMEM_ALLOC, &received) &&
      (!is_udp || k->type != SOCK_DGRAM || get(s, k->sk, M_UDP_FORWARD_DEFICIT, &deficit))) {
    int32_t queue = (int32_t)((uint32_t)received - (uint32_t)deficit);

    dacsa_table_set_number(s->table, RX_QUEUE, (uint64_t)MAX(queue, 0));
  }
  /* include/net/sock.h: one too many, so that the socket lives while packets are on their way. */
  if (get(s, k->sk, M_SK_WMEM_ALLOC, &sent))
    dacsa_table_set_number(s->table, TX_QUEUE, sent > 0 ? sent - 1 : 0);
}

static void
set_internet(const Listing *s, const DacsaLinuxSocket *k)
{
  uint64_t port, device, only;

  if (get(s, k->sk, M_SKC_NUM, &port))
    set_address(s, LOCAL, k, M_SKC_RCV_SADDR, M_SKC_V6_RCV_SADDR, (uint16_t)port);
  if (get(s, k->sk, M_SKC_DPORT, &port))
    set_address(s, REMOTE, k, M_SKC_DADDR, M_SKC_V6_DADDR, GUINT16_SWAP_LE_BE((uint16_t)port));
  if (get(s, k->sk, M_SKC_BOUND_DEV, &device))
    set_device(s, k, (uint32_t)device);
  if (k->family == AF_INET6 && get(s, k->sk, M_SKC_IPV6ONLY, &only))
    dacsa_table_set_number(s->table, V6ONLY, only);
  if (k->is_whole && is_tcp(k))
    set_tcp_queues(s, k);
  else if (k->is_whole && (k->type == SOCK_DGRAM || k->type == SOCK_RAW))
    set_datagram_queues(s, k);
}

/* -- UNIX -- */

/* net/unix/af_unix.c, unix_seq_show: @ is for the zeros of abstract names. NULL: it has no name. */
static char *
unix_name(const Listing *s, uint64_t sk)
{
  const DacsaLinux *l = s->l;
  const uint64_t path_at = dacsa_linux_offset(l, M_SOCKADDR_UN_PATH);
  uint64_t address, len;
  char path[256] = {0};
  g_autoptr(GError) cause = NULL;

  if (!get(s, sk, M_UNIX_ADDR, &address) || address == 0 ||
      !get(s, address, M_UNIX_ADDRESS_LEN, &len) || len <= path_at)
    return NULL;
  len = MIN(len - path_at, sizeof(path) - 1);
  if (!dacsa_mem_read(l->memory, address + dacsa_linux_offset(l, M_UNIX_ADDRESS_NAME) + path_at,
                      path, len, &cause)) {
    dacsa_errors_add(l->errors, WHERE, cause->message);
    return NULL;
  }
  if (path[0] == '\0')
    for (size_t i = 0; i < len; i++)
      path[i] = path[i] ? path[i] : '@';
  return g_strdup(path);
}

/* include/net/sock.h, SOCK_INODE: a socket and its inode are one. 0: it is nobody's yet or any
 * more. */
static bool
socket_inode(const Listing *s, uint64_t sk, uint64_t *ret)
{
  const DacsaLinux *l = s->l;
  uint64_t socket;

  *ret = 0;
  if (!get(s, sk, M_SK_SOCKET, &socket))
    return false;
  return socket == 0 || get(s,
                            socket - dacsa_linux_offset(l, M_SOCKET_ALLOC_SOCKET) +
                                dacsa_linux_offset(l, M_SOCKET_ALLOC_INODE),
                            M_INODE_INO, ret);
}

static void
set_unix(const Listing *s, const DacsaLinuxSocket *k)
{
  g_autofree char *name = unix_name(s, k->sk);
  g_autofree char *peer_name = NULL;
  uint64_t inode;
  uint64_t peer = 0;

  if (get(s, k->sk, M_UNIX_PEER, &peer) && peer != 0) {
    peer_name = unix_name(s, peer);
    if (socket_inode(s, peer, &inode) && inode != 0)
      dacsa_table_set_number(s->table, PEER, inode);
  }
  dacsa_table_set_text(s->table, LOCAL, name ? name : "*");
  dacsa_table_set_text(s->table, REMOTE, peer_name ? peer_name : "*");
}

/* -- packet, netlink -- */

/* PROTOCOL:INTERFACE, the protocol in hexadecimal as in /proc/net/packet. */
static void
set_packet(const Listing *s, const DacsaLinuxSocket *k)
{
  uint64_t protocol, index;
  g_autofree char *local = NULL;

  if (!dacsa_linux_has(s->l, M_PACKET_NUM) || !get(s, k->sk, M_PACKET_NUM, &protocol) ||
      !get(s, k->sk, M_PACKET_IFINDEX, &index))
    return;
  const char *name = dacsa_linux_sockets_device(s->sockets, k->net, (uint32_t)index);
  local = g_strdup_printf("%04x:%s", GUINT16_SWAP_LE_BE((uint16_t)protocol), name ? name : "*");
  dacsa_table_set_text(s->table, LOCAL, local);
  dacsa_table_set_text(s->table, REMOTE, "*");
  set_device(s, k, (uint32_t)index);
  set_datagram_queues(s, k);
}

/* PROTOCOL:PORT, and the port is mostly the pid; 0 is the kernel. */
static void
set_netlink(const Listing *s, const DacsaLinuxSocket *k)
{
  g_autofree char *protocol = dacsa_linux_socket_netlink(k->protocol);
  g_autofree char *local = NULL;
  g_autofree char *remote = NULL;
  uint64_t port;

  if (get(s, k->sk, M_NETLINK_PORTID, &port))
    local = g_strdup_printf("%s:%" PRIu64, protocol, port);
  if (get(s, k->sk, M_NETLINK_DST_PORTID, &port))
    remote = g_strdup_printf("%s:%" PRIu64, protocol, port);
  dacsa_table_set_text(s->table, LOCAL, local);
  dacsa_table_set_text(s->table, REMOTE, remote);
  set_datagram_queues(s, k);
}

/* -- owners -- */

/* A connection that is being set up is its listener's. */
static const DacsaLinuxSocket *
owned_socket(const Listing *s, const DacsaLinuxSocket *k)
{
  const DacsaLinuxSocket *owned;
  uint64_t listener;

  if (k->is_whole || k->state != DACSA_LINUX_TCP_NEW_SYN_RECV ||
      !get(s, k->sk, M_SKC_LISTENER, &listener))
    return k;
  owned = dacsa_linux_sockets_find(s->sockets, listener);
  return owned ? owned : k;
}

static void
set_command(const Listing *s, uint32_t pid)
{
  g_autofree char *command = NULL;
  g_autoptr(GError) cause = NULL;
  uint64_t task;

  dacsa_table_set_number(s->table, PID, pid);
  if (dacsa_linux_task(s->l, pid, &task, &cause) &&
      dacsa_linux_get_string(s->l, task, M_TASK_COMM, &command, &cause))
    dacsa_table_set_text(s->table, COMMAND, command);
  else
    dacsa_errors_add(s->l->errors, WHERE, cause->message);
}

/* pid: whose table it is; 0: the system's. */
static void
set_owners(const Listing *s, const DacsaLinuxSocket *k, uint32_t pid)
{
  const DacsaLinuxSocket *owned = owned_socket(s, k);
  g_autoptr(GString) all = g_string_new(NULL);

  for (uint32_t i = 0; i < owned->n_owners; i++) {
    const uint32_t owner = g_array_index(s->sockets->owners, DacsaLinuxOwner, owned->owner + i).pid;

    if (pid == 0)
      pid = owner;
    if (i >= MAX_OWNERS_SHOWN) {
      g_string_append(all, ",...");
      break;
    }
    g_string_append_printf(all, "%s%u", i > 0 ? "," : "", owner);
  }
  if (pid != 0)
    set_command(s, pid);
  if (all->len > 0)
    dacsa_table_set_text(s->table, OWNERS, all->str);
}

static bool
is_owned_by(const Listing *s, const DacsaLinuxSocket *k, uint32_t pid)
{
  const DacsaLinuxSocket *owned = owned_socket(s, k);

  for (uint32_t i = 0; i < owned->n_owners; i++)
    if (g_array_index(s->sockets->owners, DacsaLinuxOwner, owned->owner + i).pid == pid)
      return true;
  return false;
}

/* -- the table -- */

static void
set_common(const Listing *s, const DacsaLinuxSocket *k)
{
  uint64_t inode, uid;

  if (k->netns != 0)
    dacsa_table_set_number(s->table, NETNS, k->netns);
  if (!k->is_whole)
    return;
  if (socket_inode(s, k->sk, &inode) && inode != 0)
    dacsa_table_set_number(s->table, INODE, inode);
  if (get(s, k->sk, M_SK_UID, &uid))
    dacsa_table_set_number(s->table, UID, uid);
}

static bool
add_row(const Listing *s, const DacsaLinuxSocket *k, uint32_t pid)
{
  set_kind(s, k);
  set_owners(s, k, pid);
  set_common(s, k);
  if (dacsa_linux_socket_is_internet(k))
    set_internet(s, k);
  else if (k->family == AF_UNIX)
    set_unix(s, k);
  else if (k->family == AF_PACKET)
    set_packet(s, k);
  else if (k->family == AF_NETLINK)
    set_netlink(s, k);
  return dacsa_table_end_row(s->table);
}

/* Owned. pid: of whom; 0: all. */
static DacsaTable *
netconns_table(DacsaLinux *l, uint32_t pid)
{
  const Listing s = {l, dacsa_linux_sockets(l), dacsa_table_new(columns, N_COLUMNS)};

  for (guint i = 0; i < s.sockets->sockets->len; i++) {
    const DacsaLinuxSocket *k = &g_array_index(s.sockets->sockets, DacsaLinuxSocket, i);

    if ((pid == 0 || is_owned_by(&s, k, pid)) && !add_row(&s, k, pid)) {
      dacsa_errors_add(l->errors, WHERE, "cut short: too many sockets");
      break;
    }
  }
  return s.table;
}

bool
dacsa_linux_text_netconns(DacsaGuest *guest, uint32_t pid, GString *out, GError **error)
{
  DacsaLinux *l = (DacsaLinux *)guest;
  g_autoptr(DacsaTable) table = NULL;
  uint64_t task;

  if (!dacsa_linux_task(l, pid, &task, error))
    return false;
  table = netconns_table(l, pid);
  dacsa_table_print(table, out);
  return true;
}

bool
dacsa_linux_system_netconns(DacsaGuest *guest, GString *out, GError **error)
{
  g_autoptr(DacsaTable) table = netconns_table((DacsaLinux *)guest, 0);

  (void)error;
  dacsa_table_print(table, out);
  return true;
}

bool
dacsa_linux_json_netconns(DacsaGuest *guest, GString *out, GError **error)
{
  g_autoptr(DacsaTable) table = netconns_table((DacsaLinux *)guest, 0);

  (void)error;
  dacsa_table_print_json(table, out);
  return true;
}
