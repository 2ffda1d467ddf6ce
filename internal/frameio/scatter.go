package frameio

// Scatter copies b into the memory of bufs, from offset at on. It reports false
// if there is too little memory.
func Scatter(bufs [][]byte, at int, b []byte) bool {
	for _, buf := range bufs {
		if at >= len(buf) {
			at -= len(buf)
			continue
		}
		b = b[copy(buf[at:], b):]
		if len(b) == 0 {
			return true
		}
		at = 0
	}
	return len(b) == 0
}

// CopyFrame copies the first n bytes of one frame's memory to another's. It
// reports false if there is too little memory.
func CopyFrame(to, from [][]byte, n int) bool {
	at := 0
	for _, b := range from {
		b = b[:min(len(b), n-at)]
		if !Scatter(to, at, b) {
			return false
		}
		at += len(b)
	}
	return true
}
