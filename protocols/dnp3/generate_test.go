package dnp3

import (
	"math/rand/v2"

	"github.com/weir-ics/weir/protocols"
)

// generator makes random messages that the standard allows.
type generator struct {
	*rand.Rand
}

func newGenerator(seed uint64) generator { return generator{rand.New(rand.NewPCG(seed, 1815))} }

// octets returns n random octets.
func (g generator) octets(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(g.Uint32())
	}
	return p
}

// object returns the octets of a random object of a variation.
func (g generator) object(v *variation, number uint8) []byte {
	if v.size > 0 {
		return g.octets(v.size)
	}
	var p []byte
	lengths := make([]int, 0, 4)
	for i := range v.layout {
		f := &v.layout[i]
		switch f.enc {
		case encLength8:
			n := g.IntN(20)
			lengths = append(lengths, n)
			p = append(p, byte(n))
		case encLength16:
			n := g.IntN(20)
			lengths = append(lengths, n)
			p = append(p, byte(n), 0)
		case encOffset16:
			// Filled in below, where the text begins.
			lengths = append(lengths, len(p))
			p = append(p, 0, 0)
		case encSizedText, encSizedOctets:
			p = append(p, g.octets(lengths[f.ref])...)
		case encTextAt:
			p[lengths[f.ref-1]] = byte(len(p))
			p = append(p, g.octets(lengths[f.ref])...)
		case encAttribute:
			p[0] = 5 // any octets are a value of an octet string
			p = append(p, g.octets(lengths[0])...)
		case encText, encOctets:
			p = append(p, g.octets(1+g.IntN(40))...)
		case encVariationOctets:
			p = append(p, g.octets(int(number))...)
		case encDescriptors:
			for range g.IntN(4) {
				n := g.IntN(10)
				p = append(p, byte(3+n), byte(1+g.IntN(8)), byte(g.IntN(9)), byte(n))
				p = append(p, g.octets(n)...)
			}
		case encElements:
			for range g.IntN(4) {
				n := g.IntN(10)
				p = append(append(p, byte(n)), g.octets(n)...)
			}
		default:
			p = append(p, g.octets(int(encodingSizes[f.enc]))...)
		}
	}
	return p
}

// header appends a random object header, with objects if function carries them.
func (g generator) header(f *Fragment, function uint8) {
	group := &groups[g.IntN(len(groups))]
	var v *variation
	number := uint8(0)
	if group.any != nil && (len(group.variations) == 0 || g.IntN(2) == 0) {
		v, number = group.any, uint8(1+g.IntN(60))
	} else {
		v = &group.variations[g.IntN(len(group.variations))]
		number = v.number
	}
	names := functions[function].carries != carriesObjects && group.number != 70 && group.number != 120 &&
		(functions[function].carries != carriesTime || group.number != 50)
	if names || v.empty() {
		switch g.IntN(4) {
		case 0:
			f.All(group.number, number)
		case 1:
			start := g.Uint32N(300)
			f.Range(group.number, number, start, start+g.Uint32N(70000))
		case 2:
			f.Count(group.number, number, 1+g.Uint32N(70000))
		case 3:
			if v.empty() {
				f.All(group.number, number)
				return
			}
			q := []uint8{QualifierIndex8, QualifierIndex16, QualifierIndex32}[g.IntN(3)]
			n := g.IntN(5)
			f.Header(group.number, number, q, uint32(n), 0)
			for range n {
				f.Prefix(q, g.Uint32N(200))
			}
		}
		return
	}
	n := 1 + g.IntN(6)
	if v.bits > 0 {
		n = 1 + g.IntN(40)
		f.Range(group.number, number, 7, uint32(7+n-1))
		packed := g.octets((n*int(v.bits) + 7) / 8)
		f.Octets(packed...)
		return
	}
	last := v.layout[len(v.layout)-1].enc
	open := last == encText || last == encOctets || last == encDescriptors || last == encElements
	if open || g.IntN(3) == 0 {
		f.Header(group.number, number, QualifierFreeFormat, uint32(n), 0)
		for range n {
			object := g.object(v, number)
			f.Prefix(QualifierFreeFormat, uint32(len(object))).Octets(object...)
		}
		return
	}
	q := []uint8{QualifierRange8, QualifierRange16, QualifierRange32, QualifierCount8, QualifierCount16, QualifierIndex8, QualifierIndex16, QualifierIndex32}[g.IntN(8)]
	if rangeCodes[q&15].fields == 2 {
		start := g.Uint32N(200)
		f.Header(group.number, number, q, start, start+uint32(n)-1)
	} else {
		f.Header(group.number, number, q, uint32(n), 0)
	}
	for range n {
		f.Prefix(q, g.Uint32N(250)).Octets(g.object(v, number)...)
	}
}

// message is a random message with what a decoder must say of it.
type message struct {
	header   LinkHeader
	function uint8
	body     []byte
}

// message returns a random message of the given size at most.
func (g generator) message(most int) message {
	requests := []uint8{1, 2, 5, 6, 7, 11, 20, 22, 25, 29, 32}
	m := message{header: LinkHeader{Prm: true, Function: LinkUnconfirmedUserData, Source: 10, Destination: 1}}
	var f Fragment
	if g.IntN(2) == 0 {
		m.header.Dir, m.header.Source, m.header.Destination = true, 1, 10
		m.function = requests[g.IntN(len(requests))]
		f.Request(Single(uint8(g.IntN(16))), m.function)
	} else {
		m.function = FunctionResponse
		f.Response(Single(uint8(g.IntN(16))), m.function, uint16(g.Uint32())&^iinReserved)
	}
	for range g.IntN(6) {
		before := len(f.buf)
		g.header(&f, m.function)
		if len(f.buf) > most {
			f.buf = f.buf[:before]
			break
		}
	}
	m.body = append([]byte(nil), f.Bytes()...)
	return m
}

// direction is the way that the message goes.
func (m *message) direction() protocols.Direction {
	if m.header.Dir {
		return 0
	}
	return 1
}
