package tap

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/ethstack"
	"github.com/ethlink/ethlink/internal/linkwatch"
)

// configure sets what the options ask for, and starts to watch the interface.
func (d *Device) configure(o Options) error {
	target := linkwatch.Target{
		Conn: d.queues[0].raw, Namespace: unix.TUNGETDEVNETNS, Find: findInterface, Observe: d.observe, Lost: d.lost,
	}
	w, err := linkwatch.Start(target, func(now linkwatch.Message) error {
		if o.MTU != 0 && o.MTU != now.MTU {
			if err := setMTU(d.name, o.MTU); err != nil {
				return err
			}
		}
		if o.Up && !now.IsUp() {
			return setUp(d.name)
		}
		return nil
	})
	switch {
	case err == nil:
		d.watcher = w
		return nil
	case errors.Is(err, linkwatch.ErrElsewhere) && o.MTU == 0 && !o.Up:
		// It can be used all the same: what is written fails where it is down.
		return nil
	case errors.Is(err, linkwatch.ErrElsewhere):
		return fmt.Errorf("tap: setting MTU or Up on %s: %w: leave them out, or enter the namespace first", d.name, err)
	}
	return fmt.Errorf("tap: %w", err)
}

// findInterface asks a TAP for the name and the hardware address of its
// interface.
func findInterface(fd int) (name string, address ethstack.HardwareAddr, err error) {
	name, _, err = getInterface(fd)
	if err == nil {
		address, err = getHardwareAddr(fd)
	}
	if err == unix.EBADFD {
		err = linkwatch.ErrGone
	}
	return name, address, err
}

// observe takes over what was said of the interface.
func (d *Device) observe(m *linkwatch.Message) {
	if m.MTU > 0 {
		d.mtu.Store(int32(m.MTU))
	}
	d.state.Set(m.State())
}

// lost is called when the interface is not to be seen any more.
func (d *Device) lost(err error) {
	if errors.Is(err, linkwatch.ErrGone) {
		d.gone()
		return
	}
	// Read and Write find out the rest.
	d.state.Set(ethstack.LinkUp)
}
