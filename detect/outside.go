package detect

import "net/netip"

// destination is who opens connections to which port.
type destination struct {
	client netip.Addr
	port   uint16
}

// manyOutside is how many outside addresses that a host speaks with on a port
// make its destinations changing ones, of which the next is no news.
const manyOutside = 3

// outside knows which addresses are not of the site. Old plants use public
// addresses inside, so an address is inside if it is private or near to a host
// that takes part in control.
type outside struct {
	near map[netip.Prefix]bool
	// speaks counts the learned outside destinations of a host on a port.
	speaks map[destination]int
}

// prefixOf is the network that counts as near an address.
func prefixOf(ip netip.Addr) netip.Prefix {
	bits := 48
	if ip.Is4() {
		bits = 16
	}
	p, err := ip.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// control takes in that a host takes part in control.
func (o *outside) control(ip netip.Addr) {
	if o.near == nil {
		o.near = map[netip.Prefix]bool{}
	}
	o.near[prefixOf(ip)] = true
}

// is tells whether an address is outside of the site.
func (o *outside) is(ip netip.Addr) bool {
	return ip.IsValid() && ip.IsGlobalUnicast() && !ip.IsPrivate() && !o.near[prefixOf(ip)]
}

// learn takes in a learned connection. All of control must be known before.
func (o *outside) learn(client, server netip.Addr, port uint16) {
	if !o.is(server) {
		return
	}
	if o.speaks == nil {
		o.speaks = map[destination]int{}
	}
	o.speaks[destination{client, port}]++
}

// usual tells whether a new outside destination is no news for a host.
func (o *outside) usual(client, server netip.Addr, port uint16) bool {
	return o.is(server) && o.speaks[destination{client, port}] >= manyOutside
}
