package detect

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/weir-ics/weir/protocols"
)

// AppendJSON appends the alert as one JSON object, without a line end. The order
// of the fields is fixed, so equal alerts are equal bytes.
func (a *Alert) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"id":`...)
	dst = appendString(dst, a.ID)
	dst = append(dst, `,"incident":`...)
	dst = appendString(dst, a.Incident)
	dst = append(dst, `,"kind":`...)
	kind := ""
	if a.Kind != nil {
		kind = a.Kind.Name
	}
	dst = appendString(dst, kind)
	dst = append(dst, `,"severity":`...)
	dst = appendString(dst, a.Severity.String())
	dst = append(dst, `,"score":`...)
	dst = strconv.AppendFloat(dst, finite(a.Score), 'g', -1, 64)
	dst = append(dst, `,"start":`...)
	dst = appendTime(dst, a.Start)
	dst = append(dst, `,"end":`...)
	dst = appendTime(dst, a.End)
	dst = append(dst, `,"state":`...)
	dst = appendString(dst, a.State.String())
	dst = append(dst, `,"count":`...)
	dst = strconv.AppendUint(dst, a.Count, 10)
	for _, f := range [...]struct{ name, value string }{
		{"title", a.Title}, {"explanation", a.Explanation}, {"observed", a.Observed}, {"expected", a.Expected}, {"proto", a.Proto.String()},
	} {
		dst = append(dst, ',', '"')
		dst = append(dst, f.name...)
		dst = append(dst, '"', ':')
		dst = appendString(dst, f.value)
	}
	if a.Client.known() {
		dst = append(dst, `,"client":`...)
		dst = a.Client.appendJSON(dst, a.Proto)
	}
	if a.Server.known() {
		dst = append(dst, `,"server":`...)
		dst = a.Server.appendJSON(dst, a.Proto)
	}
	if a.Function >= 0 {
		dst = append(dst, `,"function":`...)
		dst = strconv.AppendInt(dst, int64(a.Function), 10)
		dst = append(dst, `,"function_name":`...)
		dst = appendString(dst, a.FunctionName)
	}
	dst = append(dst, `,"points":[`...)
	for i, p := range a.Points {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"kind":`...)
		dst = appendString(dst, p.Kind.String())
		dst = append(dst, `,"first":`...)
		dst = strconv.AppendUint(dst, uint64(p.First), 10)
		dst = append(dst, `,"last":`...)
		dst = strconv.AppendUint(dst, uint64(p.Last), 10)
		if p.Name != "" {
			dst = append(dst, `,"name":`...)
			dst = appendString(dst, p.Name)
		}
		if p.Device.IsValid() {
			dst = append(dst, `,"device":`...)
			dst = appendString(dst, p.Device.String())
			dst = append(dst, `,"unit":`...)
			dst = strconv.AppendUint(dst, uint64(p.Unit), 10)
		}
		dst = append(dst, '}')
	}
	dst = append(dst, `],"techniques":[`...)
	for i, t := range a.Techniques {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, t)
	}
	dst = append(dst, `],"rule":`...)
	dst = appendString(dst, a.Rule)
	dst = append(dst, `,"frames":[`...)
	dst = strconv.AppendUint(dst, a.FirstFrame, 10)
	dst = append(dst, ',')
	dst = strconv.AppendUint(dst, a.LastFrame, 10)
	dst = append(dst, `],"evidence":`...)
	dst = appendString(dst, a.Evidence)
	dst = append(dst, `,"key":`...)
	dst = appendString(dst, a.Key)
	return append(dst, '}')
}

// MarshalJSON is AppendJSON.
func (a Alert) MarshalJSON() ([]byte, error) { return a.AppendJSON(nil), nil }

func (p *Party) known() bool { return p.Endpoint.IP.IsValid() || p.Endpoint.MAC != [6]byte{} }

func (p *Party) appendJSON(dst []byte, proto protocols.Proto) []byte {
	dst = append(dst, `{"ip":`...)
	ip := ""
	if p.Endpoint.IP.IsValid() {
		ip = p.Endpoint.IP.String()
	}
	dst = appendString(dst, ip)
	dst = append(dst, `,"port":`...)
	dst = strconv.AppendUint(dst, uint64(p.Endpoint.Port), 10)
	dst = append(dst, `,"mac":`...)
	mac := ""
	if p.Endpoint.MAC != [6]byte{} {
		mac = formatMAC(p.Endpoint.MAC)
	}
	dst = appendString(dst, mac)
	if p.Endpoint.VLAN != 0 {
		dst = append(dst, `,"vlan":`...)
		dst = strconv.AppendUint(dst, uint64(p.Endpoint.VLAN), 10)
	}
	if p.Name != "" {
		dst = append(dst, `,"name":`...)
		dst = appendString(dst, p.Name)
	}
	switch {
	case proto == protocols.ProtoModbus && p.Unit >= 0:
		dst = append(dst, `,"unit":`...)
		dst = strconv.AppendInt(dst, int64(p.Unit), 10)
	case proto == protocols.ProtoDNP3 && p.Address >= 0:
		dst = append(dst, `,"address":`...)
		dst = strconv.AppendInt(dst, int64(p.Address), 10)
	}
	return append(dst, '}')
}

func formatMAC(m [6]byte) string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

func finite(f float64) float64 {
	switch {
	case f != f:
		return 0
	case f > 1e300:
		return 1e300
	case f < -1e300:
		return -1e300
	}
	return f
}

// alertTime is RFC 3339 with all nine digits, so that times sort as text.
const alertTime = "2006-01-02T15:04:05.000000000Z"

func appendTime(dst []byte, ns int64) []byte {
	dst = append(dst, '"')
	dst = time.Unix(0, ns).UTC().AppendFormat(dst, alertTime)
	return append(dst, '"')
}

// appendString appends s as a JSON string. What is not UTF-8 becomes U+FFFD.
func appendString(dst []byte, s string) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
			i++
		case c == '\n':
			dst = append(dst, '\\', 'n')
			i++
		case c < 0x20 || c == 0x7f:
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
			i++
		case c < utf8.RuneSelf:
			dst = append(dst, c)
			i++
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			dst = utf8.AppendRune(dst, r)
			i += n
		}
	}
	return append(dst, '"')
}

// alertJSON is the alert line as it is read back.
type alertJSON struct {
	ID           string      `json:"id"`
	Incident     string      `json:"incident"`
	Kind         string      `json:"kind"`
	Severity     string      `json:"severity"`
	Score        float64     `json:"score"`
	Start        time.Time   `json:"start"`
	End          time.Time   `json:"end"`
	State        string      `json:"state"`
	Count        uint64      `json:"count"`
	Title        string      `json:"title"`
	Explanation  string      `json:"explanation"`
	Observed     string      `json:"observed"`
	Expected     string      `json:"expected"`
	Proto        string      `json:"proto"`
	Client       *partyJSON  `json:"client"`
	Server       *partyJSON  `json:"server"`
	Function     *int        `json:"function"`
	FunctionName string      `json:"function_name"`
	Points       []pointJSON `json:"points"`
	Techniques   []string    `json:"techniques"`
	Rule         string      `json:"rule"`
	Frames       [2]uint64   `json:"frames"`
	Evidence     string      `json:"evidence"`
	Key          string      `json:"key"`
}

type partyJSON struct {
	IP      string `json:"ip"`
	Port    uint16 `json:"port"`
	MAC     string `json:"mac"`
	VLAN    uint16 `json:"vlan"`
	Name    string `json:"name"`
	Unit    *int   `json:"unit"`
	Address *int   `json:"address"`
}

type pointJSON struct {
	Kind  string `json:"kind"`
	First uint32 `json:"first"`
	Last  uint32 `json:"last"`
	Name  string `json:"name"`

	Device string `json:"device"`
	Unit   uint16 `json:"unit"`
}

// UnmarshalJSON reads an alert line. A kind that this package does not know
// (of a rule, the process detectors, the conformance checks) becomes a Kind of
// that name only.
func (a *Alert) UnmarshalJSON(data []byte) error {
	var j alertJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return fmt.Errorf("read alert: %w", err)
	}
	severity, err := protocols.ParseSeverity(j.Severity)
	if err != nil {
		return fmt.Errorf("read alert %s: %w", j.ID, err)
	}
	*a = Alert{
		ID: j.ID, Incident: j.Incident, Count: j.Count, End: j.End.UnixNano(), Evidence: j.Evidence,
		Finding: Finding{
			Kind: kindByName(j.Kind), Severity: severity, Score: j.Score, Start: j.Start.UnixNano(), Time: j.End.UnixNano(),
			FirstFrame: j.Frames[0], LastFrame: j.Frames[1], Function: -1, FunctionName: j.FunctionName, Title: j.Title,
			Explanation: j.Explanation, Observed: j.Observed, Expected: j.Expected, Techniques: j.Techniques, Rule: j.Rule, Key: j.Key,
		},
	}
	switch j.State {
	case "raised":
		a.State = Raised
	case "updated":
		a.State = Updated
	case "cleared":
		a.State = Cleared
	default:
		return fmt.Errorf("read alert %s: state %q is none of raised, updated, cleared", j.ID, j.State)
	}
	for p := protocols.ProtoUnknown; p < protocols.NumProtos; p++ {
		if p.String() == j.Proto {
			a.Proto = p
		}
	}
	if j.Function != nil {
		a.Function = *j.Function
	}
	if a.Client, err = j.Client.party(); err != nil {
		return fmt.Errorf("read alert %s: client: %w", j.ID, err)
	}
	if a.Server, err = j.Server.party(); err != nil {
		return fmt.Errorf("read alert %s: server: %w", j.ID, err)
	}
	for _, p := range j.Points {
		q := PointRef{Kind: pointKind(p.Kind), First: p.First, Last: p.Last, Name: p.Name, Unit: p.Unit}
		if p.Device != "" {
			if q.Device, err = netip.ParseAddr(p.Device); err != nil {
				return fmt.Errorf("read alert %s: a point: %w", j.ID, err)
			}
		}
		a.Points = append(a.Points, q)
	}
	return nil
}

func (j *partyJSON) party() (Party, error) {
	p := Party{Unit: -1, Address: -1}
	if j == nil {
		return p, nil
	}
	p.Name, p.Endpoint.Port, p.Endpoint.VLAN = j.Name, j.Port, j.VLAN
	if j.Unit != nil {
		p.Unit = *j.Unit
	}
	if j.Address != nil {
		p.Address = *j.Address
	}
	if j.IP != "" {
		ip, err := netip.ParseAddr(j.IP)
		if err != nil {
			return p, err
		}
		p.Endpoint.IP = ip
	}
	if j.MAC != "" {
		mac, err := parseMAC(j.MAC)
		if err != nil {
			return p, err
		}
		p.Endpoint.MAC = mac
	}
	return p, nil
}

func parseMAC(s string) (mac [6]byte, err error) {
	parts := strings.Split(s, ":")
	if len(parts) != 6 {
		return mac, fmt.Errorf("MAC address %q is not six octets", s)
	}
	for i, part := range parts {
		b, err := strconv.ParseUint(part, 16, 8)
		if err != nil {
			return mac, fmt.Errorf("MAC address %q is not six octets", s)
		}
		mac[i] = byte(b)
	}
	return mac, nil
}

func pointKind(name string) protocols.PointKind {
	for k := protocols.KindUnknown; k < protocols.NumPointKinds; k++ {
		if k.String() == name {
			return k
		}
	}
	return protocols.KindUnknown
}

func kindByName(name string) *Kind {
	for _, k := range kinds {
		if k.Name == name {
			return k
		}
	}
	return &Kind{Name: name}
}

// Text returns the alert for reading: a headline and its explanation.
func (a *Alert) Text() string {
	var b strings.Builder
	kind := ""
	if a.Kind != nil {
		kind = a.Kind.Name
	}
	fmt.Fprintf(&b, "%s  %-8s  %s  [%s", time.Unix(0, a.Start).UTC().Format("2006-01-02 15:04:05.000"), a.Severity, a.Title, kind)
	if a.Rule != "" {
		fmt.Fprintf(&b, ", rule %s", a.Rule)
	}
	fmt.Fprintf(&b, ", %s", a.State)
	if a.Count > 1 {
		fmt.Fprintf(&b, " %d times", a.Count)
	}
	b.WriteString("]\n")
	if a.Explanation != "" {
		fmt.Fprintf(&b, "    %s\n", a.Explanation)
	}
	fmt.Fprintf(&b, "    frames %d to %d", a.FirstFrame, a.LastFrame)
	if len(a.Techniques) > 0 {
		fmt.Fprintf(&b, " · ATT&CK %s", strings.Join(a.Techniques, " "))
	}
	fmt.Fprintf(&b, " · alert %s", a.ID)
	if a.Incident != "" {
		fmt.Fprintf(&b, " · incident %s", a.Incident)
	}
	b.WriteByte('\n')
	return b.String()
}
