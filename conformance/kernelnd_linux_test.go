package conformance

import (
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/ethlink/ethlink/internal/lab"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/netns/nstest"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// discoveries is told what netstack's neighbor discovery finds.
type discoveries struct {
	mu         sync.Mutex
	duplicates map[tcpip.Address]bool // for each address that was checked
	made       []tcpip.AddressWithPrefix
	routers    []tcpip.Address
}

func (d *discoveries) OnDuplicateAddressDetectionResult(_ tcpip.NICID, a tcpip.Address, r stack.DADResult) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.duplicates == nil {
		d.duplicates = make(map[tcpip.Address]bool)
	}
	_, d.duplicates[a] = r.(*stack.DADDupAddrDetected)
}

func (d *discoveries) OnAutoGenAddress(_ tcpip.NICID, a tcpip.AddressWithPrefix) stack.AddressDispatcher {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.made = append(d.made, a)
	return nil
}

func (d *discoveries) OnOffLinkRouteUpdated(_ tcpip.NICID, _ tcpip.Subnet, router tcpip.Address, _ header.NDPRoutePreference) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.routers = append(d.routers, router)
}

func (*discoveries) OnOffLinkRouteInvalidated(tcpip.NICID, tcpip.Subnet, tcpip.Address)     {}
func (*discoveries) OnOnLinkPrefixDiscovered(tcpip.NICID, tcpip.Subnet)                     {}
func (*discoveries) OnOnLinkPrefixInvalidated(tcpip.NICID, tcpip.Subnet)                    {}
func (*discoveries) OnAutoGenAddressDeprecated(tcpip.NICID, tcpip.AddressWithPrefix)        {}
func (*discoveries) OnAutoGenAddressInvalidated(tcpip.NICID, tcpip.AddressWithPrefix)       {}
func (*discoveries) OnRecursiveDNSServerOption(tcpip.NICID, []tcpip.Address, time.Duration) {}
func (*discoveries) OnDNSSearchListOption(tcpip.NICID, []string, time.Duration)             {}
func (*discoveries) OnDHCPv6Configuration(tcpip.NICID, ipv6.DHCPv6ConfigurationFromNDPRA)   {}

// checked returns what came of the check of an address.
func (d *discoveries) checked(a netip.Addr) (duplicate, done bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	duplicate, done = d.duplicates[tcpip.AddrFromSlice(a.AsSlice())]
	return duplicate, done
}

// withNDP returns options of netstack that ask once, for 300 ms, before an address
// is used, and listen to routers.
func withNDP(d *discoveries) ipv6.Options {
	c := ipv6.DefaultNDPConfigurations()
	c.MaxRtrSolicitationDelay = 10 * time.Millisecond
	return ipv6.Options{
		NDPConfigs: c, AutoGenLinkLocal: true, NDPDisp: d,
		DADConfigs: stack.DADConfigurations{DupAddrDetectTransmits: 1, RetransmitTimer: 300 * time.Millisecond},
	}
}

// addIPv6 adds an address to a netstack, which checks it first.
func addIPv6(t *testing.T, n *lab.Netstack, a netip.Addr) {
	t.Helper()
	p := tcpip.ProtocolAddress{Protocol: ipv6.ProtocolNumber, AddressWithPrefix: tcpip.AddressWithPrefix{
		Address: tcpip.AddrFromSlice(a.AsSlice()), PrefixLen: subnet(a).Bits(),
	}}
	if err := n.Stack().AddProtocolAddress(1, p, stack.AddressProperties{}); err != nil {
		t.Fatal(err)
	}
}

// TestKernelDADOurs: RFC 4862 §5.4: an address that the kernel has is found to be
// a duplicate when netstack is given it, and one that nobody has is used.
func TestKernelDADOurs(t *testing.T) {
	lasting(t, time.Minute)
	d := new(discoveries)
	w := newWire(t, wireOptions{ipv6: withNDP(d)})
	free := netip.MustParseAddr("fd00:1::77")
	addIPv6(t, w.ours, kernelIPv6)
	addIPv6(t, w.ours, free)
	for a, want := range map[netip.Addr]bool{oursIPv6: false, kernelIPv6: true, free: false} {
		wiretest.WaitFor(t, a.String()+" is checked", func() bool { _, done := d.checked(a); return done })
		if got, _ := d.checked(a); got != want {
			t.Errorf("%v is a duplicate: %v, want %v", a, got, want)
		}
	}
	if _, err := lab.Ping(t.Context(), w.kernel, free, lab.PingSize); err != nil {
		t.Errorf("ping of the new address: %v", err)
	}
	// It is the kernel's still.
	if _, err := lab.Ping(t.Context(), w.ours, kernelIPv6, lab.PingSize); err != nil {
		t.Errorf("ping of the address that is not ours: %v", err)
	}
}

// TestKernelDADTheirs: an address of ours is found to be a duplicate when the
// kernel is given it, and one that nobody has is used.
func TestKernelDADTheirs(t *testing.T) {
	lasting(t, time.Minute)
	w := newWire(t, wireOptions{})
	wiretest.Check(t, netns.SetSysctl("ipv6/conf/"+w.iface+"/accept_dad", "1"))
	free := netip.MustParseAddr("fd00:1::77")
	wiretest.Check(t,
		netns.SetNeighborTimes(w.iface, netns.NeighborTimes{Reachable: time.Second, Delay: time.Second, Retransmit: 300 * time.Millisecond}),
		netns.AddAddrChecked(w.iface, subnet(oursIPv6)), netns.AddAddrChecked(w.iface, subnet(free)))
	flags := func(a netip.Addr) uint32 {
		f, err := netns.AddrFlags(w.iface, a)
		wiretest.Check(t, err)
		return f
	}
	wiretest.WaitFor(t, "the kernel finds that the address is ours", func() bool { return flags(oursIPv6)&unix.IFA_F_DADFAILED != 0 })
	wiretest.WaitFor(t, "the kernel uses the one that is free", func() bool { return flags(free)&unix.IFA_F_TENTATIVE == 0 })
	if _, err := lab.Ping(t.Context(), w.ours, free, lab.PingSize); err != nil {
		t.Errorf("ping of the kernel's new address: %v", err)
	}
	if _, err := lab.Ping(t.Context(), w.kernel, oursIPv6, lab.PingSize); err != nil {
		t.Errorf("ping of ours: %v", err)
	}
}

// TestKernelSLAAC: netstack makes itself an address from what radvd, on the
// kernel's side, advertises, takes it for its router, and can be reached there.
//
// RFC 4862 §5.5.3, RFC 4861 §6.3
func TestKernelSLAAC(t *testing.T) {
	radvd := nstest.NeedProgram(t, "radvd", "radvd")
	lasting(t, time.Minute)
	d := new(discoveries)
	w := newWire(t, wireOptions{companion: true, ipv6: withNDP(d)})
	dir := t.TempDir()
	config := filepath.Join(dir, "radvd.conf")
	wiretest.Check(t,
		netns.SetSysctl("ipv6/conf/all/forwarding", "1"),
		netns.AddAddr(w.iface, netip.MustParsePrefix("fd00:6::1/64")),
		os.WriteFile(config, []byte("interface "+w.iface+" {\n"+
			"AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; MinDelayBetweenRAs 3;\n"+
			"prefix fd00:6::/64 { AdvOnLink on; AdvAutonomous on; };\n};\n"), 0o600))
	t.Cleanup(func() { wiretest.Check(t, netns.SetSysctl("ipv6/conf/all/forwarding", "0")) })
	nstest.Start(t, nil, radvd, "-n", "-C", config, "-p", filepath.Join(dir, "pid"), "-m", "stderr")

	prefix := netip.MustParsePrefix("fd00:6::/64")
	var made netip.Addr
	wiretest.WaitFor(t, "an address is made", func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		for _, a := range d.made {
			if x := netip.AddrFrom16(a.Address.As16()); prefix.Contains(x) {
				made = x
			}
		}
		return made.IsValid()
	})
	wiretest.WaitFor(t, "it is checked", func() bool { _, done := d.checked(made); return done })
	hw := w.ours.HardwareAddr()
	// RFC 4291, appendix A: the hardware address, with a bit the other way.
	want := netip.AddrFrom16([16]byte{0xfd, 3: 6, 8: hw[0] ^ 2, 9: hw[1], 10: hw[2], 11: 0xff, 12: 0xfe, 13: hw[3], 14: hw[4], 15: hw[5]})
	if made != want {
		t.Errorf("the address is %v, want %v", made, want)
	}
	d.mu.Lock()
	routers := len(d.routers)
	d.mu.Unlock()
	if routers == 0 {
		t.Error("no router was found")
	}
	// Netstack leaves its routes to whoever is told of them.
	w.ours.Stack().AddRoute(tcpip.Route{NIC: 1, Destination: tcpip.AddressWithPrefix{
		Address: tcpip.AddrFromSlice(prefix.Addr().AsSlice()), PrefixLen: prefix.Bits(),
	}.Subnet()})
	wiretest.WaitFor(t, "a ping of that address is answered", func() bool {
		_, err := lab.Ping(t.Context(), w.kernel, made, lab.PingSize)
		return err == nil
	})
}
