package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"unicode/utf8"
)

// width is how many columns a line may have.
const width = 100

// A report writes what the program finds, for people.
type report struct {
	mu     sync.Mutex
	w      io.Writer
	color  bool
	live   bool     // w is a terminal on which lines can be overwritten
	drawn  bool     // a line is there that has to be overwritten
	later  []string // notes from goroutines that must not wait for a terminal
	failed int
}

// newReport makes a report on a file or, without colors and bars, on any
// writer.
func newReport(w io.Writer) *report {
	r := &report{w: w}
	if f, ok := w.(*os.File); ok && isTerminal(f) {
		// Not every console of Windows knows escape sequences.
		r.live = os.Getenv("TERM") != "dumb" && runtime.GOOS != "windows"
		// https://no-color.org: set to anything but the empty string.
		r.color = r.live && os.Getenv("NO_COLOR") == ""
	}
	return r
}

// isTerminal reports whether a file is a character device that shows what is
// written to it.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}

// A style is how a terminal shows a text.
type style string

const (
	plain style = ""
	bold  style = "\x1b[1m"
	faint style = "\x1b[2m"
	green style = "\x1b[32m"
	red   style = "\x1b[31m"
)

func (r *report) paint(s style, text string) string {
	if !r.color || s == plain {
		return text
	}
	return string(s) + text + "\x1b[0m"
}

// Heading writes the first line.
func (r *report) Heading(title, note string) { r.print(r.title(title, note)) }

// Section begins a part of the report.
func (r *report) Section(title, note string) {
	r.print("\n" + r.title(title, note))
}

func (r *report) title(title, note string) string {
	if note != "" {
		note = "  " + r.paint(faint, note)
	}
	return r.paint(bold, title) + note
}

// Line writes one line of a section, or several if it is too long.
func (r *report) Line(format string, args ...any) {
	r.print(wrap(fmt.Sprintf(format, args...), "  "))
}

// Check writes the outcome of one step: what it was, and what was found out, or
// why it failed, which is counted.
func (r *report) Check(what, found string, err error) {
	if err == nil {
		r.Line("%s  %s", what, found)
		return
	}
	r.mu.Lock()
	r.failed++
	r.mu.Unlock()
	r.print(r.paint(red, wrap(fmt.Sprintf("%s  FAILED: %v", what, err), "  ")))
}

// Failed returns how many steps failed.
func (r *report) Failed() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

// Closing writes the last line.
func (r *report) Closing(s style, format string, args ...any) {
	r.print("\n" + r.paint(s, wrap(fmt.Sprintf(format, args...), "")))
}

// Later notes a line that is written before the next one. It does not wait for
// the terminal.
func (r *report) Later(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.later = append(r.later, r.paint(faint, wrap(fmt.Sprintf(format, args...), "    ")))
}

// Table writes rows of cells in columns, the last of which is as wide as it
// wants to be.
func (r *report) Table(rows [][]string) {
	if len(rows) == 0 {
		r.Line("none")
	}
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			fmt.Fprintf(&b, "%-*s   ", widths[i], cell)
		}
		r.Line("%s", strings.TrimRight(b.String(), " "))
	}
}

func (r *report) print(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.erase()
	for _, line := range r.later {
		fmt.Fprintln(r.w, line)
	}
	r.later = nil
	fmt.Fprintln(r.w, text)
}

// erase takes a line away that was drawn. The lock is held.
func (r *report) erase() {
	if r.drawn {
		fmt.Fprint(r.w, "\r\x1b[K")
		r.drawn = false
	}
}

// draw writes a line that the next one overwrites, on a terminal only.
func (r *report) draw(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.live {
		fmt.Fprint(r.w, "\r", text, "\x1b[K")
		r.drawn = true
	}
}

// wrap breaks a text between words so that no line is too long. All lines are
// indented, those that go on by two more columns.
func wrap(text, indent string) string {
	line, rest := breakLine(text, width-len(indent))
	lines := indent + line
	for rest != "" {
		line, rest = breakLine(rest, width-len(indent)-2)
		lines += "\n" + indent + "  " + line
	}
	return lines
}

// breakLine takes off as many words as there is room for, but at least one.
func breakLine(text string, room int) (line, rest string) {
	if len(text) <= room {
		return text, ""
	}
	at := strings.LastIndexByte(text[:room+1], ' ')
	if at <= 0 {
		if at = strings.IndexByte(text[room:], ' '); at < 0 {
			return text, ""
		}
		at += room
	}
	return strings.TrimRight(text[:at], " "), strings.TrimLeft(text[at:], " ")
}
