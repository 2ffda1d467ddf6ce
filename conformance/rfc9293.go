package conformance

import (
	"fmt"

	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/qdisc/fifo"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// bulkSize is of how much data a stream is made: several super-frames.
const bulkSize = 200_000

// TCP through the endpoint. What it hands over in super-frames must be plain
// segments on the wire.
var rfc9293 = []check{
	{
		requirement: "C8", clause: "GSOEndpoint, SupportedGSO", name: "tcp_stream_out", level: Must,
		asks: "What TCP sends, in super-frames or not, leaves as segments no longer than the MTU, with all checksums right and every byte in its place.",
		test: func(t *trial) { t.streamsOut(0, 65535, nil) },
	}, {
		requirement: "C8", clause: "RFC 9293 §3.7.1", name: "segments_of_a_small_mss", level: Must,
		asks: "No segment has more data than the peer has said that it takes, also when it is cut from a super-frame.",
		test: func(t *trial) { t.streamsOut(536, 65535, nil) },
	}, {
		requirement: "C8", clause: "RFC 9293 §3.8.6", name: "segments_of_a_small_window", level: Must,
		asks: "The same with a window that is no multiple of a segment, which makes short super-frames.",
		test: func(t *trial) { t.streamsOut(0, 4321, nil) },
	}, {
		requirement: "C10", clause: "QueueingDiscipline, WritePacket", name: "tcp_stream_by_queue", level: Must,
		asks: "The same through netstack's queue, which gives the endpoint many packets in one list.",
		test: func(t *trial) {
			t.streamsOut(0, 65535, fifo.New(t.Endpoint, 1, 1000))
		},
		bare: true, // the NIC is made with the queue
	}, {
		requirement: "C7", clause: "LinkEndpoint, Attach", name: "tcp_stream_in", level: Must,
		asks: "Segments of any size are received, with every byte in its place.",
		test: func(t *trial) {
			for _, v := range families {
				c := t.converse(v, alice, 0, 65535)
				sent := bulk(bulkSize)
				for rest := sent; len(rest) > 0; {
					n := min(len(rest), 32_000) // of the 64 KiB that are offered
					c.send(rest[:n])
					t.equalBulk("what was received over "+v.name, c.read(n), rest[:n])
					rest = rest[n:]
				}
			}
		},
	}, {
		requirement: "R14", clause: "RFC 9293 §3.7.1", name: "mss_of_the_mtu", level: Must,
		asks: "The segments that TCP says that it takes are those that fit into the MTU.",
		test: func(t *trial) {
			for _, v := range families {
				c := t.converse(v, alice, 0, 65535)
				h, _ := c.tcp(c.synack)
				got := header.ParseSynOptions(h.Options(), true).MSS
				if want := uint16(int(t.MTU) - v.header - header.TCPMinimumSize); got != want {
					t.errorf("over %s the host takes segments of %d bytes, want %d", v.name, got, want)
				}
			}
		},
	}, {
		requirement: "R11", clause: "RFC 9293 §3.1", name: "tcp_checksums", level: Must,
		asks: "Segments without data have their checksum too: SYN, FIN and RST, which no super-frame carries.",
		test: func(t *trial) {
			for _, v := range families {
				c := t.converse(v, alice, 0, 65535)
				t.intact(c.synack)
				c.host.Close()
				t.intact(t.want("a FIN", c.has(header.TCPFlagFin)))
				c.port = closedPort
				t.put(c.segment(header.TCPFlagAck, nil, nil))
				t.intact(t.want("a RST", c.has(header.TCPFlagRst)))
			}
		},
	},
}

// streamsOut has the host send a stream over each IP to a peer that takes
// segments of so many bytes and offers the window. The stack is made here if
// there is a queue for its NIC.
func (t *trial) streamsOut(mss int, window uint16, queue stack.QueueingDiscipline) {
	if queue != nil {
		t.makeStack(stack.NICOptions{QDisc: queue})
	}
	for _, v := range families {
		c := t.converse(v, alice, mss, window)
		sent := bulk(bulkSize)
		c.write(sent)
		got := c.collect(len(sent))
		t.equalBulk(fmt.Sprintf("what was sent over %s", v.name), got, sent)
	}
}

// has matches the host's segments with a flag.
func (c *conversation) has(flag header.TCPFlags) func(frame) bool {
	return func(f frame) bool {
		h, ok := c.tcp(f)
		return ok && h.Flags()&flag != 0
	}
}

// equalBulk is equal for what is too long to be shown.
func (t *trial) equalBulk(what string, got, want []byte) {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.errorf("%s: byte %d is %#x, want %#x", what, i, got[i], want[i])
			return
		}
	}
	if len(got) != len(want) {
		t.errorf("%s: %d bytes, want %d", what, len(got), len(want))
	}
}
