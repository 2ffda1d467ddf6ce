package channel_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/ethlink/ethlink/adapters/channel"
	"github.com/ethlink/ethlink/ethstack"
)

// send carries frames from a device into the tunnel, each behind its length.
func send(ctx context.Context, d *channel.Device, tunnel io.Writer) error {
	for {
		frame, err := d.Next(ctx)
		if err != nil {
			return err
		}
		message := binary.BigEndian.AppendUint32(nil, uint32(len(frame)))
		if _, err := tunnel.Write(append(message, frame...)); err != nil {
			return err
		}
	}
}

// receive carries frames out of the tunnel to a device.
func receive(d *channel.Device, tunnel io.Reader) error {
	frame := make([]byte, d.Info().MaxFrame)
	var length [4]byte
	for {
		if _, err := io.ReadFull(tunnel, length[:]); err != nil {
			return err
		}
		n := binary.BigEndian.Uint32(length[:])
		if n > uint32(len(frame)) {
			return fmt.Errorf("a frame of %d bytes: at most %d fit", n, len(frame))
		}
		if _, err := io.ReadFull(tunnel, frame[:n]); err != nil {
			return err
		}
		// A frame too many is lost, as on any network.
		_ = d.Inject(frame[:n])
	}
}

// station makes a stack whose frames go through the tunnel.
func station(ctx context.Context, tunnel net.Conn, hw ethstack.HardwareAddr, addr string) (*ethstack.Stack, error) {
	d, err := channel.New(channel.Options{HardwareAddr: hw})
	if err != nil {
		return nil, err
	}
	s, err := ethstack.Connect(d, ethstack.Options{})
	if err != nil {
		return nil, err
	}
	go send(ctx, d, tunnel)
	go receive(d, tunnel)
	go s.Listen(ctx, ethstack.Handlers{})
	return s, s.AddIPv4(netip.MustParseAddr(addr))
}

// Two stacks at the ends of a tunnel find each other's hardware address.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	here, there := net.Pipe() // or a websocket, a stream of QUIC, ...
	defer here.Close()
	defer there.Close()

	a, err := station(ctx, here, ethstack.HardwareAddr{2, 0, 0, 0, 0, 0xa}, "10.0.0.1")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer a.Disconnect()
	b, err := station(ctx, there, ethstack.HardwareAddr{2, 0, 0, 0, 0, 0xb}, "10.0.0.2")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Disconnect()

	hw, err := a.QueryARPv4(ctx, netip.MustParseAddr("10.0.0.2"))
	fmt.Println(hw, err)
	// Output: 02:00:00:00:00:0b <nil>
}
