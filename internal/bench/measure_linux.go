package bench

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"time"
)

// A moment is what everybody has used until now.
type moment struct {
	own, peer    usage
	machine, run time.Duration // run: by this process
	at           time.Time
}

func (p *pair) moment() (m moment, err error) {
	own, err1 := p.own.call(request{Do: doSample})
	peer, err2 := p.peer.call(request{Do: doSample})
	machine, err3 := machineCPU()
	run, err4 := ownCPU()
	m = moment{own.Usage, peer.Usage, machine, run, time.Now()}
	return m, errors.Join(err1, err2, err3, err4)
}

// begin starts a test at both ends.
func (p *pair) begin(t Test) error {
	if t.IPv6 && p.noIPv6 != "" {
		return fmt.Errorf("the kernel has no IPv6: %s", p.noIPv6)
	}
	receiver, sender, at := p.receiver(t)
	a, err := receiver.call(request{Do: doReceive, Test: t, At: netip.AddrPortFrom(at, 0)})
	if err != nil {
		return err
	}
	_, err = sender.call(request{Do: doSend, Test: t, At: netip.AddrPortFrom(at, a.Port)})
	return err
}

// stop ends a test at both ends.
func (p *pair) stop(t Test, from, to uint64) (received, sent outcome, err error) {
	_, err1 := p.own.call(request{Do: doEnd})
	_, err2 := p.peer.call(request{Do: doEnd})
	if err := errors.Join(err1, err2); err != nil {
		return received, sent, err
	}
	return p.finish(t, from, to)
}

// finish waits for both ends. The receiver goes first: then nothing is left for
// the sender to send.
func (p *pair) finish(t Test, from, to uint64) (received, sent outcome, err error) {
	receiver, sender, _ := p.receiver(t)
	a, err1 := receiver.call(request{Do: doFinish, From: from, To: to})
	b, err2 := sender.call(request{Do: doFinish, From: from, To: to})
	if err = errors.Join(err1, err2); err == nil && a.Outcome.Problem+b.Outcome.Problem != "" {
		err = errors.New(join(a.Outcome.Problem, b.Outcome.Problem))
	}
	return a.Outcome, b.Outcome, err
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}

// hash runs a test that compares everything that arrives with what was sent.
func (p *pair) hash(t Test) error {
	if err := p.begin(t); err != nil {
		return err
	}
	received, sent, err := p.finish(t, 0, 0)
	if err == nil && !bytes.Equal(received.Digest, sent.Digest) {
		err = fmt.Errorf("SHA-256 of what was sent is %x, of what arrived %x", sent.Digest, received.Digest)
	}
	return err
}

// measure runs a test. The notes are about what is odd but no failure.
func (p *pair) measure(t Test, duration time.Duration, profile string) (s Sample, notes []string, err error) {
	if err := p.begin(t); err != nil {
		return noSample, nil, err
	}
	// A first unit has to arrive before anything is timed.
	if _, err := p.after(duration/4, t, 0); err != nil {
		return noSample, nil, err
	}
	if profile != "" {
		if err := p.profile(profile); err != nil {
			return noSample, nil, err
		}
	}
	before, err := p.moment()
	if err != nil {
		return noSample, nil, err
	}
	from := before.counted(t)
	after, err := p.after(duration, t, from.Done)
	if err == nil && profile != "" {
		err = p.profile("")
	}
	if err != nil {
		return noSample, nil, err
	}
	to := after.counted(t)
	received, sent, err := p.stop(t, from.Done, to.Done)
	if err != nil {
		return noSample, nil, err
	}
	if received.Late > 0 {
		notes = append(notes, "datagrams came twice or out of order; they are not counted")
	}
	if sent.Lost > 0 {
		notes = append(notes, "round trips were lost; they are not counted")
	}
	s = sampleOf(before, after, float64(to.Done-from.Done)/(to.At-from.At).Seconds())
	s.P50, s.P99 = sent.P50, sent.P99
	return s, notes, nil
}

// counted returns the usage of who counts: of the receiver; of a ping-pong, of
// who asks.
func (m moment) counted(t Test) usage {
	if t.Out || t.Kind.pingPong() {
		return m.peer
	}
	return m.own
}

// arrival is how long the next unit may take to arrive.
const arrival = 5 * time.Second

// after returns the moment after a time, or later if by then no more than a
// number of units has arrived.
func (p *pair) after(duration time.Duration, t Test, units uint64) (m moment, err error) {
	for start := time.Now(); ; {
		time.Sleep(duration)
		if m, err = p.moment(); err != nil || m.counted(t).Done > units {
			return m, err
		}
		if time.Since(start) > arrival {
			return m, fmt.Errorf("nothing arrived in %v", arrival)
		}
	}
}

// profile makes the subject write a profile to a file that is named, or if none
// is, no more.
func (p *pair) profile(path string) error {
	_, err := p.own.call(request{Do: doProfile, Path: path})
	return err
}

// sampleOf computes what lies between two moments, at a rate in units a second.
// Each clock is compared with itself.
func sampleOf(before, after moment, rate float64) Sample {
	own, peer, all := after.own.At-before.own.At, after.peer.At-before.peer.At, after.at.Sub(before.at)
	ownBusy := (after.own.CPU - before.own.CPU).Seconds() / own.Seconds()
	peerBusy := (after.peer.CPU - before.peer.CPU).Seconds() / peer.Seconds()
	machineBusy := (after.machine - before.machine).Seconds() / all.Seconds()
	runBusy := (after.run - before.run).Seconds() / all.Seconds()
	allocs := float64(after.own.Allocs-before.own.Allocs) / own.Seconds()
	return Sample{
		Rate: rate, CPU: ownBusy / rate, Machine: machineBusy / rate, Allocs: allocs / rate,
		Other: max(0, machineBusy-ownBusy-peerBusy-runBusy) / float64(runtime.NumCPU()),
	}
}
