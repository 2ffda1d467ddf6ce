package tap

import (
	"os"
	"sync"

	"github.com/ethlink/ethlink/ethstack"
)

// A link is the state of a device's link, and who is told of it.
type link struct {
	// mu guards what follows.
	mu     sync.Mutex
	state  ethstack.LinkState
	told   *subscription
	socket *os.File // the watcher's
	closed bool
}

// A subscription is one function that was given to Notify. Its fields are
// guarded by the link's lock.
type subscription struct {
	f       func(ethstack.LinkState)
	changes []ethstack.LinkState // not told yet
	calling bool
}

// Notify sets the function that is told of the link's state, as
// [ethstack.Device] says. It may be called from inside such a call.
func (d *Device) Notify(f func(ethstack.LinkState)) {
	l := &d.link
	l.mu.Lock()
	if f == nil {
		l.told = nil
		l.mu.Unlock()
		return
	}
	s := &subscription{f: f, calling: true}
	l.told = s
	state := l.state
	l.mu.Unlock()
	f(state)
	l.mu.Lock()
	defer l.mu.Unlock()
	s.calling = false
	if len(s.changes) > 0 {
		go l.tell(s)
	}
}

// set changes the state. Changes are told from another goroutine.
func (l *link) set(state ethstack.LinkState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state == state || l.state == ethstack.LinkGone {
		return
	}
	l.state = state
	s := l.told
	if s == nil {
		return
	}
	// Who is slow to listen is told of one flap instead of many.
	if n := len(s.changes); n >= 2 && s.changes[n-2] == state {
		s.changes = s.changes[:n-1]
	} else {
		s.changes = append(s.changes, state)
	}
	if !s.calling && len(s.changes) == 1 {
		go l.tell(s)
	}
}

func (l *link) gone() { l.set(ethstack.LinkGone) }

// tell tells what there is to tell, one call at a time.
func (l *link) tell(s *subscription) {
	l.mu.Lock()
	defer l.mu.Unlock()
	// Whoever is calling comes back to what has changed meanwhile.
	for !s.calling && l.told == s && len(s.changes) > 0 {
		state := s.changes[0]
		s.changes = s.changes[1:]
		s.calling = true
		l.mu.Unlock()
		s.f(state)
		l.mu.Lock()
		s.calling = false
	}
}

// watching makes socket the one that close closes. It reports false if the
// device was closed before.
func (l *link) watching(socket *os.File) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.socket = socket
	return true
}

// close ends the watcher and tells nobody: who closes a device knows.
func (l *link) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed, l.state, l.told = true, ethstack.LinkGone, nil
	if l.socket != nil {
		l.socket.Close()
	}
}
