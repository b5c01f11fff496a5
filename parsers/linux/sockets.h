/*
 * All sockets of a guest: those in the protocols' hash tables, in every network namespace, and
 * those that only open files lead to; and the processes that have them open.
 */
#pragma once

#include "parsers/linux/view.h"

/* A socket. While a connection is set up or waits for its end there is less of it in the kernel
 * than a struct sock: its sock_common alone may be read then. */
typedef struct {
  uint64_t sk;  /* gva of its sock_common */
  uint64_t net; /* gva of its struct net */
  uint16_t family, type;
  uint32_t protocol; /* IPPROTO_*, NETLINK_* */
  uint8_t state;     /* TCP_*, as include/net/tcp_states.h numbers them, of whatever protocol */
  bool is_whole;     /* a struct sock */
  uint32_t netns;    /* inode number of its network namespace; 0: not known */
  uint32_t owner, n_owners; /* its owners among DacsaLinuxSockets.owners */
} DacsaLinuxSocket;

typedef struct {
  uint64_t sk;
  uint32_t pid;
} DacsaLinuxOwner;

typedef struct {
  GArray *sockets;     /* DacsaLinuxSocket */
  GArray *owners;      /* DacsaLinuxOwner, by sk, then pid; none twice */
  GHashTable *by_sk;   /* sk -> index in sockets + 1 */
  GHashTable *devices; /* "net gva in hex:index" -> name */
} DacsaLinuxSockets;

/* Gathered the first time; borrowed. What is cut short is noted as `netconns`'. */
const DacsaLinuxSockets *dacsa_linux_sockets(DacsaLinux *l);

/* The socket at sk; NULL: it is none of them. */
const DacsaLinuxSocket *dacsa_linux_sockets_find(const DacsaLinuxSockets *sockets, uint64_t sk);

/* The name of a network device, as its namespace has it; NULL: there is none of that index. */
const char *dacsa_linux_sockets_device(const DacsaLinuxSockets *sockets, uint64_t net,
                                       uint32_t index);

/* Which processes have which sockets open, by whatever thread: owned array of DacsaLinuxOwner, by
 * sk, then pid, none twice. */
GArray *dacsa_linux_owners(DacsaLinux *l);

#define DACSA_LINUX_TCP_NEW_SYN_RECV 12u /* include/net/tcp_states.h */

bool dacsa_linux_socket_is_internet(const DacsaLinuxSocket *socket);

/* What it is called, as netstat and ss do: `tcp`, `udp6` (6: over IPv6), `raw`, `unix`; owned. */
char *dacsa_linux_socket_proto(const DacsaLinuxSocket *socket);
/* `STREAM`; NULL: there is no such type. */
const char *dacsa_linux_socket_type(const DacsaLinuxSocket *socket);
/* A state of such a socket, as RFC 9293 calls it, but CLOSE; UNCONN: neither connected nor
 * listening, where there is no more to tell. NULL: there is no such state. */
const char *dacsa_linux_socket_state(const DacsaLinuxSocket *socket, uint64_t state);
/* A netlink protocol: `route`; owned. */
char *dacsa_linux_socket_netlink(uint32_t protocol);
