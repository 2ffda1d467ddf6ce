package fdbased

// tagAt is where an IEEE 802.1Q tag is: behind the two hardware addresses.
const tagAt = 12

// insertTag moves what lies behind the hardware addresses of a frame by the
// length of a tag, and puts the tag there. The frame has n bytes, the tag not
// counted, and its memory has room for both.
func insertTag(bufs [][]byte, n int, tag [4]byte) {
	skip, rest := tagAt, n-tagAt+len(tag)
	for _, b := range bufs {
		if skip >= len(b) {
			skip -= len(b)
			continue
		}
		b = b[skip:min(len(b), skip+rest)]
		skip, rest = 0, rest-len(b)
		tag = shift(b, tag)
	}
}

// shift puts in before the bytes of b, and returns those that fall out at its
// end.
func shift(b []byte, in [4]byte) (out [4]byte) {
	if len(b) < len(in) {
		var all [2 * len(in)]byte
		n := copy(all[:], in[:])
		n += copy(all[n:], b)
		copy(b, all[:])
		return [4]byte(all[n-len(out) : n])
	}
	out = [4]byte(b[len(b)-len(out):])
	copy(b[len(in):], b)
	copy(b, in[:])
	return out
}
