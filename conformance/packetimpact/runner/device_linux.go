package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/ethlink/ethlink/conformance/packetimpact/dut"
	"github.com/ethlink/ethlink/internal/netns"
)

// startPatience is how long a device under test has until it serves.
const startPatience = 30 * time.Second

// A device is a device under test, with the test bench at its TAP.
type device struct {
	*process
	info info
}

// info is the suite's JSON object for a device under test.
type info struct {
	Uname dut.Uname
	Net   struct {
		dut.Net
		LocalMAC             net.HardwareAddr
		LocalIPv4, LocalIPv6 netip.Addr
		LocalDevID           uint32
		LocalDevName         string
	}
}

// startDevice starts a device under test for a test; n is different from that of
// all others.
func (r *run) startDevice(ctx context.Context, test string, n int) (*device, error) {
	name := fmt.Sprintf("%s%d", tapPrefix, n)
	args := []string{
		"--tap", name, "--ipv4", address4(n, 2).String(), "--ipv6", address6(n, 2).String(),
		"--link", r.o.Link, "--settle", r.o.Settle.String(),
	}
	if r.o.Trace {
		args = append(args, "--trace")
	}
	if r.o.Pcap != "" {
		args = append(args, "--pcap", filepath.Join(r.o.Pcap, fmt.Sprintf("%s_%s.pcap", test, name)))
	}
	report, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer report.Close()
	p, err := start(ctx, r.o.Device, args, w)
	w.Close()
	if err != nil {
		return nil, err
	}
	d := &device{process: p}
	err = d.readInfo(report)
	if err == nil {
		err = d.giveBench(name, n)
	}
	if err != nil {
		d.stop()
		return nil, fmt.Errorf("starting the device under test on %s: %w: it said: %s", name, err, lastLines(d.output(), 5))
	}
	return d, nil
}

// address4 returns what upstream's runner gives an end of the n-th wire.
func address4(n, end int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 0, byte(n), byte(end)}), 24)
}

// address6 returns the link-local address of an end of the n-th wire. It could
// be the same on all wires, but then a capture would not tell which one it is
// of, nor the kernel whether it is usable on this one yet.
func address6(n, end int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 13: byte(n), 15: byte(end)}), 64)
}

// readInfo takes what the device under test tells when it is ready.
func (d *device) readInfo(report *os.File) error {
	if err := report.SetReadDeadline(time.Now().Add(startPatience)); err != nil {
		return err
	}
	text, err := io.ReadAll(report)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("it tells nothing of itself within %v", startPatience)
	case err != nil:
		return err
	case len(text) == 0:
		d.stop()
		return fmt.Errorf("it told nothing of itself (%v)", d.err)
	}
	if err := json.Unmarshal(text, &d.info); err != nil {
		return fmt.Errorf("what it tells of itself, %q: %w", text, err)
	}
	return nil
}

// giveBench gives the kernel's end of the TAP its addresses. The device under
// test has opened it: before, the kernel would not use one of IPv6.
func (d *device) giveBench(name string, n int) error {
	four, six := address4(n, 1), address6(n, 1)
	if err := errors.Join(netns.AddAddr(name, four), netns.AddAddr(name, six)); err != nil {
		return err
	}
	link, err := netns.Link(name)
	if err != nil {
		return err
	}
	b := &d.info.Net
	b.LocalMAC = link.HardwareAddr[:]
	b.LocalIPv4, b.LocalIPv6 = four.Addr(), six.Addr()
	b.LocalDevID, b.LocalDevName = uint32(link.Index), name
	return nil
}
