package conformance

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/wiretest"
)

// A capture reads all that passes an interface, both ways, and inspects it.
type capture struct {
	p    *packetSocket
	mtu  int
	over chan struct{}
	done chan struct{}
	// What was found: for the goroutine that reads until done is closed.
	kinds map[string]int
	bad   []string
	err   error
}

// startCapture begins to read at an interface of a namespace. Frames there must
// be as on a cable.
func startCapture(t testing.TB, ns *netns.Namespace, iface string) *capture {
	t.Helper()
	c := &capture{over: make(chan struct{}), done: make(chan struct{}), kinds: map[string]int{}}
	wiretest.Check(t, ns.Do(func() error {
		link, err := netns.Link(iface)
		c.p, c.mtu = listenOn(t, iface), link.MTU
		return err
	}))
	// Within that time whatever was sent has arrived.
	const lull = 100e6
	timeout := unix.NsecToTimeval(lull)
	wiretest.Check(t,
		unix.SetsockoptInt(c.p.fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 0),
		unix.SetsockoptInt(c.p.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 256<<20),
		unix.SetsockoptTimeval(c.p.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout),
	)
	go c.run()
	t.Cleanup(c.stop) // before the socket is closed
	return c
}

func (c *capture) run() {
	defer close(c.done)
	for {
		s, err := c.p.read()
		switch {
		case err == nil:
			c.add(s.frame)
			continue
		case !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR):
			c.err = err
			return
		}
		select {
		case <-c.over:
			return
		default:
		}
	}
}

func (c *capture) add(f frame) {
	kind, err := inspect(f, c.mtu)
	c.kinds[kind]++
	if err != nil {
		c.bad = append(c.bad, fmt.Sprintf("%s: %v: %v", kind, err, f))
	}
}

// stop ends the capture when nothing more comes.
func (c *capture) stop() {
	select {
	case <-c.over:
	default:
		close(c.over)
	}
	<-c.done
}

// verify fails the test unless each frame that has passed was read and was
// right, and there were some of each of the kinds. It ends the capture.
func (c *capture) verify(t testing.TB, kinds ...string) {
	t.Helper()
	c.stop()
	st, err := unix.GetsockoptTpacketStats(c.p.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	wiretest.Check(t, c.err, err)
	if st.Drops != 0 {
		t.Errorf("%d frames passed the reader by", st.Drops)
	}
	var seen []string
	for _, k := range slices.Sorted(maps.Keys(c.kinds)) {
		seen = append(seen, fmt.Sprintf("%d %q", c.kinds[k], k))
	}
	t.Logf("on the wire were %s", strings.Join(seen, ", "))
	if n := len(c.bad); n > 0 {
		t.Errorf("%d frames on the wire are wrong, the first: %s", n, c.bad[0])
	}
	for _, k := range kinds {
		if c.kinds[k] == 0 {
			t.Errorf("no %s was on the wire", k)
		}
	}
}
