package console

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// linkMap is the picture of who talks to whom: who only asks on the left, who
// only answers on the right, who does both between them.
type linkMap struct {
	Width, Height int
	Nodes         []mapNode
	Edges         []mapEdge
	// Hidden is how many hosts had no room.
	Hidden int
}

type mapNode struct {
	X, Y int
	// Label is the host's name or address; Under is the address if Label is a
	// name.
	Label, Under, IP string
	// Column is 0 for who asks, 1 for who does both, 2 for who answers.
	Column int
	// Known tells that it was there in the learning.
	Known bool
	// Severity is that of its worst open alert, empty if there is none.
	Severity string

	messages uint64
}

// Anchor is where its label is tied for SVG.
func (n mapNode) Anchor() string {
	switch n.Column {
	case 0:
		return "end"
	case 1:
		return "middle"
	default:
		return "start"
	}
}

// LabelX and LabelY are where its label stands.
func (n mapNode) LabelX() int { return n.X + [3]int{-14, 0, 14}[n.Column] }
func (n mapNode) LabelY() int {
	if n.Column == 1 {
		return n.Y - 14 - 2*n.underShift()
	}
	return n.Y + 4 - n.underShift()
}

// UnderY is where the address under the name stands.
func (n mapNode) UnderY() int { return n.LabelY() + 13 }

func (n mapNode) underShift() int {
	if n.Under != "" {
		return 7
	}
	return 0
}

type mapEdge struct {
	Path string
	// Width is the stroke's, by the number of messages.
	Width string
	// Known tells that it was there in the learning.
	Known bool
	// Severity is that of the worst open alert between the two, empty if there
	// is none.
	Severity string
	Title    string
}

const (
	mapWidth = 960
	rowGap   = 46
	// maxRows is how many hosts a column shows: those with an open alert first,
	// then the busiest.
	maxRows = 24
)

var columnX = [3]int{220, mapWidth / 2, mapWidth - 220}

type hostPair struct{ client, server netip.Addr }

func drawLinks(links []detect.Link, assets []detect.Asset, open []detect.KeptAlert) linkMap {
	worstPair, worstHost := worst(open)
	type sum struct {
		messages uint64
		known    bool
		protos   [protocols.NumProtos]bool
	}
	pairs := map[hostPair]*sum{}
	nodes := map[netip.Addr]*mapNode{}
	asks, answers := map[netip.Addr]bool{}, map[netip.Addr]bool{}
	node := func(ip netip.Addr, messages uint64) {
		n := nodes[ip]
		if n == nil {
			n = &mapNode{IP: ip.String(), Label: ip.String(), Known: true}
			nodes[ip] = n
		}
		n.messages += messages
	}
	for i := range links {
		l := &links[i]
		if !l.Client.IsValid() || !l.Server.IsValid() {
			continue
		}
		k := hostPair{l.Client, l.Server}
		if pairs[k] == nil {
			pairs[k] = &sum{known: true}
		}
		p := pairs[k]
		p.messages += l.Messages
		p.known = p.known && l.Known
		p.protos[min(l.Proto, protocols.NumProtos-1)] = true
		asks[l.Client], answers[l.Server] = true, true
		node(l.Client, l.Messages)
		node(l.Server, l.Messages)
	}
	for i := range assets {
		if n := nodes[assets[i].IP]; n != nil {
			n.Known = assets[i].Known
			if assets[i].Name != "" {
				n.Label, n.Under = clip(assets[i].Name, 28), n.IP
			}
		}
	}
	var columns [3][]netip.Addr
	for ip, n := range nodes {
		switch {
		case asks[ip] && answers[ip]:
			n.Column = 1
		case answers[ip]:
			n.Column = 2
		}
		if s, ok := worstHost[ip]; ok {
			n.Severity = s.String()
		}
		columns[n.Column] = append(columns[n.Column], ip)
	}

	m := linkMap{Width: mapWidth}
	rows := 0
	for col := range columns {
		ips := columns[col]
		slices.SortFunc(ips, func(a, b netip.Addr) int {
			_, alertA := worstHost[a]
			_, alertB := worstHost[b]
			if alertA != alertB {
				if alertA {
					return -1
				}
				return 1
			}
			return cmp.Or(cmp.Compare(nodes[b].messages, nodes[a].messages), a.Compare(b))
		})
		if len(ips) > maxRows {
			m.Hidden += len(ips) - maxRows
			for _, ip := range ips[maxRows:] {
				delete(nodes, ip)
			}
			ips = ips[:maxRows]
		}
		// Within the column, by address: a place that does not move when
		// somebody gets busier.
		slices.SortFunc(ips, netip.Addr.Compare)
		columns[col] = ips
		rows = max(rows, len(ips))
	}
	m.Height = max(rows, 2)*rowGap + 24
	for col, ips := range columns {
		top := (m.Height - len(ips)*rowGap) / 2
		for i, ip := range ips {
			n := nodes[ip]
			n.X, n.Y = columnX[col], top+i*rowGap+rowGap/2
			m.Nodes = append(m.Nodes, *n)
		}
	}

	keys := make([]hostPair, 0, len(pairs))
	for k := range pairs {
		if nodes[k.client] != nil && nodes[k.server] != nil {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b hostPair) int {
		return cmp.Or(a.client.Compare(b.client), a.server.Compare(b.server))
	})
	for _, k := range keys {
		p := pairs[k]
		e := mapEdge{
			Path:  curve(nodes[k.client], nodes[k.server]),
			Width: fmt.Sprintf("%.1f", 1+math.Log10(1+float64(p.messages))/2),
			Known: p.known,
		}
		if s, ok := worstPair[k]; ok {
			e.Severity = s.String()
		}
		names := ""
		for proto, there := range p.protos {
			if there {
				if names != "" {
					names += " and "
				}
				names += protoTitle(protocols.Proto(proto))
			}
		}
		e.Title = fmt.Sprintf("%s asks %s: %s, %s messages", nodes[k.client].Label, nodes[k.server].Label, names, amount(p.messages))
		m.Edges = append(m.Edges, e)
	}
	return m
}

// worst gives the highest severity of the open alerts, by pair and by host.
func worst(open []detect.KeptAlert) (map[hostPair]protocols.Severity, map[netip.Addr]protocols.Severity) {
	pairs, hosts := map[hostPair]protocols.Severity{}, map[netip.Addr]protocols.Severity{}
	for i := range open {
		a := &open[i]
		from, to := a.Client.Endpoint.IP, a.Server.Endpoint.IP
		k := hostPair{from, to}
		pairs[k] = max(pairs[k], a.Severity)
		for _, ip := range []netip.Addr{from, to} {
			if ip.IsValid() {
				hosts[ip] = max(hosts[ip], a.Severity)
			}
		}
	}
	return pairs, hosts
}

// curve is the SVG path from one host to another. Two in the same column are
// joined by an arc beside it.
func curve(a, b *mapNode) string {
	if a.X == b.X {
		bend := 40 + abs(b.Y-a.Y)/3
		return fmt.Sprintf("M%d %dC%d %d %d %d %d %d", a.X, a.Y, a.X+bend, a.Y, b.X+bend, b.Y, b.X, b.Y)
	}
	mid := (a.X + b.X) / 2
	return fmt.Sprintf("M%d %dC%d %d %d %d %d %d", a.X, a.Y, mid, a.Y, mid, b.Y, b.X, b.Y)
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}
