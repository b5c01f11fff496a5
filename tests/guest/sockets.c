/*
 * Sockets of every kind and in every state: what netconns, and the sockets among fds, have to show.
 */
#include "guest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int
open_socket(int family, int type, int protocol)
{
  int fd = socket(family, type, protocol);
  if (fd < 0)
    die("socket");
  return fd;
}

/* "127.0.0.1" or "::1", and a port. */
static struct sockaddr_in6
address(const char *text, int port, socklen_t *size)
{
  struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
  struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
  *size = sizeof six;
  if (inet_pton(AF_INET6, text, &six.sin6_addr) == 1)
    return six;
  *size = sizeof four;
  if (inet_pton(AF_INET, text, &four.sin_addr) != 1)
    die(text);
  memcpy(&six, &four, sizeof four);
  return six;
}

static int
bound(int type, const char *text, int port)
{
  socklen_t size;
  struct sockaddr_in6 a = address(text, port, &size);
  int fd = open_socket(a.sin6_family, type, 0), on = 1;
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) ||
      bind(fd, (struct sockaddr *)&a, size))
    die("bind");
  return fd;
}

static int
listener(const char *text, int port)
{
  int fd = bound(SOCK_STREAM, text, port);
  if (listen(fd, 16))
    die("listen");
  return fd;
}

static int
connected(int type, const char *text, int port)
{
  socklen_t size;
  struct sockaddr_in6 a = address(text, port, &size);
  int fd = open_socket(a.sin6_family, type, 0);
  if (connect(fd, (struct sockaddr *)&a, size))
    die("connect");
  return fd;
}

static int
accepted(int fd)
{
  int other = accept(fd, NULL, NULL);
  if (other < 0)
    die("accept");
  return other;
}

/* Both ends of connections here: established, half closed either way, and one nobody accepted yet.
 */
static void
open_tcp(void)
{
  int four = listener("127.0.0.1", 8080), six = listener("::1", 8443), all = listener("::", 8000);
  int client = connected(SOCK_STREAM, "127.0.0.1", 8080), server = accepted(four);
  if (write(client, "unread", 6) != 6 || server < 0)
    die("write");
  connected(SOCK_STREAM, "::1", 8443);
  accepted(six);
  connected(SOCK_STREAM, "127.0.0.1", 8000); /* an IPv4 address at an IPv6 socket */
  accepted(all);
  client = connected(SOCK_STREAM, "127.0.0.1", 8080);
  accepted(four);
  if (shutdown(client, SHUT_WR)) /* FIN_WAIT2 here, CLOSE_WAIT there */
    die("shutdown");
  connected(SOCK_STREAM, "127.0.0.1", 8080); /* waits in the backlog: established, and nobody's */
  bound(SOCK_STREAM, "127.0.0.1", 9999);     /* neither listens nor is connected */
  open_socket(AF_INET, SOCK_STREAM, 0);
}

static void
open_udp(void)
{
  bound(SOCK_DGRAM, "0.0.0.0", 5353);
  bound(SOCK_DGRAM, "127.0.0.1", 5454);
  bound(SOCK_DGRAM, "::", 5355);
  connected(SOCK_DGRAM, "127.0.0.1", 5454);
  connected(SOCK_DGRAM, "::1", 5355);
}

static void
open_raw_and_packet(void)
{
  struct sockaddr_ll on_lo = {.sll_family = AF_PACKET,
                              .sll_protocol = htons(ETH_P_ALL),
                              .sll_ifindex = if_nametoindex("lo")};
  struct sock_filter nothing[] = {{BPF_RET | BPF_K, 0, 0, 0}};
  struct sock_fprog filter = {1, nothing};

  open_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
  open_socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
  write_file("/proc/sys/net/ipv4/ping_group_range", "0 2147483647");
  socklen_t size;
  struct sockaddr_in6 here = address("127.0.0.1", 77, &size);
  int fd = open_socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
  if (bind(fd, (struct sockaddr *)&here, size))
    die("ping socket");
  fd = open_socket(AF_PACKET, SOCK_RAW, 0); /* a sniffer, deaf so that it takes no memory */
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) ||
      bind(fd, (struct sockaddr *)&on_lo, sizeof on_lo))
    die("packet socket");
  open_socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_ARP));
}

/* name: a path, or "@..." in the abstract namespace, where no NUL ends it. */
static int
unix_socket(int type, const char *name, int (*act)(int, const struct sockaddr *, socklen_t))
{
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  int fd = open_socket(AF_UNIX, type, 0);
  size_t size = strlen(name) + 1;
  memcpy(a.sun_path, name, size);
  if (name[0] == '@') {
    a.sun_path[0] = 0;
    size--;
  }
  if (act(fd, (struct sockaddr *)&a, offsetof(struct sockaddr_un, sun_path) + size))
    die(name);
  return fd;
}

static void
open_unix(void)
{
  int pair[2], fd;
  mkdir("/run/sockets", 0755);
  fd = unix_socket(SOCK_STREAM, "/run/sockets/stream", bind);
  if (listen(fd, 4))
    die("listen");
  unix_socket(SOCK_STREAM, "/run/sockets/stream", connect);
  accepted(fd);
  unix_socket(SOCK_STREAM, "/run/sockets/stream", connect); /* not accepted yet */
  fd = unix_socket(SOCK_SEQPACKET, "@abstract sequence", bind);
  if (listen(fd, 4))
    die("listen");
  unix_socket(SOCK_DGRAM, "/run/sockets/datagrams", bind);
  unix_socket(SOCK_DGRAM, "/run/sockets/datagrams", connect);
  unix_socket(SOCK_DGRAM, "/run/sockets/deleted", bind);
  unlink("/run/sockets/deleted");
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) ||
      socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair))
    die("socketpair");
  open_socket(AF_UNIX, SOCK_STREAM, 0);
}

static void
open_netlink(void)
{
  struct sockaddr_nl links = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
  int fd = open_socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  if (bind(fd, (struct sockaddr *)&links, sizeof links))
    die("netlink");
  open_socket(AF_NETLINK, SOCK_DGRAM, NETLINK_KOBJECT_UEVENT);
}

/* A socket of each kind, most of them shared with a child, as servers share what they listen at. */
static int
sockets(const char *arg)
{
  (void)arg;
  open_tcp();
  open_udp();
  open_raw_and_packet();
  open_unix();
  open_netlink();
  start_child(NULL);
  bound(SOCK_DGRAM, "127.0.0.1", 5999); /* this one is not shared */
  stay();
}

/* ARG listeners at successive ports. */
static int
listeners(const char *arg)
{
  int count = arg ? atoi(arg) : 100;
  for (int i = 0; i < count; i++)
    listener("127.0.0.1", 20000 + i);
  stay();
}

/* Leaves a connection in TIME_WAIT, for a minute, and ends. */
static int
time_wait(const char *arg)
{
  int fd = listener("127.0.0.1", arg ? atoi(arg) : 7000);
  int client = connected(SOCK_STREAM, "127.0.0.1", arg ? atoi(arg) : 7000), server = accepted(fd);
  close(client);
  close(server);
  return 0;
}

/* Sends a SYN to where no answer comes from: the caller has an interface for 10.99.0.0/24. */
static int
syn_sent(const char *arg)
{
  socklen_t size;
  struct sockaddr_in6 a = address(arg ? arg : "10.99.0.2", 80, &size);
  int fd = open_socket(a.sin6_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (connect(fd, (struct sockaddr *)&a, size) == 0 || errno != EINPROGRESS)
    die("connect");
  stay();
}

/* For roles in network namespaces of their own. */
void
open_container_sockets(void)
{
  int fd = listener("0.0.0.0", 80);
  listener("::", 443);
  connected(SOCK_STREAM, "127.0.0.1", 80);
  accepted(fd);
  bound(SOCK_DGRAM, "127.0.0.1", 53);
  unix_socket(SOCK_STREAM, "@in the box", bind);
}

const struct role socket_roles[] = {{"sockets", sockets},
                                    {"listeners", listeners},
                                    {"time-wait", time_wait},
                                    {"syn-sent", syn_sent},
                                    {NULL, NULL}};
