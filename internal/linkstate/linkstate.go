// Package linkstate keeps the state of a device's link and tells whoever asked
// with Notify.
package linkstate

import (
	"sync"

	"github.com/ethlink/ethlink/ethstack"
)

// A Notifier is the state of a device's link, and who is told of it. The zero
// value is a link that is up.
type Notifier struct {
	// mu guards what follows.
	mu    sync.Mutex
	state ethstack.LinkState
	told  *subscription
}

// A subscription is one function that was given to Notify. Its fields are
// guarded by the Notifier's lock.
type subscription struct {
	f       func(ethstack.LinkState)
	changes []ethstack.LinkState // not told yet
	calling bool
}

// Notify sets the function that is told of the link's state, as
// [ethstack.Device] says. It may be called from inside such a call.
func (n *Notifier) Notify(f func(ethstack.LinkState)) {
	n.mu.Lock()
	if f == nil {
		n.told = nil
		n.mu.Unlock()
		return
	}
	s := &subscription{f: f, calling: true}
	n.told = s
	state := n.state
	n.mu.Unlock()
	f(state)
	n.mu.Lock()
	defer n.mu.Unlock()
	s.calling = false
	if len(s.changes) > 0 {
		go n.tell(s)
	}
}

// State returns the present state.
func (n *Notifier) State() ethstack.LinkState {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.state
}

// Set changes the state, unless the link is gone. The change is told from
// another goroutine.
func (n *Notifier) Set(state ethstack.LinkState) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.state == state || n.state == ethstack.LinkGone {
		return
	}
	n.state = state
	s := n.told
	if s == nil {
		return
	}
	// Who is slow to listen is told of one flap instead of many.
	if k := len(s.changes); k >= 2 && s.changes[k-2] == state {
		s.changes = s.changes[:k-1]
	} else {
		s.changes = append(s.changes, state)
	}
	if !s.calling && len(s.changes) == 1 {
		go n.tell(s)
	}
}

// tell tells what there is to tell, one call at a time.
func (n *Notifier) tell(s *subscription) {
	n.mu.Lock()
	defer n.mu.Unlock()
	// Whoever is calling comes back to what has changed meanwhile.
	for !s.calling && n.told == s && len(s.changes) > 0 {
		state := s.changes[0]
		s.changes = s.changes[1:]
		s.calling = true
		n.mu.Unlock()
		s.f(state)
		n.mu.Lock()
		s.calling = false
	}
}

// Close ends the link and tells nobody: who closes a device knows.
func (n *Notifier) Close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.state, n.told = ethstack.LinkGone, nil
}
