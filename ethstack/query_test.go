package ethstack_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ethlink/ethlink/ethstack"
)

// query asks on a goroutine of its own, and returns when the question waits.
func (s *station) query(ctx context.Context, addr netip.Addr) <-chan error {
	s.t.Helper()
	result := make(chan error, 1)
	before := s.waiting()
	go func() {
		hw, err := s.QueryARPv4(ctx, addr)
		if err == nil && hw.String() != hw2.String() {
			err = errors.New("the answer is " + hw.String())
		}
		result <- err
	}()
	until(s.t, "the question waits", func() bool { return s.waiting() > before })
	return result
}

// waiting returns how many questions for the peer wait.
func (s *station) waiting() int {
	e, _ := s.i.Neighbor(peer)
	return e.Pending
}

func result(t *testing.T, from <-chan error) error {
	t.Helper()
	select {
	case err := <-from:
		return err
	case <-time.After(patience):
		t.Fatal("the query does not return")
		return nil
	}
}

// TestQueryRefused lists questions that are not asked.
func TestQueryRefused(t *testing.T) {
	s := newStation(t, ethstack.Options{}, ethstack.LinkOptions{}).withAddress()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		ctx  context.Context
		addr string
		want string
	}{
		{t.Context(), "fe80::1", "unicast IPv4"},
		{t.Context(), "0.0.0.0", "unicast IPv4"},
		{t.Context(), "127.0.0.1", "unicast IPv4"},
		{t.Context(), "224.0.0.1", "unicast IPv4"},
		{t.Context(), "255.255.255.255", "unicast IPv4"},
		{over, peer.String(), context.Canceled.Error()},
	} {
		_, err := s.QueryARPv4(c.ctx, netip.MustParseAddr(c.addr))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.addr, err, c.want)
		}
	}
	own := make(chan error, 1)
	go func() {
		_, err := s.QueryARPv4(t.Context(), ours)
		own <- err
	}()
	until(t, "the query for our own address returns", func() bool {
		s.clock.Advance(0)
		return len(own) > 0
	})
	if err := <-own; err == nil || !strings.Contains(err.Error(), "our own") {
		t.Errorf("our own address: %v", err)
	}
	s.clock.Advance(time.Minute)
	wantSent(t, s, "all refused")
}

// TestQueryCancelled: who leaves early leaves the other waiting.
func TestQueryCancelled(t *testing.T) {
	s := newStation(t, ethstack.Options{}, ethstack.LinkOptions{}).withAddress()
	ctx, cancel := context.WithCancel(t.Context())
	leaves, stays := s.query(ctx, peer), s.query(t.Context(), peer)
	s.clock.Advance(0)
	wantSent(t, s, "two questions", "who has 10.0.0.2? tell 10.0.0.1")
	cancel()
	if err := result(t, leaves); !errors.Is(err, context.Canceled) {
		t.Errorf("who left: %v, want %v", err, context.Canceled)
	}
	if n := s.waiting(); n != 1 {
		t.Errorf("%d wait, want 1", n)
	}
	s.hears(answers())
	if err := result(t, stays); err != nil {
		t.Errorf("who stayed: %v", err)
	}
	// What is known needs no question.
	if hw, err := s.QueryARPv4(t.Context(), peer); err != nil || hw.String() != hw2.String() {
		t.Errorf("what is known: %v, %v", hw, err)
	}
}

// TestQueryEnds: without an answer, and without a device.
func TestQueryEnds(t *testing.T) {
	s := newStation(t, ethstack.Options{}, ethstack.LinkOptions{}).withAddress()
	first := s.query(t.Context(), peer)
	s.clock.Advance(time.Minute)
	if err := result(t, first); !errors.Is(err, ethstack.ErrUnreachable) {
		t.Errorf("nobody answers: %v, want %v", err, ethstack.ErrUnreachable)
	}
	second := s.query(t.Context(), peer)
	if err := s.Disconnect(); err != nil {
		t.Fatal(err)
	}
	if err := result(t, second); !errors.Is(err, ethstack.ErrDisconnected) {
		t.Errorf("disconnected while it waits: %v, want %v", err, ethstack.ErrDisconnected)
	}
	if _, err := s.QueryARPv4(t.Context(), peer); !errors.Is(err, ethstack.ErrDisconnected) {
		t.Errorf("disconnected: %v, want %v", err, ethstack.ErrDisconnected)
	}
}
