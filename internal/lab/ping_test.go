package lab

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// answers is a station whose ping sockets get these answers to the requests,
// one after the other.
type answers struct {
	Station
	list []func(request []byte) ([][]byte, error)
}

func (a answers) Ping(netip.Addr) (PacketConn, error) { return &pingConn{answers: a.list}, nil }

type pingConn struct {
	PacketConn
	answers []func([]byte) ([][]byte, error)
	waiting [][]byte
	err     error
}

func (c *pingConn) SetDeadline(time.Time) error { return nil }
func (c *pingConn) Close() error                { return nil }
func (c *pingConn) Write(b []byte) (int, error) {
	c.waiting, c.err = c.answers[0](slices.Clone(b))
	c.answers = c.answers[1:]
	return len(b), nil
}

func (c *pingConn) ReadFrom(b []byte) (int, net.Addr, error) {
	if len(c.waiting) == 0 {
		return 0, nil, c.err
	}
	n := copy(b, c.waiting[0])
	c.waiting = c.waiting[1:]
	return n, nil, nil
}

type timedOut struct{ error }

func (timedOut) Timeout() bool { return true }

var late = timedOut{errors.New("i/o timeout")}

func reply(typ byte, change func([]byte)) func([]byte) ([][]byte, error) {
	return func(b []byte) ([][]byte, error) {
		b[0] = typ
		if change != nil {
			change(b)
		}
		return [][]byte{b}, late
	}
}

func TestPing(t *testing.T) {
	to := netip.MustParseAddr("192.0.2.1")
	good := reply(echoReply4, nil)
	none := func([]byte) ([][]byte, error) { return nil, late }
	// A raw socket sees the request of others, too, and late replies.
	noise := func(b []byte) ([][]byte, error) {
		request, old := slices.Clone(b), slices.Clone(b)
		old[0], old[7] = echoReply4, b[7]-1
		b[0] = echoReply4
		return [][]byte{request, old, b[:10], b}, late
	}
	broken := func([]byte) ([][]byte, error) { return nil, &net.OpError{Op: "read", Err: errors.New("broken")} }
	type list = []func([]byte) ([][]byte, error)
	for _, tt := range []struct {
		name    string
		answers list
		times   int
		want    string // in the error
	}{
		{"all", list{good, good, good, good, good}, 5, ""},
		{"with others' messages between", list{noise, noise, noise, noise, noise}, 5, ""},
		{"two lost", list{good, none, good, none, good}, 3, "3 of 5: the others had no reply within 1s"},
		{"none", list{none, none, none, none, none}, 0, "0 of 5"},
		{"changed payload", list{good, good, good, good, reply(echoReply4, func(b []byte) { b[20]++ })}, 4, "4 of 5"},
		{"wrong type", list{good, good, good, good, reply(echoReply6, nil)}, 4, "4 of 5"},
		{"broken socket", list{good, broken}, 1, "broken"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			times, err := Ping(t.Context(), answers{list: tt.answers}, to, PingSize)
			if len(times) != tt.times || (err == nil) != (tt.want == "") {
				t.Errorf("%d answered, %v; want %d, error %q", len(times), err, tt.times, tt.want)
			}
			if err != nil && !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("error %q, want %q", err, tt.want)
			}
		})
	}
	over, cancel := context.WithCancelCause(t.Context())
	why := errors.New("somebody wants to go home")
	cancel(why)
	if _, err := Ping(over, answers{list: list{none}}, to, PingSize); err != why {
		t.Errorf("error %v when the context has ended, want its cause", err)
	}
}

func TestEchoRequest(t *testing.T) {
	m := header.ICMPv4(echo(false, 7, PingSize))
	if m.Type() != header.ICMPv4Echo || m.Code() != 0 || m.Sequence() != 7 || header.ICMPv4Checksum(m, 0) != m.Checksum() {
		t.Errorf("%x is no echo request number 7 with a good checksum", m)
	}
	if m := header.ICMPv6(echo(true, 7, PingSize)); m.Type() != header.ICMPv6EchoRequest || m.Sequence() != 7 {
		t.Errorf("%x is no echo request number 7", m)
	}
}
