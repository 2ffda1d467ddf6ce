package endpoint

import (
	"log/slog"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/ethstack"
)

// Options configure an [Endpoint]. The zero value is ready for use.
type Options struct {
	// HardwareAddr is the endpoint's address. Zero means the device's own, or
	// where it has none a random one that is locally administered.
	HardwareAddr ethstack.HardwareAddr
	// ARP has the resolver's limits and times. Its HardwareAddr is ignored.
	ARP arp.Config
	// Neighbors are known from the start; see [ethstack.Options].
	Neighbors []arp.Entry
	// ProxyARP is whom to answer for besides the NIC's addresses; nobody by
	// default.
	ProxyARP ethstack.ProxyARP
	// OpenFilter lets frames for other hosts in: to packet sockets, and to
	// the bridge if the endpoint is a port of one. IP and ARP do not see
	// them. Under a wrapper such as link/sniffer IP would, unless there is the
	// companion, so leave it off there.
	OpenFilter bool
	// NoJoin delivers each TCP segment as it came. By default segments of one
	// connection that follow each other in what was read at once are made one
	// packet: netstack does less work for the same data, keeps more of it in a
	// receive buffer, and shows longer packets to packet sockets.
	NoJoin bool
	// Queue lets packets wait for the device; by default there is none.
	Queue Queue
	// OnEvent is told of changes in the neighbor table and of address
	// conflicts, in order, on a goroutine of the endpoint. It must neither
	// block nor call Close.
	OnEvent func(arp.Event)
	// OnLinkState is told of the device's state: once before New returns, and
	// on each change, on a goroutine of the device. It may call Close.
	OnLinkState func(ethstack.LinkState)
	// Clock is the time to live by; nil means [ethstack.SystemClock].
	Clock ethstack.Clock
	// Logger is told of what a person should know, never of single packets;
	// nil: nobody.
	Logger *slog.Logger
}
