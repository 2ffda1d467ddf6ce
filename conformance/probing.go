package conformance

import (
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// RFC 5227 §2.1: an address is asked for before it is used. An endpoint shows
// that when netstack has it check one.
var probing = []check{
	{
		requirement: "R39", clause: "RFC 5227 §2.1.1", name: "probe_fields", level: Must,
		asks: "A probe is a broadcast request for the candidate whose sender protocol address is zero.",
		test: func(t *trial) {
			t.probes()
			f := t.firstProbe()
			want := ether(everybody, t.own, typeARP, newARP(opRequest, t.own, unspecified, nobody, candidate4).bytes())
			t.equal("the probe", f[:len(want)], want)
		},
	}, {
		requirement: "R40", clause: "RFC 5227 §2.1.1", name: "probe_times", level: Should,
		asks: "There are three probes, 1 to 2 seconds apart, and the address is free 2 seconds after the last.",
		test: func(t *trial) {
			results := t.probes()
			var at []time.Duration
			const step = 50 * time.Millisecond
			for len(results) == 0 && t.Clock.Elapsed() < time.Minute {
				t.listenFor(time.Millisecond)
				for t.take(isProbeFor(candidate4)) != nil {
					at = append(at, t.Clock.Elapsed())
				}
				t.elapse(step)
			}
			end := t.Clock.Elapsed()
			if len(at) != 3 {
				t.fatalf("there were %d probes, want 3", len(at))
			}
			t.wantResult(results, true)
			// What the clock tells is later than the probe: by a step, and by what
			// a busy machine takes, for the clock goes on.
			const late = step + 500*time.Millisecond
			for k, gap := range []time.Duration{at[1] - at[0], at[2] - at[1]} {
				if gap < time.Second-late || gap > 2*time.Second+late {
					t.errorf("probe %d came %v after the one before, want 1 s to 2 s", k+2, gap)
				}
			}
			if gap := end - at[2]; gap < 2*time.Second-late {
				t.errorf("the address was held to be free %v after the last probe, want 2 s", gap)
			}
		},
	},
	conflicting("R41", "reply", "a reply whose sender has the candidate", true, func(t *trial) frame {
		return ether(t.own, alice.hw, typeARP, newARP(opReply, alice.hw, candidate4, t.own, unspecified).bytes())
	}),
	conflicting("R41", "request", "a request whose sender has the candidate", true, func(*trial) frame {
		return request(alice.as(candidate4), everybody, bob.ipv4)
	}),
	conflicting("R41", "probe", "another's probe for the candidate", true, func(*trial) frame {
		return request(alice.as(unspecified), everybody, candidate4)
	}),
	conflicting("R22", "own_probe", "our own probe, which a loop returns,", false, func(t *trial) frame {
		return request(peer{hw: t.own, ipv4: unspecified}, everybody, candidate4)
	}),
	{
		requirement: "R45", clause: "RFC 5227 §2.1", name: "no_periodic_probes", level: Must,
		asks: "An address that is in use is not probed for again as a matter of course, and is answered for after hours.",
		test: func(t *trial) {
			t.takes(3 * time.Hour)
			t.ask(alice)
			t.announced()
			for range 3 * 60 {
				t.elapse(time.Minute)
			}
			t.settle()
			if f := t.take(either(isProbeFor(ownIPv4), isAnnouncementOf(ownIPv4))); f != nil {
				t.errorf("in three hours there was %v, want nothing", f)
			}
			t.ask(bob)
		},
	}, {
		requirement: "R49", clause: "RFC 3927 §2.6.2", name: "link_local_is_on_the_link", level: Must,
		asks: "A neighbor in 169.254/16 is asked for by broadcast, from the link-local address, and sent to directly.",
		test: func(t *trial) { t.linkLocal() },
	}, {
		requirement: "R48", clause: "RFC 3927 §2.5", name: "link_local_polls_are_broadcast", level: Must,
		asks: "Every ARP packet from a link-local address is broadcast, also when a neighbor that is known is asked whether it is still there.",
		test: func(t *trial) {
			t.takes(3 * time.Minute)
			s, p := t.linkLocal()
			asked := 0
			for range 180 {
				t.elapse(time.Second)
				s.send(p.ipv4, t.token())
				t.listenFor(time.Millisecond)
				for f := t.take(isRequestFor(p.ipv4)); f != nil; f = t.take(isRequestFor(p.ipv4)) {
					t.wantTo("a request from a link-local address", f, everybody)
					asked++
				}
			}
			if asked == 0 {
				t.errorf("in three minutes nobody has asked whether the neighbor is still there")
			}
		},
	},
}

// probes has the endpoint check candidate4, and returns where the result comes.
func (t *trial) probes() <-chan stack.DADResult {
	t.takes(20 * time.Second)
	results := make(chan stack.DADResult, 1)
	check := func() (stack.DADCheckAddressDisposition, tcpip.Error) {
		return t.stack.CheckDuplicateAddress(nicID, ipv4.ProtocolNumber, candidate4, func(r stack.DADResult) { results <- r })
	}
	how, err := check()
	if _, ok := err.(*tcpip.ErrNotSupported); ok {
		t.skip("the endpoint does not check addresses for netstack")
	}
	t.noError("CheckDuplicateAddress", err)
	if how == stack.DADDisabled { // as netstack's ARP has it by default
		ep, err := t.stack.GetNetworkEndpoint(nicID, header.ARPProtocolNumber)
		t.noError("GetNetworkEndpoint", err)
		ep.(stack.DuplicateAddressDetector).SetDADConfigurations(stack.DADConfigurations{DupAddrDetectTransmits: 3, RetransmitTimer: time.Second})
		if how, err = check(); how != stack.DADStarting {
			t.fatalf("CheckDuplicateAddress: %v, %v", how, err)
		}
	}
	return results
}

// firstProbe waits for the first probe, which may be a second away.
func (t *trial) firstProbe() (f frame) {
	t.poll("a probe", func() bool {
		t.elapse(100 * time.Millisecond)
		f = t.take(isProbeFor(candidate4))
		return f != nil
	})
	return f
}

// wantResult waits for the result of a check: whether the address is free.
func (t *trial) wantResult(results <-chan stack.DADResult, free bool) {
	t.poll("the result of a check", func() bool {
		t.elapse(100 * time.Millisecond)
		return len(results) > 0
	})
	result := <-results
	if _, ok := result.(*stack.DADSucceeded); ok != free {
		t.errorf("the result is %T: the address is free: %v, want %v", result, ok, free)
	}
}

// conflicting is the check that something heard during the probes tells that
// another has the address, or does not.
func conflicting(requirement, name, what string, conflict bool, heard func(*trial) frame) check {
	asks := "While an address is probed for, " + what + " shows that it is taken."
	if !conflict {
		asks = "While an address is probed for, " + what + " shows nothing."
	}
	return check{
		requirement: requirement, clause: "RFC 5227 §2.1.1", name: "heard_" + name, level: Must, asks: asks,
		test: func(t *trial) {
			results := t.probes()
			t.firstProbe()
			t.put(heard(t))
			t.settle()
			t.wantResult(results, !conflict)
		},
	}
}

// isProbeFor matches probes.
func isProbeFor(a tcpip.Address) func(frame) bool {
	return func(f frame) bool {
		m, ok := f.arp()
		return ok && m.op == opRequest && m.spa == unspecified && m.tpa == a
	}
}

// linkLocal gives the host an address in 169.254/16, and has it send to a
// neighbor there, which it does not know.
func (t *trial) linkLocal() (*socket, peer) {
	own := tcpip.AddrFrom4([4]byte{169, 254, 1, 2})
	p := peer{hw: alice.hw, ipv4: tcpip.AddrFrom4([4]byte{169, 254, 9, 9})}
	t.noError("RemoveAddress", t.stack.RemoveAddress(nicID, ownIPv4))
	t.addAddress(ipv4.ProtocolNumber, own, 16)
	t.stack.SetRouteTable([]tcpip.Route{{Destination: tcpip.AddressWithPrefix{Address: own, PrefixLen: 16}.Subnet(), NIC: nicID}})
	s := t.listen(ipv4.ProtocolNumber)
	_, f := t.sent(s, p.ipv4)
	if f == nil {
		t.fatalf("a datagram was sent to a neighbor that nobody knows")
	}
	want := ether(everybody, t.own, typeARP, newARP(opRequest, t.own, own, nobody, p.ipv4).bytes())
	t.equal("the request", f[:len(want)], want)
	t.put(ether(t.own, p.hw, typeARP, newARP(opReply, p.hw, p.ipv4, t.own, own).bytes()))
	t.wantTo("the datagram", t.want("the datagram", func(f frame) bool {
		k, ok := f.ip()
		return ok && k.transport == header.UDPProtocolNumber && k.to == p.ipv4
	}), p.hw)
	t.present = []peer{p}
	return s, p
}
