package bench

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"runtime/pprof"
	"strings"

	"github.com/ethlink/ethlink/internal/netns"
)

// workerEnv is the environment variable that makes a program an end of a wire.
const workerEnv = "ETHLINK_BENCH_WORKER"

// RunWorker does what an end of a wire has to do, and ends the process, if Run
// has started it for that; otherwise it does nothing. A program that calls Run
// calls RunWorker first.
func RunWorker() {
	if os.Getenv(workerEnv) == "" {
		return
	}
	w := worker{pattern: newPattern()}
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var q request
		// The end of input is the end of the program that started this one.
		if in.Decode(&q) != nil {
			os.Exit(0)
		}
		a, err := w.do(q)
		if err != nil {
			a.Error = err.Error()
		}
		if out.Encode(a) != nil {
			os.Exit(1)
		}
	}
}

// What a worker is told to do, in this order.
type verb string

const (
	// doOpen: be a station.
	doOpen verb = "open"
	// doReceive: receive, or answer. The reply has the port.
	doReceive verb = "receive"
	// doSend: send, or ask.
	doSend verb = "send"
	// doSample: tell the usage.
	doSample verb = "sample"
	// doProfile: write a CPU profile to a file; without a name, no more.
	doProfile verb = "profile"
	// doEnd: the load is about to be ended, at the other end too.
	doEnd verb = "end"
	// doFinish: end the load.
	doFinish verb = "finish"
)

// A request tells a worker what to do.
type request struct {
	Do verb
	// For doOpen: the subject, empty for the peer.
	Subject string
	Expert  bool
	Plain   bool
	Kernel  bool
	TAP     bool
	// For doReceive and doSend.
	Test Test
	At   netip.AddrPort
	// For doFinish, see load.
	From, To uint64
	// For doProfile.
	Path string
}

// A reply is what a worker answers.
type reply struct {
	Error   string
	Notes   []string
	NoIPv6  string
	Port    uint16
	Usage   usage
	Outcome outcome
}

// A worker is one end of a wire.
type worker struct {
	pattern pattern
	station station
	load    load
	profile *os.File
}

func (w *worker) do(q request) (a reply, err error) {
	switch q.Do {
	case doOpen:
		err = w.open(q, &a)
	case doReceive:
		w.load, a.Port, err = w.receive(q)
	case doSend:
		w.load, err = w.send(q)
	case doSample:
		a.Usage, err = measure(w.load)
	case doProfile:
		err = w.profileTo(q.Path)
	case doEnd:
		w.load.end()
	case doFinish:
		a.Outcome = w.load.finish(q.From, q.To)
	default:
		err = fmt.Errorf("bench: a worker was told to %q", q.Do)
	}
	return a, err
}

func (w *worker) open(q request, a *reply) error {
	switch {
	case q.Subject == "":
		return w.openKernel(peerIface, peerIPv4, peerIPv6, q.Plain, a)
	case q.Kernel:
		return w.openKernel(subjectIface, subjectIPv4, subjectIPv6, q.Plain, a)
	case !q.TAP:
		// The kernel is to be silent at this end. Where it has no IPv6 it is.
		netns.SetIPv6(subjectIface, false)
		if err := prepareIface(subjectIface, q.Plain); err != nil {
			return err
		}
	}
	opener := openers[strings.TrimSuffix(q.Subject, expertSuffix)]
	if opener == nil {
		return fmt.Errorf("nobody knows how to open subject %q", q.Subject)
	}
	l, err := opener(q.Expert)
	if err != nil {
		return err
	}
	w.station, err = openNetstack(l, q.Expert)
	return err
}

func (w *worker) openKernel(iface string, v4, v6 netip.Prefix, plain bool, a *reply) error {
	if err := checkCongestion(); err != nil {
		a.Notes = append(a.Notes, fmt.Sprintf("the kernel's TCP uses the machine's default congestion control, for %s is refused: %v", congestion, err))
	}
	k, noIPv6, err := openKernel(iface, v4, v6, plain)
	if noIPv6 != nil {
		a.NoIPv6 = noIPv6.Error()
	}
	w.station = k
	return err
}

func (w *worker) receive(q request) (load, uint16, error) {
	switch q.Test.Kind {
	case kindTCP:
		return receiveStreams(w.station, q.Test, q.At, w.pattern)
	case kindUDP:
		return receiveDatagrams(w.station, q.Test, q.At, w.pattern)
	case kindHash:
		return receiveHashed(w.station, q.Test, q.At)
	}
	return answer(w.station, q.Test, q.At)
}

func (w *worker) send(q request) (load, error) {
	switch q.Test.Kind {
	case kindTCP:
		return sendStreams(w.station, q.Test, q.At, w.pattern)
	case kindUDP:
		return sendDatagrams(w.station, q.Test, q.At, w.pattern)
	case kindHash:
		return sendHashed(w.station, q.Test, q.At)
	}
	return ask(w.station, q.Test, q.At)
}

func (w *worker) profileTo(path string) (err error) {
	if path == "" {
		pprof.StopCPUProfile()
		return w.profile.Close()
	}
	if w.profile, err = os.Create(path); err != nil {
		return err
	}
	return pprof.StartCPUProfile(w.profile)
}
