package endpoint_test

import (
	"net/netip"
	"strings"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/ethstack"
)

const forwardedFeature = "forwarded packet to an absent host: ICMP host unreachable"

var features = []feature{
	{"answers ARP for the NIC's address", func(x *trial) string { return x.ready }},
	{"gives one answer to each request", func(x *trial) string { return yesIf(x.answers(x.h, x.h.addr4().As4()) == 1) }},
	{"ping and TCP in both directions", (*trial).data},
	{"answers for further addresses of the NIC", (*trial).further},
	{"the same with spoofing on", (*trial).spoofed},
	{"with spoofing on, answers for nobody else", (*trial).spoofedForeign},
	{"answers for no broadcast address of the first subnet", func(x *trial) string { return yesIf(x.answers(x.h, [4]byte{10, 0, 0, 255}) == 0) }},
	{"answers for no broadcast address of another subnet (/25)", (*trial).broadcast},
	{"keeps frames for other hosts from IP, promiscuous mode on", (*trial).foreign},
	{"keeps groups from IP that were not joined", (*trial).groups},
	{"is silent while the NIC is disabled", (*trial).disabled},
	{"announces its address when the NIC is enabled again", (*trial).enabled},
	{"TCP to an absent host: no route to host", (*trial).absent},
	{forwardedFeature, nil},
	{"packet sockets see ARP, once, in both directions", (*trial).sockets},
	{"Neighbors, AddStaticNeighbor, GetLinkAddress of the stack for IPv4", (*trial).neighbors},
	{"CheckDuplicateAddress of the stack for IPv4", (*trial).duplicates},
}

func (x *trial) data() string {
	b := newHost(x.T, x.segment, 3, hostOptions{})
	pass(x.T, x.clock, func() {
		for _, p := range protocols {
			for _, dir := range [][2]*host{{x.h, b}, {b, x.h}} {
				if err := dir[0].ping(p.number, dir[1].addr(p.number, 0).Addr, 2000); err != nil {
					x.Error(err)
				}
			}
			stream(x.T, x.h, b, p.number, 1<<16)
		}
	})
	return x.ready
}

func (x *trial) further() string {
	a := x.h.add("10.5.0.1/25")
	if x.answers(x.h, a) == 1 {
		return yes
	}
	if err := x.h.ep.Interface().AddIPv4(netip.AddrFrom4(a)); err != nil {
		x.Fatal(err)
	}
	if x.answers(x.h, a) == 1 {
		return withAdd
	}
	return no
}

func (x *trial) spoofed() string {
	x.h.stack.SetSpoofing(nicID, true)
	return x.further()
}

func (x *trial) spoofedForeign() string {
	x.h.stack.SetPromiscuousMode(nicID, true)
	x.h.stack.SetSpoofing(nicID, true)
	return yesIf(x.answers(x.h, [4]byte{8, 8, 8, 8})+x.answers(x.h, x.h.neighbor(9).addr4().As4()) == 0)
}

func (x *trial) broadcast() string {
	x.h.add("10.5.0.1/25")
	return yesIf(x.answers(x.h, [4]byte{10, 5, 0, 127}) == 0)
}

func (x *trial) foreign() string {
	x.h.stack.SetPromiscuousMode(nicID, true)
	x.write(frame(x.h, ethstack.HardwareAddr{2, 9, 9, 9, 9, 9}, echoRequest, echo()))
	x.settle(x.h)
	return yesIf(x.h.stack.Stats().ICMP.V4.PacketsReceived.EchoRequest.Value() == 0)
}

func (x *trial) groups() string {
	x.write(groupFrame(tcpip.AddrFrom4([4]byte{239, 1, 2, 3})))
	x.settle(x.h)
	return yesIf(x.h.stack.Stats().IP.PacketsReceived.Value() == 0)
}

func (x *trial) disabled() string {
	x.h.stack.DisableNIC(nicID)
	return yesIf(x.answers(x.h, x.h.addr4().As4()) == 0)
}

func (x *trial) enabled() string {
	x.clock.Advance(time.Minute)
	before := x.announcements(x.h.addr4().As4())
	x.h.stack.DisableNIC(nicID)
	x.h.stack.EnableNIC(nicID)
	x.clock.Advance(time.Minute)
	return yesIf(x.announcements(x.h.addr4().As4()) > before)
}

func (x *trial) absent() string {
	var err error
	pass(x.T, x.clock, func() { _, err = x.h.dial(ipv4.ProtocolNumber, x.h.neighbor(99).addr(ipv4.ProtocolNumber, 80)) })
	return yesIf(err != nil && strings.Contains(err.Error(), "no route to host"))
}

// forwarded lets a host of another network send to an absent host of ours.
func (x *trial) forwarded(sender *host) string {
	to := tcpip.FullAddress{Addr: x.h.neighbor(99).addr4(), Port: 7}
	c, err := gonet.DialUDP(sender.stack, nil, &to, ipv4.ProtocolNumber)
	if err != nil {
		x.Fatal(err)
	}
	defer c.Close()
	told := x.h.stack.Stats().ICMP.V4.PacketsSent.DstUnreachable
	eventually(x.T, "something comes of it", func() bool {
		if _, err := c.Write([]byte("anybody there?")); err != nil {
			x.Fatal(err)
		}
		x.clock.Advance(time.Second)
		return told.Value() > 0 || x.h.ep.Interface().Stats().Drops[ethstack.DropTxUnresolved] > 3
	})
	return yesIf(told.Value() > 0)
}

func (x *trial) sockets() string {
	sock := packetSocket(x.T, x.h, true)
	x.answers(x.h, x.h.addr4().As4())
	seen := map[arp.Operation]int{}
	for _, a := range readARP(x.T, sock, true) {
		seen[a.op]++
	}
	return yesIf(seen[arp.OperationRequest] == 1 && seen[arp.OperationReply] == 1)
}

func (x *trial) neighbors() string {
	_, err := x.h.stack.Neighbors(nicID, ipv4.ProtocolNumber)
	return yesIf(err == nil)
}

func (x *trial) duplicates() string {
	_, err := x.h.stack.CheckDuplicateAddress(nicID, ipv4.ProtocolNumber, x.h.neighbor(99).addr4(), func(stack.DADResult) {})
	return yesIf(err == nil)
}
