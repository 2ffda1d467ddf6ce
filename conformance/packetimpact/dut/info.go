package dut

import (
	"net"
	"net/netip"
)

// Info is what a device under test says of itself, as the suite's JSON has it.
// The fields that are named Local there are the test bench's: its runner fills
// them in.
type Info struct {
	Uname Uname
	Net   Net
}

// Uname says what system the device under test is. The suite looks at it only
// where it tests a kernel's own stack.
type Uname struct {
	Machine, KernelName, KernelRelease, KernelVersion, OperatingSystem string
}

// Net says how the device under test is reached.
type Net struct {
	RemoteMAC        net.HardwareAddr
	RemoteIPv4       netip.Addr
	IPv4PrefixLength int
	RemoteIPv6       netip.Addr
	// RemoteDevID and RemoteDevName are the interface's as the service knows
	// it, for scopes and SO_BINDTODEVICE.
	RemoteDevID   uint32
	RemoteDevName string
	// POSIXServerIP and POSIXServerPort are where the service listens.
	POSIXServerIP   netip.Addr
	POSIXServerPort uint16
}
