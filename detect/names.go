package detect

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/weir-ics/weir/protocols"
)

// Names gives names to hosts and points, as from a tag list. It is asked when an
// alert is raised, not for each message.
type Names interface {
	// Host returns the name of a host, empty if it has none.
	Host(ip netip.Addr) string
	// Point returns the name of a point of a device, empty if it has none. unit
	// is the Modbus unit or the outstation's DNP3 address.
	Point(device netip.Addr, proto protocols.Proto, unit uint16, kind protocols.PointKind, index uint32) string
}

// SetNames makes alerts say the names of hosts and points.
func (s *Site) SetNames(n Names) { s.names = n }

// maxNamed is how many points of an alert are named in its explanation.
const maxNamed = 6

// name fills the names into a finding that is about to be an alert, and says
// them in its explanation.
func (s *Site) name(f *Finding) {
	var said []string
	party := func(p *Party) {
		if p.Name == "" && p.Endpoint.IP.IsValid() {
			p.Name = s.hostName(p.Endpoint.IP)
		}
		if p.Name != "" {
			said = append(said, fmt.Sprintf("%s is %s", addr(p.Endpoint.IP), p.Name))
		}
	}
	party(&f.Client)
	party(&f.Server)
	if s.names != nil && f.Server.Endpoint.IP.IsValid() {
		said = s.namePoints(f, said)
	}
	if len(said) > 0 {
		f.Explanation += " " + capital(strings.Join(said, ", ")) + "."
	}
}

func (s *Site) hostName(ip netip.Addr) string {
	if s.names != nil {
		if n := s.names.Host(ip); n != "" {
			return n
		}
	}
	if h := s.hosts.all[ip]; h != nil {
		return h.name
	}
	return ""
}

func (s *Site) namePoints(f *Finding, said []string) []string {
	f.Points = pointsAt(f.Points, &f.Server)
	named := 0
	for i := range f.Points {
		p := &f.Points[i]
		device, unit := p.Device, p.Unit
		if !device.IsValid() {
			device, unit = f.Server.Endpoint.IP, uint16(max(f.Server.Unit, f.Server.Address, 0))
		}
		for index := p.First; p.First != everything && index <= p.Last && named < maxNamed; index++ {
			name := s.names.Point(device, f.Proto, unit, p.Kind, index)
			if name == "" {
				if index-p.First > 64 {
					break
				}
				continue
			}
			named++
			said = append(said, fmt.Sprintf("%s is %s", pointWord(PointRef{Kind: p.Kind, First: index, Last: index, Device: p.Device, Unit: p.Unit}), name))
			if p.First == p.Last {
				p.Name = name
			}
		}
	}
	return said
}
