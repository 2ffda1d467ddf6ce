package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// An interruption is a signal that asked the program to end.
type interruption struct{ signal syscall.Signal }

func (i interruption) Error() string {
	if i.signal == syscall.SIGINT {
		return "interrupted"
	}
	return fmt.Sprintf("ended by signal %d (%v)", int(i.signal), i.signal)
}

// status returns what shells return for a program that a signal ended.
func (i interruption) status() int { return 128 + int(i.signal) }

// withSignals returns a context that ends, with an interruption as its cause,
// at the first signal that asks the program to end. A second one is no longer
// caught: it ends the program at once.
func withSignals(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case s := <-signals:
			signal.Stop(signals)
			n, _ := s.(syscall.Signal)
			cancel(interruption{n})
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
	}
}

// A timeout is the end of the time that a run was given.
type timeout struct{ after time.Duration }

func (t timeout) Error() string {
	return fmt.Sprintf("not done within %v: give it more with -timeout, or less to do with -size", t.after)
}

// isOver reports whether the error ends the run: there is no use in going on
// with the next step.
func isOver(err error) bool {
	return errors.As(err, new(interruption)) || errors.As(err, new(timeout))
}
