package ethtest

// Pipe returns two devices that are connected to each other, without faults
// and by the system's clock. The error is about the options.
func Pipe(a, b PortOptions) (*Port, *Port, error) {
	s, err := NewSegment(SegmentOptions{})
	if err != nil {
		return nil, nil, err
	}
	pa, err := s.NewPort(a)
	if err != nil {
		return nil, nil, err
	}
	pb, err := s.NewPort(b)
	if err != nil {
		return nil, nil, err
	}
	return pa, pb, nil
}
