package main

import (
	"net/netip"
	"testing"

	"github.com/ethlink/ethlink/internal/lab"
)

// TestCloseEndsWaiting: whoever waits at a socket that is closed is told.
func TestCloseEndsWaiting(t *testing.T) {
	checkLeaks(t)
	w, err := openMemory(defaultMTU)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	n, err := lab.NewNetstack(w.dev, lab.NetstackOptions{Name: "netstack", Addrs: []netip.Prefix{netip.PrefixFrom(oursIPv4, 24)}})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	l, err := n.Listen(netip.AddrPortFrom(oursIPv4, 1))
	if err != nil {
		t.Fatal(err)
	}
	c, err := n.ListenUDP(netip.AddrPortFrom(oursIPv4, 1))
	if err != nil {
		t.Fatal(err)
	}
	ends := make(chan error, 2)
	go func() {
		_, err := l.Accept()
		ends <- err
	}()
	go func() { ends <- lab.ServeEcho(c) }()
	l.Close()
	c.Close()
	for range 2 {
		if err := <-ends; err == nil {
			t.Error("a wait ended without an error")
		}
	}
}
