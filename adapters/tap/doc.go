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
// # Queues
//
// With [Options.Queues] several goroutines read at the same time, each its own
// queue. That pays with several processors and many flows: for one flow, or on
// few processors, one queue is as fast or faster, and is the default.
//
// Which queue a flow comes in on is the kernel's choice, by a hash of its
// addresses and ports that is the same for both directions, and does not change:
// so its frames stay in order. Frames that are not IP come in on one queue. The
// queue given to Write does not matter: any number of goroutines can write at
// the same time, and a frame is written when Write returns.
//
// Of queues given as [Options.Files] this holds with one exception: the kernel
// moves a flow to the queue that its last frame was written to, and back some
// seconds later if none is written. What was left in the old queue may then be
// overtaken once. So write a flow always to the same queue, as the endpoint
// does.
//
// # What is not taken
//
// The kernel takes in a frame while it is written, so a TAP is never full: a
// Write that overloads the kernel takes longer, and what the kernel has no room
// for it drops and counts itself. Only a want of kernel memory, or a limit that
// somebody has set (TUNSETSNDBUF), fails with an error that wraps
// [ethstack.ErrNoBufferSpace].
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
