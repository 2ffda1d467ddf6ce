package tap

import (
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/ethstack"
)

const (
	up   = ethstack.LinkUp
	down = ethstack.LinkDown
	gone = ethstack.LinkGone
)

// TestChangesDuringACall: they are told after it, one at a time and in order,
// and of many flaps one is left.
func TestChangesDuringACall(t *testing.T) {
	for _, tt := range []struct {
		name    string
		changes []ethstack.LinkState
		want    []ethstack.LinkState
	}{
		{"none", nil, []ethstack.LinkState{down}},
		{"no change", []ethstack.LinkState{down, down}, []ethstack.LinkState{down}},
		{"up", []ethstack.LinkState{up}, []ethstack.LinkState{down, up}},
		{"flap", []ethstack.LinkState{up, down}, []ethstack.LinkState{down, up, down}},
		{"flaps, then up", []ethstack.LinkState{up, down, up, down, up}, []ethstack.LinkState{down, up}},
		{"flaps, then down", []ethstack.LinkState{up, down, up, down}, []ethstack.LinkState{down, up, down}},
		{"gone for good", []ethstack.LinkState{up, gone, up, down}, []ethstack.LinkState{down, up, gone}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var d Device
			entered, leave := make(chan ethstack.LinkState), make(chan struct{}, 1)
			initial := true
			d.Notify(func(s ethstack.LinkState) {
				if initial {
					initial = false
					return
				}
				entered <- s
				<-leave
			})
			d.link.set(down)
			got := []ethstack.LinkState{<-entered}
			for _, s := range tt.changes {
				d.link.set(s)
			}
			for range len(tt.want) - 1 {
				select {
				case s := <-entered:
					t.Fatalf("told %v during a call", s)
				default:
				}
				leave <- struct{}{}
				got = append(got, <-entered)
			}
			// Nothing more may come; the state is told first to a new function.
			leave <- struct{}{}
			last := make(chan ethstack.LinkState, 1)
			d.Notify(func(s ethstack.LinkState) { last <- s })
			if s := <-last; s != tt.want[len(tt.want)-1] {
				t.Errorf("state at the end %v, want %v", s, tt.want[len(tt.want)-1])
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
		})
	}
}

// netlink makes one message.
func netlink(typ uint16, body ...byte) []byte {
	b := binary.NativeEndian.AppendUint32(nil, uint32(unix.SizeofNlMsghdr+len(body)))
	b = binary.NativeEndian.AppendUint16(b, typ)
	return append(append(b, make([]byte, 10)...), body...)
}

// ifinfo makes the body of a message about interface 7, which is up and has an
// MTU of 0x1234.
func ifinfo(family byte) []byte {
	b := []byte{family, 0, 1, 0}
	b = binary.NativeEndian.AppendUint32(b, 7)
	b = binary.NativeEndian.AppendUint32(b, unix.IFF_UP|unix.IFF_LOWER_UP)
	b = binary.NativeEndian.AppendUint32(b, 0)
	for _, a := range []struct {
		typ   uint16
		value []byte
	}{
		{unix.IFLA_IFNAME, []byte("tap7\x00")},
		{unix.IFLA_ADDRESS, []byte{2, 0, 0, 0, 0, 1}},
		{unix.IFLA_MTU, binary.NativeEndian.AppendUint32(nil, 0x1234)},
	} {
		b = binary.NativeEndian.AppendUint16(b, uint16(4+len(a.value)))
		b = binary.NativeEndian.AppendUint16(b, a.typ)
		b = append(b, a.value...)
		b = append(b, make([]byte, -len(a.value)&3)...)
	}
	return b
}

func TestParseLinks(t *testing.T) {
	full := linkMessage{index: 7, flags: unix.IFF_UP | unix.IFF_LOWER_UP, mtu: 0x1234, address: ethstack.HardwareAddr{2, 0, 0, 0, 0, 1}}
	deleted := full
	deleted.deleted = true
	for _, tt := range []struct {
		name  string
		b     []byte
		want  []linkMessage
		errno []unix.Errno
	}{
		{"new", netlink(unix.RTM_NEWLINK, ifinfo(unix.AF_UNSPEC)...), []linkMessage{full}, []unix.Errno{0}},
		{"deleted", netlink(unix.RTM_DELLINK, ifinfo(unix.AF_UNSPEC)...), []linkMessage{deleted}, []unix.Errno{0}},
		{"no port any more", netlink(unix.RTM_DELLINK, ifinfo(unix.AF_BRIDGE)...), nil, nil},
		{"an address", netlink(unix.RTM_NEWADDR, ifinfo(unix.AF_UNSPEC)...), nil, nil},
		{"error", netlink(unix.NLMSG_ERROR, binary.NativeEndian.AppendUint32(nil, ^uint32(unix.ENODEV)+1)...), []linkMessage{{}}, []unix.Errno{unix.ENODEV}},
		{"acknowledgement", netlink(unix.NLMSG_ERROR, 0, 0, 0, 0), nil, nil},
		{"two", append(netlink(unix.RTM_NEWLINK, ifinfo(unix.AF_UNSPEC)...), netlink(unix.RTM_DELLINK, ifinfo(unix.AF_UNSPEC)...)...),
			[]linkMessage{full, deleted}, []unix.Errno{0, 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []linkMessage
			var errno []unix.Errno
			parse := func(m linkMessage, e unix.Errno) { got, errno = append(got, m), append(errno, e) }
			parseLinks(tt.b, parse)
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(linkMessage{})) + cmp.Diff(tt.errno, errno); diff != "" {
				t.Errorf("parseLinks (-want +got):\n%s", diff)
			}
			// Cut short anywhere, it is left out, not misread.
			for n := range tt.b {
				got = nil
				parseLinks(tt.b[:n], parse)
				if len(got) > len(tt.want) || len(got) > 0 && got[0] != tt.want[0] {
					t.Errorf("parseLinks of %d bytes of %d: %+v", n, len(tt.b), got)
				}
			}
		})
	}
}

func TestLinkMessageState(t *testing.T) {
	for flags, want := range map[uint32]ethstack.LinkState{
		0: down, unix.IFF_UP: down, unix.IFF_LOWER_UP: down, unix.IFF_UP | unix.IFF_LOWER_UP: up, unix.IFF_UP | unix.IFF_RUNNING: down,
	} {
		m := linkMessage{flags: flags}
		if got := m.state(); got != want {
			t.Errorf("state with flags %#x: %v, want %v", flags, got, want)
		}
	}
}
