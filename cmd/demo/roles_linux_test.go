package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const nobodyID = 65534

func init() {
	roles["with-tun"] = func() { withTUN(0o666) }
	roles["without-tun"] = func() { withTUN(0o600) }
	roles["without-namespaces"] = withoutNamespaces
	roles["stuck"] = stuck
}

// nobody makes a command run as an ordinary user.
func nobody(cmd *exec.Cmd) *exec.Cmd {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobodyID, Gid: nobodyID, NoSetGroups: true}
	return cmd
}

// withTUN runs the demo as an ordinary user, with a /dev/net/tun that has the
// given mode. It must be root, in a mount namespace of its own.
func withTUN(mode uint32) {
	const device = "/dev/net/tun"
	try("making all mounts private", unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	dir, err := os.MkdirTemp("", "demo")
	try("making a folder", err)
	// Nothing else sees this file system; it ends with the namespace.
	try("mounting a tmpfs", unix.Mount("tmpfs", dir, "tmpfs", 0, ""))
	node := filepath.Join(dir, "tun")
	try("making the node", unix.Mknod(node, unix.S_IFCHR|mode, int(unix.Mkdev(10, 200))))
	try("setting its mode", os.Chmod(node, os.FileMode(mode)))
	try("mounting it", unix.Mount(node, device, "", unix.MS_BIND, ""))
	finish(nobody(program("demo", os.Args[1:]...)))
}

// withoutNamespaces runs the demo where no network namespace can be made. It
// must be root of a user namespace of its own.
func withoutNamespaces() {
	try("switching namespaces off", os.WriteFile("/proc/sys/user/max_net_namespaces", []byte("0"), 0))
	finish(program("demo", os.Args[1:]...))
}

// stuck does not end when it is asked to.
func stuck() {
	ctx, _ := withSignals(context.Background())
	fmt.Println("ready")
	<-ctx.Done()
	fmt.Println(context.Cause(ctx))
	time.Sleep(30 * time.Second)
}

func try(what string, err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, what+":", err)
		os.Exit(99)
	}
}

// finish runs a command, and ends as it does.
func finish(cmd *exec.Cmd) {
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Run()
	os.Exit(cmd.ProcessState.ExitCode())
}
