package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/ethstack/ethtest"
)

// A capture writes the frames of an interface to a file, those that come and
// those that go. It looks at the interface from outside: so it is the same for
// both link layers, and shows what they did and not what they were told to do.
type capture struct {
	socket *os.File
	file   *os.File
	buffer *bufio.Writer
	done   chan struct{}
}

func startCapture(name, path string) (*capture, error) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("--pcap: interface %q: %w", name, err)
	}
	fd, err := openPacketSocket(i.Index)
	if err != nil {
		return nil, fmt.Errorf("--pcap: a packet socket on %q: %w", name, err)
	}
	c := &capture{socket: os.NewFile(uintptr(fd), "packet socket"), done: make(chan struct{})}
	if c.file, err = os.Create(path); err != nil {
		c.socket.Close()
		return nil, fmt.Errorf("--pcap: %w", err)
	}
	c.buffer = bufio.NewWriter(c.file)
	w, err := ethtest.NewPcapWriter(c.buffer)
	if err != nil {
		c.socket.Close()
		return nil, errors.Join(err, c.file.Close())
	}
	go c.copy(w)
	return c, nil
}

// copy writes frames until the socket is closed.
func (c *capture) copy(w *ethtest.PcapWriter) {
	defer close(c.done)
	frame := make([]byte, ethstack.MaxSuperFrame)
	for {
		n, err := c.socket.Read(frame)
		switch {
		case err == nil:
			w.Capture(ethtest.Capture{Time: time.Duration(time.Now().UnixNano()), Frame: frame[:n]})
		case errors.Is(err, os.ErrClosed):
			return
		}
		// Any other error is that the interface is down: it is told once, and
		// the socket stays.
	}
}

// Close writes what is left, and tells of what could not be written.
func (c *capture) Close() error {
	c.socket.Close()
	<-c.done
	return errors.Join(c.buffer.Flush(), c.file.Close())
}
