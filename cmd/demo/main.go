// Command demo shows a netstack behind this module's Ethernet and ARP at work
// on a real TAP, with the Linux kernel at the other end. `demo -h` explains its
// modes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/ethlink/ethlink/internal/netns"
)

// Exit statuses; that of an interruption is its own.
const (
	statusOK     = 0
	statusFailed = 1
	statusUsage  = 2
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is the program.
func run(args []string, stdout, stderr io.Writer) int {
	start := startLab
	if len(args) > 0 {
		switch args[0] {
		case "lab":
			args = args[1:]
		case "host":
			start, args = startHost, args[1:]
		}
	}
	status, err := start(args, newReport(stdout))
	stopped := interruption{}
	switch {
	case err == nil:
		return status
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return statusOK
	case errors.As(err, &stopped):
		fmt.Fprintf(stderr, "\ndemo: %v; everything is closed again\n", err)
		return stopped.status()
	case errors.As(err, new(usageError)):
		fmt.Fprintf(stderr, "demo: %v (`demo -h` explains)\n", err)
		return statusUsage
	}
	fmt.Fprintf(stderr, "\ndemo: %v\n", err)
	return statusFailed
}

// startLab runs the lab in a namespace of its own.
func startLab(args []string, r *report) (status int, err error) {
	o, err := parseLab(args)
	if err != nil {
		return 0, err
	}
	var noNamespace error
	if o.via != viaMemory {
		var ran bool
		if status, ran, noNamespace = enterNamespace(); ran {
			return status, nil
		}
	}
	ctx, stop := withSignals(context.Background())
	defer stop()
	return statusOK, runLab(ctx, o, noNamespace, r)
}

// enterNamespace runs this program again in a namespace of its own, and returns
// that program's status; or it is that program, and gets the namespace ready.
func enterNamespace() (status int, ran bool, err error) {
	if netns.Inside() {
		return 0, false, netns.Setup()
	}
	status, err = netns.Run(netns.Options{})
	return status, err == nil, err
}

// startHost runs a host until it is interrupted.
func startHost(args []string, r *report) (status int, err error) {
	o, err := parseHost(args)
	if err != nil {
		return 0, err
	}
	ctx, stop := withSignals(context.Background())
	defer stop()
	return 0, runHost(ctx, o, r)
}
