package replay

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// maxLines is how much a Journal remembers: the last so many lines.
const maxLines = 20_000

// A Journal is what happened in one run of a simulation. Any number of
// goroutines may write to it. The zero Journal is empty.
type Journal struct {
	mu    sync.Mutex
	lines []line // a ring once there are maxLines
	first int    // the oldest
	gone  int    // how many were overwritten
	why   string
}

type line struct {
	at   time.Duration
	text func() string
}

// Note writes a line down. Its arguments must not change any more.
func (j *Journal) Note(at time.Duration, format string, args ...any) {
	j.Later(at, func() string { return fmt.Sprintf(format, args...) })
}

// Later writes down a line whose text is made only if somebody wants to read it.
func (j *Journal) Later(at time.Duration, text func() string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.lines) < maxLines {
		j.lines = append(j.lines, line{at, text})
		return
	}
	j.lines[j.first] = line{at, text}
	j.first = (j.first + 1) % maxLines
	j.gone++
}

// Wrong writes down what is wrong; the first is why the seed is kept.
func (j *Journal) Wrong(at time.Duration, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	j.Note(at, "WRONG: %s", text)
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.why == "" {
		j.why = text
	}
}

// Why returns what was first wrong.
func (j *Journal) Why() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.why == "" {
		return "the test says what is wrong"
	}
	return j.why
}

// String returns all lines, each with its time in seconds.
func (j *Journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var b strings.Builder
	if j.gone > 0 {
		fmt.Fprintf(&b, "(%d lines before these)\n", j.gone)
	}
	for n := range j.lines {
		l := j.lines[(j.first+n)%len(j.lines)]
		fmt.Fprintf(&b, "%12.6f  %s\n", l.at.Seconds(), l.text())
	}
	return b.String()
}
