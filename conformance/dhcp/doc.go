// Package dhcp tests DHCP over an Endpoint, with programs that others wrote: a
// server on netstack gives a lease to the client of busybox, and a client on
// netstack gets one from dnsmasq. DHCP needs what little else does: broadcasts in
// both directions between hosts that have no address yet, and the question
// whether somebody else has the one that was offered (RFC 2131 §2.2, RFC 5227).
//
// It is a module of its own because its messages are made by a library.
package dhcp
