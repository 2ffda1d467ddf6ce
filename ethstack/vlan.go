package ethstack

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// Tag is one VLAN tag of a frame.
type Tag struct {
	// EtherType is [EtherTypeVLAN] (802.1Q), which zero stands for, or
	// [EtherTypeServiceVLAN] (802.1ad).
	EtherType EtherType
	// ID is the VLAN's identifier, 1 to 4094.
	ID uint16
}

// VLAN names a virtual LAN by the tags of its frames, the outer one first. The
// zero VLAN is that of untagged frames; VLAN{{ID: 5}} is what most networks call
// VLAN 5.
type VLAN [2]Tag

const (
	// tagLen is what a tag adds to a header.
	tagLen = 4
	// maxVLAN is the largest identifier, and reserved (IEEE 802.1Q §9.6).
	maxVLAN = 0x0fff
)

func (t EtherType) isTag() bool { return t == EtherTypeVLAN || t == EtherTypeServiceVLAN }

// tags returns how many tags v has.
func (v VLAN) tags() int {
	n := 0
	for n < len(v) && v[n] != (Tag{}) {
		n++
	}
	return n
}

// cost returns by how much v's tags shorten the largest payload. Beyond its MTU a
// device has room for one 802.1Q tag (as Linux's packet sockets have), and for no
// other.
func (v VLAN) cost() int {
	n := v.tags() * tagLen
	if v[0].EtherType == EtherTypeVLAN {
		n -= tagLen
	}
	return n
}

func (v VLAN) String() string {
	switch v.tags() {
	case 0:
		return "untagged"
	case 1:
		return fmt.Sprintf("VLAN %d", v[0].ID)
	}
	return fmt.Sprintf("VLAN %d.%d", v[0].ID, v[1].ID)
}

// normal returns v with its EtherTypes filled in, or what is wrong with it.
func (v VLAN) normal() (VLAN, error) {
	n := v.tags()
	if v != (VLAN{}) && n == 0 {
		return v, errors.New("ethstack: VLAN has an inner tag only: the outer one comes first")
	}
	for k := range v[:n] {
		t := &v[k]
		if t.EtherType == 0 {
			t.EtherType = EtherTypeVLAN
		}
		if !t.EtherType.isTag() {
			return v, fmt.Errorf("ethstack: VLAN tag has EtherType %v: want 0x8100 (802.1Q), which 0 stands for, or 0x88a8 (802.1ad)", t.EtherType)
		}
		if t.ID == 0 || t.ID >= maxVLAN {
			return v, fmt.Errorf("ethstack: VLAN identifier %d: want 1 to 4094", t.ID)
		}
	}
	return v, nil
}

// A tagger makes tagged frames of untagged ones. It keeps memory from one call
// to the next.
type tagger struct {
	soft   Segmenter
	frames []Frame
	bufs   [][]byte
	heads  []byte
}

func (t *tagger) reset() {
	clear(t.frames)
	clear(t.bufs)
	t.frames, t.bufs, t.heads = t.frames[:0], t.bufs[:0], t.heads[:0]
	t.soft.Reset()
}

// tag appends to t.frames what f, a plain frame, is with the tags of v.
func (t *tagger) tag(f *Frame, v VLAN) {
	const addresses = 2 * len(HardwareAddr{})
	at, extra := len(t.heads), v.tags()*tagLen
	t.heads = slices.Grow(t.heads, extra+HeadLen)
	head := t.heads[at : at+extra+HeadLen]
	n := gather(head[extra:], f.Bufs)
	copy(head[:addresses], head[extra:])
	for k, tag := range v[:v.tags()] {
		b := head[addresses+k*tagLen:]
		binary.BigEndian.PutUint16(b, uint16(tag.EtherType))
		// Choice: the priority is 0, best effort.
		binary.BigEndian.PutUint16(b[2:], tag.ID)
	}
	t.heads = t.heads[:at+extra+n]

	first := len(t.bufs)
	t.bufs = append(t.bufs, t.heads[at:len(t.heads):len(t.heads)])
	c := cursor{bufs: f.Bufs}
	c.skip(n)
	t.bufs = c.take(t.bufs, f.WireLen()-n)
	t.frames = append(t.frames, Frame{Bufs: t.bufs[first:len(t.bufs):len(t.bufs)]})
}

// errTooShort is a frame's that has no room for its header.
var errTooShort = fmt.Errorf("ethstack: a frame shorter than its header of %d bytes", HeaderLen)

// writeTagged sends untagged frames with the tags of v. A super-frame becomes
// plain frames first, and checksums are completed.
func (l *Link) writeTagged(o outlet, frames []Frame, v VLAN) (sent int, first error) {
	t := l.taggers.Get().(*tagger)
	defer l.taggers.Put(t)
	from := 0
	for k := range frames {
		f := &frames[k]
		if f.WireLen() >= HeaderLen && !needsSoftware(f.Offload, 0) {
			t.tag(f, v)
			continue
		}
		n, err := o.writeRun(frames[from:k], t)
		sent, first, from = sent+n, firstError(first, err), k+1
		if f.Err = o.writeParts(f, t, v); f.Err == nil {
			sent++
		}
		first = firstError(first, f.Err)
	}
	n, err := o.writeRun(frames[from:], t)
	return sent + n, firstError(first, err)
}

// writeRun sends what t has for frames, one for one.
func (o outlet) writeRun(frames []Frame, t *tagger) (int, error) {
	defer t.reset()
	n, err := o.write(t.frames)
	for k := range frames {
		frames[k].Err = nil
		if n < len(frames) {
			frames[k].Err = t.frames[k].Err
		}
	}
	return n, err
}

// writeParts sends one super-frame. If a part did not go out it counts as not
// taken: what is missing will be asked for again.
func (o outlet) writeParts(f *Frame, t *tagger, v VLAN) error {
	defer t.reset()
	if f.WireLen() < HeaderLen {
		return errTooShort
	}
	parts, err := t.soft.Segment(f, 0)
	if err != nil {
		return err
	}
	for k := range parts {
		t.tag(&parts[k], v)
	}
	_, err = o.write(t.frames)
	return err
}
