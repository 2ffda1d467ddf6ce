package dut

import (
	"encoding/binary"
	"math"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ethlink/ethlink/conformance/packetimpact/posix"
)

// An optionValue is the memory that an option is in. It is little-endian, like
// the suite's own, whatever the machine is.
type optionValue []byte

const (
	intLen     = 4
	timevalLen = 16 // seconds and microseconds, 8 bytes each
)

// parseOptionValue lays a value of the wire out as a C program would.
func parseOptionValue(v *posix.SockOptVal) (optionValue, error) {
	switch v := v.GetVal().(type) {
	case *posix.SockOptVal_Bytesval:
		return v.Bytesval, nil
	case *posix.SockOptVal_Intval:
		return intValue(v.Intval), nil
	case *posix.SockOptVal_Timeval:
		return timeval(v.Timeval.GetSeconds(), v.Timeval.GetMicroseconds()), nil
	}
	return nil, status.Error(codes.InvalidArgument, "the value of the option is of no kind: want bytesval, intval or timeval")
}

func intValue(n int32) optionValue {
	return binary.LittleEndian.AppendUint32(nil, uint32(n))
}

func timeval(seconds, microseconds int64) optionValue {
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, uint64(seconds)), uint64(microseconds))
}

// integer returns the int that the memory begins with.
func (v optionValue) integer() (n int, ok bool) {
	if len(v) < intLen {
		return 0, false
	}
	return int(int32(binary.LittleEndian.Uint32(v))), true
}

// duration returns the timeval that the memory begins with. One that is longer
// than a time.Duration is the longest of these.
func (v optionValue) duration() (d time.Duration, ok bool) {
	if len(v) < timevalLen {
		return 0, false
	}
	seconds, microseconds := v.timeval()
	switch {
	case seconds < 0 || microseconds < 0 || microseconds >= 1e6:
		return 0, false
	case seconds >= int64(math.MaxInt64/time.Second):
		return math.MaxInt64, true
	}
	return time.Duration(seconds)*time.Second + time.Duration(microseconds)*time.Microsecond, true
}

func (v optionValue) timeval() (seconds, microseconds int64) {
	return int64(binary.LittleEndian.Uint64(v)), int64(binary.LittleEndian.Uint64(v[timevalLen/2:]))
}

// wire returns the value as the type that was asked for. It is never nil, not
// for an empty value either, since the test binaries look into every answer.
func (v optionValue) wire(t posix.GetSockOptRequest_SockOptType, size int) (*posix.SockOptVal, error) {
	switch t {
	case posix.GetSockOptRequest_BYTES:
		b := v[:min(len(v), max(0, size))]
		return &posix.SockOptVal{Val: &posix.SockOptVal_Bytesval{Bytesval: b}}, nil
	case posix.GetSockOptRequest_INT:
		n, _ := v.integer()
		return &posix.SockOptVal{Val: &posix.SockOptVal_Intval{Intval: int32(n)}}, nil
	case posix.GetSockOptRequest_TIME:
		tv := new(posix.Timeval)
		if len(v) >= timevalLen {
			tv.Seconds, tv.Microseconds = v.timeval()
		}
		return &posix.SockOptVal{Val: &posix.SockOptVal_Timeval{Timeval: tv}}, nil
	}
	return nil, status.Errorf(codes.InvalidArgument, "type %v: want BYTES, INT or TIME", t)
}
