//go:build !linux

package netns

import (
	"errors"
	"net/netip"
	"runtime"
)

var errOS = errors.New("netns: network namespaces need Linux, this is " + runtime.GOOS)

// Namespace does not exist here.
type Namespace struct{}

// Inside reports false.
func Inside() bool { return false }

// Run returns an error.
func Run(Options) (int, error) { return 0, errOS }

// Setup returns an error.
func Setup() error { return errOS }

// New returns an error.
func New() (*Namespace, error) { return nil, errOS }

// Do returns an error.
func (*Namespace) Do(func() error) error { return errOS }

// Close returns an error.
func (*Namespace) Close() error { return errOS }

// Link returns an error.
func Link(string) (LinkInfo, error) { return LinkInfo{}, errOS }

// SetUp returns an error.
func SetUp(string) error { return errOS }

// SetDown returns an error.
func SetDown(string) error { return errOS }

// DisableOffloads returns an error.
func DisableOffloads(string) error { return errOS }

// SetMTU returns an error.
func SetMTU(string, int) error { return errOS }

// SetHardwareAddr returns an error.
func SetHardwareAddr(string, [6]byte) error { return errOS }

// SetBridge returns an error.
func SetBridge(_, _ string) error { return errOS }

// MoveLink returns an error.
func MoveLink(string, *Namespace) error { return errOS }

// AddVeth returns an error.
func AddVeth(_, _ string) error { return errOS }

// AddBridge returns an error.
func AddBridge(string) error { return errOS }

// FloodBridge returns an error.
func FloodBridge(string) error { return errOS }

// SetQuerier returns an error.
func SetQuerier(string) error { return errOS }

// DelLink returns an error.
func DelLink(string) error { return errOS }

// AddAddr returns an error.
func AddAddr(string, netip.Prefix) error { return errOS }

// AddAddrChecked returns an error.
func AddAddrChecked(string, netip.Prefix) error { return errOS }

// AddrFlags returns an error.
func AddrFlags(string, netip.Addr) (uint32, error) { return 0, errOS }

// AddRoute returns an error.
func AddRoute(string, netip.Prefix, netip.Addr) error { return errOS }

// SetIPv6 returns an error.
func SetIPv6(string, bool) error { return errOS }

// SetSysctl returns an error.
func SetSysctl(_, _ string) error { return errOS }

// Sysctl returns an error.
func Sysctl(string) (string, error) { return "", errOS }

// Neighbors returns an error.
func Neighbors(string) ([]Neighbor, error) { return nil, errOS }

// NeighborOf returns an error.
func NeighborOf(string, netip.Addr) (Neighbor, error) { return Neighbor{}, errOS }

// SetNeighbor returns an error.
func SetNeighbor(string, Neighbor) error { return errOS }

// DelNeighbor returns an error.
func DelNeighbor(string, netip.Addr) error { return errOS }

// SetNeighborTimes returns an error.
func SetNeighborTimes(string, NeighborTimes) error { return errOS }
