package netns

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// marker is the environment variable that names the network namespace [Run]
// was called in.
const marker = "ETHLINK_OUTER_NETNS"

// Inside reports whether this process runs in a namespace that [Run] made, or
// was started by such a process.
func Inside() bool {
	outer := os.Getenv(marker)
	own, err := current()
	// An environment that was carried elsewhere must not make a program
	// configure the interfaces of its machine: so the names are compared.
	return outer != "" && err == nil && own != outer
}

// current names the network namespace of the calling thread.
func current() (string, error) { return os.Readlink("/proc/thread-self/ns/net") }

// Run starts this program again, with the same arguments, in a new network
// namespace, waits for it, and returns its exit status: 128 plus the signal's
// number if a signal ended it, as shells do. The new process has the caller's
// standard files, and is root there: a caller without the right to make a
// network namespace gets a user namespace, too. It is killed when this process
// ends, and gets the signals HUP, INT, QUIT, TERM, USR1 and USR2 that are sent
// to this process.
//
// The error tells that no process could be started, and what is missing.
func Run(o Options) (status int, err error) {
	outer, err := current()
	if err != nil {
		return 0, fmt.Errorf("netns: no network namespaces here (is /proc mounted, CONFIG_NET_NS on?): %w", err)
	}
	if os.Geteuid() == 0 && !o.UserNamespace {
		status, err = runIn(unix.CLONE_NEWNET, outer)
		// Root of a container may lack CAP_SYS_ADMIN.
		if !errors.Is(err, unix.EPERM) {
			return status, err
		}
	}
	return runIn(unix.CLONE_NEWNET|unix.CLONE_NEWUSER, outer)
}

func runIn(flags uintptr, outer string) (status int, err error) {
	// The kernel sends the parent-death signal when the thread that started
	// the process ends, so that thread must not.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	cmd := exec.Command("/proc/self/exe")
	cmd.Args = os.Args
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), marker+"="+outer)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags, Pdeathsig: unix.SIGKILL}
	if flags&unix.CLONE_NEWUSER != 0 {
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}

	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2)
	if err := cmd.Start(); err != nil {
		signal.Stop(signals)
		return 0, explain(flags, err)
	}
	forwarded := make(chan struct{})
	go func() {
		defer close(forwarded)
		for s := range signals {
			if !fromTerminal(s) {
				cmd.Process.Signal(s)
			}
		}
	}()
	err = cmd.Wait()
	signal.Stop(signals)
	close(signals)
	<-forwarded

	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return 0, fmt.Errorf("netns: waiting for the process in the namespace: %w", err)
	}
	ws := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if ws.Signaled() {
		return 128 + int(ws.Signal()), nil
	}
	return ws.ExitStatus(), nil
}

// fromTerminal reports whether s was probably typed. The terminal sends it to
// all of its foreground process group: the process inside has it already, and
// a second one may make it give up cleaning up.
func fromTerminal(s os.Signal) bool {
	if s != unix.SIGINT && s != unix.SIGQUIT {
		return false
	}
	fd, err := unix.Open("/dev/tty", unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	foreground, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
	return err == nil && foreground == unix.Getpgrp()
}

// explain adds to the error of clone what the machine's settings say about it.
func explain(flags uintptr, err error) error {
	user, what := flags&unix.CLONE_NEWUSER != 0, "network namespace"
	if user {
		what = "user and network namespace"
	}
	why := ""
	switch {
	case setting("/proc/sys/user/max_net_namespaces") == "0":
		why = "network namespaces are switched off: `sysctl -w user.max_net_namespaces=10000`: "
	case user && !exists("/proc/self/ns/user"):
		why = "the kernel has no user namespaces (CONFIG_USER_NS): run as root: "
	case user && setting("/proc/sys/kernel/unprivileged_userns_clone") == "0":
		why = "unprivileged user namespaces are switched off: run as root, or `sysctl -w kernel.unprivileged_userns_clone=1`: "
	case user && setting("/proc/sys/user/max_user_namespaces") == "0":
		why = "user namespaces are switched off: run as root, or `sysctl -w user.max_user_namespaces=10000`: "
	case user && setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1":
		why = "AppArmor restricts user namespaces: run as root, or `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`: "
	case errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EUSERS):
		why = "too many namespaces: raise the sysctls user.max_user_namespaces and user.max_net_namespaces: "
	case errors.Is(err, unix.EPERM):
		why = "not permitted, perhaps by a container's seccomp profile or a chroot: allow clone with CLONE_NEWUSER, or run as root: "
	}
	return fmt.Errorf("netns: no %s: %s%w", what, why, err)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func setting(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// Setup makes a new namespace fit for use: it brings the loopback interface
// up. It fails where a namespace could be made but grants nothing.
func Setup() error {
	err := SetUp("lo")
	if errors.Is(err, unix.EPERM) && setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1" {
		return fmt.Errorf("netns: AppArmor lets a user namespace be made but not used: run as root, or `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`: %w", err)
	}
	return err
}
