package linkwatch

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/ethstack"
)

var (
	// ErrElsewhere: the interface is where this process cannot see it.
	ErrElsewhere = errors.New("it is in another network namespace, which this process may not enter")
	// ErrGone: the file descriptor has no interface any more.
	ErrGone = errors.New("the interface does not exist any more")
)

// A Target is a file descriptor whose interface is to be watched.
type Target struct {
	Conn syscall.RawConn
	// Namespace is the ioctl that opens the network namespace of the interface.
	Namespace uint
	// Find asks the file descriptor for the name and the hardware address of
	// its interface. The error is ErrGone if it has none any more.
	Find func(fd int) (string, ethstack.HardwareAddr, error)
	// Observe is told what rtnetlink says of the interface, one call at a time:
	// how it is now before Start returns, then each change.
	Observe func(*Message)
	// Lost is called once if the interface cannot be watched any longer: with
	// ErrGone because it is gone, with another error because this process
	// cannot see it.
	Lost func(error)
}

// A Watcher tells of the changes of one interface, on a goroutine of its own.
type Watcher struct {
	target Target
	// mu guards what follows.
	mu     sync.Mutex
	socket *os.File
	closed bool
}

// Start begins to watch. Before that it calls configure with how the interface
// is, on a thread that is in its network namespace. An interface that this
// process cannot see is [ErrElsewhere].
func Start(t Target, configure func(Message) error) (*Watcher, error) {
	s, err := t.open(configure)
	if err != nil {
		return nil, err
	}
	w := &Watcher{target: t, socket: s.file}
	t.Observe(&s.now)
	go w.watch(s)
	return w, nil
}

// Close ends the watcher and does not wait for a call under way. It may be
// called on nil.
func (w *Watcher) Close() {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.socket.Close()
}

// use makes the socket the one that Close closes, unless that was called.
func (w *Watcher) use(s source) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		s.file.Close()
		return false
	}
	w.socket = s.file
	return true
}

// A source is an rtnetlink socket in the interface's namespace.
type source struct {
	file  *os.File
	raw   syscall.RawConn // file's
	index int32
	now   Message
}

// open finds the interface and calls configure, if that is not nil.
func (t *Target) open(configure func(Message) error) (s source, err error) {
	var name string
	var address ethstack.HardwareAddr
	var find error
	if err := t.Conn.Control(func(fd uintptr) { name, address, find = t.Find(int(fd)) }); err != nil {
		return s, err
	}
	if find != nil {
		return s, find
	}
	err = t.inNamespace(func(known bool) (err error) {
		if s, err = newSource(name, address, known); err != nil || configure == nil {
			return err
		}
		if err = configure(s.now); err == nil {
			err = s.ask(name)
		}
		if err != nil {
			s.file.Close()
		}
		return err
	})
	return s, err
}

// newSource looks for the interface of that name in the network namespace of
// the calling thread. Where it is not known that it is in that namespace, it
// must have the address.
func newSource(name string, address ethstack.HardwareAddr, known bool) (s source, err error) {
	fd, now, err := openSocket(name)
	if err != nil {
		if errors.Is(err, unix.ENODEV) && !known {
			return s, ErrElsewhere
		}
		return s, fmt.Errorf("watching %s: %w", name, err)
	}
	s.file, s.index, s.now = os.NewFile(uintptr(fd), "rtnetlink"), now.index, now
	if !known && now.HardwareAddr != address {
		s.file.Close()
		return source{}, ErrElsewhere
	}
	if s.raw, err = s.file.SyscallConn(); err != nil {
		s.file.Close()
		return source{}, fmt.Errorf("watching %s: %w", name, err)
	}
	return s, nil
}

// ask asks how the interface is now. What the kernel said before is dropped.
func (s *source) ask(name string) (err error) {
	closed := s.raw.Control(func(fd uintptr) { s.now, err = lookup(int(fd), name) })
	if err = errors.Join(closed, err); err != nil {
		return fmt.Errorf("watching %s: %w", name, err)
	}
	return nil
}

// watch takes in what the kernel says, until the watcher is closed or the
// interface lost. It follows one that is moved to another namespace.
func (w *Watcher) watch(s source) {
	for {
		moved := w.listen(s)
		s.file.Close()
		if !moved {
			return
		}
		var err error
		if s, err = w.target.open(nil); err != nil {
			w.target.Lost(err)
			return
		}
		w.target.Observe(&s.now)
		if !w.use(s) {
			return
		}
	}
}

// listen takes in messages until the socket is closed, which ends it with
// false, or the interface is not in the socket's namespace any more.
func (w *Watcher) listen(s source) (moved bool) {
	buf := make([]byte, bufferSize)
	for {
		var n int
		var from unix.Sockaddr
		var err error
		closed := s.raw.Read(func(fd uintptr) bool {
			n, from, err = unix.Recvfrom(int(fd), buf, 0)
			return err != unix.EAGAIN
		})
		if closed != nil {
			return false
		}
		if err == unix.ENOBUFS {
			// More changed than the socket holds: ask how it is now.
			closed = s.raw.Control(func(fd uintptr) { err = askLink(int(fd), s.index, "") })
			if closed != nil || err != nil {
				return false
			}
			continue
		}
		if sender, ok := from.(*unix.SockaddrNetlink); err != nil || !ok || sender.Pid != 0 {
			continue
		}
		parseLinks(buf[:n], func(m Message, errno unix.Errno) {
			switch {
			case errno == unix.ENODEV || m.index == s.index && m.deleted:
				moved = true
			case m.index == s.index && !moved:
				w.target.Observe(&m)
			}
		})
		if moved {
			return true
		}
	}
}
