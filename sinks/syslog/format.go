package syslog

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// levels are syslog's severities (RFC 5424, 6.2.1) of weir's.
var levels = [protocols.NumSeverities]int{protocols.Info: 6, protocols.Low: 5, protocols.Medium: 4, protocols.High: 3, protocols.Critical: 2}

// scores are CEF's severities, 0 to 10, of weir's.
var scores = [protocols.NumSeverities]int{protocols.Info: 1, protocols.Low: 3, protocols.Medium: 6, protocols.High: 8, protocols.Critical: 10}

// appendMessage appends a whole RFC 5424 message: its header, and the alert in
// the chosen format.
func (o *Options) appendMessage(dst []byte, a *detect.Alert) []byte {
	severity := min(a.Severity, protocols.NumSeverities-1)
	dst = fmt.Appendf(dst, "<%d>1 ", o.Facility*8+levels[severity])
	dst = time.Unix(0, a.Time).UTC().AppendFormat(dst, "2006-01-02T15:04:05.000000Z")
	dst = append(dst, ' ')
	dst = appendName(dst, o.Host, 255)
	dst = append(dst, " weir - "...)
	dst = appendName(dst, kindName(a), 32)
	dst = append(dst, ' ')
	if o.Format == CEF {
		dst = append(dst, "- "...)
		return o.appendCEF(dst, a)
	}
	dst = appendStructured(dst, a)
	dst = append(dst, ' ')
	return a.AppendJSON(dst)
}

func kindName(a *detect.Alert) string {
	if a.Kind == nil {
		return ""
	}
	return a.Kind.Name
}

// appendName appends a header field: printable US-ASCII without spaces, or "-".
func appendName(dst []byte, s string, limit int) []byte {
	n := 0
	for i := range len(s) {
		if c := s[i]; c > 0x20 && c < 0x7f && n < limit {
			dst = append(dst, c)
			n++
		}
	}
	if n == 0 {
		dst = append(dst, '-')
	}
	return dst
}

// appendStructured appends what a collector may want to sort by without reading
// the message (RFC 5424, 6.3). 32473 is the enterprise number that RFC 5612 sets
// aside for those that have none.
func appendStructured(dst []byte, a *detect.Alert) []byte {
	dst = append(dst, "[weir@32473"...)
	for _, p := range [...]struct{ name, value string }{
		{"id", a.ID}, {"kind", kindName(a)}, {"severity", a.Severity.String()}, {"state", a.State.String()}, {"incident", a.Incident},
		{"client", address(a.Client)}, {"server", address(a.Server)}, {"techniques", strings.Join(a.Techniques, ",")},
	} {
		if p.value == "" {
			continue
		}
		dst = append(dst, ' ')
		dst = append(dst, p.name...)
		dst = append(dst, '=', '"')
		for _, r := range p.value {
			if r == '"' || r == '\\' || r == ']' {
				dst = append(dst, '\\')
			}
			dst = utf8.AppendRune(dst, printable(r))
		}
		dst = append(dst, '"')
	}
	return append(dst, ']')
}

func printable(r rune) rune {
	if r < 0x20 || r == 0x7f {
		return ' '
	}
	return r
}

func address(p detect.Party) string {
	if !p.Endpoint.IP.IsValid() {
		return ""
	}
	return p.Endpoint.IP.String()
}

// appendCEF appends an alert in the Common Event Format, version 0:
// CEF:0|vendor|product|version|event class|name|severity|extension.
func (o *Options) appendCEF(dst []byte, a *detect.Alert) []byte {
	dst = append(dst, "CEF:0|weir|weir"...)
	for _, h := range [...]string{o.Version, kindName(a), a.Title, fmt.Sprint(scores[min(a.Severity, protocols.NumSeverities-1)])} {
		dst = append(dst, '|')
		for _, r := range h {
			if r == '|' || r == '\\' {
				dst = append(dst, '\\')
			}
			dst = utf8.AppendRune(dst, printable(r))
		}
	}
	dst = append(dst, '|')
	e := extension{dst: dst}
	e.add("externalId", a.ID)
	e.add("rt", fmt.Sprint(a.Time/1e6))
	e.add("start", fmt.Sprint(a.Start/1e6))
	e.add("end", fmt.Sprint(a.End/1e6))
	e.add("cnt", fmt.Sprint(a.Count))
	e.add("act", a.State.String())
	e.add("app", a.Proto.String())
	e.party(a.Client, "src", "c6a2", "spt", "smac", "shost")
	e.party(a.Server, "dst", "c6a3", "dpt", "dmac", "dhost")
	e.labelled("cs1", "ATT&CK for ICS techniques", strings.Join(a.Techniques, ","))
	e.labelled("cs2", "incident", a.Incident)
	e.labelled("cs3", "rule", a.Rule)
	e.labelled("cs4", "function", a.FunctionName)
	e.labelled("cs5", "observed", a.Observed)
	e.labelled("cs6", "expected", a.Expected)
	if a.FirstFrame != 0 {
		e.labelled("cn1", "first frame", fmt.Sprint(a.FirstFrame))
		e.labelled("cn2", "last frame", fmt.Sprint(a.LastFrame))
	}
	e.add("msg", a.Explanation)
	return e.dst
}

// extension is the last part of a CEF message: key=value pairs with spaces
// between.
type extension struct {
	dst  []byte
	some bool
}

func (e *extension) add(key, value string) {
	if value == "" {
		return
	}
	if e.some {
		e.dst = append(e.dst, ' ')
	}
	e.some = true
	e.dst = append(e.dst, key...)
	e.dst = append(e.dst, '=')
	for _, r := range value {
		if r == '=' || r == '\\' {
			e.dst = append(e.dst, '\\')
		}
		e.dst = utf8.AppendRune(e.dst, printable(r))
	}
}

// labelled adds a value of a key that CEF leaves the meaning of to us.
func (e *extension) labelled(key, label, value string) {
	if value != "" {
		e.add(key+"Label", label)
		e.add(key, value)
	}
}

// party adds an endpoint. CEF has other keys for IPv6 addresses.
func (e *extension) party(p detect.Party, ip, ip6, port, mac, host string) {
	switch a := p.Endpoint.IP; {
	case !a.IsValid():
	case a.Is4():
		e.add(ip, a.String())
	default:
		e.labelled(ip6, map[string]string{"src": "source IPv6 address", "dst": "destination IPv6 address"}[ip], netip.AddrFrom16(a.As16()).String())
	}
	if p.Endpoint.Port != 0 {
		e.add(port, fmt.Sprint(p.Endpoint.Port))
	}
	if m := p.Endpoint.MAC; m != [6]byte{} {
		e.add(mac, fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]))
	}
	e.add(host, p.Name)
}
