package main

import (
	"net/netip"

	"github.com/weir-ics/weir/detect/tags"
	"github.com/weir-ics/weir/protocols"
)

// names are what people call hosts and points, for alerts.
type names struct {
	hosts map[netip.Addr]string
	tags  *tags.List
}

// Host implements detect.Names.
func (n *names) Host(ip netip.Addr) string { return n.hosts[ip] }

// Point implements detect.Names.
func (n *names) Point(device netip.Addr, _ protocols.Proto, unit uint16, kind protocols.PointKind, index uint32) string {
	if t := n.tags.Lookup(tags.Place{Device: device, Unit: unit, Kind: kind, Address: index}); t != nil {
		return t.Name
	}
	return ""
}
