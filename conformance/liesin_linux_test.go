package conformance

import (
	"slices"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/ethlink/ethlink/adapters/channel"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/lab"
	"github.com/ethlink/ethlink/internal/wiretest"
)

const everyOffload = ethstack.OffloadChecksum | ethstack.OffloadTCPv4 | ethstack.OffloadTCPv6 | ethstack.OffloadECN | ethstack.OffloadUDP

// segment4 makes an IPv4 packet with a TCP segment for a port where nobody
// listens, or with other flags than ACK.
func segment4(from, to tcpip.Address, flags header.TCPFlags, data []byte) []byte {
	b := make([]byte, header.TCPMinimumSize, header.TCPMinimumSize+len(data))
	h := header.TCP(b)
	h.Encode(&header.TCPFields{SrcPort: peerPort, DstPort: closedPort, SeqNum: 1, AckNum: 1, DataOffset: header.TCPMinimumSize, Flags: flags, WindowSize: 1000})
	sum := header.PseudoHeaderChecksum(header.TCPProtocolNumber, from, to, uint16(len(b)+len(data)))
	h.SetChecksum(^h.CalculateChecksum(checksum.Checksum(data, sum)))
	return ipv4Packet(from, to, header.TCPProtocolNumber, append(b, data...))
}

// Where things are in a frame with IPv4.
const (
	transport4 = headerLen + header.IPv4MinimumSize
	tcpField   = 16
	udpField   = 6
	icmpField  = 2
)

// partial4 is the metadata of a frame whose checksum is not complete.
func partial4(field uint16) ethstack.Offload {
	return ethstack.Offload{Flags: ethstack.NeedsChecksum, ChecksumStart: transport4, ChecksumOffset: field}
}

// super4 is that of a super-frame.
func super4(typ ethstack.SegmentType, field uint16) ethstack.Offload {
	o := partial4(field)
	o.Segment, o.SegmentSize, o.HeaderLen = typ, 500, transport4+header.TCPMinimumSize
	if typ == ethstack.SegmentUDP {
		o.HeaderLen = transport4 + header.UDPMinimumSize
	}
	return o
}

// A lie is a frame to netstack with metadata that contradicts it.
type lie struct {
	name string
	frame
	o ethstack.Offload
}

// lies returns all that are known here. Each is made of a frame that is good but
// for one thing.
func lies(own hardwareAddr) (list []lie) {
	to := func(typ uint16, b []byte) frame { return ether(own, alice.hw, typ, b) }
	tcp := to(typeIPv4, segment4(alice.ipv4, ownIPv4, header.TCPFlagAck, data(1400)))
	udp := to(typeIPv4, udp4(alice.ipv4, ownIPv4, openPort, data(1400)))
	ping := to(typeIPv4, echo4(alice.ipv4, ownIPv4, data(1400)))
	add := func(name string, f frame, o ethstack.Offload, change func(f frame, o *ethstack.Offload)) {
		f = slices.Clone(f)
		change(f, &o)
		list = append(list, lie{name, f, o})
	}
	setOffload := func(name string, f frame, o ethstack.Offload, change func(o *ethstack.Offload)) {
		add(name, f, o, func(_ frame, o *ethstack.Offload) { change(o) })
	}
	v4, udp4 := super4(ethstack.SegmentTCPv4, tcpField), super4(ethstack.SegmentUDP, udpField)
	setOffload("headers longer than the frame", tcp, v4, func(o *ethstack.Offload) { o.HeaderLen = uint16(len(tcp) + 1) })
	setOffload("headers of 65535 bytes", udp, udp4, func(o *ethstack.Offload) { o.HeaderLen = 65535 })
	setOffload("segments of no bytes", tcp, v4, func(o *ethstack.Offload) { o.SegmentSize = 0 })
	setOffload("datagrams of no bytes", udp, udp4, func(o *ethstack.Offload) { o.SegmentSize = 0 })
	setOffload("checksum starts behind the frame", tcp, v4, func(o *ethstack.Offload) { o.ChecksumStart = 1500 })
	setOffload("checksum starts at 65535", tcp, partial4(tcpField), func(o *ethstack.Offload) { o.ChecksumStart = 65535 })
	setOffload("checksum starts in the Ethernet header", tcp, partial4(tcpField), func(o *ethstack.Offload) { o.ChecksumStart = 0 })
	setOffload("checksum starts in the IP header", tcp, partial4(tcpField), func(o *ethstack.Offload) { o.ChecksumStart = headerLen })
	setOffload("checksum belongs behind the frame", tcp, partial4(tcpField), func(o *ethstack.Offload) { o.ChecksumOffset = 2000 })
	setOffload("checksum belongs at 65535", tcp, partial4(tcpField), func(o *ethstack.Offload) { o.ChecksumOffset = 65535 })
	setOffload("checksum belongs half behind the frame", tcp, partial4(tcpField), func(o *ethstack.Offload) {
		o.ChecksumOffset = uint16(len(tcp) - transport4 - 1)
	})
	setOffload("checksum of a super-frame elsewhere", tcp, v4, func(o *ethstack.Offload) { o.ChecksumStart += 4 })
	setOffload("UDP's checksum in a super-frame of TCP", tcp, v4, func(o *ethstack.Offload) { o.ChecksumOffset = udpField })
	setOffload("TCP's checksum in a super-frame of UDP", udp, udp4, func(o *ethstack.Offload) { o.ChecksumOffset = tcpField })
	setOffload("TCP over IPv6 in IPv4", tcp, v4, func(o *ethstack.Offload) { o.Segment = ethstack.SegmentTCPv6 })
	setOffload("TCP in UDP", udp, v4, func(*ethstack.Offload) {})
	setOffload("UDP in TCP", tcp, udp4, func(*ethstack.Offload) {})
	setOffload("a super-frame of ICMP", ping, super4(ethstack.SegmentTCPv4, icmpField), func(*ethstack.Offload) {})
	setOffload("ECN in a plain frame", tcp, partial4(tcpField), func(o *ethstack.Offload) { o.Flags |= ethstack.ECN })
	setOffload("ECN in UDP", udp, udp4, func(o *ethstack.Offload) { o.Flags |= ethstack.ECN })
	add("a super-frame of an unknown protocol", tcp, v4, func(f frame, _ *ethstack.Offload) { f[12], f[13] = 0x88, 0xb5 })
	add("a super-frame that is a fragment", tcp, v4, func(f frame, _ *ethstack.Offload) { asFragment(f) })
	add("a partial checksum in a fragment", udp, partial4(udpField), func(f frame, _ *ethstack.Offload) { asFragment(f) })
	return list
}

// asFragment makes the packet of a frame the first part of a longer one.
func asFragment(f frame) {
	h := header.IPv4(f.payload())
	h.SetFlagsFragmentOffset(header.IPv4FlagMoreFragments, 0)
	h.SetChecksum(0)
	h.SetChecksum(^h.CalculateChecksum())
}

// TestLyingMetadata: a frame whose metadata contradicts it is dropped and
// counted as such, and reaches neither a socket nor IP.
func TestLyingMetadata(t *testing.T) {
	noLeaks(t)
	dev, err := channel.New(channel.Options{HardwareAddr: ethstack.HardwareAddr{2, 0, 0, 0, 0, 1}, Offloads: everyOffload})
	wiretest.Check(t, err)
	ours, err := lab.NewNetstack(dev, lab.NetstackOptions{Name: "netstack", Addrs: prefixes(oursIPv4)})
	wiretest.Check(t, err)
	t.Cleanup(ours.Close)
	i := ours.Endpoint().Interface()
	for _, l := range lies(hw(i.HardwareAddr())) {
		before, packets := i.Stats(), ours.Stack().Stats().IP.PacketsReceived.Value()
		if n, err := dev.InjectFrames([]ethstack.Frame{{Bufs: [][]byte{l.frame}, Offload: l.o}}); n != 1 || err != nil {
			t.Fatalf("%s: injecting: %d, %v", l.name, n, err)
		}
		wiretest.WaitFor(t, l.name+" is read", func() bool {
			now := i.Stats()
			return now.RxFrames == before.RxFrames+1 && now.RxDelivered+now.RxARP+now.RxDropped() == now.RxFrames
		})
		now := i.Stats()
		if now.Drops[ethstack.DropBadOffload] != before.Drops[ethstack.DropBadOffload]+1 || now.RxDelivered != before.RxDelivered {
			t.Errorf("%s: not dropped as %v, but %s", l.name, ethstack.DropBadOffload, difference(before, now))
		}
		if n := ours.Stack().Stats().IP.PacketsReceived.Value(); n != packets {
			t.Errorf("%s: IP has received it", l.name)
		}
	}
}

// difference says what became of frames between two moments.
func difference(before, now ethstack.Stats) string {
	if now.RxDelivered != before.RxDelivered {
		return "delivered"
	}
	for r := range ethstack.NumDropReasons {
		if now.Drops[r] != before.Drops[r] {
			return r.String()
		}
	}
	return "nothing"
}
