package main

import (
	"net/netip"
	"strconv"
	"time"

	"github.com/weir-ics/weir/protocols"
)

// appendLine appends the JSON line of weir decode for e, without a line end.
// docs/formats.md describes it.
func appendLine(b []byte, e *protocols.Event) []byte {
	b = append(b, `{"time":"`...)
	b = appendTime(b, e.Time)
	b = append(b, `","frame":`...)
	b = strconv.AppendUint(b, e.Frame, 10)
	b = append(b, `,"proto":"`...)
	b = append(b, e.Proto.String()...)
	b = append(b, `","transport":"`...)
	b = append(b, e.Transport.String()...)
	b = append(b, `","src":"`...)
	b = appendEnd(b, &e.Src)
	b = append(b, `","dst":"`...)
	b = appendEnd(b, &e.Dst)
	b = append(b, `","role":"`...)
	b = append(b, e.Role.String()...)
	b = append(b, `","function":`...)
	b = strconv.AppendUint(b, uint64(e.Function), 10)
	b = append(b, `,"name":`...)
	b = strconv.AppendQuote(b, e.Name)
	b = append(b, `,"effect":"`...)
	b = append(b, e.Effect.String()...)
	b = append(b, '"')
	switch e.Proto {
	case protocols.ProtoModbus:
		b = append(b, `,"unit":`...)
		b = strconv.AppendUint(b, uint64(e.Unit), 10)
	case protocols.ProtoDNP3:
		b = append(b, `,"source":`...)
		b = strconv.AppendUint(b, uint64(e.Source), 10)
		b = append(b, `,"destination":`...)
		b = strconv.AppendUint(b, uint64(e.Destination), 10)
	}
	if e.Detail != nil {
		b = e.Detail.AppendFields(b)
	}
	if e.RequestFrame != 0 {
		b = append(b, `,"request_frame":`...)
		b = strconv.AppendUint(b, e.RequestFrame, 10)
	}
	if e.RTT >= 0 {
		b = append(b, `,"rtt_ns":`...)
		b = strconv.AppendInt(b, e.RTT, 10)
	}
	if len(e.Violations) > 0 {
		b = append(b, `,"violations":[`...)
		for i := range e.Violations {
			v := &e.Violations[i]
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, `{"name":"`...)
			b = append(b, v.Kind.Name...)
			b = append(b, `","observed":`...)
			b = strconv.AppendInt(b, v.Observed, 10)
			b = append(b, `,"expected":`...)
			b = strconv.AppendInt(b, v.Expected, 10)
			b = append(b, '}')
		}
		b = append(b, ']')
	}
	return append(b, '}')
}

// appendTime appends packet time as RFC 3339 in UTC with nanoseconds.
func appendTime(b []byte, t int64) []byte {
	return time.Unix(0, t).UTC().AppendFormat(b, "2006-01-02T15:04:05.000000000Z")
}

func appendEnd(b []byte, e *protocols.Endpoint) []byte {
	if !e.IP.IsValid() {
		return append(b, "unknown"...)
	}
	return netip.AddrPortFrom(e.IP, e.Port).AppendTo(b)
}

// appendText appends a line for people: when, which packet, who, what.
func appendText(b []byte, e *protocols.Event) []byte {
	b = appendTime(b, e.Time)
	b = append(b, " #"...)
	b = strconv.AppendUint(b, e.Frame, 10)
	b = append(b, ' ')
	b = append(b, e.Proto.String()...)
	b = append(b, ' ')
	b = appendEnd(b, &e.Src)
	b = append(b, " > "...)
	b = appendEnd(b, &e.Dst)
	switch e.Proto {
	case protocols.ProtoModbus:
		b = append(b, " unit "...)
		b = strconv.AppendUint(b, uint64(e.Unit), 10)
	case protocols.ProtoDNP3:
		b = append(b, ' ')
		b = strconv.AppendUint(b, uint64(e.Source), 10)
		b = append(b, " > "...)
		b = strconv.AppendUint(b, uint64(e.Destination), 10)
	}
	b = append(b, ' ')
	b = append(b, e.Role.String()...)
	b = append(b, ' ')
	b = append(b, e.Name...)
	if e.Role == protocols.RoleException {
		b = append(b, " exception "...)
		b = strconv.AppendUint(b, uint64(e.Exception), 10)
	}
	for i := range e.Ranges {
		b = appendRange(append(b, ' '), &e.Ranges[i])
	}
	if len(e.Points) > 0 {
		b = append(b, " ="...)
	}
	for i := range e.Points {
		if i == maxTextValues {
			b = append(b, " ..."...)
			break
		}
		if e.Points[i].Has&protocols.HasValue != 0 {
			b = append(b, ' ')
			b = strconv.AppendFloat(b, e.Points[i].Value, 'g', -1, 64)
		}
	}
	for i := range e.Violations {
		b = append(b, " !"...)
		b = append(b, e.Violations[i].Kind.Name...)
	}
	return b
}

// maxTextValues keeps a line of text readable.
const maxTextValues = 16

func appendRange(b []byte, r *protocols.Range) []byte {
	b = append(b, r.Kind.String()...)
	b = append(b, '[')
	if r.Count == 0 {
		b = append(b, "all"...)
	} else {
		b = strconv.AppendUint(b, uint64(r.First), 10)
	}
	if r.Count > 1 {
		b = append(b, '-')
		b = strconv.AppendUint(b, uint64(r.First)+uint64(r.Count)-1, 10)
	}
	return append(b, ']')
}

// csvHeader goes with appendCSV.
const csvHeader = "time,frame,proto,transport,src,dst,role,function,name,effect,unit,source,destination,exception,ranges,values,violations"

// appendCSV appends a row (RFC 4180): lists are separated by spaces.
func appendCSV(b []byte, e *protocols.Event) []byte {
	b = appendTime(b, e.Time)
	b = append(b, ',')
	b = strconv.AppendUint(b, e.Frame, 10)
	b = append(b, ',')
	b = append(b, e.Proto.String()...)
	b = append(b, ',')
	b = append(b, e.Transport.String()...)
	b = append(b, ',')
	b = appendEnd(b, &e.Src)
	b = append(b, ',')
	b = appendEnd(b, &e.Dst)
	b = append(b, ',')
	b = append(b, e.Role.String()...)
	b = append(b, ',')
	b = strconv.AppendUint(b, uint64(e.Function), 10)
	b = append(b, ',', '"')
	b = append(b, e.Name...) // from a table without quotes
	b = append(b, '"', ',')
	b = append(b, e.Effect.String()...)
	b = append(b, ',')
	if e.Proto == protocols.ProtoModbus {
		b = strconv.AppendUint(b, uint64(e.Unit), 10)
	}
	b = append(b, ',')
	if e.Proto == protocols.ProtoDNP3 {
		b = strconv.AppendUint(b, uint64(e.Source), 10)
		b = append(b, ',')
		b = strconv.AppendUint(b, uint64(e.Destination), 10)
	} else {
		b = append(b, ',')
	}
	b = append(b, ',')
	if e.Role == protocols.RoleException {
		b = strconv.AppendUint(b, uint64(e.Exception), 10)
	}
	b = append(b, ',')
	for i := range e.Ranges {
		if i > 0 {
			b = append(b, ' ')
		}
		b = appendRange(b, &e.Ranges[i])
	}
	b = append(b, ',')
	for i := range e.Points {
		if i > 0 {
			b = append(b, ' ')
		}
		b = strconv.AppendFloat(b, e.Points[i].Value, 'g', -1, 64)
	}
	b = append(b, ',')
	for i := range e.Violations {
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(b, e.Violations[i].Kind.Name...)
	}
	return b
}
