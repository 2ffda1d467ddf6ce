package endpoint_test

import (
	"errors"
	"log"
	"os"
	"strings"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"

	"github.com/ethlink/ethlink/adapters/tap"
	"github.com/ethlink/ethlink/endpoint"
)

// A netstack on a TAP, as the README has it. It is not run, for it needs the
// right to open one.
func ExampleNew() {
	connect := func() error {
		s := stack.New(stack.Options{
			NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol, endpoint.NewProtocol},
			TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol, icmp.NewProtocol4, icmp.NewProtocol6},
		})
		dev, err := tap.Open(tap.Options{Name: "tap0", Up: true})
		if err != nil {
			return err
		}
		ep, err := endpoint.New(dev, endpoint.Options{})
		if err != nil {
			return err
		}
		if err := s.CreateNIC(1, ep); err != nil {
			return errors.New(err.String())
		}
		s.AddProtocolAddress(1, tcpip.ProtocolAddress{
			Protocol:          ipv4.ProtocolNumber,
			AddressWithPrefix: tcpip.AddressWithPrefix{Address: tcpip.AddrFrom4([4]byte{192, 168, 7, 2}), PrefixLen: 24},
		}, stack.AddressProperties{})
		return nil
	}
	if err := connect(); err != nil {
		log.Fatal(err)
	}
}

// TestREADME: the README shows the code of ExampleNew, which is compiled.
func TestREADME(t *testing.T) {
	source, err := os.ReadFile("readme_test.go")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(source), "connect := func() error {\n")
	code, _, _ = strings.Cut(code, "\t\treturn nil\n\t}\n")
	code = strings.ReplaceAll(code, "\n\t\t", "\n")
	code = strings.TrimPrefix(code, "\t\t")
	if len(code) < 500 || !strings.Contains(string(readme), code) {
		t.Errorf("README.md does not have this code:\n%s", code)
	}
}
