package detect

import (
	"net/netip"

	"github.com/weir-ics/weir/protocols"
)

// card is a network card that a host was seen with.
type card struct {
	mac     [6]byte
	vlan    uint16
	learned bool
}

// host is what the site knows of an address.
type host struct {
	ip netip.Addr
	// known tells that it was there in the learning.
	known bool
	cards []card
	ttls  []int
	// client and server are the protocols it asked in and answered in, a bit
	// each; effects are those it used as a client, a bit each. All as learned.
	client, server uint8
	effects        uint16
	// playsClient and playsServer are the roles it was seen in, learned or not.
	playsClient, playsServer uint8
	// asked and answered are the messages behind that.
	answered      uint64
	answeredFrom  int64
	answeredUntil int64
	units         []uint16
	vendor        string
	product       string
	model         string
	version       string
	name          string
	first, last   int64
	messages      uint64
	told          bool // as an unknown host that speaks a protocol
	dirty         bool
	arpAsked      int64 // when somebody last asked for it
	announced     bool  // as an unknown host
}

const maxCards = 8

// hosts is the site's table of addresses. Those that were learned stay; the
// others are given up, oldest first, when there are too many.
type hosts struct {
	limit   int
	all     map[netip.Addr]*host
	unknown []netip.Addr // in the order they came
	made    uint64
	evicted uint64
	refused uint64
	changed []*host
}

// get returns the host of an address and makes it if need be.
func (h *hosts) get(ip netip.Addr, clock int64, known bool) *host {
	if x := h.all[ip]; x != nil {
		return x
	}
	h.made++
	if len(h.all) >= h.limit {
		if len(h.unknown) == 0 {
			h.refused++
			return &host{ip: ip, first: clock, last: clock, known: known}
		}
		delete(h.all, h.unknown[0])
		h.unknown = h.unknown[1:]
		h.evicted++
	}
	x := &host{ip: ip, first: clock, last: clock, known: known}
	h.all[ip] = x
	if !known {
		h.unknown = append(h.unknown, ip)
	}
	h.touch(x)
	return x
}

func (h *hosts) touch(x *host) {
	if !x.dirty {
		x.dirty = true
		h.changed = append(h.changed, x)
	}
}

// card returns the index of a card of the host, -1 if it is not among them.
func (x *host) card(mac [6]byte, vlan uint16) int {
	for i, c := range x.cards {
		if c.mac == mac && c.vlan == vlan {
			return i
		}
	}
	return -1
}

func (x *host) hasMAC(mac [6]byte) bool {
	for _, c := range x.cards {
		if c.mac == mac && c.learned {
			return true
		}
	}
	return false
}

func (x *host) learnedCards() int {
	n := 0
	for _, c := range x.cards {
		if c.learned {
			n++
		}
	}
	return n
}

func protoBit(p protocols.Proto) uint8 { return 1 << p }

// asset returns the host for the outside.
func (x *host) asset() Asset {
	a := Asset{IP: x.ip, Vendor: x.vendor, Product: x.product, Model: x.model, Version: x.version, Name: x.name, FirstSeen: x.first,
		LastSeen: x.last, Messages: x.messages, Known: x.known, Units: append([]uint16(nil), x.units...)}
	for _, c := range x.cards {
		if c.mac != ([6]byte{}) && !containsMAC(a.MACs, c.mac) {
			a.MACs = append(a.MACs, c.mac)
		}
		if !containsVLAN(a.VLANs, c.vlan) {
			a.VLANs = append(a.VLANs, c.vlan)
		}
	}
	for _, r := range [...]struct {
		bits     uint8
		proto    protocols.Proto
		roleName string
	}{
		{x.client | x.playsClient, protocols.ProtoModbus, "modbus client"}, {x.server | x.playsServer, protocols.ProtoModbus, "modbus server"},
		{x.client | x.playsClient, protocols.ProtoDNP3, "dnp3 master"}, {x.server | x.playsServer, protocols.ProtoDNP3, "dnp3 outstation"},
	} {
		if r.bits&protoBit(r.proto) != 0 {
			a.Roles = append(a.Roles, r.roleName)
		}
	}
	return a
}

func containsMAC(all [][6]byte, m [6]byte) bool {
	for _, x := range all {
		if x == m {
			return true
		}
	}
	return false
}

func containsVLAN(all []uint16, v uint16) bool {
	for _, x := range all {
		if x == v {
			return true
		}
	}
	return false
}
