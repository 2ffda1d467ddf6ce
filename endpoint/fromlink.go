package endpoint

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/fifo"
	"github.com/ethlink/ethlink/internal/frameio"
	"github.com/ethlink/ethlink/internal/linkstate"
)

// A LinkDevice is a link endpoint of netstack as an [ethstack.Device]. It has
// one queue.
type LinkDevice struct {
	child stack.LinkEndpoint
	name  string // the child's type
	// bare: the child knows nothing of Ethernet, its packets are whole frames.
	bare     bool
	headers  int // bytes to reserve before the payload of a packet
	offloads ethstack.Offloads
	gsoMax   uint32
	// vouches is what is said of each received frame's checksum.
	vouches ethstack.OffloadFlags

	received *fifo.Queue[*stack.PacketBuffer]
	batches  sync.Pool // *linkBatch
	notifier linkstate.Notifier
	over     atomic.Bool // closed, or the child was
	dropped  struct{ queueFull, tooLong, closed atomic.Uint64 }

	// writing is held by each Write, and by Close until none is under way.
	writing sync.RWMutex
	closed  bool // guarded by writing
}

var _ ethstack.Device = (*LinkDevice)(nil)

// receivedLen is how many frames wait to be read.
const receivedLen = 1024

// FromLink makes a device of a link endpoint that carries Ethernet frames, so
// that New gives it the demux and the ARP of this package. The child belongs to
// the device from here on; with an error it stays the caller's.
//
// The child must be attached to nothing. There are two kinds:
//
//   - One that knows Ethernet (ARPHardwareType is Ethernet: link/sharedmem,
//     link/fdbased, link/xdp, link/ethernet around anything). Its MTU is that of
//     the packets inside frames.
//   - One that carries whatever it is given (ARPHardwareNone: link/channel,
//     link/veth, link/pipe). What is injected into it must be whole frames. Its
//     MTU counts the Ethernet header, as link/ethernet has it: a veth pair of
//     1500 leaves 1486 for packets, one of 1514 leaves 1500.
//
// Any other child, such as link/loopback, is an error. Whether the packets of
// the second kind are frames cannot be known; if they are IP packets, they are
// dropped and counted as what their first bytes look like.
//
// Host GSO of the child is used. What it says of received checksums is believed,
// as netstack would (CapabilityRXChecksumOffload): a netstack at the other end
// of a veth pair computes none. Metadata of received super-frames that the
// child does not pass on, as link/fdbased does not, is lost: for file descriptors
// use adapters/fdbased.
func FromLink(child stack.LinkEndpoint) (*LinkDevice, error) {
	if child == nil {
		return nil, errors.New("endpoint: FromLink needs a link endpoint, not nil")
	}
	d := &LinkDevice{child: child, name: fmt.Sprintf("%T", child), headers: int(child.MaxHeaderLength())}
	if err := d.checkChild(); err != nil {
		return nil, err
	}
	if g, ok := child.(stack.GSOEndpoint); ok && g.SupportedGSO() == stack.HostGSOSupported {
		d.offloads = ethstack.OffloadChecksum | ethstack.OffloadTCPv4 | ethstack.OffloadTCPv6
		d.gsoMax = g.GSOMaxSize()
	}
	if child.Capabilities()&stack.CapabilityRXChecksumOffload != 0 {
		d.vouches = ethstack.DataValid
	}
	d.received = fifo.New[*stack.PacketBuffer](receivedLen)
	d.batches.New = func() any { return new(linkBatch) }
	child.SetOnCloseAction(d.gone)
	child.Attach(linkDispatcher{d})
	return d, nil
}

// checkChild finds out what kind of child there is, and whether it can be used.
func (d *LinkDevice) checkChild() error {
	switch kind := d.child.ARPHardwareType(); {
	case kind == header.ARPHardwareNone:
		d.bare = true
		d.headers += ethstack.HeaderLen
	case kind != header.ARPHardwareEther:
		return fmt.Errorf("endpoint: %s has the ARP hardware type %d: FromLink needs one that carries Ethernet frames (type %d, or %d for whatever it is given)",
			d.name, kind, header.ARPHardwareEther, header.ARPHardwareNone)
	case d.headers < ethstack.HeaderLen:
		return fmt.Errorf("endpoint: %s has headers of %d bytes: FromLink needs one whose packets are whole Ethernet frames", d.name, d.headers)
	}
	if d.child.IsAttached() {
		return fmt.Errorf("endpoint: %s is attached already: take it off its NIC first", d.name)
	}
	return nil
}

// Info describes the device, with the child's present MTU and link address.
func (d *LinkDevice) Info() ethstack.DeviceInfo {
	mtu := d.mtu()
	info := ethstack.DeviceInfo{
		Name: d.name, MTU: mtu, MaxFrame: d.maxFrame(mtu), Offloads: d.offloads,
	}
	if a := d.child.LinkAddress(); len(a) == len(info.HardwareAddr) {
		copy(info.HardwareAddr[:], a)
	}
	return info
}

func (d *LinkDevice) mtu() int {
	mtu := int(d.child.MTU())
	if d.bare {
		mtu -= ethstack.HeaderLen
	}
	return min(mtu, 65535)
}

func (d *LinkDevice) maxFrame(mtu int) int {
	super := min(int(d.gsoMax)+ethstack.HeaderLen, ethstack.MaxSuperFrame)
	return max(super, frameio.MaxPlain(mtu))
}

// Queues returns 1.
func (*LinkDevice) Queues() int { return 1 }

func (d *LinkDevice) checkQueue(queue int) error {
	if queue != 0 {
		return fmt.Errorf("endpoint: %s has no queue %d: it has one, 0", d.name, queue)
	}
	return nil
}

// Notify sets the function that is told of the link's state, as
// [ethstack.Device] says. A child knows two states: the link is up until
// somebody closes it.
func (d *LinkDevice) Notify(f func(ethstack.LinkState)) { d.notifier.Notify(f) }

// gone is called when somebody else has closed the child. What was received
// can still be read.
func (d *LinkDevice) gone() {
	d.over.Store(true)
	d.notifier.Set(ethstack.LinkGone)
	d.received.Close()
}

// Close closes the child and waits for it, as netstack would: one that watches
// its peer (link/sharedmem with a PeerFD) ends only with that.
func (d *LinkDevice) Close() error {
	d.writing.Lock()
	closed := d.closed
	d.closed = true
	d.writing.Unlock()
	if closed {
		return nil
	}
	d.over.Store(true)
	d.notifier.Close()
	d.received.Close()
	d.discard()
	d.child.SetOnCloseAction(nil)
	d.child.Attach(nil)
	d.child.Close()
	d.child.Wait()
	return nil
}

// LinkDeviceStats counts the frames that a [LinkDevice] dropped by itself.
// Those that Write did not take are counted above it.
type LinkDeviceStats struct {
	// QueueFull came while the frames before were not read yet.
	QueueFull uint64
	// TooLong did not fit the memory given to Read.
	TooLong uint64
	// Closed came, or waited to be read, when the device was closed.
	Closed uint64
}

// Stats returns what was counted so far.
func (d *LinkDevice) Stats() LinkDeviceStats {
	c := &d.dropped
	return LinkDeviceStats{QueueFull: c.queueFull.Load(), TooLong: c.tooLong.Load(), Closed: c.closed.Load()}
}
