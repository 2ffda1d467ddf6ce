package linkwatch

import (
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/ethstack"
)

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
	full := Message{index: 7, flags: unix.IFF_UP | unix.IFF_LOWER_UP, MTU: 0x1234, HardwareAddr: ethstack.HardwareAddr{2, 0, 0, 0, 0, 1}}
	deleted := full
	deleted.deleted = true
	for _, tt := range []struct {
		name  string
		b     []byte
		want  []Message
		errno []unix.Errno
	}{
		{"new", netlink(unix.RTM_NEWLINK, ifinfo(unix.AF_UNSPEC)...), []Message{full}, []unix.Errno{0}},
		{"deleted", netlink(unix.RTM_DELLINK, ifinfo(unix.AF_UNSPEC)...), []Message{deleted}, []unix.Errno{0}},
		{"no port any more", netlink(unix.RTM_DELLINK, ifinfo(unix.AF_BRIDGE)...), nil, nil},
		{"an address", netlink(unix.RTM_NEWADDR, ifinfo(unix.AF_UNSPEC)...), nil, nil},
		{"error", netlink(unix.NLMSG_ERROR, binary.NativeEndian.AppendUint32(nil, ^uint32(unix.ENODEV)+1)...), []Message{{}}, []unix.Errno{unix.ENODEV}},
		{"acknowledgement", netlink(unix.NLMSG_ERROR, 0, 0, 0, 0), nil, nil},
		{"two", append(netlink(unix.RTM_NEWLINK, ifinfo(unix.AF_UNSPEC)...), netlink(unix.RTM_DELLINK, ifinfo(unix.AF_UNSPEC)...)...),
			[]Message{full, deleted}, []unix.Errno{0, 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []Message
			var errno []unix.Errno
			parse := func(m Message, e unix.Errno) { got, errno = append(got, m), append(errno, e) }
			parseLinks(tt.b, parse)
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(Message{})) + cmp.Diff(tt.errno, errno); diff != "" {
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

func TestMessageState(t *testing.T) {
	for flags, want := range map[uint32]ethstack.LinkState{
		0:                               ethstack.LinkDown,
		unix.IFF_UP:                     ethstack.LinkDown,
		unix.IFF_LOWER_UP:               ethstack.LinkDown,
		unix.IFF_UP | unix.IFF_LOWER_UP: ethstack.LinkUp,
		unix.IFF_UP | unix.IFF_RUNNING:  ethstack.LinkDown,
	} {
		m := Message{flags: flags}
		if got := m.State(); got != want {
			t.Errorf("State with flags %#x: %v, want %v", flags, got, want)
		}
	}
}
