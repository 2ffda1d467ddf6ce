package netns

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// A request is one rtnetlink message being built: rtnetlink(7), netlink(7).
type request struct{ b []byte }

func newRequest(typ, flags uint16) *request {
	r := &request{b: make([]byte, unix.SizeofNlMsghdr, 256)}
	binary.NativeEndian.PutUint16(r.b[4:], typ)
	binary.NativeEndian.PutUint16(r.b[6:], flags|unix.NLM_F_REQUEST)
	return r
}

// link adds a struct ifinfomsg; the bits of change tell which flags count.
func (r *request) link(index int, flags, change uint32) *request {
	r.b = append(r.b, unix.AF_UNSPEC, 0, 0, 0)
	return r.u32(uint32(index)).u32(flags).u32(change)
}

func (r *request) u32(v uint32) *request {
	r.b = binary.NativeEndian.AppendUint32(r.b, v)
	return r
}

func (r *request) bytes(b ...byte) *request {
	r.b = append(r.b, b...)
	return r
}

// attr adds an attribute, padded to a multiple of 4 bytes.
func (r *request) attr(typ uint16, value []byte) *request {
	r.b = binary.NativeEndian.AppendUint16(r.b, uint16(unix.SizeofRtAttr+len(value)))
	r.b = binary.NativeEndian.AppendUint16(r.b, typ)
	r.b = append(r.b, value...)
	r.b = append(r.b, make([]byte, -len(value)&3)...)
	return r
}

func (r *request) attrU32(typ uint16, v uint32) *request {
	return r.attr(typ, binary.NativeEndian.AppendUint32(nil, v))
}

func (r *request) attrString(typ uint16, s string) *request {
	return r.attr(typ, append([]byte(s), 0))
}

// nest adds an attribute that holds what inside adds.
func (r *request) nest(typ uint16, inside func()) *request {
	start := len(r.b)
	r.attr(typ|unix.NLA_F_NESTED, nil)
	inside()
	binary.NativeEndian.PutUint16(r.b[start:], uint16(len(r.b)-start))
	return r
}

// do sends the request and waits for the kernel's acknowledgement.
func (r *request) do() error {
	_, err := r.ask(unix.NLM_F_ACK)
	return err
}

// dump sends the request and returns the bodies of all answers.
func (r *request) dump() ([][]byte, error) {
	for range 10 {
		answers, err := r.ask(unix.NLM_F_DUMP)
		if !errors.Is(err, errInterrupted) {
			return answers, err
		}
	}
	return nil, errInterrupted
}

// errInterrupted: the table changed while it was being read.
var errInterrupted = errors.New("the kernel's table keeps changing")

func (r *request) ask(flags uint16) (answers [][]byte, err error) {
	binary.NativeEndian.PutUint32(r.b, uint32(len(r.b)))
	binary.NativeEndian.PutUint16(r.b[6:], flags|binary.NativeEndian.Uint16(r.b[6:]))
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	// Ask for the kernel's own words in errors; old kernels have none.
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_EXT_ACK, 1)
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1)
	if err := unix.Sendto(fd, r.b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, os.NewSyscallError("sendto", err)
	}
	interrupted := false
	// The kernel makes messages of a dump no longer than 32 KiB.
	buf := make([]byte, 64<<10)
	for {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, os.NewSyscallError("recvfrom", err)
		}
		for b := buf[:n]; len(b) >= unix.SizeofNlMsghdr; {
			size := int(binary.NativeEndian.Uint32(b))
			if size < unix.SizeofNlMsghdr || size > len(b) {
				return nil, fmt.Errorf("rtnetlink message of %d bytes in %d", size, len(b))
			}
			typ, flags, body := binary.NativeEndian.Uint16(b[4:]), binary.NativeEndian.Uint16(b[6:]), b[unix.SizeofNlMsghdr:size]
			interrupted = interrupted || flags&unix.NLM_F_DUMP_INTR != 0
			switch typ {
			case unix.NLMSG_ERROR, unix.NLMSG_DONE:
				if err := ackError(typ, flags, body); err != nil {
					return nil, err
				}
				if interrupted {
					return nil, errInterrupted
				}
				return answers, nil
			default:
				answers = append(answers, bytes.Clone(body))
			}
			b = b[min((size+3)&^3, len(b)):]
		}
	}
}

// ackError returns the error in the body of an acknowledgement, if it is one.
func ackError(typ, flags uint16, body []byte) error {
	if len(body) < 4 {
		return nil
	}
	number := int32(binary.NativeEndian.Uint32(body))
	if number == 0 || typ == unix.NLMSG_DONE && number > 0 {
		return nil
	}
	err := unix.Errno(-number)
	// The header of the request follows, then attributes if the flag says so.
	const words = 4 + unix.SizeofNlMsghdr
	if flags&unix.NLM_F_ACK_TLVS == 0 || len(body) < words {
		return err
	}
	for typ, value := range attrs(body[words:]) {
		if typ == unix.NLMSGERR_ATTR_MSG {
			return fmt.Errorf("%w (%s)", err, cString(value))
		}
	}
	return err
}

// attrs yields the type and value of each attribute in b. What is malformed
// ends it.
func attrs(b []byte) func(func(uint16, []byte) bool) {
	return func(yield func(uint16, []byte) bool) {
		for len(b) >= unix.SizeofRtAttr {
			size := int(binary.NativeEndian.Uint16(b))
			if size < unix.SizeofRtAttr || size > len(b) {
				return
			}
			typ := binary.NativeEndian.Uint16(b[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
			if !yield(typ, b[unix.SizeofRtAttr:size]) {
				return
			}
			b = b[min((size+3)&^3, len(b)):]
		}
	}
}

func cString(b []byte) string {
	s, _, _ := bytes.Cut(b, []byte{0})
	return string(s)
}
