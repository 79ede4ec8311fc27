package capture

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/net/bpf"
)

// label is a place in a program that jumps go to.
type label int

// filterCode is a program under construction. Jumps name labels, which lie
// further on, and become distances in the end.
type filterCode struct {
	ins    []bpf.Instruction
	goals  map[int]label // of the jump at an index
	places []int         // of labels
}

// Where the prologue leaves what it found.
const (
	scratchNet   = 0 // offset of the network layer
	scratchEther = 1 // ether type
	scratchOuter = 2 // VLAN that the kernel took out, or noVLAN
	scratchInner = 3 // inner-most VLAN in the packet, or noVLAN
)

const noVLAN = 0xffff

func (c *filterCode) add(ins ...bpf.Instruction) { c.ins = append(c.ins, ins...) }

func (c *filterCode) label() label {
	c.places = append(c.places, -1)
	return label(len(c.places) - 1)
}

func (c *filterCode) place(l label) { c.places[l] = len(c.ins) }

func (c *filterCode) jump(l label) {
	if c.goals == nil {
		c.goals = map[int]label{}
	}
	c.goals[len(c.ins)] = l
	c.add(bpf.Jump{})
}

// when goes to yes if A compares so with v, else to no. Conditional jumps
// reach only 255 instructions, so they go around one that reaches all.
func (c *filterCode) when(test bpf.JumpTest, v uint32, yes, no label) {
	c.add(bpf.JumpIf{Cond: test, Val: v, SkipTrue: 0, SkipFalse: 1})
	c.jump(yes)
	c.jump(no)
}

// is goes to yes if A is v, and else on.
func (c *filterCode) is(v uint32, yes label) {
	c.add(bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: v, SkipTrue: 1})
	c.jump(yes)
}

// unless goes to no if A is not v, and else on.
func (c *filterCode) unless(v uint32, no label) {
	c.add(bpf.JumpIf{Cond: bpf.JumpEqual, Val: v, SkipTrue: 1})
	c.jump(no)
}

func (c *filterCode) resolve() []bpf.Instruction {
	for i, l := range c.goals {
		c.ins[i] = bpf.Jump{Skip: uint32(c.places[l] - i - 1)}
	}
	return c.ins
}

// prologue finds the network layer behind VLAN tags.
func (c *filterCode) prologue(link LinkType, live bool, reject label) {
	if live {
		c.add(bpf.LoadExtension{Num: bpf.ExtType})
		c.is(4, reject) // PACKET_OUTGOING
	}
	c.add(bpf.LoadConstant{Dst: bpf.RegA, Val: noVLAN},
		bpf.StoreScratch{Src: bpf.RegA, N: scratchOuter}, bpf.StoreScratch{Src: bpf.RegA, N: scratchInner})
	if live {
		none := c.label()
		c.add(bpf.LoadExtension{Num: bpf.ExtVLANTagPresent})
		c.is(0, none)
		c.add(bpf.LoadExtension{Num: bpf.ExtVLANTag}, bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0xfff},
			bpf.StoreScratch{Src: bpf.RegA, N: scratchOuter})
		c.place(none)
	}
	if link == LinkRaw {
		c.add(bpf.LoadConstant{Dst: bpf.RegA, Val: 0}, bpf.StoreScratch{Src: bpf.RegA, N: scratchNet})
		four, six, done := c.label(), c.label(), c.label()
		c.add(bpf.LoadAbsolute{Off: 0, Size: 1}, bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 4})
		c.is(4, four)
		c.is(6, six)
		c.add(bpf.LoadConstant{Dst: bpf.RegA, Val: 0})
		c.jump(done)
		c.place(four)
		c.add(bpf.LoadConstant{Dst: bpf.RegA, Val: etherIPv4})
		c.jump(done)
		c.place(six)
		c.add(bpf.LoadConstant{Dst: bpf.RegA, Val: etherIPv6})
		c.place(done)
		c.add(bpf.StoreScratch{Src: bpf.RegA, N: scratchEther})
		return
	}
	found := c.label()
	c.add(bpf.LoadConstant{Dst: bpf.RegA, Val: 14}, bpf.StoreScratch{Src: bpf.RegA, N: scratchNet},
		bpf.LoadAbsolute{Off: 12, Size: 2}, bpf.StoreScratch{Src: bpf.RegA, N: scratchEther})
	for n := range uint32(maxTags) {
		tagged := c.label()
		for _, tpid := range []uint32{etherVLAN, etherQinQ, etherQinQ91, etherQinQ92} {
			c.is(tpid, tagged)
		}
		c.jump(found)
		c.place(tagged)
		at := 14 + 4*n
		c.add(bpf.LoadAbsolute{Off: at, Size: 2}, bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0xfff},
			bpf.StoreScratch{Src: bpf.RegA, N: scratchInner},
			bpf.LoadConstant{Dst: bpf.RegA, Val: at + 4}, bpf.StoreScratch{Src: bpf.RegA, N: scratchNet},
			bpf.LoadAbsolute{Off: at + 2, Size: 2}, bpf.StoreScratch{Src: bpf.RegA, N: scratchEther})
	}
	c.place(found)
}

// network loads n bytes at an offset in the network layer.
func (c *filterCode) network(off uint32, n int) {
	c.add(bpf.LoadScratch{Dst: bpf.RegX, N: scratchNet}, bpf.LoadIndirect{Off: off, Size: n})
}

// filterNode is a part of an expression.
type filterNode interface {
	// compile adds code that goes to yes or no. flipped tells that no is what
	// leads to accepting the packet.
	compile(c *filterCode, yes, no label, flipped bool)
}

// open is where to go if the packet does not tell: towards accepting it.
func open(yes, no label, flipped bool) label {
	if flipped {
		return no
	}
	return yes
}

type joined struct {
	left, right filterNode
	or          bool
}

func (n joined) compile(c *filterCode, yes, no label, flipped bool) {
	next := c.label()
	if n.or {
		n.left.compile(c, yes, next, flipped)
	} else {
		n.left.compile(c, next, no, flipped)
	}
	c.place(next)
	n.right.compile(c, yes, no, flipped)
}

type negated struct{ n filterNode }

func (n negated) compile(c *filterCode, yes, no label, flipped bool) {
	n.n.compile(c, no, yes, !flipped)
}

type etherTest struct{ kind uint32 }

func (t etherTest) compile(c *filterCode, yes, no label, _ bool) {
	c.add(bpf.LoadScratch{Dst: bpf.RegA, N: scratchEther})
	c.when(bpf.JumpEqual, t.kind, yes, no)
}

// protoTest is for a transport protocol over IPv4, IPv6 or either.
type protoTest struct {
	four, six, both bool
	proto           uint32
}

func (t protoTest) compile(c *filterCode, yes, no label, flipped bool) {
	six := c.label()
	c.add(bpf.LoadScratch{Dst: bpf.RegA, N: scratchEther})
	c.is(etherIPv6, six)
	if t.six {
		c.jump(no)
	}
	c.unless(etherIPv4, no)
	c.network(9, 1)
	c.when(bpf.JumpEqual, t.proto, yes, no)
	c.place(six)
	if t.four {
		c.jump(no)
	}
	c.network(6, 1)
	c.is(t.proto, yes)
	c.extension(open(yes, no, flipped))
	c.jump(no)
}

// extension goes to l if A is an IPv6 extension header, behind which the
// protocol is not looked for.
func (c *filterCode) extension(l label) {
	for _, h := range []uint32{protoHopByHop, protoRouting, protoFragment, protoAH, protoOptions, protoMobility, protoHIP, protoShim6} {
		c.is(h, l)
	}
}

type portTest struct {
	way       string
	low, high uint32
	tcp, udp  bool
}

func (t portTest) compile(c *filterCode, yes, no label, flipped bool) {
	six, ports, four := c.label(), c.label(), c.label()
	unknown := open(yes, no, flipped)
	c.add(bpf.LoadScratch{Dst: bpf.RegA, N: scratchEther})
	c.is(etherIPv6, six)
	c.unless(etherIPv4, no)
	c.network(9, 1)
	t.protocol(c, four)
	c.jump(no)
	c.place(four)
	c.network(6, 2)
	c.add(bpf.JumpIf{Cond: bpf.JumpBitsNotSet, Val: 0x1fff, SkipTrue: 1})
	c.jump(unknown) // a fragment after the first
	c.network(0, 1)
	c.add(bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0xf}, bpf.ALUOpConstant{Op: bpf.ALUOpShiftLeft, Val: 2}, bpf.ALUOpX{Op: bpf.ALUOpAdd}, bpf.TAX{})
	c.jump(ports)
	c.place(six)
	c.network(6, 1)
	c.extension(unknown)
	after := c.label()
	t.protocol(c, after)
	c.jump(no)
	c.place(after)
	c.add(bpf.LoadScratch{Dst: bpf.RegA, N: scratchNet}, bpf.ALUOpConstant{Op: bpf.ALUOpAdd, Val: 40}, bpf.TAX{})
	c.place(ports) // X is where the transport layer begins
	either(c, t.way, yes, no, func(src bool, yes, no label) {
		off := uint32(2)
		if src {
			off = 0
		}
		c.add(bpf.LoadIndirect{Off: off, Size: 2})
		above := c.label()
		c.when(bpf.JumpGreaterOrEqual, t.low, above, no)
		c.place(above)
		c.when(bpf.JumpLessOrEqual, t.high, yes, no)
	})
}

func (t portTest) protocol(c *filterCode, yes label) {
	if t.tcp {
		c.is(protoTCP, yes)
	}
	if t.udp {
		c.is(protoUDP, yes)
	}
}

// either tests the source, the destination, one of them, or both.
func either(c *filterCode, way string, yes, no label, test func(src bool, yes, no label)) {
	switch way {
	case "src", "dst":
		test(way == "src", yes, no)
	case "both":
		next := c.label()
		test(true, next, no)
		c.place(next)
		test(false, yes, no)
	default:
		next := c.label()
		test(true, yes, next)
		c.place(next)
		test(false, yes, no)
	}
}

type addressTest struct {
	way     string
	prefix  netip.Prefix
	ip, arp bool
}

func (t addressTest) compile(c *filterCode, yes, no label, _ bool) {
	c.add(bpf.LoadScratch{Dst: bpf.RegA, N: scratchEther})
	if t.prefix.Addr().Is6() {
		c.unless(etherIPv6, no)
		t.at(c, 8, 24, yes, no)
		return
	}
	ip, arp := c.label(), c.label()
	if t.ip {
		c.is(etherIPv4, ip)
	}
	if t.arp {
		c.is(etherARP, arp)
	}
	c.jump(no)
	if t.ip {
		c.place(ip)
		t.at(c, 12, 16, yes, no)
	}
	if t.arp {
		c.place(arp)
		t.at(c, 14, 24, yes, no)
	}
}

// at compares the addresses at two offsets of the network layer.
func (t addressTest) at(c *filterCode, src, dst uint32, yes, no label) {
	addr, bits := t.prefix.Addr().AsSlice(), t.prefix.Bits()
	either(c, t.way, yes, no, func(source bool, yes, no label) {
		off := dst
		if source {
			off = src
		}
		for i := 0; i < bits; i += 32 {
			mask := ^uint32(0)
			if bits-i < 32 {
				mask <<= 32 - (bits - i)
			}
			c.network(off+uint32(i/8), 4)
			if mask != ^uint32(0) {
				c.add(bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: mask})
			}
			c.unless(binary.BigEndian.Uint32(addr[i/8:])&mask, no)
		}
		c.jump(yes)
	})
}

type macTest struct {
	way string
	mac [6]byte
}

func (t macTest) compile(c *filterCode, yes, no label, _ bool) {
	either(c, t.way, yes, no, func(src bool, yes, no label) {
		off := uint32(0)
		if src {
			off = 6
		}
		c.add(bpf.LoadAbsolute{Off: off, Size: 4})
		c.unless(binary.BigEndian.Uint32(t.mac[:]), no)
		c.add(bpf.LoadAbsolute{Off: off + 4, Size: 2})
		c.when(bpf.JumpEqual, uint32(binary.BigEndian.Uint16(t.mac[4:])), yes, no)
	})
}

// vlanTest is for a tag of this number, or any if it is -1.
type vlanTest struct{ id int }

func (t vlanTest) compile(c *filterCode, yes, no label, _ bool) {
	for _, n := range []int{scratchOuter, scratchInner} {
		c.add(bpf.LoadScratch{Dst: bpf.RegA, N: n})
		if t.id < 0 {
			c.unless(noVLAN, yes)
		} else {
			c.is(uint32(t.id), yes)
		}
	}
	c.jump(no)
}

type lengthTest struct {
	n       uint32
	atLeast bool
}

func (t lengthTest) compile(c *filterCode, yes, no label, _ bool) {
	c.add(bpf.LoadExtension{Num: bpf.ExtLen})
	if t.atLeast {
		c.when(bpf.JumpGreaterOrEqual, t.n, yes, no)
	} else {
		c.when(bpf.JumpLessOrEqual, t.n, yes, no)
	}
}
