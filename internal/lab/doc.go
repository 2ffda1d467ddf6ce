// Package lab has what stands at the ends of a wire, for the demo and for the
// tests with the Linux kernel as peer: a [Station] is the kernel or a netstack,
// and [Ping], [EchoUDP] and [Transfer] make two of them talk.
package lab
