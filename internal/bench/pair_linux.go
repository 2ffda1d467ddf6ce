package bench

import (
	"errors"
	"net/netip"

	"github.com/ethlink/ethlink/internal/netns"
)

// A pair is a subject and its peer: two processes with a wire between them.
type pair struct {
	subject    Subject
	namespaces []*netns.Namespace
	own, peer  *process
	// noIPv6 says why the kernel has none, if it is so.
	noIPv6 string
	notes  []string
}

// openPair makes the wire and both ends.
func openPair(s Subject) (p *pair, err error) {
	p = &pair{subject: s}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	peerNS, err := p.namespace()
	if err != nil {
		return nil, err
	}
	// A TAP has no interface at this end, so it is all the same where that is.
	ownNS := peerNS
	if s.wire == wireVeth {
		if ownNS, err = p.namespace(); err != nil {
			return nil, err
		}
		if err = ownNS.Do(func() error {
			return errors.Join(netns.AddVeth(subjectIface, peerIface), netns.MoveLink(peerIface, peerNS))
		}); err != nil {
			return nil, err
		}
	}
	if p.own, err = startProcess("subject", ownNS); err != nil {
		return nil, err
	}
	if p.peer, err = startProcess("peer", peerNS); err != nil {
		return nil, err
	}
	return p, p.open()
}

func (p *pair) namespace() (*netns.Namespace, error) {
	ns, err := netns.New()
	if err == nil {
		p.namespaces = append(p.namespaces, ns)
	}
	return ns, err
}

// open makes both ends stations, the one that may make the wire first.
func (p *pair) open() error {
	s := p.subject
	own, err := p.own.call(request{
		Do: doOpen, Subject: s.Name, Expert: s.Expert, Plain: s.plain, Kernel: s.side == sideKernel, TAP: s.wire == wireTAP,
	})
	if err != nil {
		return err
	}
	peer, err := p.peer.call(request{Do: doOpen, Plain: s.plain})
	if err != nil {
		return err
	}
	p.noIPv6 = own.NoIPv6 + peer.NoIPv6
	p.notes = append(own.Notes, peer.Notes...)
	return nil
}

// receiver returns the end that receives, or answers, and its address.
func (p *pair) receiver(t Test) (receiver, sender *process, at netip.Addr) {
	receiver, sender = p.own, p.peer
	v4, v6 := subjectIPv4, subjectIPv6
	if t.Out {
		receiver, sender = p.peer, p.own
		v4, v6 = peerIPv4, peerIPv6
	}
	if t.IPv6 {
		return receiver, sender, v6.Addr()
	}
	return receiver, sender, v4.Addr()
}

// close ends both processes; the wire goes with its namespaces.
func (p *pair) close() {
	for _, x := range []*process{p.own, p.peer} {
		if x != nil {
			x.stop()
		}
	}
	for _, ns := range p.namespaces {
		ns.Close()
	}
}
