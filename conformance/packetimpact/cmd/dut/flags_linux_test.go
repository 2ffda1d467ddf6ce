package main

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestFlags(t *testing.T) {
	for _, tt := range []struct {
		args string
		want options
	}{
		{"--ctrl_iface dut-0-ctrl --test_iface dut-0-test", options{
			ctrl: "dut-0-ctrl", test: "dut-0-test", infoFD: 3, link: linkEthlink, listen: netip.MustParseAddrPort("127.0.0.1:0"),
		}},
		{"--tap t --ipv4 172.0.0.2/24 --ipv6 fe80::2 --listen 127.0.0.1:7 --info-fd 4 --link fdbased --settle 3ms --trace --pcap f", options{
			tap: "t", ipv4: netip.MustParsePrefix("172.0.0.2/24"), ipv6: netip.MustParsePrefix("fe80::2/64"), infoFD: 4,
			listen: netip.MustParseAddrPort("127.0.0.1:7"), link: linkFdbased, settle: 3 * time.Millisecond, trace: true, pcap: "f",
		}},
		{"--tap t --ipv4 172.0.0.2/24 --ipv6 2001:db8::2/48", options{
			tap: "t", ipv4: netip.MustParsePrefix("172.0.0.2/24"), ipv6: netip.MustParsePrefix("2001:db8::2/48"), infoFD: 3,
			listen: netip.MustParseAddrPort("127.0.0.1:0"), link: linkEthlink,
		}},
	} {
		got, err := parse(strings.Fields(tt.args), nil)
		if err != nil {
			t.Errorf("%q: %v", tt.args, err)
		}
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(options{}), cmpopts.EquateComparable(netip.Prefix{}, netip.AddrPort{})); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tt.args, diff)
		}
	}
}

// TestWrongFlags: the message says what was wrong and what is wanted.
func TestWrongFlags(t *testing.T) {
	const tap = "--tap t --ipv4 172.0.0.2/24 --ipv6 fe80::2 "
	for _, tt := range []struct {
		args string
		want []string
	}{
		{"", []string{"nothing to be on", "--tap"}},
		{"--ctrl_iface c", []string{"both", "--test_iface"}},
		{"--tap t --test_iface i", []string{"--tap", "one of them"}},
		{"--tap t", []string{"--ipv4", "172.0.0.2/24"}},
		{"--tap t --ipv4 172.0.0.2/24", []string{"--ipv6"}},
		{"--tap t --ipv4 172.0.0.2", []string{`"172.0.0.2"`, "-ipv4"}},
		{"--tap t --ipv4 fe80::1/64", []string{`"fe80::1/64"`, "other version"}},
		{"--tap t --ipv6 172.0.0.2/24", []string{`"172.0.0.2/24"`, "other version"}},
		{"--ctrl_iface c --test_iface i --ipv6 fe80::2", []string{"--ipv6", "for --tap"}},
		{tap + "--listen nowhere", []string{`"nowhere"`, "-listen"}},
		{tap + "--link veth", []string{"veth", "ethlink or fdbased"}},
		{tap + "--settle -1s", []string{"-1s", "0 or more"}},
		{tap + "--nonsense", []string{"-nonsense"}},
		{tap + "more", []string{`"more"`, "no flag"}},
	} {
		var stderr bytes.Buffer
		if got := status(strings.Fields(tt.args), &stderr); got != statusUsage {
			t.Errorf("%q: status %d, want %d", tt.args, got, statusUsage)
		}
		for _, part := range append(tt.want, "dut: ", "--help") {
			if !strings.Contains(stderr.String(), part) {
				t.Errorf("%q: error %q does not say %q", tt.args, stderr.String(), part)
			}
		}
	}
}

func TestHelp(t *testing.T) {
	var stderr bytes.Buffer
	if got := status([]string{"--help"}, &stderr); got != statusOK {
		t.Errorf("status %d, want %d", got, statusOK)
	}
	for _, name := range []string{"ctrl_iface", "test_iface", "tap", "ipv4", "ipv6", "listen", "info-fd", "link", "settle", "trace", "pcap"} {
		if !strings.Contains(stderr.String(), "-"+name) {
			t.Errorf("flag %s is not explained", name)
		}
	}
}

// TestNoFileForTheReport: the error says how to have another.
func TestNoFileForTheReport(t *testing.T) {
	var stderr bytes.Buffer
	args := "--tap t --ipv4 172.0.0.2/24 --ipv6 fe80::2 --info-fd 1000"
	if got := status(strings.Fields(args), &stderr); got != statusFailed {
		t.Errorf("status %d, want %d", got, statusFailed)
	}
	for _, part := range []string{"file descriptor 1000", "not open", "--info-fd"} {
		if !strings.Contains(stderr.String(), part) {
			t.Errorf("error %q does not say %q", stderr.String(), part)
		}
	}
}
