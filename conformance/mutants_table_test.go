package conformance

// mutants are the defects inside, from the resolver up to netstack's boundary.
var mutants = []mutant{
	// RFC 826 and its kin.
	{
		name: "no ARP replies", file: "arp/input.go",
		old: "	h.reply(p, a)\n	return InputAnswered", new: "	return InputAnswered",
		caughtBy: "conformance TestOnSegment/R8_RFC826_reply_fields",
	}, {
		name: "a request names a target hardware address", file: "arp/resolve.go",
		old: "SenderAddr: e.source, TargetAddr:", new: "SenderAddr: e.source, TargetHardwareAddr: Broadcast, TargetAddr:",
		caughtBy: "conformance TestOnSegment/R9_RFC826_request_fields",
	}, {
		name: "ARP packets with padding refused", file: "arp/packet.go",
		old: "if len(b) < PacketLen {", new: "if len(b) != PacketLen {",
		caughtBy: "conformance TestOnSegment/R7_RFC826_request_lengths",
	}, {
		name: "requests not limited", file: "arp/resolve.go",
		old: "return now-e.requested < h.c.RequestInterval", new: "return false",
		caughtBy: "conformance TestOnSegment/R26_RFC1122_one_request_per_second",
	}, {
		name: "a neighbor that is silent polled for ever", file: "arp/handler.go",
		old: "if int(e.tries) < h.c.MaxProbes {", new: "if true {",
		caughtBy: "conformance TestOnSegment/R25_RFC1122_out_of_date_entries",
	}, {
		name: "defended without interval", file: "arp/claim.go",
		old: "recent := now-o.defended < h.c.DefendInterval", new: "recent := false",
		caughtBy: "conformance TestOnSegment/R44_RFC5227_defense_is_limited",
	}, {
		name: "the group bit of senders ignored", file: "arp/input.go",
		old: "case p.SenderHardwareAddr.IsGroup() || p.SenderHardwareAddr.IsZero():", new: "case p.SenderHardwareAddr.IsZero():",
		caughtBy: "conformance TestOnSegment/R57_policy_impossible_senders",
	}, {
		name: "announcements add neighbors", file: "arp/input.go",
		old: "case p.IsAnnouncement() && h.c.Accept == AcceptLearn:", new: "case p.IsAnnouncement():",
		caughtBy: "conformance TestOnSegment/R53_policy_unsolicited_is_not_added",
	}, {
		name: "whoever says so is believed", file: "arp/verify.go",
		old: "case h.c.AcceptImmediately:", new: "case true:",
		caughtBy: "conformance TestOnSegment/R55_policy_forged_reply",
	}, {
		name: "a sender of 0.0.0.0 learned", file: "arp/input.go",
		old: "case !usable(p.SenderAddr) || m.SenderIsOffLink:", new: "case m.SenderIsOffLink:",
		caughtBy: "arp TestSendersThatAreNotBelieved",
	}, {
		name: "a static neighbor follows what comes in", file: "arp/input.go",
		old: "case e.state == Static:", new: "case false:",
		caughtBy: "arp TestTransitions",
	}, {
		name: "a failed next hop refused for ever", file: "arp/resolve.go",
		old:      "h.change(e, Failed, a)\n	h.setDeadline(e, now+h.c.FailedTime)",
		new:      "h.change(e, Failed, a)\n	h.setDeadline(e, never)",
		caughtBy: "arp TestTransitions",
	}, {
		name: "a reply that nobody asked for confirms", file: "arp/input.go",
		old: "case answer && asked:", new: "case answer:",
		caughtBy: "arp TestTransitions",
	}, {
		name: "released packets in reverse", file: "arp/queue.go",
		old:      "		out.P = x.p\n		a.Release = append(a.Release, out)",
		new:      "		out.P = x.p\n		a.Release = append([]Release[P]{out}, a.Release...)",
		caughtBy: "arp TestDraining",
	}, {
		name: "in the table before the queue has drained", file: "arp/resolve.go",
		old: "	if e.draining() {\n		return\n	}\n	e.published = true", new: "	e.published = true",
		caughtBy: "arp TestDraining",
	}, {
		name: "a probe tells the address", file: "arp/claim.go",
		old: "SenderAddr: netip.IPv4Unspecified(), TargetAddr: o.addr", new: "SenderAddr: o.addr, TargetAddr: o.addr",
		caughtBy: "arp TestClaim",
	}, {
		name: "one probe too few", file: "arp/claim.go",
		old: "o.state, o.left = Waiting, t.ProbeNum", new: "o.state, o.left = Waiting, t.ProbeNum-1",
		caughtBy: "arp TestClaim",
	}, {
		name: "ARP from a link-local address to one host", file: "arp/resolve.go",
		old: "if sender.IsLinkLocalUnicast() {", new: "if false {",
		caughtBy: "arp TestLinkLocalRequests",
	}, {
		name: "strangers push out what is used", file: "arp/cache.go",
		old: "if e == nil && asked {", new: "if e == nil {",
		caughtBy: "arp TestEviction",
	},

	// The frame, its filter, its checksums and segments.
	{
		name: "ARP from the wrong source", file: "ethstack/act.go",
		old: "Source: p.SenderHardwareAddr, EtherType", new: "Source: p.TargetHardwareAddr, EtherType",
		caughtBy: "conformance TestOnSegment/R8_RFC826_reply_fields",
	}, {
		name: "padding not zero", file: "ethstack/act.go",
		old: "clear(r.packet[:])", new: "r.packet[len(r.packet)-1]++",
		caughtBy: "conformance TestOnSegment/R17_RFC894_padding_zero",
	}, {
		name: "no filter", file: "ethstack/demux.go",
		old:      "		if !i.open {\n			return DropForeign\n		}\n		h.Class = ToOther",
		new:      "		h.Class = ToUs",
		caughtBy: "conformance TestOnSegment/R23_IEEE802.3_foreign_unicast",
	}, {
		name: "frames of our own taken in", file: "ethstack/demux.go",
		old: "case h.Source == own:", new: "case false:",
		caughtBy: "conformance TestOnSegment/R22_policy_reflected",
	}, {
		name: "a packet for us in a broadcast frame", file: "ethstack/demux.go",
		old:      "return c == ToMulticast || i.isOurs(netip.AddrFrom4(dst))",
		new:      "return c == ToMulticast && i.isOurs(netip.AddrFrom4(dst))",
		caughtBy: "conformance TestOnSegment/R30_RFC1122_unicast_ip_in_broadcast",
	}, {
		name: "ARP taken in while disabled", file: "ethstack/demux.go",
		old: "	if i.host != nil && !i.host.Enabled() {", new: "	if false {",
		caughtBy: "ethstack TestHostDisabled",
	}, {
		name: "a priority tag taken for a VLAN", file: "ethstack/header.go",
		old: "case id != 0:", new: "case true:",
		caughtBy: "ethstack TestParseHeader",
	}, {
		name: "802.3 padding passed on", file: "ethstack/header.go",
		old: "h.PayloadLen = length - llcLen", new: "h.PayloadLen -= llcLen",
		caughtBy: "conformance TestOnSegment/R16_IEEE802.3_length_field",
	}, {
		name: "the MTU off by one", file: "ethstack/demux.go",
		old: "h.PayloadLen > mtu {", new: "h.PayloadLen > mtu+1 {",
		caughtBy: "ethstack TestDemux",
	}, {
		name: "tagged frames may be dropped first", file: "ethstack/vlan.go",
		old: "binary.BigEndian.PutUint16(b[2:], tag.ID)", new: "binary.BigEndian.PutUint16(b[2:], tag.ID|0x1000)",
		caughtBy: "ethstack TestVLANWrite",
	}, {
		name: "the last byte not summed", file: "ethstack/verify.go",
		old: "f.sum(&s, l.transport, end)", new: "f.sum(&s, l.transport, end-1)",
		caughtBy: "ethstack TestVerifyGood",
	}, {
		name: "IPv4 headers not verified", file: "ethstack/verify.go",
		old: "return ChecksumBadHeader\n", new: "return ChecksumGood\n",
		caughtBy: "ethstack TestVerifyFindsEveryBit",
	}, {
		name: "a checksum of zero sent as zero", file: "ethstack/offload.go",
		old: "return transmitted(s.Checksum())", new: "return s.Checksum()",
		caughtBy: "ethstack TestCompleteZero",
	}, {
		name: "a segment too many", file: "ethstack/segment.go",
		old: "(payload+size-1)/size)", new: "(payload+size)/size)",
		caughtBy: "ethstack TestSegmentReassembles",
	}, {
		name: "all segments with one identification", file: "ethstack/segment.go",
		old: "binary.BigEndian.Uint16(ip[4:])+uint16(k))", new: "binary.BigEndian.Uint16(ip[4:]))",
		caughtBy: "ethstack TestSegmentReassembles",
	}, {
		name: "FIN on each segment", file: "ethstack/segment.go",
		old: "flags &^= tcpFIN | tcpPSH", new: "flags &^= tcpPSH",
		caughtBy: "ethstack TestSegmentTCPFlags",
	}, {
		name: "what is to be done done in reverse", file: "ethstack/resolve.go",
		old:      "r.todo = append(r.todo, a)",
		new:      "r.todo = slices.Insert(r.todo, r.next, a)",
		caughtBy: "ethstack TestCallbacksMayCallBack",
	}, {
		name: "every packet reports a stale neighbor", file: "ethstack/table.go",
		old: "use = s.value.CompareAndSwap(v, v&^valueStale)", new: "use = true",
		caughtBy: "ethstack TestTableStaleElectsOne",
	}, {
		name: "an address that was given up answered for", file: "ethstack/claim.go",
		old: "r.i.setExplicit(e.Addr, false)", new: "",
		caughtBy: "ethstack TestGivenUp",
	},

	// netstack's boundary, and devices.
	{
		name: "IP from the wrong source", file: "endpoint/outbound.go",
		old: "Source:      e.source(pkt.EgressRoute.LocalLinkAddress),", new: "Source:      to,",
		caughtBy: "conformance TestOnSegment/R11_RFC894_ipv4_encapsulation",
	}, {
		name: "the last byte of what is received lost", file: "endpoint/inbound.go",
		old: "data.Append(s.cut(n))", new: "data.Append(s.cut(n - 1))",
		caughtBy: "conformance TestOnSegment/R14_RFC894_largest_packets",
	}, {
		name: "the MTU less the header", file: "endpoint/endpoint.go",
		old: "mtu := uint32(e.i.MTU())", new: "mtu := uint32(e.i.MTU()) - ethstack.HeaderLen",
		caughtBy: "conformance TestOnSegment/C4_LinkEndpoint_mtu",
	}, {
		name: "24 bits of a group", file: "endpoint/route.go",
		old: "group[1] & 0x7f", new: "group[1]",
		caughtBy: "conformance TestOnSegment/R33_RFC1112_multicast_mapping",
	}, {
		name: "a subnet's broadcast address asked for", file: "endpoint/route.go",
		old: "!gateway && r.Loop == stack.PacketOut|stack.PacketLoop:", new: "false:",
		caughtBy: "conformance TestOnSegment/R33_RFC1122_broadcast_mapping",
	}, {
		name: "no gateway", file: "endpoint/route.go",
		old: "	hop = remote\n	if gateway {", new: "	hop = remote\n	if false {",
		caughtBy: "conformance TestOnSegment/R32_RFC1122_gateway",
	}, {
		name: "an error before the answer", file: "endpoint/pending.go",
		old: "case result == arp.Unreachable && !pkt", new: "case result != arp.Resolved && !pkt",
		caughtBy: "conformance TestOnSegment/R28_RFC1122_no_error_before_the_answer",
	}, {
		name: "delivered after it was detached", file: "endpoint/endpoint.go",
		old: "	if d == nil {\n		e.up.Store(nil)\n		return", new: "	if d == nil {\n		return",
		caughtBy: "conformance TestOnSegment/C20_LinkEndpoint_attach_and_detach",
	}, {
		name: "our former address as a source", file: "endpoint/identity.go",
		old: "if !ok || slices.Contains(id.former, hw) {", new: "if !ok {",
		caughtBy: "conformance TestOnSegment/R38_IEEE802.3_new_source_of_old_routes",
	}, {
		name: "a fragment's checksum vouched for", file: "endpoint/inbound.go",
		old: "c.unverified.Store(true)", new: "",
		caughtBy: "endpoint TestBadFragmentChecksum",
	}, {
		name: "what waits overtakes the batch before it", file: "endpoint/pending.go",
		old: "	e.flush(b)\n	p := e.waits.Get()", new: "	p := e.waits.Get()",
		caughtBy: "endpoint TestSentBeforeWaiting",
	}, {
		name: "an error that netstack panics on", file: "endpoint/errors.go",
		old: "return &tcpip.ErrNoBufferSpace{}", new: "return &tcpip.ErrNetworkUnreachable{}",
		caughtBy: "endpoint TestErrors",
	}, {
		name: "what was dropped not given back", file: "endpoint/pending.go",
		old:      "		e.reportUnreachable(pkt, hop)\n	}\n	pkt.DecRef()",
		new:      "		e.reportUnreachable(pkt, hop)\n	}",
		caughtBy: "endpoint TestUDPToUnreachable", leaks: true,
	}, {
		name: "the metadata of a frame lost", file: "adapters/channel/lane.go",
		old: "= len(k.data), k.offload, nil", new: "= len(k.data), ethstack.Offload{}, nil",
		caughtBy: "adapters/channel TestMetadata",
	}, {
		name: "a device's longest frame cut by a byte", file: "internal/frameio/frameio.go",
		old: "	return mtu + ethstack.HeaderLen\n", new: "	return mtu + ethstack.HeaderLen - 1\n",
		caughtBy: "adapters/channel TestContract",
	},
}
