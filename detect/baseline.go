package detect

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"slices"
	"sort"

	"github.com/weir-ics/weir/detect/extreme"
	"github.com/weir-ics/weir/detect/interval"
	"github.com/weir-ics/weir/protocols"
)

// BaselineFormat and BaselineVersion head every baseline file.
const (
	BaselineFormat  = "weir-baseline"
	BaselineVersion = 1
)

// Baseline is what was learned: what is normal. It is written as JSON, sorted,
// so that equal baselines are equal bytes and two can be compared with any
// tool. Times are nanoseconds since the Unix epoch, of packet time.
type Baseline struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	// From and Until are the times of the first and last message learned.
	From  int64 `json:"from"`
	Until int64 `json:"until"`
	// Messages is how many application-layer messages it rests on.
	Messages    uint64               `json:"messages"`
	Hosts       []HostBaseline       `json:"hosts"`
	Links       []LinkBaseline       `json:"links"`
	Connections []ConnectionBaseline `json:"connections"`
	// Decisions are what people approved or muted.
	Decisions []Decision `json:"decisions,omitempty"`
	// Sections are the models of others (the process detectors), by name.
	Sections map[string]json.RawMessage `json:"sections,omitempty"`
	// Streams are sections that are made when the baseline is saved, as JSON, for
	// those that are too large to be in memory at once.
	Streams map[string]func(io.Writer) error `json:"-"`
}

// HostBaseline is one host.
type HostBaseline struct {
	IP netip.Addr `json:"ip"`
	// MACs are the network cards it was seen with, in order.
	MACs  []string `json:"macs,omitempty"`
	VLANs []uint16 `json:"vlans,omitempty"`
	// TTLs are the times to live its packets moved between.
	TTLs    []int  `json:"ttls,omitempty"`
	Vendor  string `json:"vendor,omitempty"`
	Product string `json:"product,omitempty"`
	Model   string `json:"model,omitempty"`
	Version string `json:"version,omitempty"`
	Name    string `json:"name,omitempty"`
	First   int64  `json:"first"`
}

// LinkBaseline is one link: a client and a server with a protocol and a unit or
// a pair of DNP3 addresses.
type LinkBaseline struct {
	Client netip.Addr `json:"client"`
	Server netip.Addr `json:"server"`
	Port   uint16     `json:"port"`
	Proto  string     `json:"proto"`
	// Unit is the Modbus unit or the outstation's DNP3 address; Master the
	// master's DNP3 address.
	Unit   uint16 `json:"unit"`
	Master uint16 `json:"master,omitempty"`

	First      int64  `json:"first"`
	Last       int64  `json:"last"`
	Messages   uint64 `json:"messages"`
	Requests   uint64 `json:"requests"`
	Answers    uint64 `json:"answers"`
	Refused    uint64 `json:"refused,omitempty"`
	Unanswered uint64 `json:"unanswered,omitempty"`
	// SilentMost is the longest run of requests without answer.
	SilentMost uint32 `json:"silent_most,omitempty"`

	Broadcasts  bool `json:"broadcasts,omitempty"`
	Unsolicited bool `json:"unsolicited,omitempty"`

	Functions  []FunctionBaseline `json:"functions"`
	Requested  []PatternBaseline  `json:"requested,omitempty"`
	Beyond     uint64             `json:"beyond,omitempty"`
	Addresses  []AddressBaseline  `json:"addresses,omitempty"`
	Exceptions map[string]uint64  `json:"exceptions,omitempty"`
	Violations map[string]uint64  `json:"violations,omitempty"`
	// IIN are the internal indications ever shown, as a bit mask.
	IIN uint16 `json:"iin,omitempty"`
	// Hours are commands by hour of the week (UTC, Monday 0 h first), and
	// FirstChange the time of the first.
	Hours       []uint32 `json:"hours,omitempty"`
	FirstChange int64    `json:"first_change,omitempty"`
	// Load is the upper tail of messages in a burst window.
	Load extreme.Tail `json:"load"`
}

// FunctionBaseline is one function on a link.
type FunctionBaseline struct {
	Function uint8  `json:"function"`
	Sub      int32  `json:"sub"`
	Role     string `json:"role"`
	Name     string `json:"name"`
	Effect   string `json:"effect"`
	Count    uint64 `json:"count"`
	// Longest is its longest request in octets.
	Longest int32 `json:"longest,omitempty"`
	// ResponseMillis is the upper tail of its response times.
	ResponseMillis extreme.Tail `json:"response_ms"`
}

// PatternBaseline is one distinct request.
type PatternBaseline struct {
	// Function is an index into the link's functions.
	Function int             `json:"function"`
	Ranges   []RangeBaseline `json:"ranges,omitempty"`
	// Hash tells requests apart whose ranges are too many to be listed.
	Hash  uint64 `json:"hash,string"`
	Count uint64 `json:"count"`
	// First is when it was first seen.
	First int64 `json:"first"`
	// Intervals, in seconds: how many, median, and winsorised mean and sum of
	// squares; gaps longer than four medians, and the longest.
	N       uint64  `json:"n,omitempty"`
	Median  float64 `json:"median,omitempty"`
	Mean    float64 `json:"mean,omitempty"`
	Squares float64 `json:"squares,omitempty"`
	Gaps    uint64  `json:"gaps,omitempty"`
	Longest float64 `json:"longest,omitempty"`
}

// RangeBaseline is one run of addresses in a request.
type RangeBaseline struct {
	Kind   string `json:"kind"`
	Access string `json:"access"`
	First  uint32 `json:"first"`
	Count  uint32 `json:"count"`
}

// AddressBaseline is the addresses of a link in one table with one access, as
// pairs of first and last.
type AddressBaseline struct {
	Kind   string      `json:"kind"`
	Access string      `json:"access"`
	Runs   [][2]uint32 `json:"runs"`
}

// ConnectionBaseline is who opens connections to which service.
type ConnectionBaseline struct {
	Client netip.Addr `json:"client"`
	Server netip.Addr `json:"server"`
	Port   uint16     `json:"port"`
	Count  uint64     `json:"count"`
	// Most is the most attempts in a burst window.
	Most uint32 `json:"most"`
}

// Without returns a baseline like b without the sections of the given names, and
// these; nil for one that is not there. b is not changed. The sections that stay
// are copied, so that the file that b was read from can be forgotten with b.
func (b *Baseline) Without(names ...string) (*Baseline, []json.RawMessage) {
	taken := make([]json.RawMessage, len(names))
	if b == nil {
		return nil, taken
	}
	rest := *b
	rest.Sections = make(map[string]json.RawMessage)
	for name, section := range b.Sections {
		if i := slices.Index(names, name); i >= 0 {
			taken[i] = section
		} else {
			rest.Sections[name] = bytes.Clone(section)
		}
	}
	return &rest, taken
}

// Save writes the baseline: one host, link or connection a line, so that two
// files can be compared line by line.
func (b *Baseline) Save(w io.Writer) error {
	b.Format, b.Version = BaselineFormat, BaselineVersion
	b.sort()
	out := bufio.NewWriterSize(w, 1<<16)
	fmt.Fprintf(out, "{\n\"format\": %q,\n\"version\": %d,\n\"from\": %d,\n\"until\": %d,\n\"messages\": %d", b.Format, b.Version, b.From, b.Until, b.Messages)
	err := saveLines(out, "hosts", b.Hosts)
	err = errors.Join(err, saveLines(out, "links", b.Links))
	err = errors.Join(err, saveLines(out, "connections", b.Connections))
	if len(b.Decisions) > 0 {
		err = errors.Join(err, saveLines(out, "decisions", b.Decisions))
	}
	if len(b.Sections)+len(b.Streams) > 0 {
		err = errors.Join(err, b.saveSections(out))
	}
	out.WriteString("\n}\n")
	if err = errors.Join(err, out.Flush()); err != nil {
		return fmt.Errorf("write baseline: %w", err)
	}
	return nil
}

// saveSections writes the sections as their owners do, who put what belongs together
// on a line.
func (b *Baseline) saveSections(w *bufio.Writer) (err error) {
	names := append(sortedKeys(b.Sections), sortedKeys(b.Streams)...)
	slices.Sort(names)
	w.WriteString(",\n\"sections\": {")
	for i, name := range names {
		if i > 0 {
			w.WriteString(",")
		}
		fmt.Fprintf(w, "\n%q: ", name)
		if stream := b.Streams[name]; stream != nil {
			err = errors.Join(err, stream(w))
			continue
		}
		if !json.Valid(b.Sections[name]) {
			err = errors.Join(err, fmt.Errorf("the section %q is no JSON", name))
		}
		w.Write(b.Sections[name])
	}
	w.WriteString("\n}")
	return err
}

// saveLines writes a list, an element a line. What the writer cannot write is
// told when it is flushed.
func saveLines[T any](w *bufio.Writer, name string, list []T) error {
	fmt.Fprintf(w, ",\n%q: [", name)
	for i := range list {
		data, err := json.Marshal(&list[i])
		if err != nil {
			return err
		}
		if i > 0 {
			w.WriteByte(',')
		}
		w.WriteByte('\n')
		w.Write(data)
	}
	w.WriteString("\n]")
	return nil
}

// LoadBaseline reads a baseline. The error says what is wrong with the file.
func LoadBaseline(r io.Reader) (*Baseline, error) {
	data, err := readWhole(r)
	if err != nil {
		return nil, fmt.Errorf("read baseline: %w", err)
	}
	return ParseBaseline(data)
}

// ParseBaseline is LoadBaseline of a file that has been read. The sections of what it
// returns are parts of data, and nothing else is.
func ParseBaseline(data []byte) (*Baseline, error) {
	b := new(Baseline)
	if err := b.parse(data); err != nil {
		return nil, fmt.Errorf("read baseline: %w", err)
	}
	for i := range b.Links {
		if err := b.Links[i].check(); err != nil {
			return nil, fmt.Errorf("read baseline: links[%d] (%s to %s): %w", i, b.Links[i].Client, b.Links[i].Server, err)
		}
	}
	for i := range b.Decisions {
		if err := b.Decisions[i].Check(); err != nil {
			return nil, fmt.Errorf("read baseline: decisions[%d]: %w", i, err)
		}
	}
	for i, h := range b.Hosts {
		for _, m := range h.MACs {
			if _, err := parseMAC(m); err != nil {
				return nil, fmt.Errorf("read baseline: hosts[%d] (%s): %w", i, h.IP, err)
			}
		}
	}
	return b, nil
}

// readWhole reads r to its end, a file into as much memory as it needs.
func readWhole(r io.Reader) ([]byte, error) {
	var data bytes.Buffer
	if f, ok := r.(interface{ Stat() (fs.FileInfo, error) }); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			data.Grow(int(min(info.Size(), 1<<30)) + bytes.MinRead)
		}
	}
	_, err := data.ReadFrom(r)
	return data.Bytes(), err
}

// parse reads a baseline. Its sections are left to those who wrote them, and are
// most of a large one.
func (b *Baseline) parse(data []byte) error {
	type part struct {
		key   string
		value json.RawMessage
	}
	var parts []part
	var sections json.RawMessage
	size := 2
	whole, _ := splitObject(data, func(key string, value json.RawMessage) error {
		if key == "sections" {
			sections = value
			value = json.RawMessage("null")
		}
		parts = append(parts, part{key, value})
		size += len(key) + len(value) + len(`"":,`)
		return nil
	})
	rest := append(make([]byte, 0, size), '{') // all but the sections
	for i, p := range parts {
		if i > 0 {
			rest = append(rest, ',')
		}
		rest = append(append(append(append(rest, '"'), p.key...), '"', ':'), p.value...)
	}
	if rest = append(rest, '}'); !whole {
		rest = data
	}
	var head struct {
		Format  string `json:"format"`
		Version int    `json:"version"`
	}
	if err := json.Unmarshal(rest, &head); err != nil {
		return parseError(data, &head, err)
	}
	if head.Format != BaselineFormat {
		return fmt.Errorf("the format is %q, not %q: this is no baseline", head.Format, BaselineFormat)
	}
	if head.Version < 1 || head.Version > BaselineVersion {
		return fmt.Errorf("version %d is not one this weir reads (1 to %d)", head.Version, BaselineVersion)
	}
	if err := json.Unmarshal(rest, b); err != nil {
		return parseError(data, new(Baseline), err)
	}
	if sections == nil {
		return nil
	}
	return b.parseSections(sections)
}

func (b *Baseline) parseSections(data json.RawMessage) error {
	b.Sections = map[string]json.RawMessage{}
	whole, _ := splitObject(data, func(key string, value json.RawMessage) error {
		b.Sections[key] = value
		return nil
	})
	if whole {
		return nil
	}
	b.Sections = nil
	if err := json.Unmarshal(data, &b.Sections); err != nil {
		return fmt.Errorf("sections: %s", where(data, err))
	}
	return nil
}

// parseError says where in the file an error is that was found in a part of it.
func parseError(data []byte, into any, err error) error {
	if whole := json.Unmarshal(data, into); whole != nil {
		err = whole
	}
	return errors.New(where(data, err))
}

// where says at which line and column a JSON error is.
func where(data []byte, err error) string {
	offset := int64(-1)
	var syntax *json.SyntaxError
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &wrongType):
		offset = wrongType.Offset
	}
	if offset < 0 || offset > int64(len(data)) {
		return err.Error()
	}
	line, column := 1, 1
	for _, c := range data[:offset] {
		column++
		if c == '\n' {
			line, column = line+1, 1
		}
	}
	return fmt.Sprintf("line %d, column %d: %v", line, column, err)
}

func (b *Baseline) sort() {
	sort.Slice(b.Hosts, func(i, j int) bool { return b.Hosts[i].IP.Less(b.Hosts[j].IP) })
	sort.Slice(b.Links, func(i, j int) bool { return b.Links[i].compare(&b.Links[j]) < 0 })
	sort.Slice(b.Connections, func(i, j int) bool { return b.Connections[i].compare(&b.Connections[j]) < 0 })
}

func (l *LinkBaseline) compare(o *LinkBaseline) int {
	if c := l.Client.Compare(o.Client); c != 0 {
		return c
	}
	if c := l.Server.Compare(o.Server); c != 0 {
		return c
	}
	switch {
	case l.Proto != o.Proto:
		if l.Proto < o.Proto {
			return -1
		}
		return 1
	case l.Unit != o.Unit:
		return int(l.Unit) - int(o.Unit)
	}
	return int(l.Master) - int(o.Master)
}

func (c *ConnectionBaseline) compare(o *ConnectionBaseline) int {
	if d := c.Client.Compare(o.Client); d != 0 {
		return d
	}
	if d := c.Server.Compare(o.Server); d != 0 {
		return d
	}
	return int(c.Port) - int(o.Port)
}

func (l *LinkBaseline) check() error {
	if protoByName(l.Proto) == protocols.ProtoUnknown {
		return fmt.Errorf("protocol %q is neither modbus nor dnp3", l.Proto)
	}
	for i, p := range l.Requested {
		if p.Function < 0 || p.Function >= len(l.Functions) {
			return fmt.Errorf("requested[%d]: function %d is not one of the link's %d", i, p.Function, len(l.Functions))
		}
	}
	for i, a := range l.Addresses {
		for _, r := range a.Runs {
			if r[1] < r[0] {
				return fmt.Errorf("addresses[%d]: the run %d to %d is backwards", i, r[0], r[1])
			}
		}
	}
	if n := len(l.Hours); n != 0 && n != hoursOfWeek {
		return fmt.Errorf("hours has %d entries, not %d", n, hoursOfWeek)
	}
	if len(l.Load.Top) > extreme.Peaks {
		return fmt.Errorf("load has %d peaks, more than %d", len(l.Load.Top), extreme.Peaks)
	}
	for i, f := range l.Functions {
		if len(f.ResponseMillis.Top) > extreme.Peaks {
			return fmt.Errorf("functions[%d]: response_ms has %d peaks, more than %d", i, len(f.ResponseMillis.Top), extreme.Peaks)
		}
	}
	return nil
}

// key is the key of the link at run time.
func (l *LinkBaseline) key() linkKey {
	return linkKey{client: l.Client.As16(), server: l.Server.As16(), unit: l.Unit, master: l.Master, proto: uint16(protoByName(l.Proto))}
}

// forget lets go of what a link that came up has itself now. Who it is stays: the
// site may be reading that.
func (l *LinkBaseline) forget() {
	l.Functions, l.Requested, l.Addresses, l.Exceptions, l.Violations, l.Hours = nil, nil, nil, nil, nil, nil
	l.Load.Top = nil
}

// summary is what the site needs to know of a learned link.
type summary struct {
	client, server netip.Addr
	proto          protocols.Proto
	unit           uint16
	first, last    int64
	messages       uint64
	// effects are those of the requests, a bit each; streams is what is watched
	// by statistics.
	effects uint16
	streams float64
	busiest float64
}

func (l *LinkBaseline) summary() summary {
	s := summary{client: l.Client, server: l.Server, proto: protoByName(l.Proto), unit: l.Unit, first: l.First, last: l.Last,
		messages: l.Messages, streams: float64(len(l.Functions) + len(l.Requested) + 2), busiest: l.Load.Max()}
	for _, f := range l.Functions {
		if f.Role == protocols.RoleRequest.String() {
			s.effects |= 1 << byName(f.Effect, allEffects)
		}
	}
	return s
}

func (l *link) summary() summary {
	s := summary{client: ipOf(l.key.client), server: ipOf(l.key.server), proto: l.proto, unit: l.key.unit, first: l.first, last: l.last,
		messages: l.messages, streams: float64(len(l.functions) + len(l.patterns) + 2), busiest: l.load.Max()}
	for i := range l.functions {
		if f := &l.functions[i]; f.role == protocols.RoleRequest {
			s.effects |= 1 << f.effect
		}
	}
	return s
}

func protoByName(name string) protocols.Proto {
	for _, p := range [...]protocols.Proto{protocols.ProtoModbus, protocols.ProtoDNP3} {
		if p.String() == name {
			return p
		}
	}
	return protocols.ProtoUnknown
}

func byName[T interface{ String() string }](name string, all []T) (zero T) {
	for _, v := range all {
		if v.String() == name {
			return v
		}
	}
	return zero
}

func upTo[T ~uint8](n T) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = T(i)
	}
	return out
}

var (
	allRoles    = upTo(protocols.NumRoles)
	allEffects  = upTo(protocols.NumEffects)
	allKinds    = upTo(protocols.NumPointKinds)
	allAccesses = upTo(protocols.NumAccesses)
)

// baseline turns the link into what is saved of it.
func (l *link) baseline() LinkBaseline {
	b := LinkBaseline{
		Client: l.client.IP, Server: l.server.IP, Port: l.server.Port, Proto: l.proto.String(), Unit: l.key.unit, Master: l.key.master,
		First: l.first, Last: l.last, Messages: l.messages, Requests: l.requests, Answers: l.answers, Refused: l.refused,
		Unanswered: l.unanswered, SilentMost: l.silentMost, Broadcasts: l.broadcasts, Unsolicited: l.unsolicited, Beyond: l.more,
		IIN: l.iin, Hours: append([]uint32(nil), l.hours...), FirstChange: l.firstChange, Load: copyTail(l.load),
	}
	for i := range l.functions {
		f := &l.functions[i]
		b.Functions = append(b.Functions, FunctionBaseline{Function: f.function, Sub: f.sub, Role: f.role.String(), Name: f.name,
			Effect: f.effect.String(), Count: f.count, Longest: f.longest, ResponseMillis: copyTail(f.rtt)})
	}
	for i := range l.patterns {
		p := &l.patterns[i]
		if p.flagged != nil {
			continue
		}
		pb := PatternBaseline{Function: int(p.function), Hash: p.hash, Count: p.count, First: p.first, N: p.n, Median: p.median, Mean: p.mean,
			Squares: p.m2, Gaps: p.gaps, Longest: p.longest}
		for _, r := range p.ranges {
			pb.Ranges = append(pb.Ranges, RangeBaseline{Kind: r.Kind.String(), Access: r.Access.String(), First: r.First, Count: r.Count})
		}
		b.Requested = append(b.Requested, pb)
	}
	for i := range l.tables {
		t := &l.tables[i]
		ab := AddressBaseline{Kind: t.kind.String(), Access: t.access.String()}
		for _, r := range t.set.Runs() {
			ab.Runs = append(ab.Runs, [2]uint32{r.First, r.Last})
		}
		b.Addresses = append(b.Addresses, ab)
	}
	for _, h := range l.exceptions {
		if b.Exceptions == nil {
			b.Exceptions = map[string]uint64{}
		}
		b.Exceptions[fmt.Sprint(h.code)] = h.count
	}
	for _, f := range l.faults {
		if b.Violations == nil {
			b.Violations = map[string]uint64{}
		}
		b.Violations[f.name] = f.count
	}
	return b
}

func copyTail(t extreme.Tail) extreme.Tail {
	return extreme.Tail{N: t.N, Top: append([]float64(nil), t.Top...)}
}

// link makes the run-time link of what was saved.
func (b *LinkBaseline) link() *link {
	l := &link{
		key: b.key(), proto: protoByName(b.Proto), known: true, loaded: true, client: protocols.Endpoint{IP: b.Client},
		server: protocols.Endpoint{IP: b.Server, Port: b.Port}, first: b.First, last: b.Last, messages: b.Messages, requests: b.Requests,
		answers: b.Answers, refused: b.Refused, unanswered: b.Unanswered, silentMost: b.SilentMost, broadcasts: b.Broadcasts,
		unsolicited: b.Unsolicited, more: b.Beyond, iin: b.IIN, hours: append([]uint32(nil), b.Hours...), firstChange: b.FirstChange,
		load: copyTail(b.Load),
	}
	for _, f := range b.Functions {
		l.functions = append(l.functions, function{function: f.Function, sub: f.Sub, role: byName(f.Role, allRoles), name: f.Name,
			effect: byName(f.Effect, allEffects), count: f.Count, longest: f.Longest, rtt: copyTail(f.ResponseMillis)})
	}
	for _, p := range b.Requested {
		np := pattern{hash: p.Hash, function: int32(p.Function), changes: l.functions[p.Function].effect.Changes(), count: p.Count, first: p.First,
			n: p.N, median: p.Median, mean: p.Mean, m2: p.Squares, gaps: p.Gaps, longest: p.Longest}
		for _, r := range p.Ranges {
			np.ranges = append(np.ranges, protocols.Range{Kind: byName(r.Kind, allKinds), Access: byName(r.Access, allAccesses), First: r.First, Count: r.Count})
		}
		l.patterns = append(l.patterns, np)
		l.indexPattern(len(l.patterns) - 1)
		if p.Count == 1 {
			l.once++
		}
		if np.changes {
			l.changes += p.Count
			if p.Count == 1 {
				l.changesOnce++
			}
		}
	}
	for _, a := range b.Addresses {
		t := addresses{kind: byName(a.Kind, allKinds), access: byName(a.Access, allAccesses)}
		for _, r := range a.Runs {
			t.set.Merge(ptr(interval.Of(interval.Run{First: r[0], Last: r[1]})), 0)
		}
		l.tables = append(l.tables, t)
	}
	for code := 0; code < 256; code++ {
		if n := b.Exceptions[fmt.Sprint(code)]; n > 0 {
			l.exceptions = append(l.exceptions, habit{uint8(code), n})
		}
	}
	for _, name := range sortedKeys(b.Violations) {
		l.faults = append(l.faults, fault{name, b.Violations[name]})
	}
	return l
}

func ptr[T any](v T) *T { return &v }

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
