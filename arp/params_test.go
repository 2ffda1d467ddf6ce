package arp

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDefaults(t *testing.T) {
	got, err := Config{}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		MaxRequests: 3, RequestInterval: time.Second, // R26, R63
		ReachableTime: 30 * time.Second, DelayTime: 5 * time.Second, // R63
		MaxProbes: 3, ProbeInterval: time.Second,
		StaleTime:  time.Minute, // R61
		FailedTime: 20 * time.Second,
		MaxEntries: 4096, MaxUnresolved: 1024,
		MaxPendingPackets: 256, MaxPendingBytes: 212992, MaxPendingTotal: 16 << 20, // R62
		AnnounceNum: 2, AnnounceInterval: 2 * time.Second, // RFC 5227 §1.1
		VerifyTime: 50 * time.Millisecond, LockTime: time.Second, // R55
		MaxRequestRate: 1000, MaxReplyRate: 10000, // R62
		ProxyDelay: 800 * time.Millisecond, // R52
		// R40, R42, R44, RFC 5227 §1.1
		Claim: ClaimTiming{
			ProbeWait: time.Second, ProbeNum: 3, ProbeMin: time.Second, ProbeMax: 2 * time.Second, AnnounceWait: 2 * time.Second,
		},
		MaxConflicts: 10, RateLimitInterval: time.Minute, DefendInterval: 10 * time.Second,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
	again, err := got.withDefaults()
	if diff := cmp.Diff(got, again); err != nil || diff != "" {
		t.Errorf("the defaults, given as a Config: %v (-want +got):\n%s", err, diff)
	}
}

// TestBounds: the least and the greatest value of each field are accepted, the
// next ones are refused with an error that names field, value and bounds.
func TestBounds(t *testing.T) {
	const day = 24 * time.Hour
	for _, tt := range []struct {
		name          string
		set           func(*Config, int64)
		min, max      int64
		under, bounds string // how the value below min and the bounds are written
	}{
		{"MaxRequests", func(c *Config, n int64) { c.MaxRequests = int(n) }, 1, 100, "-1", "want 1 to 100, or 0 for 3"},
		{"MaxProbes", func(c *Config, n int64) { c.MaxProbes = int(n) }, 1, 100, "-1", "want 1 to 100, or 0 for 3"},
		{"MaxEntries", func(c *Config, n int64) { c.MaxEntries = int(n) }, 1, 1 << 22, "-1", "want 1 to 4194304, or 0 for 4096"},
		{"MaxUnresolved", func(c *Config, n int64) { c.MaxUnresolved = int(n) }, 1, 1 << 22, "-1", "want 1 to 4194304, or 0 for 1024"},
		{"MaxPendingPackets", func(c *Config, n int64) { c.MaxPendingPackets = int(n) }, 1, 1 << 20, "-1", "want 1 to 1048576, or 0 for 256"},
		{"MaxPendingBytes", func(c *Config, n int64) { c.MaxPendingBytes = int(n) }, 1, 1<<30 - 1, "-1", "want 1 to 1073741823, or 0 for 212992"},
		{"MaxPendingTotal", func(c *Config, n int64) { c.MaxPendingTotal = int(n) }, 1, 1<<30 - 1, "-1", "want 1 to 1073741823, or 0 for 16777216"},
		{"AnnounceNum", func(c *Config, n int64) { c.AnnounceNum = int(n) }, 1, 100, "-1", "want 1 to 100, or 0 for 2"},
		{"RequestInterval", func(c *Config, n int64) { c.RequestInterval = time.Duration(n) }, int64(time.Second), int64(day), "999.999999ms", "want 1s to 24h0m0s, or 0 for 1s"},
		{"ReachableTime", func(c *Config, n int64) { c.ReachableTime = time.Duration(n) }, int64(time.Second), int64(day), "999.999999ms", "want 1s to 24h0m0s, or 0 for 30s"},
		{"DelayTime", func(c *Config, n int64) { c.DelayTime = time.Duration(n) }, int64(time.Millisecond), int64(day), "999.999µs", "want 1ms to 24h0m0s, or 0 for 5s"},
		{"ProbeInterval", func(c *Config, n int64) { c.ProbeInterval = time.Duration(n) }, int64(10 * time.Millisecond), int64(day), "9.999999ms", "want 10ms to 24h0m0s, or 0 for 1s"},
		{"StaleTime", func(c *Config, n int64) { c.StaleTime = time.Duration(n) }, int64(time.Second), int64(day), "999.999999ms", "want 1s to 24h0m0s, or 0 for 1m0s"},
		{"FailedTime", func(c *Config, n int64) { c.FailedTime = time.Duration(n) }, int64(time.Second), int64(day), "999.999999ms", "want 1s to 24h0m0s, or 0 for 20s"},
		{"AnnounceInterval", func(c *Config, n int64) { c.AnnounceInterval = time.Duration(n) }, int64(time.Second), int64(day), "999.999999ms", "want 1s to 24h0m0s, or 0 for 2s"},
		{"VerifyTime", func(c *Config, n int64) { c.VerifyTime = time.Duration(n) }, int64(time.Millisecond), int64(day), "999.999µs", "want 1ms to 24h0m0s, or 0 for 50ms"},
		{"LockTime", func(c *Config, n int64) { c.LockTime = time.Duration(n) }, int64(time.Millisecond), int64(day), "999.999µs", "want 1ms to 24h0m0s, or 0 for 1s"},
		{"MaxRequestRate", func(c *Config, n int64) { c.MaxRequestRate = int(n) }, 1, 1 << 20, "-1", "want 1 to 1048576, or 0 for 1000"},
		{"MaxReplyRate", func(c *Config, n int64) { c.MaxReplyRate = int(n) }, 1, 1 << 20, "-1", "want 1 to 1048576, or 0 for 10000"},
		{"ProxyDelay", func(c *Config, n int64) { c.ProxyDelay = time.Duration(n) }, 1, int64(day), "-1ns", "want 0s to 24h0m0s, or 0 for 800ms"},
		{"MaxConflicts", func(c *Config, n int64) { c.MaxConflicts = int(n) }, 1, 1000, "-1", "want 1 to 1000, or 0 for 10"},
		{"RateLimitInterval", func(c *Config, n int64) { c.RateLimitInterval = time.Duration(n) }, int64(time.Second), int64(day), "999.999999ms", "want 1s to 24h0m0s, or 0 for 1m0s"},
		{"DefendInterval", func(c *Config, n int64) { c.DefendInterval = time.Duration(n) }, int64(time.Second), int64(day), "999.999999ms", "want 1s to 24h0m0s, or 0 for 10s"},
		{"Claim.ProbeWait", func(c *Config, n int64) { c.Claim.ProbeWait = time.Duration(n) }, 1, int64(day), "-1ns", "want 0s to 24h0m0s, or 0 for 1s"},
		{"Claim.ProbeNum", func(c *Config, n int64) { c.Claim.ProbeNum = int(n) }, 1, 100, "-1", "want 1 to 100, or 0 for 3"},
		{"Claim.AnnounceWait", func(c *Config, n int64) { c.Claim.AnnounceWait = time.Duration(n) }, int64(10 * time.Millisecond), int64(day), "9.999999ms", "want 10ms to 24h0m0s, or 0 for 2s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, n := range []int64{tt.min, tt.max} {
				var c Config
				tt.set(&c, n)
				if _, err := New[int](c); err != nil {
					t.Errorf("%d is refused: %v", n, err)
				}
			}
			under := tt.min - 1
			if under == 0 {
				under = -1
			}
			for _, n := range []int64{under, tt.max + 1, -1 << 31} {
				var c Config
				tt.set(&c, n)
				h, err := New[int](c)
				if err == nil || h != nil {
					t.Errorf("%d is accepted", n)
					continue
				}
				if text := err.Error(); !strings.Contains(text, "Config."+tt.name) || !strings.HasSuffix(text, tt.bounds) {
					t.Errorf("error for %d is %q, which should name Config.%s and end with %q", n, text, tt.name, tt.bounds)
				}
				if want := fmt.Sprintf(" is %s: ", tt.under); n == under && !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
		})
	}
}

func TestHardwareAddrOfAGroup(t *testing.T) {
	for _, hw := range []HardwareAddr{Broadcast, {1, 0, 0x5e, 0, 0, 1}} {
		h, err := New[int](Config{HardwareAddr: hw})
		if err == nil || h != nil || !strings.Contains(err.Error(), hw.String()) {
			t.Errorf("New with %v: %v, want an error that names it", hw, err)
		}
	}
}
