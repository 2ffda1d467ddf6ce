package main

import (
	"sync"

	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/adapters/fdbased"
	"github.com/ethlink/ethlink/adapters/tap"
	"github.com/ethlink/ethlink/endpoint"
	"github.com/ethlink/ethlink/ethstack"
)

// A link is a link layer that can be put under netstack.
type link struct {
	ep stack.LinkEndpoint
	// arp is the protocol that has to be on the stack.
	arp stack.NetworkProtocolFactory
	// gone is closed when no frame will pass any more.
	gone <-chan struct{}
	// close ends the stack on it, if there is one, and waits until nothing of
	// both runs.
	close func(*stack.Stack)
}

// open opens the link layer of that name.
func (p place) open(name string) (link, error) {
	if name == linkFdbased {
		return p.openFdbased()
	}
	dev, err := p.openDevice()
	if err != nil {
		return link{}, err
	}
	gone := newOnce()
	ep, err := endpoint.New(dev, endpoint.Options{
		// What is joined takes less of netstack's receive buffer, of which
		// tcp_rcv_buf_space wants to know how much it holds.
		NoJoin: true,
		OnLinkState: func(s ethstack.LinkState) {
			if s == ethstack.LinkGone {
				gone.set()
			}
		},
	})
	if err != nil {
		dev.Close()
		return link{}, err
	}
	return link{ep: ep, arp: endpoint.NewProtocol, gone: gone.c, close: func(s *stack.Stack) {
		if s != nil {
			s.Destroy()
		}
		ep.Close()
	}}, nil
}

func (p place) openDevice() (ethstack.Device, error) {
	if p.tap {
		return tap.Open(tap.Options{Name: p.name, Up: true})
	}
	return fdbased.OpenPacket(p.name, fdbased.Options{})
}

// A once is something that happens once.
type once struct {
	c    chan struct{}
	once sync.Once
}

func newOnce() *once { return &once{c: make(chan struct{})} }

func (o *once) set() { o.once.Do(func() { close(o.c) }) }
