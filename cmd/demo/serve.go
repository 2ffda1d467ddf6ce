package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/ethlink/ethlink/internal/lab"
)

const (
	echoPort = 7 // RFC 862
	httpPort = 80
	// maxBytes is the most that /bytes sends: 1 TiB.
	maxBytes = 1 << 40
)

// servers are what a host offers.
type servers struct {
	n       *lab.Netstack
	http    http.Server
	sockets []io.Closer
	running sync.WaitGroup
}

// serve starts the servers on all addresses.
func serve(n *lab.Netstack, addrs []netip.Prefix) (*servers, error) {
	s := &servers{n: n}
	s.http = http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0), // of what clients do wrong
	}
	for _, p := range addrs {
		if err := s.start(p.Addr()); err != nil {
			s.stop()
			return nil, fmt.Errorf("%v: %w", p.Addr(), err)
		}
	}
	return s, nil
}

func (s *servers) start(a netip.Addr) error {
	echo, err := s.n.Listen(netip.AddrPortFrom(a, echoPort))
	if err != nil {
		return err
	}
	s.sockets = append(s.sockets, echo)
	web, err := s.n.Listen(netip.AddrPortFrom(a, httpPort))
	if err != nil {
		return err
	}
	s.sockets = append(s.sockets, web)
	datagrams, err := s.n.ListenUDP(netip.AddrPortFrom(a, echoPort))
	if err != nil {
		return err
	}
	s.sockets = append(s.sockets, datagrams)
	s.running.Go(func() { s.echo(echo) })
	s.running.Go(func() { s.http.Serve(web) })
	s.running.Go(func() { lab.ServeEcho(datagrams) })
	return nil
}

// stop ends the servers, but not the connections they have.
func (s *servers) stop() {
	s.http.Close()
	for _, c := range s.sockets {
		c.Close()
	}
}

// Close ends the servers and the netstack they are on, and waits for all of
// it.
func (s *servers) Close() {
	s.stop()
	s.n.Close() // ends the connections
	s.running.Wait()
}

// echo sends back what comes on each connection.
func (s *servers) echo(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		s.running.Go(func() {
			defer c.Close()
			io.Copy(c, c)
		})
	}
}

func (s *servers) handler() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /{$}", s.status)
	m.HandleFunc("GET /bytes/{n}", sendBytes)
	return m
}

// status shows what the host's interface knows and has counted.
func (s *servers) status(w http.ResponseWriter, _ *http.Request) {
	neighbors, err := s.n.Neighbors()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	r := newReport(w)
	i := s.n.Endpoint().Interface()
	r.Heading("ethlink demo", fmt.Sprintf("%v, MTU %d, link %v", i.HardwareAddr(), i.MTU(), i.Link().State()))
	r.Section("neighbors", "")
	r.Table(neighborRows("", neighbors))
	r.Section("counters", "")
	r.Table(counterRows(i.Stats()))
}

var errBytes = errors.New("/bytes/N: want a number N from 0 to " + strconv.Itoa(maxBytes))

// sendBytes sends as many bytes as were asked for, always the same.
func sendBytes(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.ParseInt(r.PathValue("n"), 10, 64)
	if err != nil || n < 0 || n > maxBytes {
		http.Error(w, errBytes.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
	for p := lab.NewPayload(0); n > 0; {
		b := p.Next(n)
		if _, err := w.Write(b); err != nil {
			return // the client has gone, or asked for the header only
		}
		n -= int64(len(b))
	}
}
