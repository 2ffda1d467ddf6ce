// Package tap makes a Linux TAP interface an [ethstack.Device]: what the
// kernel sends out of the interface is read here, what is written here the
// kernel receives.
//
// # Addresses
//
// A TAP is a cable with two ends. The interface that `ip link` shows is the
// kernel's end and has the kernel's hardware address. This end has another,
// [ethstack.DeviceInfo.HardwareAddr]: chosen at random when the device is opened,
// unless [Options] give one.
//
// # Offload
//
// The kernel hands over super-frames of TCP and frames whose checksum is not
// complete, and takes them, with the metadata of the virtio network header.
// [Options.NoOffload] switches that off. The kernel is not asked for UDP
// super-frames (TUN_F_USO4, TUN_F_USO6): whoever reads them must be able to take
// them apart, for there is no socket option in netstack that keeps them whole,
// and a frame lost is then up to 64 KiB of datagrams lost. Writing them is
// offered where the kernel takes them (Linux 6.2).
//
// # The state of the link
//
// The link is up while the interface is up and has its carrier. While it is
// down, Read waits, and Write fails with an error that wraps
// [ethstack.ErrNoBufferSpace]: the same frame may be taken once the interface is
// up again. When the interface is deleted the link is gone, and both fail with
// [ethstack.ErrDisconnected]. An interface that is moved to another network
// namespace is followed there if this process may; if not, the link counts as
// up from then on.
package tap
