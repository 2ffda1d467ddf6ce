package endpoint

import (
	"slices"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/ethlink/ethlink/ethstack"
)

// An identity is the endpoint's hardware address in both forms, and those it
// had before. It does not change once made.
type identity struct {
	hw     ethstack.HardwareAddr
	link   tcpip.LinkAddress
	former []ethstack.HardwareAddr // oldest first, without hw
}

// maxFormer bounds how many addresses are remembered. Routes that live that
// long and miss that many changes do not exist.
const maxFormer = 64

func newIdentity(hw ethstack.HardwareAddr, before *identity) *identity {
	id := &identity{hw: hw, link: tcpip.LinkAddress(hw[:])}
	if before != nil {
		list := append(slices.Clone(before.former), before.hw)
		list = slices.DeleteFunc(list, func(a ethstack.HardwareAddr) bool { return a == hw })
		id.former = list[max(0, len(list)-maxFormer):]
	}
	return id
}

// identity returns the present one. The address itself is the Interface's,
// which others may change too.
func (e *Endpoint) identity() *identity {
	for {
		id, hw := e.own.Load(), e.i.HardwareAddr()
		if id.hw == hw {
			return id
		}
		e.own.CompareAndSwap(id, newIdentity(hw, id))
	}
}

// LinkAddress returns the endpoint's hardware address.
func (e *Endpoint) LinkAddress() tcpip.LinkAddress { return e.identity().link }

// SetLinkAddress changes the endpoint's hardware address and announces its IPv4
// addresses anew, from another goroutine. What is no unicast address of 6 bytes
// is refused: that is logged, as netstack takes no error here.
func (e *Endpoint) SetLinkAddress(a tcpip.LinkAddress) {
	e.identity() // so that the present one is remembered
	hw, _ := parseLinkAddress(a)
	if err := e.i.SetHardwareAddr(hw); err != nil {
		// From another goroutine: netstack's lock is held here.
		go e.logger.Warn("hardware address not changed", "address", a.String(), "err", err)
		return
	}
	e.identity()
}

// parseLinkAddress returns the zero address for what is none of Ethernet's.
func parseLinkAddress(a tcpip.LinkAddress) (hw ethstack.HardwareAddr, ok bool) {
	if len(a) != len(hw) {
		return hw, false
	}
	copy(hw[:], a)
	return hw, true
}

// source returns the source address of a frame whose route wants it to be a.
//
// A route keeps the address that the NIC had when it was made. So an address
// that was ours is replaced by the present one; any other is honoured, since
// transparent bridging asks for it.
func (e *Endpoint) source(a tcpip.LinkAddress) ethstack.HardwareAddr {
	id := e.identity()
	if a == id.link {
		return id.hw
	}
	hw, ok := parseLinkAddress(a)
	if !ok || slices.Contains(id.former, hw) {
		return id.hw
	}
	return hw
}
