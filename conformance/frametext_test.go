package conformance

import (
	"fmt"
	"strings"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/ethstack"
)

// names are what hardware addresses are called in what people read.
type names map[ethstack.HardwareAddr]string

func (n names) of(hw ethstack.HardwareAddr) string {
	if hw.IsBroadcast() {
		return "all"
	}
	if name, ok := n[hw]; ok {
		return name
	}
	return hw.String()
}

// frame puts a frame in one line. Its end may be missing.
func (n names) frame(b []byte) string {
	h, why := ethstack.ParseHeader(b, len(b))
	if why != ethstack.DropNone {
		return fmt.Sprintf("%d bytes, %v: % x", len(b), why, b[:min(len(b), 20)])
	}
	var text string
	switch payload := b[h.Len:]; h.EtherType {
	case ethstack.EtherTypeARP:
		text = n.arp(payload, h.Source)
	case ethstack.EtherTypeIPv4:
		text = ipv4Text(payload)
	case ethstack.EtherTypeIPv6:
		text = ipv6Text(payload)
	default:
		text = fmt.Sprintf("type %v, % x", h.EtherType, payload[:min(len(payload), 8)])
	}
	return fmt.Sprintf("%s > %s: %s", n.of(h.Source), n.of(h.Destination), text)
}

// arp puts an ARP packet in words. Who says it is named where it is not the
// frame's source.
func (n names) arp(b []byte, source ethstack.HardwareAddr) string {
	p, err := arp.ParsePacket(b)
	if err != nil {
		return fmt.Sprintf("ARP, %v", err)
	}
	var text string
	switch {
	case p.IsProbe():
		text = fmt.Sprintf("ARP probe, has anybody %v?", p.TargetAddr)
	case p.IsAnnouncement():
		text = fmt.Sprintf("ARP announcement, %v is at %s", p.SenderAddr, n.of(p.SenderHardwareAddr))
	case p.Operation == arp.OperationRequest:
		text = fmt.Sprintf("ARP who has %v? tell %v", p.TargetAddr, p.SenderAddr)
	default:
		text = fmt.Sprintf("ARP %v, %v is at %s", p.Operation, p.SenderAddr, n.of(p.SenderHardwareAddr))
	}
	if p.SenderHardwareAddr != source && p.Operation == arp.OperationRequest && !p.IsAnnouncement() {
		text += " at " + n.of(p.SenderHardwareAddr)
	}
	return text
}

func ipv4Text(b []byte) string {
	if len(b) < header.IPv4MinimumSize {
		return "IPv4, cut off"
	}
	h := header.IPv4(b)
	text := fmt.Sprintf("IPv4 %v > %v", h.SourceAddress(), h.DestinationAddress())
	if h.More() || h.FragmentOffset() > 0 {
		return fmt.Sprintf("%s fragment of %d at %d, %d bytes", text, h.ID(), h.FragmentOffset(), h.TotalLength())
	}
	if h.ID() != 0 {
		text += fmt.Sprintf(" id %d", h.ID())
	}
	return text + transportText(h.TransportProtocol(), b[min(len(b), int(h.HeaderLength())):], int(h.PayloadLength()))
}

func ipv6Text(b []byte) string {
	if len(b) < header.IPv6MinimumSize {
		return "IPv6, cut off"
	}
	h := header.IPv6(b)
	return fmt.Sprintf("IPv6 %v > %v", h.SourceAddress(), h.DestinationAddress()) +
		transportText(tcpip.TransportProtocolNumber(h.NextHeader()), b[header.IPv6MinimumSize:], int(h.PayloadLength()))
}

// transportText describes size bytes, of which b has the first.
func transportText(p tcpip.TransportProtocolNumber, b []byte, size int) string {
	switch {
	case p == header.TCPProtocolNumber && len(b) >= header.TCPMinimumSize:
		h := header.TCP(b)
		return fmt.Sprintf(" TCP %d > %d [%s] seq %d ack %d, %d bytes", h.SourcePort(), h.DestinationPort(),
			strings.ReplaceAll(h.Flags().String(), " ", ""), h.SequenceNumber(), h.AckNumber(), size-int(h.DataOffset()))
	case p == header.UDPProtocolNumber && len(b) >= header.UDPMinimumSize:
		h := header.UDP(b)
		return fmt.Sprintf(" UDP %d > %d, %d bytes", h.SourcePort(), h.DestinationPort(), size-header.UDPMinimumSize)
	case p == header.ICMPv6ProtocolNumber && len(b) >= header.ICMPv6MinimumSize:
		h := header.ICMPv6(b)
		return fmt.Sprintf(" ICMPv6 type %d code %d", h.Type(), h.Code())
	case p == header.ICMPv4ProtocolNumber && len(b) >= header.ICMPv4MinimumSize:
		h := header.ICMPv4(b)
		return fmt.Sprintf(" ICMP type %d code %d", h.Type(), h.Code())
	}
	return fmt.Sprintf(" protocol %d, %d bytes", p, size)
}
