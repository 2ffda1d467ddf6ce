package runner

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/ethlink/ethlink/internal/netns"
)

// tapPrefix begins the names of all TAPs, a number follows.
const tapPrefix = "dut"

// prepare makes the network namespace of this process a test bench.
func prepare() error {
	err := errors.Join(
		// The bench's addresses are usable at once, and it has only those that it
		// is given: 1 is IN6_ADDR_GEN_MODE_NONE.
		netns.SetSysctl("ipv6/conf/all/accept_dad", "0"),
		netns.SetSysctl("ipv6/conf/default/accept_dad", "0"),
		netns.SetSysctl("ipv6/conf/default/addr_gen_mode", "1"),
	)
	if err != nil {
		return err
	}
	// The tests make TCP segments by themselves: the kernel, which knows nothing
	// of their connections, would reset them. Their sockets see what comes in
	// before it is dropped here.
	for _, name := range []string{"iptables", "ip6tables"} {
		if err := dropTCP(name); err != nil {
			return err
		}
	}
	return nil
}

// dropTCP has iptables, of one version of IP, drop what comes from the TAPs.
func dropTCP(iptables string) error {
	path, err := lookPath(iptables)
	if err != nil {
		return fmt.Errorf("the test bench needs iptables and ip6tables: apt-get install iptables: %w", err)
	}
	args := []string{"-A", "INPUT", "-i", tapPrefix + "+", "-p", "tcp", "-j", "DROP"}
	if out, err := exec.Command(path, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", path, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// lookPath finds iptables, also where only root's PATH leads to. The variant
// that has nftables do it is preferred, as the other locks a file that belongs
// to the machine.
func lookPath(iptables string) (path string, err error) {
	for _, name := range []string{iptables + "-nft", iptables} {
		for _, dir := range []string{"", "/usr/sbin/", "/sbin/"} {
			if path, err = exec.LookPath(dir + name); err == nil {
				return path, nil
			}
		}
	}
	return "", err
}
