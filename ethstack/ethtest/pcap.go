package ethtest

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"github.com/ethlink/ethlink/ethstack"
)

// A PcapWriter writes captured frames as a file that tcpdump and Wireshark
// read: classic pcap with nanoseconds. Its Capture method is for
// [SegmentOptions].Capture.
type PcapWriter struct {
	mu  sync.Mutex
	w   io.Writer
	buf []byte
	err error
}

// NewPcapWriter writes the file's header to w. Nothing is buffered; closing w
// is the caller's business.
func NewPcapWriter(w io.Writer) (*PcapWriter, error) {
	h := make([]byte, 0, 24)
	h = binary.LittleEndian.AppendUint32(h, 0xa1b23c4d)             // magic number: nanoseconds
	h = binary.LittleEndian.AppendUint16(h, 2)                      // version 2.4
	h = binary.LittleEndian.AppendUint16(h, 4)                      //
	h = append(h, make([]byte, 8)...)                               // zone and accuracy, always 0
	h = binary.LittleEndian.AppendUint32(h, ethstack.MaxSuperFrame) // longest frame
	h = binary.LittleEndian.AppendUint32(h, 1)                      // LINKTYPE_ETHERNET
	if _, err := w.Write(h); err != nil {
		return nil, fmt.Errorf("ethtest: pcap header: %w", err)
	}
	return &PcapWriter{w: w}, nil
}

// Capture writes one frame; its time counts from 1970. It may be called by
// any number of goroutines, for several segments. After an error it does nothing.
func (p *PcapWriter) Capture(c Capture) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return
	}
	p.buf = binary.LittleEndian.AppendUint32(p.buf[:0], uint32(c.Time/1e9))
	p.buf = binary.LittleEndian.AppendUint32(p.buf, uint32(c.Time%1e9))
	p.buf = binary.LittleEndian.AppendUint32(p.buf, uint32(len(c.Frame))) // captured
	p.buf = binary.LittleEndian.AppendUint32(p.buf, uint32(len(c.Frame))) // on the wire
	p.buf = append(p.buf, c.Frame...)
	if _, err := p.w.Write(p.buf); err != nil {
		p.err = fmt.Errorf("ethtest: pcap frame: %w", err)
	}
}

// Err returns the first error of writing.
func (p *PcapWriter) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}
