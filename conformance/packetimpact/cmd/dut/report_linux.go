package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/ethlink/ethlink/conformance/packetimpact/dut"
)

// openReport takes the file descriptor that the JSON object goes to.
func openReport(fd int) (*os.File, error) {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err == nil && flags&unix.O_ACCMODE == unix.O_RDONLY {
		err = unix.EBADF
	}
	if err != nil {
		return nil, fmt.Errorf("file descriptor %d is not open for writing: %w; have the JSON object go to another with --info-fd, such as 1", fd, err)
	}
	unix.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), fmt.Sprintf("file descriptor %d", fd)), nil
}

// writeReport writes the JSON object and closes the file: its reader waits for
// that.
func writeReport(f *os.File, info dut.Info) error {
	err := json.NewEncoder(f).Encode(info)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("telling of the device under test: %w", err)
	}
	return nil
}

// info is what is told.
func (p place) info(hw tcpip.LinkAddress, service net.Addr) dut.Info {
	at := service.(*net.TCPAddr).AddrPort()
	return dut.Info{
		Uname: uname(),
		Net: dut.Net{
			RemoteMAC:        net.HardwareAddr(hw),
			RemoteIPv4:       p.ipv4.Addr(),
			IPv4PrefixLength: p.ipv4.Bits(),
			RemoteIPv6:       p.ipv6.Addr(),
			RemoteDevID:      uint32(dut.TestNIC),
			RemoteDevName:    p.name,
			POSIXServerIP:    at.Addr().Unmap(),
			POSIXServerPort:  at.Port(),
		},
	}
}

// uname returns what `uname` prints.
func uname() dut.Uname {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return dut.Uname{} // for bad memory only; and nobody looks at it
	}
	return dut.Uname{
		Machine:         unix.ByteSliceToString(u.Machine[:]),
		KernelName:      unix.ByteSliceToString(u.Sysname[:]),
		KernelRelease:   unix.ByteSliceToString(u.Release[:]),
		KernelVersion:   unix.ByteSliceToString(u.Version[:]),
		OperatingSystem: "GNU/Linux",
	}
}
