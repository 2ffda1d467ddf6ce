package dut

import (
	"time"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/abi/linux/errno"
	"gvisor.dev/gvisor/pkg/tcpip"
)

func setCork(_ *Server, sock *socket, v optionValue) errno.Errno {
	n, ok := v.integer()
	if !ok {
		return errno.EINVAL
	}
	sock.ep.SocketOptions().SetCorkOption(n != 0)
	return errno.NOERRNO
}

func setNoDelay(_ *Server, sock *socket, v optionValue) errno.Errno {
	n, ok := v.integer()
	if !ok {
		return errno.EINVAL
	}
	sock.ep.SocketOptions().SetDelayOption(n == 0)
	return errno.NOERRNO
}

// setLinger2 takes seconds. The suite sends a timeval, whose beginning is read
// as an int: that is seconds, too.
func setLinger2(_ *Server, sock *socket, v optionValue) errno.Errno {
	n, ok := v.integer()
	if !ok {
		return errno.EINVAL
	}
	o := tcpip.TCPLingerTimeoutOption(time.Duration(n) * time.Second)
	return errnoOf(sock.ep.SetSockOpt(&o))
}

// setUserTimeout takes milliseconds.
func setUserTimeout(_ *Server, sock *socket, v optionValue) errno.Errno {
	n, ok := v.integer()
	if !ok || n < 0 {
		return errno.EINVAL
	}
	o := tcpip.TCPUserTimeoutOption(time.Duration(n) * time.Millisecond)
	return errnoOf(sock.ep.SetSockOpt(&o))
}

// getTCPInfo returns struct tcp_info, as far as netstack knows it.
func getTCPInfo(sock *socket) (optionValue, errno.Errno) {
	var o tcpip.TCPInfoOption
	if err := sock.ep.GetSockOpt(&o); err != nil {
		return nil, errnoOf(err)
	}
	info := linux.TCPInfo{
		State:       uint8(o.State),
		CaState:     congestionState(o.CcState),
		RTO:         uint32(o.RTO.Microseconds()),
		RTT:         uint32(o.RTT.Microseconds()),
		RTTVar:      uint32(o.RTTVar.Microseconds()),
		SndSsthresh: o.SndSsthresh,
		SndCwnd:     o.SndCwnd,
	}
	if o.ReorderSeen {
		info.ReordSeen = 1
	}
	b := make([]byte, info.SizeBytes())
	info.MarshalBytes(b)
	return b, errno.NOERRNO
}

// congestionState returns Linux's number of a state of congestion control.
func congestionState(s tcpip.CongestionControlState) uint8 {
	switch s {
	case tcpip.RTORecovery:
		return linux.TCP_CA_Loss
	case tcpip.FastRecovery, tcpip.SACKRecovery:
		return linux.TCP_CA_Recovery
	case tcpip.Disorder:
		return linux.TCP_CA_Disorder
	}
	return linux.TCP_CA_Open
}
