package ethstack

import (
	"errors"
	"time"
)

// An outlet is where the frames of one call of Write go.
type outlet struct {
	dev   Device
	queue int
	// link is that of a call that waits for room, until stop is closed; nil:
	// the call does not wait.
	link *Link
	stop <-chan struct{}
}

// A device without room is asked again after minRoomWait, and then after twice
// as long each time up to maxRoomWait. The first is about what a device of 10
// Gbit/s needs for a super-frame; the last keeps one that has stalled from
// costing anything.
const (
	minRoomWait = 50 * time.Microsecond
	maxRoomWait = 5 * time.Millisecond
)

// write writes frames that need no more work.
func (o outlet) write(frames []Frame) (int, error) {
	if len(frames) == 0 {
		return 0, nil
	}
	n, err := o.dev.Write(o.queue, frames)
	if o.link == nil || n == len(frames) {
		return n, err
	}
	return o.writeAgain(frames, n)
}

// writeAgain goes on with frames of which n were taken, until the device had
// room for all that are not refused for another reason.
func (o outlet) writeAgain(frames []Frame, n int) (int, error) {
	wait := minRoomWait
	for at := 0; ; {
		at += nextWaiting(frames[at:])
		if at == len(frames) || !o.mayWait(wait) {
			return n, firstFrameError(frames)
		}
		// Those behind it that were taken stay as they are.
		end := at + 1
		for end < len(frames) && errors.Is(frames[end].Err, ErrNoBufferSpace) {
			end++
		}
		taken, _ := o.dev.Write(o.queue, frames[at:end])
		if taken == end-at {
			clearErrors(frames[at:end])
		}
		if n += taken; taken > 0 {
			wait = minRoomWait
		} else {
			wait = min(2*wait, maxRoomWait)
		}
	}
}

// mayWait waits for d. It reports false if there is nothing to wait for any more.
func (o outlet) mayWait(d time.Duration) bool {
	return o.link.State() == LinkUp && pause(o.link.clock, d, o.stop)
}

// nextWaiting returns how many frames come before one that the device had no
// room for.
func nextWaiting(frames []Frame) int {
	for k := range frames {
		if errors.Is(frames[k].Err, ErrNoBufferSpace) {
			return k
		}
	}
	return len(frames)
}

func firstFrameError(frames []Frame) error {
	for k := range frames {
		if err := frames[k].Err; err != nil {
			return err
		}
	}
	return nil
}

func clearErrors(frames []Frame) {
	for k := range frames {
		frames[k].Err = nil
	}
}
