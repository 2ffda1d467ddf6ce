package endpoint

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
)

// typeOf tells netstack's errors apart: they are pointers to nothing.
func typeOf(err tcpip.Error) string { return fmt.Sprintf("%T", err) }

// TestErrors: netstack is given no error that it panics on for a forwarded
// packet.
func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		fail error
		want tcpip.Error
	}{
		{nil, nil},
		{ethstack.ErrNoBufferSpace, &tcpip.ErrNoBufferSpace{}},
		{fmt.Errorf("device: %w", ethstack.ErrNoBufferSpace), &tcpip.ErrNoBufferSpace{}},
		{ethstack.ErrMessageTooLong, &tcpip.ErrMessageTooLong{}},
		{ethstack.ErrDisconnected, &tcpip.ErrClosedForSend{}},
		{ethstack.ErrUnsupportedOffload, &tcpip.ErrNoBufferSpace{}},
		{errors.New("input/output error"), &tcpip.ErrNoBufferSpace{}},
	} {
		d := newTape(0)
		d.fail = tt.fail
		e := newTest(t, d)
		pkt := newOutgoing(linked(routeTo("10.0.0.5"), tcpip.LinkAddress(hwB[:])), 10)
		e.AddHeader(pkt)
		want := 1
		if tt.fail != nil {
			want = 0
		}
		if n, err := e.WritePackets(list(pkt)); typeOf(err) != typeOf(tt.want) || n != want {
			t.Errorf("the device says %v: %d, %v; want %d, %v", tt.fail, n, err, want, tt.want)
		}
		pkt.DecRef()
	}
}

// TestUnreachableForwarded: of a next hop that has failed, only who sends
// packets of its own is told.
func TestUnreachableForwarded(t *testing.T) {
	d := newTape(0)
	clock := new(ethtest.ManualClock)
	e, err := New(d, Options{Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	up := &dispatcher{e: e}
	e.Attach(up)
	send := func(forwarded bool) tcpip.Error {
		pkt := newOutgoing(routeTo("10.0.0.5"), 10)
		defer pkt.DecRef()
		pkt.NetworkPacketInfo.IsForwardedPacket = forwarded
		e.AddHeader(pkt)
		_, err := e.WritePackets(list(pkt))
		return err
	}
	for _, forwarded := range []bool{true, false} {
		if err := send(forwarded); err != nil {
			t.Errorf("forwarded %v, next hop not known: %v", forwarded, err)
		}
	}
	clock.Advance(10 * time.Second)
	if err := send(true); err != nil {
		t.Errorf("forwarded, next hop has failed: %v: netstack panics on it", err)
	}
	if err := send(false); typeOf(err) != typeOf(&tcpip.ErrHostUnreachable{}) {
		t.Errorf("our own, next hop has failed: %v", err)
	}
	clock.Advance(time.Millisecond)
	if n := e.i.Stats().Drops[ethstack.DropTxUnresolved]; n != 4 {
		t.Errorf("%d packets dropped as unresolved, want 4", n)
	}
	if up.delivered != 2 {
		t.Errorf("netstack was told of %d packets, want its own 2", up.delivered)
	}
}
