package ethstack_test

import (
	"fmt"
	"testing"

	"github.com/ethlink/ethlink/ethstack"
)

// TestNames: every value has a name of its own, and so has one that is none.
func TestNames(t *testing.T) {
	seen := map[string]string{}
	check := func(v fmt.Stringer) {
		t.Helper()
		name := fmt.Sprintf("%T %v", v, v)
		if v.String() == "" || seen[name] != "" {
			t.Errorf("%#v has the name %q, as %s has", v, v.String(), seen[name])
		}
		seen[name] = fmt.Sprintf("%#v", v)
	}
	for r := range ethstack.NumDropReasons + 2 {
		check(r)
	}
	for c := range ethstack.ToOther + 3 {
		check(c)
	}
	for s := range ethstack.LinkGone + 3 {
		check(s)
	}
	for r := range ethstack.ChecksumMalformed + 2 {
		check(r)
	}
	for _, e := range []ethstack.EtherType{ethstack.EtherTypeIPv4, ethstack.EtherTypeARP, ethstack.EtherTypeIPv6, 0x88b5, 0} {
		check(e)
	}
	for o := range ethstack.OffloadUDP * 2 {
		check(o)
	}
	for _, v := range []ethstack.VLAN{{}, {{ID: 5}}, {{ID: 5}, {ID: 6}}} {
		check(v)
	}
}
