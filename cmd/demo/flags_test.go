package main

import (
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ethlink/ethlink/ethstack"
)

func TestFlagsOfTheLab(t *testing.T) {
	defaults := labOptions{size: 256 << 20, mtu: 1500, timeout: 2 * time.Minute}
	with := func(f func(*labOptions)) labOptions {
		o := defaults
		f(&o)
		return o
	}
	for _, tt := range []struct {
		args string
		want labOptions
	}{
		{"", defaults},
		{"-via tap", with(func(o *labOptions) { o.via = viaTAP })},
		{"--via=veth", with(func(o *labOptions) { o.via = viaVeth })},
		{"-via memory -v", with(func(o *labOptions) { o.via, o.verbose = viaMemory, true })},
		{"-size 1", with(func(o *labOptions) { o.size = 1 << 20 })},
		{"-size 1048576", with(func(o *labOptions) { o.size = 1 << 40 })},
		{"-mtu 1280", with(func(o *labOptions) { o.mtu = 1280 })},
		{"-mtu 65521 -timeout 1.5s", with(func(o *labOptions) { o.mtu, o.timeout = 65521, 1500*time.Millisecond })},
	} {
		got, err := parseLab(strings.Fields(tt.args))
		if err != nil {
			t.Errorf("%q: %v", tt.args, err)
		}
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(labOptions{})); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tt.args, diff)
		}
	}
}

func TestFlagsOfAHost(t *testing.T) {
	got, err := parseHost(strings.Fields(
		"-tap tap0 -addr 192.0.2.2/24 -addr 2001:db8::2/64 -gw 192.0.2.1 -gw 2001:db8::1 -mac 02:00:5e:00:53:01 -mtu 9000 -vlan 5"))
	if err != nil {
		t.Fatal(err)
	}
	want := hostOptions{
		tap: "tap0", fd: noFD, mtu: 9000, vlan: ethstack.VLAN{{ID: 5}}, hardwareAddr: ethstack.HardwareAddr{2, 0, 0x5e, 0, 0x53, 1},
		addrs:    []netip.Prefix{netip.MustParsePrefix("192.0.2.2/24"), netip.MustParsePrefix("2001:db8::2/64")},
		gateways: []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")},
	}
	equal := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
	equalPrefix := cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(hostOptions{}), equal, equalPrefix); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestWrongFlags: the message says what was wrong and what is allowed.
func TestWrongFlags(t *testing.T) {
	const host = "host -tap t -addr 192.0.2.2/24 "
	for _, tt := range []struct {
		args string
		want []string
	}{
		{"-via wifi", []string{`"wifi"`, "-via", "tap, veth or memory"}},
		{"-size 0", []string{`"0"`, "-size", "1 to 1048576", "MiB"}},
		{"-size 2000000", []string{"1 to 1048576"}},
		{"-size 1.5", []string{`"1.5"`, "1 to 1048576"}},
		{"-mtu 1279", []string{`"1279"`, "-mtu", "1280 to 65521"}},
		{"-mtu 65522", []string{"1280 to 65521"}},
		{"-timeout 10", []string{`"10"`, "-timeout", "30s or 5m"}},
		{"-timeout -1s", []string{"30s or 5m"}},
		{"-nonsense", []string{"-nonsense"}},
		{"router", []string{`"router"`, "lab", "host"}},
		{"-v lab", []string{`"lab"`, "before all flags"}},
		{"host -addr 192.0.2.2/24", []string{"0 of -tap, -iface and -fd", "want one"}},
		{"host -tap t -fd 3 -addr 192.0.2.2/24", []string{"2 of -tap, -iface and -fd", "want one"}},
		{"host -tap t", []string{"no -addr", "192.0.2.2/24"}},
		{"host -tap t -addr 192.0.2.2", []string{`"192.0.2.2"`, "length of its prefix"}},
		{"host -tap t -addr 224.0.0.1/24", []string{"-addr", "a host's address"}},
		{"host -tap t -addr 0.0.0.0/0", []string{"a host's address"}},
		{host + "-addr 192.0.2.2/24", []string{"192.0.2.2/24", "twice"}},
		{host + "-gw 192.0.3.1", []string{"-gw 192.0.3.1", "no subnet"}},
		{host + "-gw 192.0.2.1 -gw 192.0.2.3", []string{"192.0.2.3", "at most one for IPv4"}},
		{host + "-gw router", []string{`"router"`, "192.0.2.1"}},
		{host + "-mac 02:00", []string{`"02:00"`, "six bytes"}},
		{host + "-mac 01:00:5e:00:00:01", []string{"one station"}},
		{host + "-mac 00:00:00:00:00:00", []string{"one station"}},
		{host + "-mtu 68", []string{`"68"`, "1280 to 65521"}},
		{"host -iface e -addr 192.0.2.2/24 -mtu 1500", []string{"-mtu is not for -iface", "ip link set dev e mtu 1500"}},
		{"host -vlan 4095 -tap t -addr 192.0.2.2/24", []string{"4095", "1 to 4094"}},
		{"host -fd 2 -addr 192.0.2.2/24", []string{`"2"`, "3 to"}},
	} {
		t.Run(tt.args, func(t *testing.T) {
			stdout, stderr, status := runDemo(t, strings.Fields(tt.args)...)
			if status != statusUsage || stdout != "" {
				t.Errorf("status %d, and printed %q; want %d and nothing", status, stdout, statusUsage)
			}
			for _, part := range append(tt.want, "demo: ", "`demo -h`") {
				if !strings.Contains(stderr, part) {
					t.Errorf("error %q does not say %q", stderr, part)
				}
			}
		})
	}
}

func TestUsage(t *testing.T) {
	for _, args := range []string{"-h", "--help", "lab -h", "host -h", "host -tap t -h"} {
		stdout, stderr, status := runDemo(t, strings.Fields(args)...)
		if status != statusOK || stdout != usage || stderr != "" {
			t.Errorf("%s: status %d, %d bytes of usage, errors %q; want 0, all %d, none", args, status, len(stdout), stderr, len(usage))
		}
	}
	for _, line := range strings.Split(usage, "\n") {
		if len(line) > width {
			t.Errorf("a line has %d columns, want at most %d: %s", len(line), width, line)
		}
	}
	// Each flag is known, and each that is known is explained.
	explained := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^  -(\w+)`).FindAllStringSubmatch(usage, -1) {
		explained[m[1]] = true
	}
	want := "addr fd gw iface mac mtu size tap timeout v via vlan"
	for _, name := range strings.Fields(want) {
		if !explained[name] {
			t.Errorf("flag -%s is not explained", name)
		}
	}
	for name := range explained {
		_, labErr := parseLab([]string{"-" + name})
		_, hostErr := parseHost([]string{"-" + name})
		if labErr != nil && strings.Contains(labErr.Error(), "not defined") && strings.Contains(hostErr.Error(), "not defined") {
			t.Errorf("flag -%s is explained but does not exist", name)
		}
	}
}
