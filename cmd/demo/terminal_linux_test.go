package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/internal/netns/nstest"
)

// openTerminal makes a terminal: what is written to one file is read from the
// other.
func openTerminal(t *testing.T) (user *os.File, program *os.File) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	check(t, err)
	user = os.NewFile(uintptr(fd), "terminal")
	t.Cleanup(func() { user.Close() })
	check(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	check(t, err)
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	check(t, err)
	return user, program
}

// TestTerminal: bars and colors are for terminals, colors for those who want
// them. Ctrl-C is typed, so that the terminal sends the signal to all programs.
func TestTerminal(t *testing.T) {
	const bar, bold = " MiB  [", "\x1b[1m"
	for _, tt := range []struct {
		env          string
		bars, colors bool
	}{
		{"TERM=xterm", true, true},
		{"NO_COLOR=1", true, false},
		{"NO_COLOR=", true, true},
		{"TERM=dumb", false, false},
	} {
		t.Run(tt.env, func(t *testing.T) {
			nstest.NeedTUN(t)
			t.Parallel()
			user, tty := openTerminal(t)
			cmd := program("demo", "-size", "1048576")
			cmd.Env = append(cmd.Env, tt.env)
			cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
			err := cmd.Start()
			tty.Close()
			check(t, err)
			t.Cleanup(func() { cmd.Process.Kill() })
			wait := "TCP"
			if tt.bars {
				wait = bar
			}
			user.SetReadDeadline(time.Now().Add(60 * time.Second))
			o := &output{file: user}
			o.waitFor(t, wait)
			_, err = user.Write([]byte("\x03"))
			check(t, err)
			o.waitFor(t, "everything is closed again")
			cmd.Wait()
			out := o.seen.String()
			if got := cmd.ProcessState.ExitCode(); got != 130 {
				t.Errorf("status %d after Ctrl-C, want 130", got)
			}
			if got := strings.Contains(out, bar); got != tt.bars {
				t.Errorf("bars: %v, want %v", got, tt.bars)
			}
			if got := strings.Contains(out, bold); got != tt.colors {
				t.Errorf("colors: %v, want %v", got, tt.colors)
			}
			if t.Failed() {
				t.Logf("%q", tail(out))
			}
		})
	}
}

// tail returns the end of a long text.
func tail(s string) string { return s[max(0, len(s)-2000):] }
