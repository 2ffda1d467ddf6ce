package ethstack

// A Receiver supplies the memory that one queue of a [Link] reads into, and
// takes the frames that are not ARP's. Its methods are called from that
// queue's goroutine only.
type Receiver interface {
	// Prepare gives memory to a frame that has none (len(f.Bufs) == 0): a
	// first buffer of at least [HeadLen] bytes, and enough in all for the
	// longest frame that the device may return ([DeviceInfo].MaxFrame).
	Prepare(f *Frame)

	// Deliver takes a frame that has passed the filter of i. Its first f.Len
	// bytes are valid; the payload starts at h.Len. To keep the memory, take
	// it out of f.Bufs; what is left there is read into again. The result is
	// DropNone, or why the frame was dropped after all; the Interface counts it.
	Deliver(i *Interface, f *Frame, h Header) DropReason

	// Flush is called when all frames that were read at once have been
	// delivered: nothing is to be held back for longer.
	Flush()

	// Release takes back the memory of a frame when the queue has ended.
	Release(f *Frame)
}

// head returns the frame's first bytes as far as they lie in one piece.
func (f *Frame) head() []byte {
	if len(f.Bufs) == 0 {
		return nil
	}
	return f.Bufs[0][:min(len(f.Bufs[0]), f.Len)]
}
