package main

import (
	"fmt"
	"strconv"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/ethstack"
)

// counterRows returns the counters that are not zero, as rows of a table.
func counterRows(s ethstack.Stats) (rows [][]string) {
	const columns = 15 // digits with their commas
	add := func(name string, n uint64) {
		if n != 0 {
			rows = append(rows, []string{name, fmt.Sprintf("%*s", columns, grouped(n))})
		}
	}
	add("frames received", s.RxFrames)
	add("bytes received", s.RxBytes)
	add("delivered to netstack", s.RxDelivered)
	add("taken in by ARP", s.RxARP)
	add("errors on receiving", s.RxErrors)
	add("frames sent", s.TxFrames)
	add("bytes sent", s.TxBytes)
	add("errors on sending", s.TxErrors)
	add("ARP requests sent", s.ARPRequests)
	add("ARP replies sent", s.ARPReplies)
	add("ARP conflicts", s.ARPConflicts)
	for r, n := range s.ARPIn {
		add("ARP in: "+arp.InputResult(r).String(), n)
	}
	for r, n := range s.Pending {
		add("waited, dropped: "+arp.DropReason(r).String(), n)
	}
	for r, n := range s.Drops {
		add("dropped: "+ethstack.DropReason(r).String(), n)
	}
	return rows
}

// grouped writes a number with a comma after each three digits.
func grouped(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
