package ethstack

// write sends frames of a VLAN through the device. As long as the device can do
// all that their metadata asks for, which is the rule, that is one call.
func (l *Link) write(o outlet, frames []Frame, v VLAN) (int, error) {
	if v != (VLAN{}) {
		return l.writeTagged(o, frames, v)
	}
	info := o.dev.Info()
	sent, from := 0, 0
	var first error
	for k := range frames {
		have, plain := info.offloadsFor(&frames[k])
		if plain {
			continue
		}
		n, err := o.write(frames[from:k])
		sent, first = sent+n, firstError(first, err)
		if frames[k].Err = l.writeSegmented(o, &frames[k], have); frames[k].Err == nil {
			sent++
		}
		first = firstError(first, frames[k].Err)
		from = k + 1
	}
	n, err := o.write(frames[from:])
	return sent + n, firstError(first, err)
}

// offloadsFor returns which of the device's offloads are of use for a frame,
// and whether it can be written as it is.
func (info *DeviceInfo) offloadsFor(f *Frame) (have Offloads, plain bool) {
	have = info.Offloads
	if f.Offload.Segment != SegmentNone && f.WireLen() > info.MaxFrame {
		// Made for a device that takes more, before this one replaced it.
		have &^= OffloadTCPv4 | OffloadTCPv6 | OffloadUDP
	}
	return have, !needsSoftware(f.Offload, have)
}

// writeSegmented does in software what the device cannot. A super-frame of
// which a part did not go out counts as not taken: what is missing will be
// asked for again.
func (l *Link) writeSegmented(o outlet, f *Frame, have Offloads) error {
	soft := l.soft.Get().(*Segmenter)
	defer l.soft.Put(soft)
	defer soft.Reset()
	segments, err := soft.Segment(f, have)
	if err != nil {
		return err
	}
	_, err = o.write(segments)
	return err
}

func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
