package arp

import (
	"fmt"
	"time"
)

// ClaimTiming has the times of a [Handler.Claim]. Zero fields mean the value
// of RFC 5227 §1.1, with which a claim takes 4 to 7 s.
type ClaimTiming struct {
	// ProbeWait bounds the random time before the first probe: 1 s
	// (PROBE_WAIT).
	ProbeWait time.Duration
	// ProbeNum is how many probes are sent: 3 (PROBE_NUM).
	ProbeNum int
	// ProbeMin and ProbeMax bound the random time between them: 1 s and 2 s
	// (PROBE_MIN, PROBE_MAX).
	ProbeMin, ProbeMax time.Duration
	// AnnounceWait is the time from the last probe to the first announcement:
	// 2 s (ANNOUNCE_WAIT).
	AnnounceWait time.Duration
}

// FastClaim is for those who cannot wait for seconds: a claim takes 200 to
// 350 ms.
//
// Deviation: RFC 5227 §1.1 has its times fixed, for links that take long to
// come up and hosts that take long to answer. On a virtual network neither does.
var FastClaim = ClaimTiming{
	ProbeWait: 50 * time.Millisecond, ProbeNum: 3,
	ProbeMin: 50 * time.Millisecond, ProbeMax: 100 * time.Millisecond, AnnounceWait: 100 * time.Millisecond,
}

func (c ClaimTiming) withDefaults() (ClaimTiming, error) {
	if err := checkInts([]intField{{"Claim.ProbeNum", &c.ProbeNum, 3, 1, 100}}); err != nil {
		return c, err
	}
	err := checkTimes([]timeField{
		{"Claim.ProbeWait", &c.ProbeWait, time.Second, 0},
		{"Claim.ProbeMin", &c.ProbeMin, time.Second, 10 * time.Millisecond},
		{"Claim.ProbeMax", &c.ProbeMax, max(2*time.Second, c.ProbeMin), 10 * time.Millisecond},
		{"Claim.AnnounceWait", &c.AnnounceWait, 2 * time.Second, 10 * time.Millisecond},
	})
	if err == nil && c.ProbeMax < c.ProbeMin {
		err = fmt.Errorf("arp: Config.Claim.ProbeMax is %v, less than ProbeMin %v", c.ProbeMax, c.ProbeMin)
	}
	return c, err
}
