package conformance

import (
	"bytes"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/lab"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// TestKernelVLAN: what an endpoint of a VLAN sends is tagged as it should be, to
// a reader that has nothing to do with us, and it takes in what is tagged so,
// and nothing else.
func TestKernelVLAN(t *testing.T) {
	for _, tt := range []struct {
		name string
		vlan ethstack.VLAN
		tags []uint16 // each a type and its content
	}{
		{"802.1Q", ethstack.VLAN{{ID: 5}}, []uint16{typeVLAN, 5}},
		{"802.1ad", ethstack.VLAN{{EtherType: ethstack.EtherTypeServiceVLAN, ID: 4094}}, []uint16{typeService, 4094}},
		{"802.1Q in 802.1ad", ethstack.VLAN{{EtherType: ethstack.EtherTypeServiceVLAN, ID: 6}, {ID: 5}}, []uint16{typeService, 6, typeVLAN, 5}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			lasting(t, time.Minute)
			noLeaks(t)
			dev := newTAP(t, 0, true)
			main, err := endpoint.New(dev, endpoint.Options{})
			wiretest.Check(t, err)
			t.Cleanup(main.Close)
			ep, err := main.VLAN(tt.vlan, endpoint.Options{})
			wiretest.Check(t, err)
			ours, err := lab.NewNetstackOn(ep, lab.NetstackOptions{Name: "netstack", Addrs: prefixes(oursIPv4)})
			wiretest.Check(t, err)
			t.Cleanup(ours.Close)
			own := hw(ours.HardwareAddr())
			p := listenOn(t, dev.Info().Name)

			// untagged returns the frame without the tags that it must have.
			untagged := func(f frame) (frame, bool) {
				want := ether(f.to(), f.from(), f.typ()).tagged(tt.tags...)[12:]
				n := 2 * len(tt.tags)
				if len(f) < 12+n || !bytes.Equal(f[12:12+n], want[:n]) {
					return nil, false
				}
				return append(f[:12:12], f[12+n:]...), true
			}
			matching := func(match func(frame) bool) func(frame) bool {
				return func(f frame) bool {
					g, ok := untagged(f)
					return ok && match(g)
				}
			}
			// First it asks for a host, which answers, and then it sends.
			c, err := ours.DialUDP(addrPort(alice, openPort))
			wiretest.Check(t, err)
			defer c.Close()
			data := bytes.Repeat([]byte("tagged "), 200)
			if _, err := c.Write(data); err != nil {
				t.Fatal(err)
			}
			p.until(matching(isRequestFor(alice.ipv4)))
			p.send(reply(alice, own).tagged(tt.tags...))
			p.until(matching(isDatagram(data)))

			// What is not of this VLAN is not taken, with or without a tag.
			others := [][]uint16{{}, {typeVLAN, 7}, {typeVLAN, 0}, append([]uint16{typeVLAN, 9}, tt.tags...)}
			question := ether(own, alice.hw, typeIPv4, echo4(alice.ipv4, ownIPv4, []byte("elsewhere")))
			for _, tags := range others {
				p.send(question.tagged(tags...))
			}
			good := ether(own, alice.hw, typeIPv4, echo4(alice.ipv4, ownIPv4, []byte("here")))
			p.send(good.tagged(tt.tags...))
			for _, s := range p.until(matching(isEchoReply([]byte("here")))) {
				if isEchoReply([]byte("elsewhere"))(s.frame) || matching(isEchoReply([]byte("elsewhere")))(s.frame) {
					t.Errorf("a frame of another VLAN was answered with %v", s.frame)
				}
				if !s.tagged {
					t.Errorf("a frame without a tag was sent: %v", s.frame)
				}
			}
			// Its priority is nothing that a VLAN depends on.
			high := append([]uint16(nil), tt.tags...)
			high[1] |= 0xe000
			p.send(good.tagged(high...))
			p.until(matching(isEchoReply([]byte("here"))))
		})
	}
}

// TestKernelSNAP: ARP and IPv4 in 802.3 frames are taken in, and answered in
// Ethernet frames.
//
// RFC 1122 §2.3.3: a host should be able to receive both encapsulations.
func TestKernelSNAP(t *testing.T) {
	lasting(t, time.Minute)
	w := newWire(t, wireOptions{quiet: true})
	p := w.listen()
	own := hw(w.ours.HardwareAddr())
	m := newARP(opRequest, alice.hw, alice.ipv4, nobody, ownIPv4)
	p.send(ieee(everybody, alice.hw, typeARP, 0, m.bytes()))
	p.until(isReplyTo(alice))
	for _, n := range []int{0, 18, 1492 - header.IPv4MinimumSize - header.ICMPv4MinimumSize} {
		d := bytes.Repeat([]byte{byte(n)}, n)
		p.send(ieee(own, alice.hw, typeIPv4, 0, echo4(alice.ipv4, ownIPv4, d)))
		p.until(isEchoReply(d))
	}
}
