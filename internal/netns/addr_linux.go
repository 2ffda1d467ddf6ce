package netns

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// AddAddr gives an interface an address, and with its prefix a route to the
// neighbors. If the interface can carry frames the address is usable when
// AddAddr returns; of IPv6, duplicate address detection, which takes a second
// or more, is left out.
func AddAddr(name string, p netip.Prefix) error {
	i, err := index(name)
	if err != nil {
		return err
	}
	if !p.IsValid() {
		return fmt.Errorf("netns: adding to interface %q: %v is no address with prefix length", name, p)
	}
	// struct ifaddrmsg: family, prefix length, flags, scope, index.
	r := newRequest(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	r.bytes(family(p.Addr()), byte(p.Bits()), unix.IFA_F_NODAD, unix.RT_SCOPE_UNIVERSE).u32(uint32(i))
	r.attr(unix.IFA_LOCAL, p.Addr().AsSlice()).attr(unix.IFA_ADDRESS, p.Addr().AsSlice())
	err = r.do()
	if err == nil && p.Addr().Is6() {
		err = waitUsable(name, p.Addr())
	}
	return failed(fmt.Sprintf("adding address %v to", p), name, err)
}

// usablePatience is how long the kernel has; it takes milliseconds if the
// machine is busy.
const usablePatience = 10 * time.Second

// waitUsable waits until the kernel takes in what is for an IPv6 address. A
// worker of the kernel adds the route that does it, a little later; until then
// the kernel sends from the address, and drops the answers.
func waitUsable(name string, a netip.Addr) error {
	for deadline := time.Now().Add(usablePatience); ; time.Sleep(time.Millisecond) {
		info, err := Link(name)
		if err != nil || !info.Running || isLocal(a) {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("it is not usable after %v", usablePatience)
		}
	}
}

// isLocal reports whether packets to an IPv6 address are for this host.
func isLocal(a netip.Addr) bool {
	// struct rtmsg: family, length of the destination, eight more bytes; in the
	// answer, the type is at 7.
	r := newRequest(unix.RTM_GETROUTE, 0).bytes(unix.AF_INET6, 128, 0, 0, 0, 0, 0, 0).u32(0)
	answers, err := r.attr(unix.RTA_DST, a.AsSlice()).ask(unix.NLM_F_ACK)
	return err == nil && len(answers) == 1 && len(answers[0]) >= unix.SizeofRtMsg && answers[0][7] == unix.RTN_LOCAL
}

// AddRoute adds a route to a prefix through an interface, to the gateway via if
// that is valid, else directly.
func AddRoute(name string, to netip.Prefix, via netip.Addr) error {
	i, err := index(name)
	if err != nil {
		return err
	}
	if !to.IsValid() || via.IsValid() && via.Is4() != to.Addr().Is4() {
		return fmt.Errorf("netns: route to %v via %v: want a prefix, and a gateway of its kind or none", to, via)
	}
	scope := byte(unix.RT_SCOPE_LINK)
	if via.IsValid() || to.Addr().Is6() {
		scope = unix.RT_SCOPE_UNIVERSE
	}
	// struct rtmsg: family, lengths of destination and source, TOS, table,
	// protocol, scope, type, flags.
	r := newRequest(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	r.bytes(family(to.Addr()), byte(to.Bits()), 0, 0, unix.RT_TABLE_MAIN, unix.RTPROT_STATIC, scope, unix.RTN_UNICAST).u32(0)
	r.attr(unix.RTA_DST, to.Masked().Addr().AsSlice()).attrU32(unix.RTA_OIF, uint32(i))
	if via.IsValid() {
		r.attr(unix.RTA_GATEWAY, via.AsSlice())
	}
	return failed(fmt.Sprintf("adding a route to %v via %v on", to, via), name, r.do())
}

func family(a netip.Addr) byte {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// SetIPv6 switches IPv6 of an interface on or off. Off, the kernel sends none
// of its own (router solicitations, multicast reports).
func SetIPv6(name string, on bool) error {
	value := "1"
	if on {
		value = "0"
	}
	return SetSysctl("ipv6/conf/"+name+"/disable_ipv6", value)
}

// SetSysctl writes a value to a file below /proc/sys/net, in the network
// namespace of the calling thread. The parts of path are separated by slashes,
// since interface names may hold dots.
func SetSysctl(path, value string) error {
	// /proc/sys/net shows the namespace of whoever opens it.
	file, err := sysctlFile(path)
	if err == nil {
		err = os.WriteFile(file, []byte(value), 0)
	}
	if err != nil {
		return fmt.Errorf("netns: setting sysctl net/%s to %q: %w", path, value, err)
	}
	return nil
}

// Sysctl reads a file below /proc/sys/net, see [SetSysctl].
func Sysctl(path string) (string, error) {
	file, err := sysctlFile(path)
	if err != nil {
		return "", fmt.Errorf("netns: %w", err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("netns: reading sysctl net/%s: %w", path, err)
	}
	return strings.TrimSpace(string(b)), nil
}

func sysctlFile(path string) (string, error) {
	if slices.Contains(strings.Split(path, "/"), "..") {
		return "", fmt.Errorf("%q is no path below /proc/sys/net", path)
	}
	return filepath.Join("/proc/sys/net", path), nil
}
