package ethtest

import "fmt"

// Fault is something that a [FaultyDevice] does wrong.
type Fault uint8

const (
	// FaultReadError: Read fails; no frame is lost.
	FaultReadError Fault = iota
	// FaultCorrupt: a byte of a frame that is read is another.
	FaultCorrupt
	// FaultTruncate: the end of a frame that is read is missing.
	FaultTruncate
	// FaultOversize: a frame that is read is longer than the MTU allows, with
	// random bytes at its end.
	FaultOversize
	// FaultDuplicate: a frame is read twice, the second time behind the others.
	FaultDuplicate

	// FaultChecksumPlace: a checksum is to be completed outside the frame. From
	// here on: metadata of a frame that is read.
	FaultChecksumPlace
	// FaultChecksumGarbage: one is to be completed anywhere in the frame.
	FaultChecksumGarbage
	// FaultSegmentSize: a super-frame with segments of no size.
	FaultSegmentSize
	// FaultSegmentType: a super-frame of a type that the packet is not of.
	FaultSegmentType
	// FaultHeaderLen: headers longer than the frame.
	FaultHeaderLen

	// FaultFull: a frame to be written finds no room. From here on, each frame
	// that is refused counts.
	FaultFull
	// FaultTooLong: the device says that it is too long.
	FaultTooLong
	// FaultOffload: that its metadata is not supported.
	FaultOffload
	// FaultDisconnected: that it is gone, which is not so.
	FaultDisconnected
	// FaultWriteError: an error of no known kind.
	FaultWriteError
	// FaultPartial: from a frame on, the batch finds no room.
	FaultPartial
	// FaultStall: from a call on, several calls find no room.
	FaultStall

	// FaultFlap: the link goes down and up again.
	FaultFlap

	// NumFaults is how many kinds there are.
	NumFaults
)

var faultNames = [NumFaults]string{
	"read error", "corrupt", "truncate", "oversize", "duplicate",
	"checksum place", "checksum garbage", "segment size", "segment type", "header length",
	"full", "too long", "offload", "disconnected", "write error", "partial", "stall", "flap",
}

func (f Fault) String() string {
	if f < NumFaults {
		return faultNames[f]
	}
	return fmt.Sprintf("Fault(%d)", uint8(f))
}

// FaultRates has the probability of each kind of [Fault], 0 to 1: for each
// frame, or for each call where a fault is a call's.
type FaultRates [NumFaults]float64

// AllFaults returns one probability for every kind.
func AllFaults(probability float64) (r FaultRates) {
	for k := range r {
		r[k] = probability
	}
	return r
}

func (r FaultRates) check() error {
	for k, p := range r {
		if !(p >= 0 && p <= 1) { // also not a number
			return fmt.Errorf("ethtest: the rate of %v is %v: want a probability from 0 to 1", Fault(k), p)
		}
	}
	return nil
}
