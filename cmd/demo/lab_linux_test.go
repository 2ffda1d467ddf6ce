package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ethlink/ethlink/internal/netns/nstest"
)

// onlyLoopback fails the test if an interface is left.
func onlyLoopback(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		list, err := net.Interfaces()
		if err != nil || len(list) != 1 || list[0].Name != "lo" {
			t.Errorf("interfaces left: %v, %v; want lo only", list, err)
		}
	})
}

func TestLabWithTheKernel(t *testing.T) {
	for _, tt := range []struct {
		via  string
		need func(testing.TB)
	}{
		{viaTAP, nstest.NeedTUN},
		{viaVeth, nstest.Need},
	} {
		t.Run(tt.via, func(t *testing.T) {
			tt.need(t)
			checkLeaks(t)
			onlyLoopback(t)
			stdout, stderr, status := runDemo(t, "-via", tt.via, "-size", "16")
			if status != statusOK || stderr != "" {
				t.Errorf("status %d, errors %q; want %d, none", status, stderr, statusOK)
			}
			golden(t, tt.via, stdout)
		})
	}
}

// TestLabFlags: jumbo frames, the least that IPv6 takes, the most that a TAP
// does; and what ARP does. Each runs in a namespace of its own.
func TestLabFlags(t *testing.T) {
	for _, tt := range []struct {
		args string
		want []string
	}{
		// The kernel asks for us first, and is learnt from that.
		{"-mtu 1280 -v -via tap", []string{"MTU 1280,", "ARP: 192.0.2.1 is stale at ", "ARP: 192.0.2.99 is incomplete", "ARP: 192.0.2.99 is failed"}},
		{"-mtu 9000", []string{"MTU 9000,"}},
		{"lab -mtu 65521", []string{"MTU 65521,"}},
	} {
		t.Run(tt.args, func(t *testing.T) {
			nstest.NeedTUN(t)
			t.Parallel()
			expect(t, program("demo", append(strings.Fields(tt.args), "-size", "4")...), statusOK, tt.want...)
		})
	}
}

// expect runs a command, and compares its status and its output, without line
// breaks, with what is wanted. It returns that output.
func expect(t *testing.T, cmd *exec.Cmd, status int, want ...string) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != status {
		t.Errorf("status %d (%v), want %d", got, err, status)
	}
	flat := strings.Join(strings.Fields(string(out)), " ")
	for _, text := range want {
		if !strings.Contains(flat, text) {
			t.Errorf("output does not say %q", text)
		}
	}
	if t.Failed() {
		t.Log(string(out))
	}
	return flat
}

// TestLabInterruptedWithTheKernel: the interfaces are gone when it returns.
func TestLabInterruptedWithTheKernel(t *testing.T) {
	for _, via := range []string{viaTAP, viaVeth} {
		t.Run(via, func(t *testing.T) {
			nstest.NeedTUN(t)
			checkLeaks(t)
			onlyLoopback(t)
			w, err := openWire(via, defaultMTU, nil, newReport(t.Output()))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			w.dev = alarm{w.dev, func() { cancel(interruption{syscall.SIGTERM}) }}
			o := labOptions{size: 1 << 40, mtu: defaultMTU, timeout: time.Minute}
			err = runOn(ctx, w, o, newReport(t.Output()))
			if stopped := (interruption{}); !errors.As(err, &stopped) || stopped.status() != 143 {
				t.Errorf("the lab ended with %v, want a signal's status 143", err)
			}
		})
	}
}

// TestWithoutIPv6: there are kernels that have none.
func TestWithoutIPv6(t *testing.T) {
	nstest.NeedTUN(t)
	checkLeaks(t)
	w, err := openTAP(defaultMTU)
	if err != nil {
		t.Fatal(err)
	}
	w.noIPv6 = errors.New("switched off")
	var out bytes.Buffer
	r := newReport(&out)
	err = runOn(t.Context(), w, labOptions{size: 1 << 20, mtu: defaultMTU, timeout: time.Minute}, r)
	got := out.String()
	if err != nil || r.Failed() > 0 || !strings.Contains(got, "no IPv6, so that is left out: switched off") || strings.Contains(got, "2001:db8") {
		t.Errorf("%v, %d checks failed; want that IPv6 is left out:\n%s", err, r.Failed(), got)
	}
}

// TestOrdinaryUser: no rights are needed, and what there is not is said.
func TestOrdinaryUser(t *testing.T) {
	const chmod = "`chmod 0666 /dev/net/tun`"
	for _, tt := range []struct {
		name, role, args string
		attr             syscall.SysProcAttr
		status           int
		want             []string // in the output without its line breaks
		not              string
	}{
		{
			name: "a TAP for everybody", role: "with-tun", attr: syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS},
			want: []string{"TAP ethlink0, in a network namespace", "all of it matched"}, not: "take its place",
		},
		{
			name: "a TAP for root only", role: "without-tun", attr: syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS},
			want: []string{"no TAP, so a veth pair and a packet socket take its place: ", chmod, "veth pair ethlink-kernel", "all of it matched"},
		},
		{
			name: "a TAP for root only that has to be", role: "without-tun", args: "-via tap",
			attr: syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}, status: statusFailed, want: []string{"demo: ", chmod}, not: "matched",
		},
		{
			name: "no namespaces", role: "without-namespaces", attr: userNamespace(),
			want: []string{"no network namespace, so the other side is a second netstack: ", "`sysctl -w user.max_net_namespaces", "all of it matched"},
		},
		{
			name: "no namespaces, but a veth pair has to be", role: "without-namespaces", args: "-via veth", attr: userNamespace(),
			status: statusFailed, want: []string{"demo: ", "max_net_namespaces"}, not: "matched",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			nstest.NeedTUN(t)
			if tt.attr.Cloneflags == unix.CLONE_NEWNS && !isRoot() {
				t.Skip("needs root of the machine, to give an ordinary user a device")
			}
			t.Parallel()
			cmd := program(tt.role, append(strings.Fields(tt.args), "-size", "4")...)
			cmd.SysProcAttr = &tt.attr
			if out := expect(t, cmd, tt.status, tt.want...); tt.not != "" && strings.Contains(out, tt.not) {
				t.Errorf("output says %q:\n%s", tt.not, out)
			}
		})
	}
}

func userNamespace() syscall.SysProcAttr {
	return syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}},
	}
}

// isRoot reports whether this is root of the machine, and not of a user
// namespace.
func isRoot() bool {
	b, err := os.ReadFile("/proc/self/uid_map")
	fields := strings.Fields(string(b))
	return os.Geteuid() == 0 && err == nil && len(fields) == 3 && fields[2] == "4294967295"
}

// TestCtrlC: of the program that was started and of the one in the namespace,
// neither is left, and the status is what shells expect.
func TestCtrlC(t *testing.T) {
	for _, tt := range []struct {
		signal syscall.Signal
		via    string
		status int
		want   string
	}{
		{syscall.SIGINT, viaTAP, 130, "demo: interrupted; everything is closed again\n"},
		{syscall.SIGINT, viaVeth, 130, "demo: interrupted; everything is closed again\n"},
		{syscall.SIGINT, viaMemory, 130, "demo: interrupted; everything is closed again\n"},
		{syscall.SIGTERM, viaTAP, 143, "demo: ended by signal 15 (terminated); everything is closed again\n"},
	} {
		t.Run(tt.via+" "+tt.signal.String(), func(t *testing.T) {
			nstest.NeedTUN(t)
			t.Parallel()
			cmd := program("demo", "-via", tt.via, "-size", "1048576")
			// Without a terminal, which would send the signal to the tests too.
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
			out := startAndWaitFor(t, cmd, "\nTCP ")
			if err := cmd.Process.Signal(tt.signal); err != nil {
				t.Fatal(err)
			}
			// This ends when nobody has the output open any more.
			rest := out.rest(t)
			cmd.Wait()
			if got := cmd.ProcessState.ExitCode(); got != tt.status || !strings.HasSuffix(rest, tt.want) {
				t.Errorf("status %d, and at the end %q; want %d, %q", got, rest, tt.status, tt.want)
			}
		})
	}
}

// TestSecondCtrlC ends a program that the first one did not.
func TestSecondCtrlC(t *testing.T) {
	cmd := program("stuck")
	out := startAndWaitFor(t, cmd, "ready\n")
	check(t, cmd.Process.Signal(syscall.SIGINT))
	out.waitFor(t, "interrupted\n")
	check(t, cmd.Process.Signal(syscall.SIGINT))
	cmd.Wait()
	if ws := cmd.ProcessState.Sys().(syscall.WaitStatus); !ws.Signaled() || ws.Signal() != syscall.SIGINT {
		t.Errorf("the program ended with %v, want by signal %v", cmd.ProcessState, syscall.SIGINT)
	}
}

// An output is what a command writes.
type output struct {
	file *os.File
	seen bytes.Buffer
}

// startAndWaitFor starts a command and waits until it writes a text.
func startAndWaitFor(t *testing.T, cmd *exec.Cmd, text string) *output {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = w, w
	err = cmd.Start()
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		r.Close()
	})
	o := &output{file: r}
	r.SetReadDeadline(time.Now().Add(30 * time.Second))
	o.waitFor(t, text)
	return o
}

// waitFor waits until the command has written a text.
func (o *output) waitFor(t *testing.T, text string) {
	t.Helper()
	b := make([]byte, 4096)
	for !strings.Contains(o.seen.String(), text) {
		n, err := o.file.Read(b)
		o.seen.Write(b[:n])
		if err != nil {
			t.Fatalf("waiting for %q: %v; the end of the output: %q", text, err, tail(o.seen.String()))
		}
	}
}

// rest returns all that was written, when there comes no more.
func (o *output) rest(t *testing.T) string {
	t.Helper()
	if _, err := o.seen.ReadFrom(o.file); err != nil {
		t.Fatalf("the output does not end: %v", err)
	}
	return o.seen.String()
}
