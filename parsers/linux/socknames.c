/* What sockets are called: protocols, types, states. */
#include "parsers/linux/sockets.h"

#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define TCP_BOUND_INACTIVE 13u /* include/net/tcp_states.h */

static const struct {
  uint32_t protocol;
  const char *name;
} internet_names[] = {
    {IPPROTO_TCP, "tcp"},         {IPPROTO_UDP, "udp"},     {IPPROTO_ICMP, "icmp"},
    {IPPROTO_ICMPV6, "icmp"},     {IPPROTO_DCCP, "dccp"},   {IPPROTO_SCTP, "sctp"},
    {IPPROTO_UDPLITE, "udplite"}, {IPPROTO_MPTCP, "mptcp"},
};

/* include/linux/socket.h, AF_* */
static const struct {
  uint16_t family;
  const char *name;
} family_names[] = {
    {AF_UNIX, "unix"},   {AF_NETLINK, "netlink"}, {AF_PACKET, "packet"},
    {AF_KEY, "key"},     {AF_RDS, "rds"},         {AF_PPPOX, "pppox"},
    {AF_CAN, "can"},     {AF_TIPC, "tipc"},       {AF_BLUETOOTH, "bluetooth"},
    {AF_RXRPC, "rxrpc"}, {AF_ALG, "alg"},         {AF_VSOCK, "vsock"},
    {AF_KCM, "kcm"},     {AF_QIPCRTR, "qipcrtr"}, {AF_SMC, "smc"},
    {AF_XDP, "xdp"},
};

static const char *const tcp_states[] = {
    [TCP_ESTABLISHED] = "ESTABLISHED",
    [TCP_SYN_SENT] = "SYN-SENT",
    [TCP_SYN_RECV] = "SYN-RECV",
    [TCP_FIN_WAIT1] = "FIN-WAIT-1",
    [TCP_FIN_WAIT2] = "FIN-WAIT-2",
    [TCP_TIME_WAIT] = "TIME-WAIT",
    [TCP_CLOSE] = "CLOSE",
    [TCP_CLOSE_WAIT] = "CLOSE-WAIT",
    [TCP_LAST_ACK] = "LAST-ACK",
    [TCP_LISTEN] = "LISTEN",
    [TCP_CLOSING] = "CLOSING",
    [DACSA_LINUX_TCP_NEW_SYN_RECV] = "SYN-RECV",
    [TCP_BOUND_INACTIVE] = "CLOSE",
};

static const char *const type_names[] = {
    [SOCK_STREAM] = "STREAM", [SOCK_DGRAM] = "DGRAM",         [SOCK_RAW] = "RAW",
    [SOCK_RDM] = "RDM",       [SOCK_SEQPACKET] = "SEQPACKET", [SOCK_DCCP] = "DCCP",
    [SOCK_PACKET] = "PACKET",
};

static const char *const netlink_names[] = {
    [NETLINK_ROUTE] = "route",
    [NETLINK_USERSOCK] = "usersock",
    [NETLINK_SOCK_DIAG] = "sock_diag",
    [NETLINK_NFLOG] = "nflog",
    [NETLINK_XFRM] = "xfrm",
    [NETLINK_SELINUX] = "selinux",
    [NETLINK_ISCSI] = "iscsi",
    [NETLINK_AUDIT] = "audit",
    [NETLINK_FIB_LOOKUP] = "fib_lookup",
    [NETLINK_CONNECTOR] = "connector",
    [NETLINK_NETFILTER] = "netfilter",
    [NETLINK_KOBJECT_UEVENT] = "kobject_uevent",
    [NETLINK_GENERIC] = "generic",
    [NETLINK_SCSITRANSPORT] = "scsitransport",
    [NETLINK_ECRYPTFS] = "ecryptfs",
    [NETLINK_RDMA] = "rdma",
    [NETLINK_CRYPTO] = "crypto",
};

bool
dacsa_linux_socket_is_internet(const DacsaLinuxSocket *k)
{
  return k->family == AF_INET || k->family == AF_INET6;
}

static char *
internet_proto(const DacsaLinuxSocket *k)
{
  const char *six = k->family == AF_INET6 ? "6" : "";

  if (k->type == SOCK_RAW)
    return g_strdup_printf("raw%s", six);
  for (size_t i = 0; i < G_N_ELEMENTS(internet_names); i++)
    if (internet_names[i].protocol == k->protocol)
      return g_strdup_printf("%s%s", internet_names[i].name, six);
  return g_strdup_printf("ip%s-%u", six, k->protocol);
}

char *
dacsa_linux_socket_proto(const DacsaLinuxSocket *k)
{
  if (dacsa_linux_socket_is_internet(k))
    return internet_proto(k);
  for (size_t i = 0; i < G_N_ELEMENTS(family_names); i++)
    if (family_names[i].family == k->family)
      return g_strdup(family_names[i].name);
  return g_strdup_printf("family-%u", k->family);
}

const char *
dacsa_linux_socket_type(const DacsaLinuxSocket *k)
{
  return k->type < G_N_ELEMENTS(type_names) ? type_names[k->type] : NULL;
}

const char *
dacsa_linux_socket_state(const DacsaLinuxSocket *k, uint64_t state)
{
  const bool has_states =
      dacsa_linux_socket_is_internet(k) &&
      (k->type == SOCK_STREAM || k->type == SOCK_SEQPACKET || k->type == SOCK_DCCP);

  if (has_states)
    return state < G_N_ELEMENTS(tcp_states) ? tcp_states[state] : NULL;
  if (state == TCP_ESTABLISHED && (dacsa_linux_socket_is_internet(k) || k->family == AF_UNIX))
    return "ESTABLISHED";
  return state == TCP_LISTEN && k->family == AF_UNIX ? "LISTEN" : "UNCONN";
}

char *
dacsa_linux_socket_netlink(uint32_t protocol)
{
  if (protocol < G_N_ELEMENTS(netlink_names) && netlink_names[protocol])
    return g_strdup(netlink_names[protocol]);
  return g_strdup_printf("%u", protocol);
}
