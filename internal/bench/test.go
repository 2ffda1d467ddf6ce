package bench

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// A kind is what a test does, and the unit of its result.
type kind string

const (
	kindTCP     kind = "TCP"
	kindUDP     kind = "UDP"
	kindPingTCP kind = "ping-pong TCP"
	kindPingUDP kind = "ping-pong UDP"
)

// pingPong reports whether the test is about the time of round trips.
func (k kind) pingPong() bool { return k == kindPingTCP || k == kindPingUDP }

// A Test moves data between a subject and its peer.
type Test struct {
	// Name is how it is asked for.
	Name string
	Kind kind
	IPv6 bool
	// Out: the subject sends. Of a ping-pong, the peer asks and the subject
	// answers.
	Out bool
	// Flows is how many connections there are.
	Flows int
	// Size is that of a datagram's payload in bytes, or of what is hashed.
	Size int
}

// Tests returns all there are. Of two that differ in their direction one follows
// the other, which makes columns in the plot.
func Tests() (list []Test) {
	for _, v6 := range []bool{false, true} {
		for _, flows := range []int{1, 4, 64} {
			for _, out := range []bool{true, false} {
				name := fmt.Sprintf("tcp%s-%s-%d", version(v6), direction(out), flows)
				list = append(list, Test{Name: name, Kind: kindTCP, IPv6: v6, Out: out, Flows: flows})
			}
		}
	}
	for _, size := range []int{64, 1400} {
		for _, out := range []bool{true, false} {
			name := fmt.Sprintf("udp4-%s-%d", direction(out), size)
			list = append(list, Test{Name: name, Kind: kindUDP, Out: out, Flows: 1, Size: size})
		}
	}
	return append(list,
		Test{Name: "pingpong-tcp4", Kind: kindPingTCP, Flows: 1},
		Test{Name: "pingpong-udp4", Kind: kindPingUDP, Flows: 1})
}

func version(v6 bool) string {
	if v6 {
		return "6"
	}
	return "4"
}

func direction(out bool) string {
	if out {
		return "out"
	}
	return "in"
}

// Title describes the test to people.
func (t Test) Title() string {
	ip := "IPv" + version(t.IPv6)
	switch {
	case t.Kind == kindTCP && t.Flows == 1:
		return fmt.Sprintf("TCP %s, %s, 1 flow", direction(t.Out), ip)
	case t.Kind == kindTCP:
		return fmt.Sprintf("TCP %s, %s, %d flows", direction(t.Out), ip, t.Flows)
	case t.Kind == kindUDP:
		return fmt.Sprintf("UDP %s, %d B", direction(t.Out), t.Size)
	}
	return fmt.Sprintf("%s, 1 byte", t.Kind)
}

// Unit is that of the test's result.
func (t Test) Unit() string {
	switch t.Kind {
	case kindTCP:
		return "Gbit/s"
	case kindUDP:
		return "kpps"
	}
	return "µs, p50 / p99"
}

// pick returns the items whose names match one of the patterns of a list with
// commas between them, in the items' order. The error names the pattern that
// matches nothing.
func pick[T any](what, patterns string, items []T, name func(T) string) ([]T, error) {
	used := map[string]bool{}
	list := slices.Collect(func(yield func(T) bool) {
		for _, item := range items {
			chosen := false
			for p := range strings.SplitSeq(patterns, ",") {
				if ok, _ := path.Match(p, name(item)); ok {
					chosen, used[p] = true, true
				}
			}
			if chosen && !yield(item) {
				return
			}
		}
	})
	for p := range strings.SplitSeq(patterns, ",") {
		if used[p] {
			continue
		}
		var names []string
		for _, item := range items {
			names = append(names, name(item))
		}
		return nil, fmt.Errorf("no %s is called %q: there are %s, and patterns such as *", what, p, strings.Join(names, ", "))
	}
	return list, nil
}
