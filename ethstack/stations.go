package ethstack

import (
	"maps"
	"slices"
)

// stations are the interfaces on a link.
type stations struct {
	untagged *Interface // nil if there is none
	tagged   map[VLAN]*Interface
}

// all returns the interfaces in no order.
func (s *stations) all() []*Interface {
	list := slices.Collect(maps.Values(s.tagged))
	if s.untagged != nil {
		list = append(list, s.untagged)
	}
	return list
}

// with returns s with i, or nil, at v.
func (s *stations) with(v VLAN, i *Interface) *stations {
	n := &stations{untagged: s.untagged, tagged: maps.Clone(s.tagged)}
	switch {
	case v == VLAN{}:
		n.untagged = i
	case i == nil:
		delete(n.tagged, v)
	default:
		n.tagged[v] = i
	}
	return n
}

// at returns the interface at v, nil if there is none.
func (s *stations) at(v VLAN) *Interface {
	if v == (VLAN{}) {
		return s.untagged
	}
	return s.tagged[v]
}
