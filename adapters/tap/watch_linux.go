package tap

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/ethstack"
)

// errElsewhere: the interface is where this process cannot see it.
var errElsewhere = errors.New("it is in another network namespace, which this process may not enter")

// configure sets what the options ask for, and starts to watch the interface.
func (d *Device) configure(t opened, o Options) error {
	var watch watcher
	err := d.inNamespace(func(known bool) (err error) {
		if watch, err = newWatcher(d.name, t.kernelAddr, known); err != nil {
			return err
		}
		if o.MTU != 0 && o.MTU != int(watch.now.mtu) {
			if err := setMTU(d.name, o.MTU); err != nil {
				return err
			}
		}
		if o.Up && watch.now.flags&unix.IFF_UP == 0 {
			if err := setUp(d.name); err != nil {
				return err
			}
		}
		return watch.ask(d.name)
	})
	switch {
	case err == nil:
	case errors.Is(err, errElsewhere) && o.MTU == 0 && !o.Up:
		// It can be used all the same: what is written fails where it is down.
		return nil
	case errors.Is(err, errElsewhere):
		return fmt.Errorf("tap: setting MTU or Up on %s: %w: leave them out, or enter the namespace first", d.name, err)
	default:
		if watch.socket != nil {
			watch.socket.Close()
		}
		return err
	}
	d.observe(&watch.now)
	d.link.watching(watch.socket)
	go d.watch(watch)
	return nil
}

// A watcher is told of changes of one interface.
type watcher struct {
	socket *os.File
	raw    syscall.RawConn // socket's
	index  int32
	now    linkMessage
}

// newWatcher watches the interface of that name in the network namespace of the
// calling thread. Where it is not known that the TAP is in that namespace, the
// interface must have the address.
func newWatcher(name string, address ethstack.HardwareAddr, known bool) (w watcher, err error) {
	fd, now, err := openWatch(name)
	if err != nil {
		if errors.Is(err, unix.ENODEV) && !known {
			return w, errElsewhere
		}
		return w, fmt.Errorf("tap: watching %s: %w", name, err)
	}
	w.socket, w.index, w.now = os.NewFile(uintptr(fd), "rtnetlink"), now.index, now
	if !known && now.address != address {
		w.socket.Close()
		return watcher{}, errElsewhere
	}
	if w.raw, err = w.socket.SyscallConn(); err != nil {
		w.socket.Close()
		return watcher{}, fmt.Errorf("tap: watching %s: %w", name, err)
	}
	return w, nil
}

// ask asks how the interface is now. What the kernel said before is dropped.
func (w *watcher) ask(name string) (err error) {
	closed := w.raw.Control(func(fd uintptr) { w.now, err = lookup(int(fd), name) })
	if err = errors.Join(closed, err); err != nil {
		return fmt.Errorf("tap: watching %s: %w", name, err)
	}
	return nil
}

// observe takes over what was said of the interface.
func (d *Device) observe(m *linkMessage) {
	if m.mtu > 0 {
		d.mtu.Store(m.mtu)
	}
	d.link.set(m.state())
}

// watch takes in what the kernel says, until the device is closed or gone. It
// follows an interface that is moved to another namespace.
func (d *Device) watch(w watcher) {
	for {
		moved := d.listen(w)
		w.socket.Close()
		if !moved {
			return
		}
		var err error
		if w, err = d.follow(); err != nil {
			if errors.Is(err, unix.EBADFD) {
				d.link.gone()
				return
			}
			// Not to be seen any more: Read and Write find out the rest.
			d.link.set(ethstack.LinkUp)
			return
		}
		d.observe(&w.now)
		if !d.link.watching(w.socket) {
			w.socket.Close()
			return
		}
	}
}

// listen takes in messages until the socket is closed, which ends it with
// false, or the interface is not in the socket's namespace any more.
func (d *Device) listen(w watcher) (moved bool) {
	buf := make([]byte, netlinkBuffer)
	for {
		var n int
		var from unix.Sockaddr
		var err error
		closed := w.raw.Read(func(fd uintptr) bool {
			n, from, err = unix.Recvfrom(int(fd), buf, 0)
			return err != unix.EAGAIN
		})
		if closed != nil {
			return false
		}
		if err == unix.ENOBUFS {
			// More changed than the socket holds: ask how it is now.
			closed = w.raw.Control(func(fd uintptr) { err = askLink(int(fd), w.index, "") })
			if closed != nil || err != nil {
				return false
			}
			continue
		}
		if sender, ok := from.(*unix.SockaddrNetlink); err != nil || !ok || sender.Pid != 0 {
			continue
		}
		parseLinks(buf[:n], func(m linkMessage, errno unix.Errno) {
			switch {
			case errno == unix.ENODEV || m.index == w.index && m.deleted:
				moved = true
			case m.index == w.index && !moved:
				d.observe(&m)
			}
		})
		if moved {
			return true
		}
	}
}

// follow finds the interface in the namespace that it is in now. The error is
// EBADFD if there is none.
func (d *Device) follow() (w watcher, err error) {
	var name string
	var address ethstack.HardwareAddr
	var ask error
	if err := d.raw.Control(func(fd uintptr) {
		var ifr *unix.Ifreq
		if ifr, ask = unix.NewIfreq("tap"); ask == nil {
			ask = unix.IoctlIfreq(int(fd), unix.TUNGETIFF, ifr)
		}
		if ask == nil {
			name = ifr.Name()
			address, ask = getHardwareAddr(int(fd))
		}
	}); err != nil {
		return w, err
	}
	if ask != nil {
		return w, ask
	}
	err = d.inNamespace(func(known bool) (err error) {
		w, err = newWatcher(name, address, known)
		return err
	})
	return w, err
}

// inNamespace calls f on a thread that is in the network namespace of the
// interface. Where that cannot be asked it stays on a thread of this one, and
// known is false.
func (d *Device) inNamespace(f func(known bool) error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	namespace := -1
	var err error
	if closed := d.raw.Control(func(fd uintptr) {
		// Linux 5.15, and CAP_NET_ADMIN over the namespace.
		namespace, err = unix.IoctlRetInt(int(fd), unix.TUNGETDEVNETNS)
	}); closed != nil {
		return closed
	}
	if err != nil {
		return f(false)
	}
	defer unix.Close(namespace)
	var there, here unix.Stat_t
	if unix.Fstat(namespace, &there) == nil && unix.Stat("/proc/thread-self/ns/net", &here) == nil &&
		there.Dev == here.Dev && there.Ino == here.Ino {
		return f(true)
	}
	return inOtherNamespace(namespace, f)
}

// inOtherNamespace calls f on a thread of its own, which ends afterwards,
// because its goroutine ends without unlocking it. The caller's thread is
// locked, so it is another one, and not the main thread if that cannot end.
func inOtherNamespace(namespace int, f func(known bool) error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			// The main thread cannot end.
			done <- inOtherNamespace(namespace, f)
			runtime.UnlockOSThread()
			return
		}
		if err := unix.Setns(namespace, unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("%w: %w", errElsewhere, err)
			return
		}
		done <- f(true)
	}()
	return <-done
}
