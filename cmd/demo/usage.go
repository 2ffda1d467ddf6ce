package main

const usage = `demo shows a netstack behind this module's Ethernet and ARP at work.

  demo [lab] [flags]     the lab: a wire with our netstack at one end and the Linux kernel at the
                         other, in a user and network namespace of its own: no root, no set-up
  demo host [flags]      a host that stays up on an interface of this machine

The lab pings, moves data by TCP and has UDP datagrams echoed, both ways, over IPv4 and IPv6; it
dials a host that is not there; it shows both tables of neighbors and what was counted. The exit
status is 0 if all of it matched, 1 if anything failed, 2 if the flags were wrong, 130 after Ctrl-C.

  -via tap|veth|memory   the wire: a TAP; a veth pair with a packet socket at our end; or a segment
                         in memory with a second netstack as peer. Default: the first to be had
  -size MiB              what TCP moves each way over IPv4, and a quarter of it over IPv6 (256)
  -mtu bytes             the wire's MTU, 1280 to 65521 (1500)
  -timeout duration      how long all of it may take (2m)
  -v                     show what ARP does

  demo                   the best wire there is
  demo -size 1024 -mtu 9000
  demo -via memory -v    without the kernel, on any operating system

The host answers ping, echoes TCP and UDP on port 7, and has an HTTP server on port 80: / shows its
neighbors and counters, /bytes/N sends N bytes. It runs in the network namespace that it is started
in, until Ctrl-C, and prints commands to try from another shell.

  -tap name              a TAP: one that exists, or a new one, for which one must be root
  -fd number             an open file descriptor: a TAP, a packet socket, or a connected socket that
                         carries frames
  -iface name            an interface, by a packet socket, for which one must be root
  -addr address/length   its address; again for more, IPv4 and IPv6
  -gw address            its gateway; again for that of IPv6
  -mac address           its hardware address (the device's own, or a random one)
  -vlan number           the VLAN that it is in, 1 to 4094 (none: untagged frames)
  -mtu bytes             with -tap, sets the interface's; with -fd, tells that of a socket

  sudo ip tuntap add tap0 mode tap user $USER
  sudo ip addr add 192.0.2.1/24 dev tap0
  sudo ip link set tap0 up
  demo host -tap tap0 -addr 192.0.2.2/24 -gw 192.0.2.1
`
