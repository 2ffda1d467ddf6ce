package netns_test

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/ethlink/ethlink/internal/netns"
	"github.com/ethlink/ethlink/internal/netns/nstest"
)

// role is the environment variable by which tests make this program something
// else: "run-x" calls netns.Run, in whose namespace it then plays x.
const role = "NETNS_TEST_ROLE"

func TestMain(m *testing.M) {
	what := os.Getenv(role)
	if len(what) > 4 && what[:4] == "run-" {
		os.Setenv(role, what[4:])
		status, err := netns.Run(netns.Options{UserNamespace: os.Getenv("NETNS_TEST_USER") != ""})
		if err != nil {
			fmt.Println(err)
			os.Exit(99)
		}
		os.Exit(status)
	}
	switch what {
	case "":
		nstest.Main(m)
	case "tell":
		net, _ := os.Readlink("/proc/self/ns/net")
		fmt.Println(netns.Inside(), os.Getuid(), net, netns.Setup(), os.Args[1:])
		os.Exit(7)
	case "die":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "wait":
		got := make(chan os.Signal, 1)
		signal.Notify(got, syscall.SIGTERM, syscall.SIGINT)
		fmt.Println("pid", os.Getpid())
		select {
		case s := <-got:
			fmt.Println("got", s)
			os.Exit(5)
		case <-time.After(time.Minute):
			os.Exit(6)
		}
	}
}
