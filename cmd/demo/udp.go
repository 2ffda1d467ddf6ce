package main

// udpSizes returns the sizes of the datagrams that are sent: the least, one that
// fills a frame, and one that IP has to cut up unless frames are huge.
func udpSizes(mtu int, v6 bool) []int {
	const udpHeader, ipv4Header, ipv6Header = 8, 20, 40
	full := mtu - udpHeader - ipv4Header
	if v6 {
		full = mtu - udpHeader - ipv6Header
	}
	return []int{1, full, 20000}
}
