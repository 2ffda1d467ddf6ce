package conformance

import (
	"bytes"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

var (
	groupIPv6 = tcpip.AddrFrom16([16]byte{0: 0xff, 1: 0x02, 12: 0x12, 13: 0x34, 14: 0x56, 15: 0x78})
	// twin is a group whose hardware address is that of groupIPv4: 23 bits of
	// 28 are in it.
	twin     = tcpip.AddrFrom4([4]byte{224, 1, 2, 3})
	allNodes = header.IPv6AllNodesMulticastAddress
)

// Groups that the host joins and leaves: what tells the others, and what is
// received.
var membership = []check{
	{
		requirement: "R33", clause: "RFC 1112 §6.4", name: "reports", level: Must, reports: true,
		asks: "Joining and leaving a group is reported on the wire, in frames whose address is that of the packet's group.",
		test: func(t *trial) {
			t.noError("JoinGroup", t.stack.JoinGroup(ipv4.ProtocolNumber, nicID, groupIPv4))
			t.report4("a report of who has joined")
			t.noError("LeaveGroup", t.stack.LeaveGroup(ipv4.ProtocolNumber, nicID, groupIPv4))
			t.report4("a report of who has left")
		},
	}, {
		requirement: "R35", clause: "RFC 2464 §7", name: "reports", level: Must, reports: true,
		asks: "Joining a group is reported on the wire, in frames whose address is that of the packet's group.",
		test: func(t *trial) {
			t.forget()
			t.noError("JoinGroup", t.stack.JoinGroup(ipv6.ProtocolNumber, nicID, groupIPv6))
			f := t.want("a report", func(f frame) bool {
				m, ok := f.ip()
				return ok && m.transport == header.ICMPv6ProtocolNumber && namesGroup(m.payload, groupIPv6)
			})
			t.intact(f)
			k, _ := f.ip()
			t.wantTo("the report", f, group6(k.to))
		},
	}, {
		requirement: "R33", clause: "RFC 1112 §7.2", name: "query", level: Must, reports: true,
		asks: "A query to all hosts is received, and answered with the groups that were joined.",
		test: func(t *trial) {
			t.takes(10 * time.Second)
			t.noError("JoinGroup", t.stack.JoinGroup(ipv4.ProtocolNumber, nicID, groupIPv4))
			t.report4("a report of who has joined")
			for range 20 { // what is repeated by itself
				t.elapse(time.Second)
			}
			t.settle()
			t.forget()
			t.put(ether(group4(allHosts), gateway.hw, typeIPv4, query()))
			t.settle()
			for range 10 {
				t.elapse(time.Second)
			}
			t.report4("a report to who has asked")
		},
	}, {
		requirement: "R35", clause: "RFC 2464 §7", name: "joined_group", level: Must,
		asks: "Packets to a group that was joined are received, and those to all nodes.",
		test: func(t *trial) {
			s := t.listen(ipv6.ProtocolNumber)
			t.noError("JoinGroup", t.stack.JoinGroup(ipv6.ProtocolNumber, nicID, groupIPv6))
			for _, group := range []tcpip.Address{groupIPv6, allNodes} {
				d := t.token()
				t.put(ether(group6(group), alice.hw, typeIPv6, familyIPv6.udp(alice.ipv6, group, openPort, d)))
				t.wantDelivered(s, "a packet to "+group.String(), d)
			}
		},
	}, {
		requirement: "R33", clause: "RFC 1112 §7.2", name: "left_group", level: Must,
		asks: "Packets to a group that was left, or never joined, are not received.",
		test: func(t *trial) {
			s := t.listen(ipv4.ProtocolNumber)
			never := tcpip.AddrFrom4([4]byte{239, 9, 9, 9})
			t.noError("JoinGroup", t.stack.JoinGroup(ipv4.ProtocolNumber, nicID, groupIPv4))
			t.noError("LeaveGroup", t.stack.LeaveGroup(ipv4.ProtocolNumber, nicID, groupIPv4))
			for _, group := range []tcpip.Address{never, groupIPv4} {
				t.put(ether(group4(group), alice.hw, typeIPv4, udp4(alice.ipv4, group, openPort, t.token())))
				t.wantDelivered(s, "a packet to "+group.String(), nil)
			}
		},
	}, {
		requirement: "R33", clause: "RFC 1112 §6.4", name: "twin_group", level: Must,
		asks: "A packet to another group with the same hardware address is no packet to the group that was joined.",
		test: func(t *trial) {
			s := t.listen(ipv4.ProtocolNumber)
			t.noError("JoinGroup", t.stack.JoinGroup(ipv4.ProtocolNumber, nicID, groupIPv4))
			t.put(ether(group4(groupIPv4), alice.hw, typeIPv4, udp4(alice.ipv4, twin, openPort, t.token())))
			t.wantDelivered(s, "a packet to another group", nil)
			d := t.token()
			t.put(ether(group4(groupIPv4), alice.hw, typeIPv4, udp4(alice.ipv4, groupIPv4, openPort, d)))
			t.wantDelivered(s, "a packet to the group", d)
		},
	}, {
		requirement: "R37", clause: "RFC 4443 §4.2", name: "echo_to_all_nodes", level: Should,
		asks: "An echo request to all nodes is answered to who has asked.",
		test: func(t *trial) {
			t.introduce6(alice)
			d := t.token()
			t.put(ether(group6(allNodes), alice.hw, typeIPv6, echo6(alice.ipv6, allNodes, d)))
			f := t.once("an answer", isEchoReply6(d))
			t.wantTo("the answer", f, alice.hw)
			t.intact(f)
		},
	}, {
		requirement: "C25", clause: "Stack, RemoveNIC", name: "reports_of_a_removed_nic", level: Must, reports: true,
		asks: "Removing a NIC that has joined groups returns, although it writes reports with netstack's lock held.",
		test: func(t *trial) {
			t.noError("JoinGroup", t.stack.JoinGroup(ipv4.ProtocolNumber, nicID, groupIPv4))
			t.noError("JoinGroup", t.stack.JoinGroup(ipv6.ProtocolNumber, nicID, groupIPv6))
			t.report4("a report of who has joined")
			if t.within("RemoveNIC", func() { t.stack.RemoveNIC(nicID) }) && t.stack.HasNIC(nicID) {
				t.errorf("the NIC is still there")
			}
		},
	},
}

// report4 takes a report of groupIPv4 that the host sends, and checks it.
func (t *trial) report4(what string) {
	f := t.want(what, func(f frame) bool {
		k, ok := f.ip()
		return ok && k.transport == header.IGMPProtocolNumber && namesGroup(k.payload, groupIPv4)
	})
	t.intact(f)
	k, _ := f.ip()
	t.wantTo(what, f, group4(k.to))
	if k.hops != 1 {
		t.errorf("%s has %d hops to live, want 1", what, k.hops)
	}
}

// query makes a packet that asks all hosts for their groups (RFC 3376 §4.1).
func query() []byte {
	const general, tenthsOfASecond = 0x11, 10
	m := make([]byte, 12)
	m[0], m[1] = general, tenthsOfASecond
	sum := ^checksum.Checksum(m, 0)
	m[2], m[3] = byte(sum>>8), byte(sum)
	// RFC 3376 §4: the time to live is 1, and there is the option Router Alert.
	options := header.IPv4OptionsSerializer{&header.IPv4SerializableRouterAlertOption{}}
	h := header.IPv4(make([]byte, header.IPv4MinimumSize+int(options.Length()), 64))
	h.Encode(&header.IPv4Fields{
		TotalLength: uint16(len(h) + len(m)), TTL: 1, Protocol: uint8(header.IGMPProtocolNumber),
		SrcAddr: gateway.ipv4, DstAddr: allHosts, Options: options,
	})
	h.SetChecksum(^h.CalculateChecksum())
	return append(h, m...)
}

// namesGroup reports whether a group is named in a message.
func namesGroup(message []byte, group tcpip.Address) bool {
	return bytes.Contains(message, group.AsSlice())
}

// reporting is a protocol that tells of the groups that it joins, in place of
// one that was made without.
func reporting(f stack.NetworkProtocolFactory) stack.NetworkProtocolFactory {
	return func(s *stack.Stack) stack.NetworkProtocol {
		switch p := f(s); p.Number() {
		case ipv4.ProtocolNumber:
			p.Close()
			return ipv4.NewProtocolWithOptions(ipv4.Options{IGMP: ipv4.IGMPOptions{Enabled: true}})(s)
		case ipv6.ProtocolNumber:
			p.Close()
			return ipv6.NewProtocolWithOptions(ipv6.Options{MLD: ipv6.MLDOptions{Enabled: true}})(s)
		default:
			return p
		}
	}
}
