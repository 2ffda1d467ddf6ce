package fdbased_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethlink/ethlink/adapters/fdbased"
	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/netns/nstest"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// station makes a namespace with an interface that has addresses, and returns a
// device on the interface's other end.
func station(t *testing.T, name string, o fdbased.Options, addrs ...string) (*netns.Namespace, *fdbased.Device) {
	t.Helper()
	ns, err := netns.New()
	wiretest.Check(t, err)
	t.Cleanup(func() { ns.Close() })
	wiretest.Check(t, netns.SetIPv6("default", false), netns.AddVeth(name, "eth0"))
	t.Cleanup(func() { wiretest.Check(t, netns.DelLink(name)) })
	wiretest.Check(t, netns.MoveLink("eth0", ns), netns.SetUp(name))
	wiretest.Check(t, ns.Do(func() error {
		err := netns.SetUp("eth0")
		for _, a := range addrs {
			err = errors.Join(err, netns.AddAddr("eth0", netip.MustParsePrefix(a)))
		}
		return err
	}))
	d := openPacket(t, name, o)
	wiretest.WaitFor(t, "the link to be up", func() bool {
		return <-wiretest.States(d) == ethstack.LinkUp
	})
	return ns, d
}

// passed counts what a wire has passed on.
type passed struct{ frames, partial, super, wrong, refused atomic.Uint64 }

// wire passes on, with their metadata, the frames that are read from one device
// to another.
func wire(from, to *fdbased.Device, c *passed) {
	memory := wiretest.Memory(from, 8)
	out := make([]ethstack.Frame, len(memory))
	for {
		n, err := from.Read(0, memory)
		if err != nil {
			return
		}
		for i, f := range memory[:n] {
			c.frames.Add(1)
			if f.Offload.Flags&ethstack.NeedsChecksum != 0 {
				c.partial.Add(1)
			}
			if f.Offload.Segment != ethstack.SegmentNone {
				c.super.Add(1)
				if !plausible(f) {
					c.wrong.Add(1)
				}
			}
			first := f.Bufs[0][:min(f.Len, len(f.Bufs[0]))]
			out[i] = ethstack.Frame{Bufs: [][]byte{first, f.Bufs[1][:f.Len-len(first)]}, Offload: f.Offload}
		}
		if _, err := to.Write(0, out[:n]); err != nil && !errors.Is(err, ethstack.ErrNoBufferSpace) {
			c.refused.Add(1)
		}
	}
}

// plausible reports whether the metadata of a super-frame is what a TCP segment
// of the kernel's has.
func plausible(f ethstack.Frame) bool {
	ip := 20
	if f.Offload.Segment == ethstack.SegmentTCPv6 {
		ip = 40
	}
	o := f.Offload
	return f.Len > 1514 && o.Flags&ethstack.NeedsChecksum != 0 && o.ChecksumStart == uint16(14+ip) && o.ChecksumOffset == 16 &&
		o.SegmentSize > 1000 && int(o.SegmentSize) <= 1500-ip-20 && (o.Segment == ethstack.SegmentTCPv4) == (f.Bufs[0][12] == 8)
}

// TestKernelsTCP: two kernels' TCP through two devices, with super-frames and
// checksums that are not complete.
func TestKernelsTCP(t *testing.T) {
	nstest.Need(t)
	for name, addr := range map[string][2]string{"IPv4": {"10.9.0.1", "10.9.0.2"}, "IPv6": {"fd00:9::1", "fd00:9::2"}} {
		t.Run(name, func(t *testing.T) {
			bits := map[string]string{"IPv4": "/24", "IPv6": "/64"}[name]
			na, a := station(t, "wa", fdbased.Options{}, addr[0]+bits)
			nb, b := station(t, "wb", fdbased.Options{}, addr[1]+bits)
			var toB, toA passed
			go wire(a, b, &toB)
			go wire(b, a, &toA)
			transfer(t, na, nb, addr[1])
			transfer(t, nb, na, addr[0])
			for direction, c := range map[string]*passed{"to b": &toB, "to a": &toA} {
				frames, partial, super := c.frames.Load(), c.partial.Load(), c.super.Load()
				t.Logf("%s: %d frames, %d of them super-frames, %d with a partial checksum", direction, frames, super, partial)
				if super == 0 || partial <= super || c.wrong.Load() != 0 || c.refused.Load() != 0 {
					t.Errorf("%s: %d super-frames, %d of them with wrong metadata, %d partial checksums, %d batches refused; want some, 0, more, 0",
						direction, super, c.wrong.Load(), partial, c.refused.Load())
				}
			}
		})
	}
}

// transfer sends data from a client to a server in another namespace, which
// must receive the same.
func transfer(t *testing.T, from, to *netns.Namespace, server string) {
	t.Helper()
	data := make([]byte, 8<<20)
	rand.NewChaCha8([32]byte{1}).Read(data)
	var l net.Listener
	wiretest.Check(t, to.Do(func() (err error) {
		l, err = net.Listen("tcp", net.JoinHostPort(server, "0"))
		return err
	}))
	defer l.Close()
	received := make(chan []byte, 1)
	go func() {
		defer close(received)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(wiretest.Patience))
		b, _ := io.ReadAll(c)
		received <- b
	}()
	var c net.Conn
	wiretest.Check(t, from.Do(func() (err error) {
		c, err = net.DialTimeout("tcp", l.Addr().String(), wiretest.Patience)
		return err
	}))
	c.SetDeadline(time.Now().Add(wiretest.Patience))
	_, err := c.Write(data)
	wiretest.Check(t, err, c.Close())
	if got := <-received; !bytes.Equal(got, data) {
		t.Errorf("received %d bytes, want %d, the same", len(got), len(data))
	}
}
