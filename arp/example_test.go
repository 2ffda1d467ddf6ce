package arp_test

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/ethlink/ethlink/arp"
)

// A packet has no hardware address to go to: it waits, a request is broadcast,
// the answer releases it, and once it was sent the neighbor is in the table.
func ExampleHandler() {
	self := arp.HardwareAddr{2, 0, 0, 0, 0, 1}
	h, err := arp.New[string](arp.Config{HardwareAddr: self})
	if err != nil {
		fmt.Println(err)
		return
	}
	us, peer := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	var a arp.Actions[string]

	result := h.Query(0, peer, us, 1500, "the packet", &a)
	fmt.Println("query:", result)
	for _, s := range a.Send {
		fmt.Println("send to", s.To, "a", s.Packet.Operation, "for", s.Packet.TargetAddr)
	}
	a.Reset()

	reply := arp.Packet{
		Operation:          arp.OperationReply,
		SenderHardwareAddr: arp.HardwareAddr{2, 0, 0, 0, 0, 2}, SenderAddr: peer,
		TargetHardwareAddr: self, TargetAddr: us,
	}
	input := h.Input(3*time.Millisecond, reply, arp.Meta{TargetIsOurs: true}, &a)
	fmt.Println("input:", input)
	batch := a.Release[0].Batch
	for _, r := range a.Release {
		fmt.Println("release", r.P, "to", r.HardwareAddr)
	}
	a.Reset()

	h.Drained(batch, peer, &a)
	for _, u := range a.Updates {
		fmt.Println("table:", u.Addr, "is at", u.HardwareAddr)
	}
	// Output:
	// query: queued
	// send to ff:ff:ff:ff:ff:ff a request for 10.0.0.2
	// input: confirmed
	// release the packet to 02:00:00:00:00:02
	// table: 10.0.0.2 is at 02:00:00:00:00:02
}
