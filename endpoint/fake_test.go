package endpoint

import (
	"sync"
	"testing"

	"gvisor.dev/gvisor/pkg/refs"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/ethstack"
)

// A tape is a device that keeps what is written, and has nothing to read.
type tape struct {
	info   ethstack.DeviceInfo
	queues int
	fail   error // of all that is written
	forget bool  // keep nothing

	mu     sync.Mutex
	writes []written
	closed chan struct{}
	once   sync.Once
}

// written is one call of Write.
type written struct {
	queue    int
	frames   [][]byte
	offloads []ethstack.Offload
}

func newTape(offloads ethstack.Offloads) *tape {
	return &tape{
		info: ethstack.DeviceInfo{
			Name: "tape", MTU: 1500, MaxFrame: ethstack.MaxSuperFrame, Offloads: offloads,
			HardwareAddr: ethstack.HardwareAddr{2, 0, 0, 0, 0, 1},
		},
		queues: 1,
		closed: make(chan struct{}),
	}
}

func (d *tape) Info() ethstack.DeviceInfo { return d.info }
func (d *tape) Queues() int               { return d.queues }
func (d *tape) Notify(f func(ethstack.LinkState)) {
	if f != nil {
		f(ethstack.LinkUp)
	}
}

func (d *tape) Read(int, []ethstack.Frame) (int, error) {
	<-d.closed
	return 0, ethstack.ErrDisconnected
}

func (d *tape) Close() error {
	d.once.Do(func() { close(d.closed) })
	return nil
}

func (d *tape) Write(queue int, frames []ethstack.Frame) (int, error) {
	for k := range frames {
		frames[k].Err = d.fail
	}
	if d.fail != nil {
		return 0, d.fail
	}
	if d.forget {
		return len(frames), nil
	}
	w := written{queue: queue}
	for _, f := range frames {
		var b []byte
		for _, x := range f.Bufs {
			b = append(b, x...)
		}
		w.frames = append(w.frames, b)
		w.offloads = append(w.offloads, f.Offload)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.writes = append(d.writes, w)
	return len(frames), nil
}

// take returns the calls of Write since the last take, without those that
// carry ARP.
func (d *tape) take() (list []written) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, w := range d.writes {
		if h, _ := ethstack.ParseHeader(w.frames[0], len(w.frames[0])); h.EtherType != ethstack.EtherTypeARP {
			list = append(list, w)
		}
	}
	d.writes = nil
	return list
}

func newTest(t testing.TB, d *tape) *Endpoint {
	t.Helper()
	e, err := New(d, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// A dispatcher is what netstack is to the endpoint, without a stack. It asks
// for the capabilities as a NIC does.
type dispatcher struct {
	e         *Endpoint
	deliver   func(pkt *stack.PacketBuffer, verified bool)
	delivered int
	link      int // packets for packet sockets only
}

func (d *dispatcher) DeliverNetworkPacket(_ tcpip.NetworkProtocolNumber, pkt *stack.PacketBuffer) {
	d.delivered++
	verified := d.e.Capabilities()&stack.CapabilityRXChecksumOffload != 0
	if d.deliver != nil {
		d.deliver(pkt, verified)
	}
}

func (d *dispatcher) DeliverLinkPacket(tcpip.NetworkProtocolNumber, *stack.PacketBuffer) { d.link++ }

// A nic is a dispatcher that knows addresses. What netstack's NIC has besides
// is not called.
type nic struct {
	stack.NetworkInterface
	*dispatcher
	local tcpip.Address
	asked int
}

func (n *nic) DeliverNetworkPacket(p tcpip.NetworkProtocolNumber, pkt *stack.PacketBuffer) {
	n.dispatcher.DeliverNetworkPacket(p, pkt)
}
func (n *nic) DeliverLinkPacket(p tcpip.NetworkProtocolNumber, pkt *stack.PacketBuffer) {
	n.dispatcher.DeliverLinkPacket(p, pkt)
}
func (n *nic) Enabled() bool     { return true }
func (n *nic) Promiscuous() bool { return false }
func (n *nic) Spoofing() bool    { return false }
func (n *nic) PrimaryAddress(tcpip.NetworkProtocolNumber) (tcpip.AddressWithPrefix, tcpip.Error) {
	return n.local.WithPrefix(), nil
}
func (n *nic) CheckLocalAddress(_ tcpip.NetworkProtocolNumber, a tcpip.Address) bool {
	n.asked++
	return a == n.local
}
func (n *nic) HandleNeighborConfirmation(tcpip.NetworkProtocolNumber, tcpip.Address, tcpip.LinkAddress, stack.ReachabilityConfirmationFlags) tcpip.Error {
	return &tcpip.ErrNotSupported{}
}

// withoutLeakCheck runs a test, which must give back every reference that it
// takes, without the check, which allocates for each of them.
func withoutLeakCheck(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	if RaceEnabled {
		t.Skip("the race detector makes sync.Pool drop things, which then are allocated anew")
	}
	if !referencesReturned() {
		t.Fatal("an earlier test has not given back all references")
	}
	mode := refs.GetLeakMode()
	refs.SetLeakMode(refs.NoLeakChecking)
	defer refs.SetLeakMode(mode)
	t.Run("allocations", test)
}
