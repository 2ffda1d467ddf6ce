// Package ethtest is a virtual Ethernet segment to test network code on: any
// number of ports, each a complete [ethstack.Device], with delay, loss,
// duplication, reordering, trailing bytes, and a capture.
//
// There are two ways to run it. With the system's clock a [Port] is read by
// whoever reads devices, on goroutines of theirs: an [ethstack.Link], a test.
// With a [ManualClock], ports that have a function ([Port.OnFrame]) in place of a
// reader, and everything else on that clock, the whole segment runs on the one
// goroutine that advances the clock: the same seed gives the same capture, to
// the bit.
//
// Each frame that was sent is accounted for at each port it was meant for:
// see [PortStats].
package ethtest
