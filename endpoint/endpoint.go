package endpoint

import (
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/ethstack"
)

// An Endpoint is a netstack link endpoint on an [ethstack.Device]. Its methods
// may be called from any goroutine at any time, also after Close.
type Endpoint struct {
	trunk  *trunk
	link   *ethstack.Link // the trunk's
	i      *ethstack.Interface
	logger *slog.Logger
	gsoMax uint32
	open   bool // Options.OpenFilter
	join   bool // not Options.NoJoin

	up atomic.Pointer[upper] // whom frames are delivered to; nil: nobody
	// companion is that of the NIC; nil: NewProtocol is not registered.
	companion atomic.Pointer[companion]

	own   atomic.Pointer[identity]
	mtu   atomic.Uint32 // set by SetMTU; 0: the device's
	rx    rxChecksums
	txs   sync.Pool // *batch
	waits sync.Pool // *pending
	queue *txQueue  // nil: senders write to the device

	closing sync.Once
	closed  chan struct{} // closed when nothing of the link runs any more

	mu      sync.Mutex // guards what follows; nothing is called while it is held
	onClose func()
}

var (
	_ stack.LinkEndpoint = (*Endpoint)(nil)
	_ stack.GSOEndpoint  = (*Endpoint)(nil)
)

// New makes an endpoint of a device, which belongs to the endpoint from here
// on; with an error it stays the caller's. Frames are read from the first time
// that the endpoint is attached to a NIC.
func New(dev ethstack.Device, o Options) (*Endpoint, error) {
	t, err := newTrunk(dev, o)
	if err != nil {
		return nil, fmt.Errorf("endpoint: %w", err)
	}
	e, err := t.newEndpoint(ethstack.VLAN{}, o)
	if err != nil {
		dev.Notify(nil)
		return nil, fmt.Errorf("endpoint: %w", err)
	}
	t.main = e
	e.gsoMax = gsoMaxSize(dev.Info())
	return e, nil
}

// Interface returns the endpoint's station on the link: its ARP table, its
// counters, and the addresses that ARP answers for besides the NIC's.
func (e *Endpoint) Interface() *ethstack.Interface { return e.i }

// MTU returns the largest IP packet in bytes: the device's MTU, less what
// the tags of a VLAN take of it, or what SetMTU lowered it to.
func (e *Endpoint) MTU() uint32 {
	mtu := uint32(e.i.MTU())
	if set := e.mtu.Load(); set != 0 {
		mtu = min(mtu, set)
	}
	return mtu
}

// SetMTU lowers the MTU that netstack is told. It does not change the device:
// a value above the device's MTU has no effect, and 0 goes back to that.
func (e *Endpoint) SetMTU(mtu uint32) { e.mtu.Store(mtu) }

// MaxHeaderLength returns the length of the Ethernet header.
func (*Endpoint) MaxHeaderLength() uint16 { return ethstack.HeaderLen }

// Capabilities tells netstack that neighbors must be resolved and that
// received checksums have been verified. The latter is taken back while a
// packet is delivered that could not be verified.
func (e *Endpoint) Capabilities() stack.LinkEndpointCapabilities {
	if e.rx.unverified.Load() {
		return stack.CapabilityResolutionRequired
	}
	return stack.CapabilityResolutionRequired | stack.CapabilityRXChecksumOffload
}

// SupportedGSO tells netstack to hand over TCP data in super-frames.
func (*Endpoint) SupportedGSO() stack.SupportedGSO { return stack.HostGSOSupported }

// GSOMaxSize returns the size that netstack derives its super-frames' from. TCP
// takes 161 bytes off for its headers, so that what comes stays below the
// 65535 bytes of an IP packet.
func (e *Endpoint) GSOMaxSize() uint32 { return e.gsoMax }

// gsoMaxSize returns how large super-frames may be: what a device that
// segments by itself takes, and what IP can carry.
func gsoMaxSize(info ethstack.DeviceInfo) uint32 {
	if info.Offloads&(ethstack.OffloadTCPv4|ethstack.OffloadTCPv6) == 0 {
		return gsoMaxIP // done in software, of any size
	}
	return uint32(min(gsoMaxIP, info.MaxFrame-ethstack.HeaderLen))
}

// gsoMaxIP is the size that leads to the largest packets that IP can carry.
const gsoMaxIP = 65536

// ARPHardwareType returns Ethernet.
func (*Endpoint) ARPHardwareType() header.ARPHardwareType { return header.ARPHardwareEther }

// Attach starts delivery to a dispatcher, the first time also the reading of
// the device. Nil ends delivery: what comes in is dropped, counted. It waits
// for nothing, because a delivery under way may be waiting for the lock that
// netstack holds here.
func (e *Endpoint) Attach(d stack.NetworkDispatcher) {
	if d == nil {
		e.up.Store(nil)
		return
	}
	u := newUpper(d, e.companion.Load())
	e.i.SetPassARP(u.bridged || u.resolvesIPv4())
	e.up.Store(u)
	e.link.Start()
}

// IsAttached reports whether frames are delivered to anybody.
func (e *Endpoint) IsAttached() bool { return e.up.Load() != nil }

// Wait returns at once. Netstack calls it with its lock held and before Close,
// while a reading goroutine may be waiting for that lock; Close waits.
func (*Endpoint) Wait() {}

// SetOnCloseAction sets what Close calls first.
func (e *Endpoint) SetOnCloseAction(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.onClose = f
}

// closePatience bounds how long Close waits. A delivery takes microseconds.
const closePatience = 500 * time.Millisecond

// Close removes the endpoint's NIC, closes the device, drops the packets that
// wait for a next hop, and waits until nothing of the endpoint runs any more. It
// may be called more than once, from any number of goroutines.
//
// Choice: it does not wait for longer than half a second. A function that
// netstack calls during a delivery, a UDP forwarder's handler for one, may
// remove the NIC: then the delivery waits for Close. All the rest is done by
// then, and the goroutine ends with the delivery.
func (e *Endpoint) Close() {
	e.mu.Lock()
	action := e.onClose
	e.onClose = nil
	e.mu.Unlock()
	if action != nil {
		action() // comes back here by way of RemoveNIC
	}
	e.up.Store(nil)
	e.closing.Do(func() {
		go func() {
			e.trunk.close(e)
			close(e.closed)
		}()
	})
	select {
	case <-e.closed:
	case <-time.After(closePatience):
	}
}
