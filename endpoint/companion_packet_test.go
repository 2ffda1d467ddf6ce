package endpoint_test

import (
	"fmt"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/packetsocket"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/ethstack"
)

// A seenARP is an ARP packet as a packet socket sees it.
type seenARP struct {
	kind tcpip.PacketType
	op   arp.Operation
}

// readARP reads what a packet socket has that is ARP between the peer and h. In
// a raw one it is a whole frame, in a cooked one the packet only.
func readARP(t *testing.T, sock tcpip.Endpoint, cooked bool) (list []seenARP) {
	t.Helper()
	for {
		var w sliceWriter
		res, err := sock.Read(&w, tcpip.ReadOptions{NeedLinkPacketInfo: true})
		if err != nil {
			return list
		}
		b := []byte(w)
		if res.LinkPacketInfo.Protocol != header.ARPProtocolNumber {
			continue
		}
		if !cooked {
			h, why := ethstack.ParseHeader(b, len(b))
			if why != ethstack.DropNone || h.EtherType != ethstack.EtherTypeARP {
				t.Errorf("not a frame with ARP: %x", b)
				continue
			}
			b = b[h.Len:]
		}
		p, perr := arp.ParsePacket(b)
		if perr != nil {
			t.Errorf("%x: %v", b, perr)
			continue
		}
		if p.SenderHardwareAddr == peerHardware || p.TargetHardwareAddr == peerHardware {
			list = append(list, seenARP{res.LinkPacketInfo.PktType, p.Operation})
		}
	}
}

// TestCompanionPacketSocket: packet sockets see each ARP packet once in either
// direction, whoever it is that delivers to them.
func TestCompanionPacketSocket(t *testing.T) {
	for _, tt := range []struct {
		name string
		hostOptions
	}{
		{"NIC delivers", hostOptions{nic: stack.NICOptions{DeliverLinkPackets: true}}},
		{"NIC delivers, sniffer, fifo", hostOptions{nic: stack.NICOptions{DeliverLinkPackets: true}, wrap: sniff, qdisc: newFIFO}},
		{"packetsocket delivers", hostOptions{wrap: packetsocket.New}},
	} {
		for _, cooked := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s,cooked=%v", tt.name, cooked), func(t *testing.T) {
				s, p := newPeered(t)
				tt.more = companion
				h := newHost(t, s, 2, tt.hostOptions)
				sock := packetSocket(t, h, cooked)
				const requests = 3
				for range requests {
					if n := p.answers(h, h.addr4().As4()); n != 1 {
						t.Fatalf("%d answers, want 1", n)
					}
				}
				got := map[seenARP]int{}
				eventually(t, "all are seen", func() bool {
					for _, a := range readARP(t, sock, cooked) {
						got[a]++
					}
					return got[seenARP{tcpip.PacketOutgoing, arp.OperationReply}] >= requests
				})
				time.Sleep(time.Millisecond) // for what comes once too often
				for _, a := range readARP(t, sock, cooked) {
					got[a]++
				}
				want := map[seenARP]int{
					{tcpip.PacketBroadcast, arp.OperationRequest}: requests, {tcpip.PacketOutgoing, arp.OperationReply}: requests,
				}
				if fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("seen %v, want %v", got, want)
				}
			})
		}
	}
}

// TestPacketSocketWithoutCompanion: they see no half of the ARP there is, and the
// NIC counts nothing that it does not know.
func TestPacketSocketWithoutCompanion(t *testing.T) {
	s, p := newPeered(t)
	h := newHost(t, s, 2, hostOptions{nic: stack.NICOptions{DeliverLinkPackets: true}})
	sock := packetSocket(t, h, true)
	if n := p.answers(h, h.addr4().As4()); n != 1 {
		t.Fatalf("%d answers, want 1", n)
	}
	if got := readARP(t, sock, true); len(got) != 0 {
		t.Errorf("seen %v, want nothing", got)
	}
	if _, ok := h.stack.NICInfo()[nicID].Stats.UnknownL3ProtocolRcvdPacketCounts.Get(uint64(header.ARPProtocolNumber)); ok {
		t.Error("the NIC was given ARP")
	}
}

// TestCompanionOpenFilter: with an open filter, what is for others reaches packet
// sockets under a sniffer too, groups that nobody has joined included, and IP
// does not see it.
func TestCompanionOpenFilter(t *testing.T) {
	s, p := newPeered(t)
	o := hostOptions{wrap: sniff, nic: stack.NICOptions{DeliverLinkPackets: true}, more: companion}
	o.endpoint.OpenFilter = true
	h := newHost(t, s, 2, o)
	sock := packetSocket(t, h, false)
	foreign := frame(h, ethstack.HardwareAddr{2, 9, 9, 9, 9, 9}, echoRequest, echo())
	p.write(foreign, groupFrame(tcpip.AddrFrom4([4]byte{239, 1, 2, 3})))
	got := map[tcpip.PacketType]int{}
	eventually(t, "both are seen", func() bool {
		var w sliceWriter
		if res, err := sock.Read(&w, tcpip.ReadOptions{NeedLinkPacketInfo: true}); err == nil {
			got[res.LinkPacketInfo.PktType]++
		}
		return got[tcpip.PacketOtherHost] == 1 && got[tcpip.PacketMulticast] > 0
	})
	if n := h.stack.Stats().ICMP.V4.PacketsReceived.EchoRequest.Value(); n != 0 {
		t.Errorf("netstack got %d echo requests for another host", n)
	}
}
