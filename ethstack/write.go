package ethstack

// write sends frames of a VLAN through the device. As long as the device can do all
// that their metadata asks for, which is the rule, that is one call.
func (l *Link) write(queue int, frames []Frame, v VLAN) (int, error) {
	if v != (VLAN{}) {
		return l.writeTagged(queue, frames, v)
	}
	have := l.Device().Info().Offloads
	sent, from := 0, 0
	var first error
	for k := range frames {
		if !needsSoftware(frames[k].Offload, have) {
			continue
		}
		n, err := l.writePlain(queue, frames[from:k])
		sent, first = sent+n, firstError(first, err)
		if frames[k].Err = l.writeSegmented(queue, &frames[k], have); frames[k].Err == nil {
			sent++
		}
		first = firstError(first, frames[k].Err)
		from = k + 1
	}
	n, err := l.writePlain(queue, frames[from:])
	return sent + n, firstError(first, err)
}

func (l *Link) writePlain(queue int, frames []Frame) (int, error) {
	if len(frames) == 0 {
		return 0, nil
	}
	return l.Device().Write(queue, frames)
}

// writeSegmented does in software what the device cannot. A super-frame of
// which a part did not go out counts as not taken: what is missing will be
// asked for again.
func (l *Link) writeSegmented(queue int, f *Frame, have Offloads) error {
	o := l.soft.Get().(*offloader)
	defer l.soft.Put(o)
	segments, err := o.segment(f, have)
	if err != nil {
		return err
	}
	_, err = l.Device().Write(queue, segments)
	return err
}

func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
