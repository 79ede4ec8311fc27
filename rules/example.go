package rules

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
	"github.com/weir-ics/weir/protocols/dnp3"
	"github.com/weir-ics/weir/protocols/modbus"
)

// example is one conversation written in a rule: messages in hexadecimal, each
// marked with who sends it.
type example struct {
	Modbus     texts `yaml:"modbus"`
	RTU        texts `yaml:"rtu"`
	DNP3       texts `yaml:"dnp3"`
	Outstation text  `yaml:"outstation"`

	messages   []message
	outstation uint16
}

// message is one message of an example; direction 0 is the client's.
type message struct {
	direction protocols.Direction
	data      []byte
	at        text
}

// The DNP3 addresses of examples that name none.
const (
	exampleMaster     = 1
	exampleOutstation = 10
)

// Outcome is what an example showed.
type Outcome struct {
	Rule *Rule
	// File, Line and Column say where the example stands.
	File         string
	Line, Column int
	// Problem is empty if the rule did as the example says.
	Problem string
}

// Test runs every example of every rule through the decoders and reports what
// came of each, in order.
func (s *Set) Test() []Outcome {
	var out []Outcome
	for _, r := range s.rules {
		one := build(map[string]*Rule{r.ID: r})
		for i := range r.fires {
			out = append(out, one.outcome(r, &r.fires[i], true))
		}
		for i := range r.silent {
			out = append(out, one.outcome(r, &r.silent[i], false))
		}
	}
	return out
}

func (s *Set) outcome(r *Rule, x *example, want bool) Outcome {
	o := Outcome{Rule: r, File: r.File, Line: x.messages[0].at.line, Column: x.messages[0].at.column}
	fired, seen := s.play(x)
	switch {
	case seen == 0:
		o.Problem = "the decoder finds no message in it"
	case want && fired == 0:
		o.Problem = fmt.Sprintf("rule %s stays silent on it", r.ID)
	case !want && fired > 0:
		o.Problem = fmt.Sprintf("rule %s fires on it", r.ID)
	}
	return o
}

// play decodes an example and counts what the set finds and what it was shown.
func (s *Set) play(x *example) (fired, seen int) {
	m := s.NewMatcher()
	emit := func(e *protocols.Event) {
		seen++
		m.Observe(e, func(detect.Finding) { fired++ })
	}
	conv := protocols.Conversation{Transport: protocols.TCP, OpeningSeen: true}
	var d protocols.Decoder
	switch {
	case len(x.DNP3) > 0:
		conv.Ends[1].Port = 20000
		d = dnp3.NewDecoder(conv, emit, nil)
	case len(x.RTU) > 0:
		d = modbus.Config{Framing: modbus.RTU}.NewDecoder(conv, emit)
	default:
		conv.Ends[1].Port = modbus.Port
		d = modbus.NewDecoder(conv, emit)
	}
	var seq [2]uint8
	for i, msg := range x.messages {
		data := msg.data
		switch {
		case len(x.RTU) > 0:
			crc := modbus.CRC(data)
			data = append(data[:len(data):len(data)], byte(crc), byte(crc>>8))
		case len(x.DNP3) > 0:
			h := dnp3.LinkHeader{Dir: true, Prm: true, Function: dnp3.LinkUnconfirmedUserData, Destination: x.outstation, Source: exampleMaster}
			if msg.direction == 1 {
				h.Dir, h.Destination, h.Source = false, exampleMaster, x.outstation
			}
			data = dnp3.AppendSegments(nil, h, &seq[msg.direction], data)
		}
		t := int64(i+1) * 1e6
		d.Stream(msg.direction, protocols.Stamp{Time: t, Clock: t, Frame: uint64(i + 1)}, data)
	}
	return fired, seen
}

// examples checks and reads a rule's examples.
func (rd *reader) examples(r *Rule) {
	if len(r.fires) == 0 || len(r.silent) == 0 {
		rd.fail(text{}, "rule %q needs at least one example under fires and one under silent", r.ID)
	}
	for _, list := range [][]example{r.fires, r.silent} {
		for i := range list {
			rd.example(&list[i])
		}
	}
}

func (rd *reader) example(x *example) {
	all, kinds := texts{}, 0
	for _, t := range []texts{x.Modbus, x.RTU, x.DNP3} {
		if len(t) > 0 {
			all, kinds = t, kinds+1
		}
	}
	if kinds != 1 {
		rd.fail(x.Outstation, "an example needs exactly one of modbus, rtu, dnp3")
		x.messages = []message{{}}
		return
	}
	x.outstation = exampleOutstation
	if x.Outstation.value != "" {
		n, err := strconv.ParseUint(x.Outstation.value, 0, 16)
		if err != nil {
			rd.fail(x.Outstation, "outstation %q is not a DNP3 address, 0 to 0xFFFF", x.Outstation.value)
		}
		x.outstation = uint16(n)
	}
	for _, t := range all {
		mark, digits, _ := strings.Cut(t.value, " ")
		data, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
		switch {
		case mark != ">" && mark != "<":
			rd.fail(t, `a message starts with "> " (client to server) or "< " (server to client)`)
		case err != nil || len(data) == 0:
			rd.fail(t, "%q is not octets in hexadecimal", digits)
		}
		msg := message{data: data, at: t}
		if mark == "<" {
			msg.direction = 1
		}
		x.messages = append(x.messages, msg)
	}
}
