package fdbased_test

import (
	"bytes"
	"encoding/binary"
	"syscall"
	"testing"

	"github.com/ethlink/ethlink/adapters/fdbased"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// TestKernelDrops: each frame is either read or counted as dropped.
func TestKernelDrops(t *testing.T) {
	a, b := veth(t)
	d := openPacket(t, a, fdbased.Options{})
	kernel := wiretest.Listen(t, b, false)
	const rounds = 3
	sent, got := 0, uint64(0)
	for range rounds {
		before := d.Stats().ReadKernelDrops
		for d.Stats().ReadKernelDrops == before && sent < 1e6 {
			for range 500 {
				kernel.Send(t, nil, wiretest.Frame(1514, 1))
				sent++
			}
		}
		last := wiretest.Frame(60, 2)
		for frames := wiretest.Memory(d, 8); ; {
			n, err := d.Read(0, frames)
			wiretest.Check(t, err)
			got += uint64(n)
			if got+d.Stats().ReadKernelDrops == uint64(sent) {
				break
			}
		}
		kernel.Send(t, nil, last)
		if b, _ := wiretest.Read(t, d); !bytes.Equal(b, last) {
			t.Errorf("after the drops, read %d bytes %.20x..., want the frame of %d", len(b), b, len(last))
		}
	}
	drops := d.Stats().ReadKernelDrops
	wantStats(t, d, fdbased.Stats{ReadKernelDrops: drops})
	wiretest.Check(t, d.Close())
	if again := d.Stats().ReadKernelDrops; again != drops || drops < rounds {
		t.Errorf("%d drops, %d after Close; want the same, at least %d", drops, again, rounds)
	}
}

// TestInterfacesFilter: it is opened as far as the options need it, and no
// longer than the device lives.
func TestInterfacesFilter(t *testing.T) {
	const promiscuity, allmulti = 30, 61 // IFLA_PROMISCUITY, IFLA_ALLMULTI
	a, _ := veth(t)
	own, err := netns.Link(a)
	wiretest.Check(t, err)
	for _, tt := range []struct {
		name            string
		o               fdbased.Options
		promiscuous     uint32
		wantHardwareAdd ethstack.HardwareAddr
	}{
		{"usual", fdbased.Options{}, 0, own.HardwareAddr},
		{"the interface's address", fdbased.Options{HardwareAddr: own.HardwareAddr}, 0, own.HardwareAddr},
		// A veth has no filter for single addresses: it becomes promiscuous.
		{"own address", fdbased.Options{HardwareAddr: ethstack.HardwareAddr{2, 9}}, 1, ethstack.HardwareAddr{2, 9}},
		{"promiscuous", fdbased.Options{Promiscuous: true}, 1, own.HardwareAddr},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := openPacket(t, a, tt.o)
			if got := d.Info().HardwareAddr; got != tt.wantHardwareAdd {
				t.Errorf("hardware address %v, want %v", got, tt.wantHardwareAdd)
			}
			if p, m := attribute(t, a, promiscuity), attribute(t, a, allmulti); p != tt.promiscuous || m != 1 {
				t.Errorf("promiscuity %d, all multicast %d; want %d and 1", p, m, tt.promiscuous)
			}
			wiretest.Check(t, d.Close())
			if p, m := attribute(t, a, promiscuity), attribute(t, a, allmulti); p != 0 || m != 0 {
				t.Errorf("after Close promiscuity %d, all multicast %d; want 0", p, m)
			}
		})
	}
}

// attribute returns a number that rtnetlink has for an interface.
func attribute(t testing.TB, name string, typ uint16) uint32 {
	t.Helper()
	link, err := netns.Link(name)
	wiretest.Check(t, err)
	rib, err := syscall.NetlinkRIB(syscall.RTM_GETLINK, syscall.AF_UNSPEC)
	wiretest.Check(t, err)
	messages, err := syscall.ParseNetlinkMessage(rib)
	wiretest.Check(t, err)
	for _, m := range messages {
		if m.Header.Type != syscall.RTM_NEWLINK || int(binary.NativeEndian.Uint32(m.Data[4:])) != link.Index {
			continue
		}
		list, err := syscall.ParseNetlinkRouteAttr(&m)
		wiretest.Check(t, err)
		for _, a := range list {
			if a.Attr.Type == typ {
				return binary.NativeEndian.Uint32(a.Value)
			}
		}
	}
	t.Fatalf("no attribute %d of interface %s", typ, name)
	return 0
}
