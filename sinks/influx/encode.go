package influx

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// maxText bounds names and texts that come from the wire, in octets.
const maxText = 4096

// appendTag appends `,key=value`, nothing for an empty value. A tag cannot hold
// a line break, and has no way to say a backslash before a comma: control
// characters become spaces, backslashes slashes.
func appendTag(dst []byte, key, value string) []byte {
	value = clip(value)
	if value == "" {
		return dst
	}
	dst = append(dst, ',')
	dst = append(dst, key...)
	dst = append(dst, '=')
	for _, r := range value {
		switch {
		case r == ',' || r == '=' || r == ' ':
			dst = append(dst, '\\', byte(r))
		case r == '\\':
			dst = append(dst, '/')
		case r < 0x20 || r == 0x7f:
			dst = append(dst, '\\', ' ')
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return dst
}

// appendKey appends the name of a field.
func appendKey(dst []byte, key string) []byte {
	for i := range len(key) {
		switch c := key[i]; {
		case c == ',' || c == '=' || c == ' ':
			dst = append(dst, '\\', c)
		case c == '\\' || c < 0x20:
			dst = append(dst, '_')
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// appendText appends `key="value",`, nothing for an empty value.
func appendText(dst []byte, key, value string) []byte {
	value = clip(value)
	if value == "" {
		return dst
	}
	dst = append(dst, key...)
	dst = append(dst, '=', '"')
	for _, r := range value {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < 0x20 || r == 0x7f:
			dst = append(dst, ' ')
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"', ',')
}

// clip makes a text valid UTF-8 of at most maxText octets.
func clip(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// appendInt appends `key=1i,`.
func appendInt(dst []byte, key string, v int64) []byte {
	dst = append(dst, key...)
	dst = append(dst, '=')
	dst = strconv.AppendInt(dst, v, 10)
	return append(dst, 'i', ',')
}

func appendUint(dst []byte, key string, v uint64) []byte {
	return appendInt(dst, key, int64(min(v, math.MaxInt64)))
}

// appendFloat appends `key=1.5,`; false if v is not a number that can be said.
func appendFloat(dst []byte, key string, v float64) ([]byte, bool) {
	if v-v != 0 {
		return dst, false
	}
	dst = append(dst, key...)
	dst = append(dst, '=')
	if i := int64(v); float64(i) == v && i > -1e15 && i < 1e15 {
		dst = strconv.AppendInt(dst, i, 10)
	} else {
		dst = strconv.AppendFloat(dst, v, 'g', -1, 64)
	}
	return append(dst, ','), true
}

// appendTime puts the time in the place of the last comma, and ends the line.
func appendTime(dst []byte, t int64) []byte {
	dst[len(dst)-1] = ' '
	dst = strconv.AppendInt(dst, t, 10)
	return append(dst, '\n')
}

// seriesPrefix is the measurement and tags of a series' values, without the
// space before the fields.
func seriesPrefix(measurement, sensor string, x *detect.Series, client, access string) []byte {
	dst := []byte(measurement)
	// Tags in the order of their names cost the server least.
	dst = appendTag(dst, "access", access)
	dst = appendTag(dst, "client", client)
	if x.Device.IsValid() {
		dst = appendTag(dst, "device", x.Device.String())
	}
	dst = appendTag(dst, "eu", x.EngineeringUnit)
	dst = appendTag(dst, "index", strconv.FormatUint(uint64(x.Index), 10))
	dst = appendTag(dst, "kind", x.Kind.String())
	dst = appendTag(dst, "name", x.Name)
	dst = appendTag(dst, "proto", x.Proto.String())
	dst = appendTag(dst, "sensor", sensor)
	dst = appendTag(dst, "type", x.Type)
	dst = appendTag(dst, "unit", strconv.Itoa(int(x.Unit)))
	return append(dst, ' ')
}

// appendValue appends the line of a value; false, and nothing appended, if the
// value cannot be said.
func appendValue(dst, prefix []byte, v *detect.Sample) ([]byte, bool) {
	at := len(dst)
	dst = append(dst, prefix...)
	dst, ok := appendFloat(dst, "value", v.Value)
	if !ok {
		return dst[:at], false
	}
	if v.HasFlags {
		dst = appendInt(dst, "flags", int64(v.Flags))
	}
	if v.DeviceTime != 0 {
		dst = appendInt(dst, "device_time", v.DeviceTime)
	}
	if v.Judged {
		dst, _ = appendFloat(dst, "score", v.Score)
		dst, _ = appendFloat(dst, "low", v.Low)
		dst, _ = appendFloat(dst, "high", v.High)
	}
	return appendTime(dst, v.Time), true
}

// alertPrefix is the measurement and tags of an alert: what never changes in its
// life.
func alertPrefix(sensor string, a *detect.Alert) []byte {
	dst := []byte("weir_alert")
	if a.Client.Endpoint.IP.IsValid() {
		dst = appendTag(dst, "client", a.Client.Endpoint.IP.String())
	}
	dst = appendTag(dst, "id", a.ID)
	if a.Kind != nil {
		dst = appendTag(dst, "kind", a.Kind.Name)
	}
	dst = appendTag(dst, "proto", a.Proto.String())
	dst = appendTag(dst, "rule", a.Rule)
	dst = appendTag(dst, "sensor", sensor)
	if a.Server.Endpoint.IP.IsValid() {
		dst = appendTag(dst, "server", a.Server.Endpoint.IP.String())
	}
	return append(dst, ' ')
}

// appendAlert appends the line of an alert in its present state.
func appendAlert(dst, prefix []byte, start int64, a *detect.Alert) []byte {
	dst = append(dst, prefix...)
	dst = appendUint(dst, "count", a.Count)
	dst = appendInt(dst, "end", a.End)
	dst = appendText(dst, "evidence", a.Evidence)
	dst = appendText(dst, "expected", a.Expected)
	dst = appendText(dst, "explanation", a.Explanation)
	dst = appendUint(dst, "first_frame", a.FirstFrame)
	if a.Function >= 0 {
		dst = appendInt(dst, "function", int64(a.Function))
	}
	dst = appendText(dst, "function_name", a.FunctionName)
	dst = appendText(dst, "incident", a.Incident)
	dst = appendUint(dst, "last_frame", a.LastFrame)
	dst = appendInt(dst, "level", int64(a.Severity))
	dst = appendText(dst, "observed", a.Observed)
	dst = appendText(dst, "points", points(a.Points))
	dst, _ = appendFloat(dst, "score", a.Score)
	dst = appendText(dst, "severity", a.Severity.String())
	dst = appendText(dst, "state", a.State.String())
	dst = appendText(dst, "techniques", strings.Join(a.Techniques, ","))
	dst = appendText(dst, "title", a.Title)
	return appendTime(dst, start)
}

// points lists points: "coil 4 Pump 1, holding-register 10-19".
func points(ps []detect.PointRef) string {
	var b strings.Builder
	for i := range ps {
		p := &ps[i]
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(p.Kind.String())
		b.WriteByte(' ')
		b.WriteString(strconv.FormatUint(uint64(p.First), 10))
		if p.Last > p.First {
			b.WriteByte('-')
			b.WriteString(strconv.FormatUint(uint64(p.Last), 10))
		}
		if p.Device.IsValid() {
			b.WriteString(" of ")
			b.WriteString(p.Device.String())
		}
		if p.Name != "" {
			b.WriteByte(' ')
			b.WriteString(p.Name)
		}
		if b.Len() > maxText {
			break
		}
	}
	return b.String()
}

// appendCounters appends the line of all counters.
func appendCounters(dst []byte, sensor string, clock int64, counters []detect.Counter) []byte {
	dst = append(dst, "weir_traffic"...)
	dst = appendTag(dst, "sensor", sensor)
	dst = append(dst, ' ')
	for _, c := range counters {
		dst = appendKey(dst, c.Name)
		dst = appendUint(dst, "", c.Value)
	}
	return appendTime(dst, clock)
}

// isCommand tells a value that a client gave from one that a device reported.
func isCommand(v *detect.Sample) bool {
	return v.Access != protocols.AccessReport && v.Access != protocols.AccessUnknown
}
