package conformance

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethlink/ethlink/arp"
	"github.com/ethlink/ethlink/ethstack"
)

// TestTwoClaim is R41 between two whole stacks: of two hosts that claim the same
// address, whenever the second begins, no more than one gets it, and the other is
// told who.
func TestTwoClaim(t *testing.T) {
	for _, timing := range []arp.ClaimTiming{{}, arp.FastClaim} {
		alone := 0
		for apart := time.Duration(0); apart < 8*time.Second; apart += 190 * time.Millisecond {
			t.Run(fmt.Sprintf("%v/%v", timing.ProbeWait, apart), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { alone += twoClaim(t, arp.ClaimOptions{Timing: timing}, apart) })
			})
		}
		if alone == 0 {
			t.Errorf("with %v nobody ever had the address", timing)
		}
	}
}

// twoClaim returns how many of two claims succeed.
func twoClaim(t *testing.T, o arp.ClaimOptions, apart time.Duration) (won int) {
	l := newLAN(t)
	a, b := l.host(), l.host()
	addr := simAddr(7)
	claim := func(h *lanHost) <-chan error {
		done := make(chan error, 1)
		go func() { done <- h.ClaimIPv4(t.Context(), addr, o) }()
		synctest.Wait()
		return done
	}
	first := claim(a)
	l.clock.Advance(apart)
	second := claim(b)
	l.clock.Advance(time.Minute)
	for _, x := range []struct {
		done  <-chan error
		rival ethstack.HardwareAddr
	}{{first, b.hw}, {second, a.hw}} {
		err := <-x.done
		var conflict *ethstack.ConflictError
		switch {
		case err == nil:
			won++
		case !errors.As(err, &conflict) || conflict.HardwareAddr != x.rival:
			t.Errorf("claim: %v, want a conflict with %v", err, x.rival)
		}
	}
	if n := len(a.IPv4s()) + len(b.IPv4s()); won > 1 || n != won {
		t.Errorf("%d claims succeeded, and the address is there %d times", won, n)
	}
	return won
}
