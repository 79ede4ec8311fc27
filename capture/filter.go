package capture

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/bpf"
)

// This is our own compiler of filters, in pure Go. libpcap needs cgo, and the
// pure Go ones that were tried gave programs that differ from tcpdump's without
// a word (TestFiltersAgreeWithTcpdump is what they were tried with).

// FilterError is what is wrong with a filter expression.
type FilterError struct {
	// Filter is the expression, Column the 1-based byte where the trouble is.
	Filter string
	Column int
	// Reason says it for people.
	Reason string
}

// Error says it in one line.
func (e *FilterError) Error() string {
	return fmt.Sprintf("read filter %q:%d: %s", e.Filter, e.Column, e.Reason)
}

// CompileFilter turns a filter expression into a program for the kernel. The
// language is tcpdump's, as far as it is needed to leave traffic out:
//
//	tcp, udp, icmp, icmp6, ip, ip6, arp             protocols
//	[src|dst] host A, [src|dst] net A/BITS          addresses (ARP's included)
//	[tcp|udp] [src|dst] port N, portrange N-M       ports
//	ether [src|dst] host MAC, vlan, vlan N          link layer
//	less N, greater N                               length
//	and (&&), or (||), not (!), parentheses
//
// As in tcpdump, and and or bind alike, from left to right, and "port 502 or
// 20000" is "port 502 or port 20000". Two things differ, both because a sensor
// should not overlook: VLAN tags never hide what they carry ("tcp port 502"
// finds it in any VLAN), and a packet that does not tell its ports or its
// protocol (fragments after the first, IPv6 extension headers) passes any test
// for them.
//
// An empty expression passes everything.
func CompileFilter(expression string, link LinkType) ([]bpf.RawInstruction, error) {
	return compileFilter(expression, link, false)
}

// compileFilter also knows live traffic, in which the kernel has taken out one
// VLAN tag and marks what this host sent, which is left out.
func compileFilter(expression string, link LinkType, live bool) ([]bpf.RawInstruction, error) {
	ins, err := filterProgram(expression, link, live)
	if err != nil {
		return nil, err
	}
	raw, err := bpf.Assemble(ins)
	if err != nil {
		return nil, fmt.Errorf("compile filter %q: %w", expression, err)
	}
	return raw, nil
}

// maxFilter bounds the length of an expression; the kernel takes programs of
// 4096 instructions.
const maxFilter = 4096

func filterProgram(expression string, link LinkType, live bool) ([]bpf.Instruction, error) {
	if len(expression) > maxFilter {
		return nil, &FilterError{expression[:32] + "...", maxFilter, fmt.Sprintf("is longer than %d bytes", maxFilter)}
	}
	p := &filterParser{text: expression}
	p.split()
	var root filterNode
	if len(p.words) > 0 {
		var err error
		if root, err = p.expression(0); err != nil {
			return nil, err
		}
		if p.at < len(p.words) {
			return nil, p.fail("%q is not understood here", p.words[p.at].text)
		}
	}
	if link != LinkEthernet && link != LinkRaw {
		return nil, fmt.Errorf("compile filter %q: not for link type %d", expression, link)
	}
	c := &filterCode{}
	accept, reject := c.label(), c.label()
	c.prologue(link, live, reject)
	if root == nil {
		c.jump(accept)
	} else {
		root.compile(c, accept, reject, false)
	}
	c.place(accept)
	c.add(bpf.RetConstant{Val: maxCaptured})
	c.place(reject)
	c.add(bpf.RetConstant{Val: 0})
	ins := c.resolve()
	if len(ins) > 4096 {
		return nil, &FilterError{expression, 1, "is too long for the kernel"}
	}
	return ins, nil
}

// filterWord is a word of an expression.
type filterWord struct {
	text   string
	column int
}

// qualifiers are what a bare address or number takes from the one before.
type qualifiers struct {
	proto, way, kind string
}

type filterParser struct {
	text  string
	words []filterWord
	at    int
	last  qualifiers
}

// maxNesting is how deep parentheses may go.
const maxNesting = 64

func (p *filterParser) split() {
	for i := 0; i < len(p.text); {
		switch c := p.text[i]; c {
		case ' ', '\t', '\n', '\r':
			i++
		case '(', ')', '!':
			p.words = append(p.words, filterWord{string(c), i + 1})
			i++
		default:
			end := i
			for end < len(p.text) && !strings.ContainsRune(" \t\n\r()!", rune(p.text[end])) {
				end++
			}
			p.words = append(p.words, filterWord{strings.ToLower(p.text[i:end]), i + 1})
			i = end
		}
	}
}

func (p *filterParser) peek() string {
	if p.at < len(p.words) {
		return p.words[p.at].text
	}
	return ""
}

func (p *filterParser) fail(format string, a ...any) error {
	column := len(p.text) + 1
	if p.at < len(p.words) {
		column = p.words[p.at].column
	}
	return &FilterError{p.text, column, fmt.Sprintf(format, a...)}
}

// expression reads factors joined by and and or, from left to right.
func (p *filterParser) expression(depth int) (filterNode, error) {
	left, err := p.factor(depth)
	if err != nil {
		return nil, err
	}
	for {
		or := false
		switch p.peek() {
		case "or", "||":
			or = true
		case "and", "&&":
		default:
			return left, nil
		}
		p.at++
		right, err := p.factor(depth)
		if err != nil {
			return nil, err
		}
		left = joined{left, right, or}
	}
}

func (p *filterParser) factor(depth int) (filterNode, error) {
	if depth > maxNesting {
		return nil, p.fail("is nested too deeply")
	}
	switch p.peek() {
	case "not", "!":
		p.at++
		n, err := p.factor(depth + 1)
		return negated{n}, err
	case "(":
		p.at++
		n, err := p.expression(depth + 1)
		if err != nil {
			return nil, err
		}
		if p.peek() != ")" {
			return nil, p.fail("a ) is missing")
		}
		p.at++
		return n, nil
	case "":
		return nil, p.fail("something is missing at the end")
	}
	return p.primitive()
}

// protocolTests are the words that are a test by themselves.
var protocolTests = map[string]filterNode{
	"ip": etherTest{etherIPv4}, "ip6": etherTest{etherIPv6}, "arp": etherTest{etherARP},
	"tcp": protoTest{both: true, proto: protoTCP}, "udp": protoTest{both: true, proto: protoUDP},
	"icmp": protoTest{four: true, proto: protoICMP}, "icmp6": protoTest{six: true, proto: protoICMPv6},
}

func (p *filterParser) primitive() (filterNode, error) {
	switch p.peek() {
	case "vlan":
		p.at++
		if n, err := strconv.ParseUint(p.peek(), 10, 16); err == nil {
			if n > 4095 {
				return nil, p.fail("a VLAN is 0 to 4095")
			}
			p.at++
			return vlanTest{int(n)}, nil
		}
		return vlanTest{-1}, nil
	case "less", "greater":
		atLeast := p.peek() == "greater"
		p.at++
		n, err := strconv.ParseUint(p.peek(), 10, 32)
		if err != nil {
			return nil, p.fail("%q is not a length", p.peek())
		}
		p.at++
		return lengthTest{uint32(n), atLeast}, nil
	}
	var q qualifiers
	if w := p.peek(); protocolTests[w] != nil || w == "ether" {
		q.proto = w
		p.at++
	}
	if w := p.peek(); w == "src" || w == "dst" {
		q.way = w
		p.at++
		if j := p.peek(); (j == "or" || j == "and") && p.at+1 < len(p.words) {
			if o := p.words[p.at+1].text; o == "dst" && w == "src" || o == "src" && w == "dst" {
				q.way = map[string]string{"or": "", "and": "both"}[j]
				p.at += 2
			}
		}
	}
	switch w := p.peek(); w {
	case "host", "net", "port", "portrange":
		q.kind = w
		p.at++
	default:
		switch {
		case q.way != "":
			q.kind = "host"
		case q.proto == "ether":
			return nil, p.fail("ether host MAC is what follows ether")
		case q.proto != "":
			return protocolTests[q.proto], nil
		case p.last.kind != "":
			q = p.last
		default:
			return nil, p.fail("%q is not understood here", w)
		}
	}
	p.last = q
	return p.value(q)
}

// value reads what the qualifiers are about.
func (p *filterParser) value(q qualifiers) (filterNode, error) {
	w := p.peek()
	switch q.kind {
	case "port", "portrange":
		low, high, ranged := strings.Cut(w, "-")
		a, err := strconv.ParseUint(low, 10, 16)
		b := a
		if err == nil && ranged && q.kind == "portrange" {
			b, err = strconv.ParseUint(high, 10, 16)
		}
		if err != nil || ranged != (q.kind == "portrange") || b < a {
			return nil, p.fail("%q is not a %s", w, q.kind)
		}
		t := portTest{way: q.way, low: uint32(a), high: uint32(b), tcp: true, udp: true}
		switch q.proto {
		case "tcp":
			t.udp = false
		case "udp":
			t.tcp = false
		case "":
		default:
			return nil, p.fail("%s has no ports", q.proto)
		}
		p.at++
		return t, nil
	}
	if q.proto == "ether" {
		mac, err := net.ParseMAC(w)
		if err != nil || len(mac) != 6 || q.kind != "host" {
			return nil, p.fail("%q is not a MAC address", w)
		}
		p.at++
		return macTest{way: q.way, mac: [6]byte(mac)}, nil
	}
	var prefix netip.Prefix
	if q.kind == "net" {
		var err error
		if prefix, err = netip.ParsePrefix(w); err != nil {
			return nil, p.fail("%q is not a network, such as 10.0.0.0/8", w)
		}
		if prefix.Masked() != prefix {
			return nil, p.fail("%q has bits beyond its length: %s is meant?", w, prefix.Masked())
		}
	} else {
		a, err := netip.ParseAddr(w)
		if err != nil || a.Zone() != "" {
			return nil, p.fail("%q is not an IP address", w)
		}
		prefix = netip.PrefixFrom(a, a.BitLen())
	}
	switch {
	case q.proto == "ip6" && prefix.Addr().Is4(), (q.proto == "ip" || q.proto == "arp") && prefix.Addr().Is6():
		return nil, p.fail("%q is of the other IP version", w)
	}
	switch q.proto {
	case "tcp", "udp", "icmp", "icmp6":
		return nil, p.fail("%[1]s has no %[2]s: \"%[1]s and %[2]s %[3]s\" is meant?", q.proto, q.kind, w)
	}
	p.at++
	return addressTest{way: q.way, prefix: prefix, arp: q.proto == "" || q.proto == "arp", ip: q.proto != "arp"}, nil
}
