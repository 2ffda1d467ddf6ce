package arp

import (
	"testing"
	"time"
)

// The ways into each state, from a handler that knows nobody.
var (
	incomplete = []event{query(2, 1)}
	reachable  = []event{query(2, 1), answers(2), drained(2, 1)}
	stale      = []event{asks(2)}
	usedStale  = append(reachable[:3:3], due)
	delay      = []event{asks(2), use(2)}
	probe      = []event{asks(2), use(2), due}
	failed     = []event{query(2, 1), due, due, due}
	fixed      = []event{static(2, 2)}
	// draining is Reachable, with packet 2 come in while 1 is being sent.
	draining = []event{query(2, 1), answers(2), query(2, 2)}

	// Those whose address was not settled just now.
	longReachable = append(reachable[:3:3], after(time.Second))
	longStale     = append(stale[:1:1], after(time.Second))
	longDelay     = append(delay[:2:2], after(time.Second))
	// late is two seconds in which nobody calls Tick.
	late = func(s *station) { s.now += 2 * time.Second }
	// challenged is Reachable, and said to be host 3 now.
	moved      = receive(OperationRequest, 2, 3, 2, true)
	challenged = append(longReachable[:4:4], moved)
)

const (
	broadcastRequest = "send to all: request from self 10.0.0.1 for - 10.0.0.2"
	unicastRequest   = "send to hw2: request from self 10.0.0.1 for - 10.0.0.2"
	unicastReply     = "send to hw2: reply from self 10.0.0.1 for hw2 10.0.0.2"
)

// transitions has one case for each arrow of the diagram in doc.go, and then
// those that the diagram has no room for.
var transitions = []struct {
	name   string
	before []event
	from   string // the state before
	event  event
	to     string // the state after
	want   []string
}{
	// The arrows.
	{"R9 RFC 826 Query asks everybody", nil, "none", query(2, 1), "incomplete",
		[]string{broadcastRequest, "event added 10.0.0.2 - incomplete"}},
	{"R27 RFC 1122 §2.3.2.2 an answer releases the packet", incomplete, "incomplete", answers(2), "reachable",
		[]string{"release 1: 10.0.0.2 hw2 batch 1", "event state 10.0.0.2 hw2 reachable"}},
	{"R63 no answer to MaxRequests", incomplete, "incomplete", after(3 * time.Second), "failed",
		[]string{broadcastRequest, broadcastRequest, "drop 1: 10.0.0.2 next hop unreachable", "event state 10.0.0.2 - failed"}},
	{"Wait asks a failed one anew", failed, "failed", wait(2, 2), "incomplete",
		[]string{broadcastRequest, "event state 10.0.0.2 - incomplete"}},
	{"R63 FailedTime", failed, "failed", due, "none",
		[]string{"event removed 10.0.0.2 -"}},
	{"R25 RFC 1122 §2.3.2.1 ReachableTime", reachable, "reachable", due, "stale",
		[]string{"table 10.0.0.2 hw2 stale", "event state 10.0.0.2 hw2 stale"}},
	{"R6 RFC 826 somebody asks us for ours", nil, "none", asks(2), "stale",
		[]string{"table 10.0.0.2 hw2 stale", unicastReply, "event added 10.0.0.2 hw2 stale"}},
	{"R61 StaleTime", stale, "stale", due, "none",
		[]string{"table 10.0.0.2 gone", "event removed 10.0.0.2 -"}},
	{"R63 a packet is sent to a stale one", stale, "stale", query(2, 1), "delay",
		[]string{"release 1: 10.0.0.2 hw2", "event state 10.0.0.2 hw2 delay"}},
	{"R25 RFC 1122 §2.3.2.1(2) DelayTime, unicast poll", delay, "delay", due, "probe",
		[]string{unicastRequest, "event state 10.0.0.2 hw2 probe"}},
	{"R56 an answer to the poll", probe, "probe", answers(2), "reachable",
		[]string{"table 10.0.0.2 hw2", "event state 10.0.0.2 hw2 reachable"}},
	{"R25 RFC 1122 §2.3.2.1(2) no answer to MaxProbes", probe, "probe", after(3 * time.Second), "none",
		[]string{"table 10.0.0.2 gone", unicastRequest, unicastRequest, "event removed 10.0.0.2 -"}},
	{"AddStatic", nil, "none", static(2, 2), "static",
		[]string{"table 10.0.0.2 hw2", "event added 10.0.0.2 - incomplete", "event state 10.0.0.2 hw2 static"}},

	// Use.
	{"a packet went to a stale one by the table", usedStale, "stale", use(2), "delay",
		[]string{"event state 10.0.0.2 hw2 delay"}},
	{"Wait for a stale one", stale, "stale", wait(2, 1), "delay",
		[]string{"release 1: 10.0.0.2 hw2", "event state 10.0.0.2 hw2 delay"}},
	{"use of a reachable one", reachable, "reachable", use(2), "reachable", nil},
	{"use of a static one", fixed, "static", use(2), "static", nil},
	{"use of a failed one", failed, "failed", use(2), "failed", nil},
	{"use of one that is not known", nil, "none", use(2), "none", nil},
	{"query of a reachable one", reachable, "reachable", query(2, 2), "reachable", []string{"release 2: 10.0.0.2 hw2"}},
	{"query of one in delay", delay, "delay", query(2, 2), "delay", []string{"release 2: 10.0.0.2 hw2"}},
	{"query of one in probe", probe, "probe", query(2, 2), "probe", []string{"release 2: 10.0.0.2 hw2"}},
	{"query of a static one", fixed, "static", query(2, 2), "static", []string{"release 2: 10.0.0.2 hw2"}},
	{"query of an incomplete one", incomplete, "incomplete", query(2, 2), "incomplete", nil},

	// What comes in, in each state.
	{"R56 a broadcast answer proves less", incomplete, "incomplete", receive(OperationReply, 2, 2, 1, true), "delay",
		[]string{"release 1: 10.0.0.2 hw2 batch 1", "event state 10.0.0.2 hw2 delay"}},
	{"R5 RFC 826 a request from who is asked for", incomplete, "incomplete", asks(2), "delay",
		[]string{unicastReply, "release 1: 10.0.0.2 hw2 batch 1", "event state 10.0.0.2 hw2 delay"}},
	{"R63 a late answer from a failed one", failed, "failed", answers(2), "reachable",
		[]string{"table 10.0.0.2 hw2", "event state 10.0.0.2 hw2 reachable"}},
	{"R5 a request from a failed one", failed, "failed", asks(2), "stale",
		[]string{"table 10.0.0.2 hw2 stale", unicastReply, "event state 10.0.0.2 hw2 stale"}},
	{"R5 R55 a reachable one is said to move", longReachable, "reachable", receive(OperationRequest, 2, 3, 9, true), "reachable",
		[]string{unicastRequest}},
	{"R55 a reply that nobody asked for", longReachable, "reachable", receive(OperationReply, 2, 3, 1, false), "reachable",
		[]string{unicastRequest}},
	{"R55 the first answer wins", reachable, "reachable", receive(OperationReply, 2, 3, 1, false), "reachable", nil},
	{"R56 a reachable one says the same again", reachable, "reachable", receive(OperationRequest, 2, 2, 9, true), "reachable", nil},
	{"one in delay says the same again", delay, "delay", asks(2), "delay", []string{unicastReply}},
	{"R55 one in delay is said to move", longDelay, "delay", receive(OperationRequest, 2, 3, 9, true), "delay",
		[]string{unicastRequest}},
	{"R56 a broadcast reply does not end a poll", probe, "probe", receive(OperationReply, 2, 2, 1, true), "probe", nil},
	{"R56 a request does not end a poll", probe, "probe", asks(2), "probe", []string{unicastReply}},
	{"a reply to somebody else does not end a poll", probe, "probe", receive(OperationReply, 2, 2, 9, false), "probe", nil},
	{"R55 another host answers the poll", probe, "probe", receive(OperationReply, 2, 3, 1, false), "probe",
		[]string{unicastRequest}},
	{"R56 RFC 4861 §7.2.5 a reply that nobody asked for does not make a stale one reachable", stale, "stale", answers(2), "stale",
		[]string{"table 10.0.0.2 hw2 stale"}},
	{"R56 nor does it end a delay", delay, "delay", answers(2), "delay", nil},
	{"a stale one says the same again", stale, "stale", receive(OperationRequest, 2, 2, 9, true), "stale",
		[]string{"table 10.0.0.2 hw2 stale"}},
	{"R55 a stale one is said to move", longStale, "stale", receive(OperationRequest, 2, 3, 9, true), "stale",
		[]string{unicastRequest}},

	// A window, in which what was said is verified.
	{"R55 the neighbor says nothing: asked again", challenged, "reachable", due, "reachable", []string{unicastRequest}},
	{"R55 the neighbor says nothing: it has moved", append(challenged[:5:5], due), "reachable", due, "stale",
		[]string{"table 10.0.0.2 hw3 stale", "event state 10.0.0.2 hw3 stale", "event moved 10.0.0.2 hw2 to hw3 stale"}},
	{"R55 the neighbor answers: it has not", challenged, "reachable", answers(2), "reachable",
		[]string{"table 10.0.0.2 hw2", "event rejected 10.0.0.2 hw3, it stays hw2 reachable"}},
	{"R55 the neighbor defends its address", challenged, "reachable", receive(OperationRequest, 2, 2, 2, true), "reachable",
		[]string{"event rejected 10.0.0.2 hw3, it stays hw2 reachable"}},
	{"R55 somebody else says something else", challenged, "reachable", receive(OperationRequest, 2, 4, 2, true), "reachable", nil},
	{"R55 somebody says it again", challenged, "reachable", receive(OperationRequest, 2, 3, 2, true), "reachable", nil},
	{"R55 an answer that was asked for contradicts what came before it", []event{query(2, 1), moved}, "delay", answers(2), "delay",
		[]string{"send to hw3: request from self 10.0.0.1 for - 10.0.0.2"}},
	{"R55 a second answer does not contradict the first", []event{query(2, 1), receive(OperationReply, 2, 3, 1, false)}, "reachable", answers(2), "reachable", nil},
	{"R55 said again right after it was rejected", append(challenged[:5:5], answers(2)), "reachable", receive(OperationRequest, 2, 3, 2, true), "reachable", nil},
	{"packets go on to the old address", challenged, "reachable", query(2, 9), "reachable", []string{"release 9: 10.0.0.2 hw2"}},
	{"a stale one is used meanwhile", append(longStale[:2:2], moved), "stale", use(2), "delay",
		[]string{"event state 10.0.0.2 hw2 delay"}},
	{"it is made static meanwhile", challenged, "reachable", static(2, 3), "static",
		[]string{"table 10.0.0.2 hw3", "event state 10.0.0.2 hw3 static", "event moved 10.0.0.2 hw2 to hw3 static"}},
	{"it is removed meanwhile", challenged, "reachable", remove(2), "none",
		[]string{"table 10.0.0.2 gone", "event removed 10.0.0.2 -"}},
	{"the link goes down meanwhile", challenged, "reachable", linkDown, "none",
		[]string{"table 10.0.0.2 gone", "event removed 10.0.0.2 -"}},
	{"Reverify meanwhile", challenged, "reachable", reverify, "probe", []string{"event state 10.0.0.2 hw2 probe"}},
	{"it becomes ours meanwhile", challenged, "reachable", addAddress(ip(2)), "none",
		[]string{"table 10.0.0.2 gone", announced(2), "event removed 10.0.0.2 -"}},
	{"Close meanwhile", challenged, "reachable", closes, "none",
		[]string{"table 10.0.0.2 gone", "event removed 10.0.0.2 -"}},
	{"R61 a static one stays", fixed, "static", receive(OperationReply, 2, 3, 1, false), "static", nil},
	{"R61 a static one stays, however long ago it was set", append(fixed[:1:1], late), "static", receive(OperationReply, 2, 3, 1, false), "static", nil},
	{"R61 a static one says the same", append(fixed[:1:1], late), "static", answers(2), "static", nil},

	// While it drains.
	{"a draining one is asked for", []event{query(2, 1), answers(2)}, "reachable", query(2, 2), "reachable", nil},
	{"RFC 826 waiting ones go in turn", draining, "reachable", drained(2, 1), "reachable",
		[]string{"release 2: 10.0.0.2 hw2 batch 2"}},
	{"a query need not go in turn", draining, "reachable", wait(2, 3), "reachable", []string{"release 3: 10.0.0.2 hw2"}},
	{"ReachableTime while packets wait: it is in use", draining, "reachable", due, "delay",
		[]string{"event state 10.0.0.2 hw2 delay"}},
	{"it moves while packets wait: it is in use", append(draining[:3:3], after(time.Second), moved, due), "reachable", due, "delay",
		[]string{"event state 10.0.0.2 hw3 delay", "event moved 10.0.0.2 hw2 to hw3 delay"}},
	{"a draining stale one is asked for", []event{query(2, 1), answers(2), due}, "stale", query(2, 2), "delay",
		[]string{"event state 10.0.0.2 hw2 delay"}},
	{"it is made static while packets wait", draining, "reachable", static(2, 3), "static",
		[]string{"event state 10.0.0.2 hw3 static", "event moved 10.0.0.2 hw2 to hw3 static"}},

	// What the user does.
	{"AddStatic while packets wait", incomplete, "incomplete", static(2, 3), "static",
		[]string{"release 1: 10.0.0.2 hw3 batch 1", "event state 10.0.0.2 hw3 static"}},
	{"AddStatic for a reachable one", reachable, "reachable", static(2, 3), "static",
		[]string{"table 10.0.0.2 hw3", "event state 10.0.0.2 hw3 static", "event moved 10.0.0.2 hw2 to hw3 static"}},
	{"AddStatic for a failed one", failed, "failed", static(2, 3), "static",
		[]string{"table 10.0.0.2 hw3", "event state 10.0.0.2 hw3 static"}},
	{"AddStatic again", fixed, "static", static(2, 3), "static",
		[]string{"table 10.0.0.2 hw3", "event moved 10.0.0.2 hw2 to hw3 static"}},
	{"Remove of a static one", fixed, "static", remove(2), "none",
		[]string{"table 10.0.0.2 gone", "event removed 10.0.0.2 -"}},
	{"Remove of a stale one", stale, "stale", remove(2), "none",
		[]string{"table 10.0.0.2 gone", "event removed 10.0.0.2 -"}},
	{"R26 Remove keeps in mind who was just asked for", incomplete, "incomplete", remove(2), "incomplete",
		[]string{"drop 1: 10.0.0.2 flushed"}},
	{"R26 Remove of one that answered at once", reachable, "reachable", remove(2), "incomplete",
		[]string{"table 10.0.0.2 gone", "event state 10.0.0.2 - incomplete"}},
	{"R26 what was removed and kept in mind is forgotten, and the table told only once", append(reachable[:3:3], remove(2)), "incomplete", due, "none",
		[]string{"event removed 10.0.0.2 -"}},
	{"Cancel of the only one that waits", []event{wait(2, 1), cancel(2, 1)}, "incomplete", due, "none",
		[]string{"event removed 10.0.0.2 -"}},
	{"RFC 4861 §7.3.3 Reverify polls what is in use", reachable, "reachable", reverify, "probe",
		[]string{"event state 10.0.0.2 hw2 probe"}},
	{"Reverify polls at the next Tick", append(reachable[:3:3], reverify), "probe", tick, "probe",
		[]string{unicastRequest}},
	{"Reverify starts the poll again", probe, "probe", reverify, "probe", nil},
	{"Reverify leaves what is not in use", stale, "stale", reverify, "stale", nil},
	{"Reverify leaves what is asked for", incomplete, "incomplete", reverify, "incomplete", nil},

	// The link, and the end.
	{"R64 link down, packets wait", append(failed[:4:4], wait(2, 2)), "incomplete", linkDown, "incomplete",
		[]string{"drop 2: 10.0.0.2 flushed"}},
	{"R64 link down, stale", stale, "stale", linkDown, "none",
		[]string{"table 10.0.0.2 gone", "event removed 10.0.0.2 -"}},
	{"R61 link down, static", fixed, "static", linkDown, "static", nil},
	{"link up, failed", append([]event{linkDown}, failed...), "failed", linkUp, "none",
		[]string{"event removed 10.0.0.2 -"}},
	{"link up, packets wait", []event{linkDown, query(2, 1), due, after(time.Second / 2)}, "incomplete", linkUp, "incomplete", nil},
	{"link up, nobody waits any more", append(incomplete[:1:1], linkDown, late), "incomplete", linkUp, "incomplete", nil},
	{"Close, packets wait", incomplete, "incomplete", closes, "none",
		[]string{"drop 1: 10.0.0.2 closed", "event removed 10.0.0.2 -"}},
	{"Close, reachable", reachable, "reachable", closes, "none",
		[]string{"table 10.0.0.2 gone", "event removed 10.0.0.2 -"}},
	{"Close, static", fixed, "static", closes, "none",
		[]string{"table 10.0.0.2 gone", "event removed 10.0.0.2 -"}},
}

func TestTransitions(t *testing.T) {
	for _, tt := range transitions {
		t.Run(tt.name, func(t *testing.T) {
			s := newStation(t, Config{})
			s.do(tt.before...)
			s.wantState(2, tt.from)
			s.want([]event{tt.event}, tt.want...)
			s.wantState(2, tt.to)
		})
	}
}

// TestEveryStateIsEntered keeps the table above complete.
func TestEveryStateIsEntered(t *testing.T) {
	entered := map[string]bool{}
	for _, tt := range transitions {
		if tt.from != tt.to {
			entered[tt.to] = true
		}
	}
	for s := range NumStates {
		if !entered[s.String()] {
			t.Errorf("no case goes to %v", s)
		}
	}
}
