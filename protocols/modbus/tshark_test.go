package modbus

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/weir-ics/weir/protocols"
)

// dissection is one message as tshark shows it: its fields, in order.
type dissection struct {
	frame  uint64
	fields []string
}

// tshark gives every Modbus message of a capture, in the order of the capture.
func tshark(t *testing.T, path string, options ...string) []dissection {
	t.Helper()
	program, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("no independent decoder: tshark is not installed")
	}
	args := []string{"-n", "-r", path, "-Y", "modbus", "-T", "json", "--no-duplicate-keys", "-J", "frame mbtcp mbrtu modbus"}
	cmd := exec.Command(program, append(args, options...)...)
	cmd.Stderr = nil
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	messages, err := readDissections(bufio.NewReader(out))
	if err != nil {
		t.Fatalf("read tshark's JSON of %s: %v", path, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Logf("tshark on %s: %v", path, err)
	}
	return messages
}

// readDissections reads packets from tshark's JSON, keeping the order of fields,
// which a map would lose.
func readDissections(r io.Reader) (messages []dissection, err error) {
	d := json.NewDecoder(r)
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	for d.More() {
		var packet struct {
			Source struct {
				Layers struct {
					Frame  map[string]json.RawMessage `json:"frame"`
					MBTCP  json.RawMessage            `json:"mbtcp"`
					MBRTU  json.RawMessage            `json:"mbrtu"`
					Modbus json.RawMessage            `json:"modbus"`
				} `json:"layers"`
			} `json:"_source"`
		}
		if err := d.Decode(&packet); err != nil {
			return nil, err
		}
		layers := packet.Source.Layers
		var number string
		if err := json.Unmarshal(layers.Frame["frame.number"], &number); err != nil {
			return nil, err
		}
		frame, err := strconv.ParseUint(number, 10, 64)
		if err != nil {
			return nil, err
		}
		headers, contents := items(layers.MBTCP), items(layers.Modbus)
		if layers.MBTCP == nil {
			headers = items(layers.MBRTU)
		}
		if len(headers) != len(contents) {
			return nil, fmt.Errorf("frame %d: %d headers and %d contents", frame, len(headers), len(contents))
		}
		for i := range headers {
			m := dissection{frame: frame}
			for _, part := range []json.RawMessage{headers[i], contents[i]} {
				if m.fields, err = leaves(m.fields, part); err != nil {
					return nil, err
				}
			}
			messages = append(messages, m)
		}
	}
	return messages, nil
}

// items splits an array; anything else is its only item.
func items(raw json.RawMessage) []json.RawMessage {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) == nil {
		return list
	}
	return []json.RawMessage{raw}
}

// leaves lists the fields of a dissected layer as name=value.
func leaves(into []string, raw json.RawMessage) ([]string, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	type level struct {
		array bool
		key   string
		value bool
	}
	var levels []level
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return into, nil
		}
		if err != nil {
			return into, err
		}
		top := len(levels) - 1
		if delim, ok := token.(json.Delim); ok {
			switch delim {
			case '{', '[':
				key := ""
				if top >= 0 {
					key = levels[top].key
					levels[top].value = false
				}
				levels = append(levels, level{array: delim == '[', key: key})
			default:
				levels = levels[:top]
			}
			continue
		}
		if top < 0 {
			continue
		}
		text := fmt.Sprint(token)
		switch l := &levels[top]; {
		case l.array:
			into = append(into, l.key+"="+text)
		case !l.value:
			l.key, l.value = text, true
		default:
			into = append(into, l.key+"="+text)
			l.value = false
		}
	}
}

// compared tells whether both must agree on a field: all that tshark takes from
// the message. What it adds are texts, trees and notes for people.
func compared(name string) bool {
	for _, layer := range []string{"modbus.", "mbtcp.", "mbrtu."} {
		if strings.HasPrefix(name, layer) {
			return !strings.HasSuffix(name, "_tree")
		}
	}
	return false
}

// asTshark says what weir decoded in tshark's words.
func asTshark(e *protocols.Event) dissection {
	m := e.Detail.(*Message)
	d := dissection{frame: e.Frame}
	add := func(name, format string, v ...any) { d.fields = append(d.fields, name+"="+fmt.Sprintf(format, v...)) }
	field := func(f Field, name string) {
		if v, ok := m.Get(f); ok {
			add(name, "%d", v)
		}
	}
	data := func(b []byte) { add("modbus.data", "%s", colons(b)) }
	if m.Framing == RTU {
		add("mbrtu.unit_id", "%d", m.Unit)
		// tshark shows the two octets as they are sent, low one first.
		add("mbrtu.crc16", "0x%02x%02x", byte(m.CRC), m.CRC>>8)
		add("mbrtu.crc16.status", "1")
	} else {
		add("mbtcp.trans_id", "%d", m.Transaction)
		add("mbtcp.prot_id", "%d", m.Protocol)
		add("mbtcp.len", "%d", m.Length)
		add("mbtcp.unit_id", "%d", m.Unit)
	}
	add("modbus.func_code", "%d", m.Function)
	if m.IsException {
		add("modbus.exception_code", "%d", m.Exception)
		return d
	}
	if e.RequestFrame != 0 {
		add("modbus.request_frame", "%d", e.RequestFrame)
		add("modbus.response_time", "%d.%09d", e.RTT/1e9, e.RTT%1e9)
	}
	switch m.Function {
	case 1, 2:
		field(FieldAddress, "modbus.reference_num")
		field(FieldQuantity, "modbus.bit_cnt")
		field(FieldByteCount, "modbus.byte_cnt")
		for _, p := range e.Points {
			add("modbus.bitnum", "%d", p.Index)
			add("modbus.bitval", "%d", int(p.Value))
		}
	case 3, 4:
		field(FieldAddress, "modbus.reference_num")
		field(FieldQuantity, "modbus.word_cnt")
		field(FieldByteCount, "modbus.byte_cnt")
		for i := range m.Registers() {
			if i < len(e.Points) {
				add("modbus.regnum16", "%d", e.Points[i].Index)
			}
			add("modbus.regval_uint16", "%d", m.Register(i))
		}
	case 5:
		field(FieldAddress, "modbus.reference_num")
		if v, ok := m.Get(FieldValue); ok {
			// tshark shows the high octet as data and the low one as padding.
			data([]byte{byte(v >> 8), byte(v)})
			add("modbus.padding", "0x%02x", byte(v))
		}
	case 6:
		field(FieldAddress, "modbus.reference_num")
		if v, ok := m.Get(FieldValue); ok {
			data([]byte{byte(v >> 8), byte(v)})
		}
	case 7:
		if v, ok := m.Get(FieldStatus); ok {
			data([]byte{byte(v)})
		}
	case 8:
		field(FieldSub, "modbus.diagnostic_code")
		v, ok := m.Get(FieldValue)
		switch name := diagnosticCounters[m.Sub]; {
		case m.Sub == 0 && m.Response:
			add("modbus.diagnostic.return_query_data.echo", "%s", colons(m.Data))
		case m.Sub == 0:
			add("modbus.diagnostic.return_query_data.request", "%s", colons(m.Data))
		case m.Sub == 1 && ok:
			add("modbus.diagnostic.restart_communication_option", "0x%04x", v)
		case m.Sub == 2 && ok && m.Response:
			add("modbus.diagnostic.return_diag_register", "0x%04x", v)
		case m.Sub == 3 && ok:
			add("modbus.diagnostic.ascii_input_delimiter", "0x%02x", v>>8)
		case m.Sub == 10 && ok && m.Response:
			add("modbus.diagnostic.clear_ctr_diag_reg", "%d", v)
		case name != "" && ok && m.Response:
			add("modbus.diagnostic."+name, "%d", v)
		case ok:
			data([]byte{byte(v >> 8), byte(v)})
		default:
			data(m.Data)
		}
	case 11, 12:
		field(FieldByteCount, "modbus.byte_cnt")
		if v, ok := m.Get(FieldStatus); ok {
			add("modbus.ev_status", "0x%04x", v)
		}
		field(FieldEventCount, "modbus.ev_count")
		field(FieldMessageCount, "modbus.ev_msg_count")
		for _, b := range m.Data {
			add("modbus.event", "%d", b)
			switch {
			case b&0x80 != 0:
				for _, f := range []struct {
					bit  int
					name string
				}{{1, "recv_comm_err"}, {4, "recv_char_over"}, {5, "recv_lo_mode"}, {6, "recv_broadcast"}} {
					add("modbus.ev_"+f.name, "%d", b>>f.bit&1)
				}
			case b&0x40 != 0:
				for bit, name := range []string{"send_read_ex", "send_slave_abort_ex", "send_slave_busy_ex", "send_slave_nak_ex", "send_write_timeout", "send_lo_mode"} {
					add("modbus.ev_"+name, "%d", b>>bit&1)
				}
			}
		}
	case 15:
		field(FieldAddress, "modbus.reference_num")
		field(FieldQuantity, "modbus.bit_cnt")
		field(FieldByteCount, "modbus.byte_cnt")
		if !m.Response {
			data(m.Data)
		}
	case 16:
		field(FieldAddress, "modbus.reference_num")
		field(FieldQuantity, "modbus.word_cnt")
		field(FieldByteCount, "modbus.byte_cnt")
		for _, p := range e.Points {
			add("modbus.regnum16", "%d", p.Index)
			add("modbus.regval_uint16", "%d", int(p.Value))
		}
	case 17:
		if m.Response {
			n, _ := m.Get(FieldByteCount)
			data(append([]byte{byte(n)}, m.Data...))
		}
	case 20, 21:
		field(FieldByteCount, "modbus.byte_cnt")
		for rest := m.Data; len(rest) > 0; {
			g, n := nextGroup(m.layout.Tail, rest)
			if n == 0 {
				break
			}
			if m.layout.Tail == TailFileRecords {
				add("modbus.byte_cnt", "%d", rest[0])
			}
			add("modbus.reference_type", "%d", g.Reference)
			if m.layout.Tail != TailFileRecords {
				add("modbus.reference_num_32", "%d", recordIndex(g.File, g.Record))
				add("modbus.word_cnt", "%d", g.Length)
			}
			switch m.layout.Tail {
			// tshark gives every group all up to the end of the message; its own
			// length bounds it (AP 6.14, 6.15).
			case TailFileRecords:
				data(rest[2:])
			case TailFileWrites:
				data(rest[7:])
			}
			rest = rest[n:]
		}
	case 22:
		field(FieldAddress, "modbus.reference_num")
		if and, ok := m.Get(FieldAndMask); ok {
			or, _ := m.Get(FieldOrMask)
			add("modbus.and_mask", "0x%04x", and)
			add("modbus.or_mask", "0x%04x", or)
		}
	case 23:
		field(FieldAddress, "modbus.read_reference_num")
		field(FieldQuantity, "modbus.read_word_cnt")
		field(FieldWriteAddress, "modbus.write_reference_num")
		field(FieldWriteQuantity, "modbus.write_word_cnt")
		field(FieldByteCount, "modbus.byte_cnt")
		data(m.Data)
	case 24:
		field(FieldAddress, "modbus.reference_num")
		field(FieldByteCount, "modbus.byte_cnt_16")
		field(FieldFIFOCount, "modbus.word_cnt")
		if m.Response {
			data(m.Data)
		}
	case 43:
		field(FieldSub, "modbus.mei")
		if m.Sub != meiDeviceID {
			data(m.Data)
			break
		}
		field(FieldReadCode, "modbus.read_device_id")
		if v, ok := m.Get(FieldConformity); ok {
			more, _ := m.Get(FieldMoreFollows)
			add("modbus.conformity_level", "0x%02x", v)
			add("modbus.more_follows", "0x%02x", more)
		}
		field(FieldNextObject, "modbus.next_object_id")
		field(FieldObjectCount, "modbus.num_objects")
		field(FieldObjectID, "modbus.object_id")
		for b := m.Data; len(b) >= 2; b = b[2+int(b[1]):] {
			add("modbus.object_id", "%d", b[0])
			add("modbus.objects_len", "%d", b[1])
			add("modbus.object_str_value", "%s", b[2:2+int(b[1])])
		}
	default:
		if len(m.Data) > 0 {
			data(m.Data)
		}
	}
	if len(m.Extra) > 0 {
		add("extra", "%x", m.Extra)
	}
	return d
}

// diagnosticCounters names the counters of function 8 as tshark does.
var diagnosticCounters = map[int32]string{
	11: "bus_message_count", 12: "bus_comm_error_count", 13: "bus_exception_error_count", 14: "slave_message_count",
	15: "no_slave_response_count", 16: "slave_nak_count", 17: "slave_busy_count", 18: "bus_char_overrun_count",
}

func colons(b []byte) string { return strings.ReplaceAll(fmt.Sprintf("% x", b), " ", ":") }

// byName groups the compared fields: the values of each name in their order.
func (d dissection) byName() map[string][]string {
	all := map[string][]string{}
	for _, f := range d.fields {
		name, value, _ := strings.Cut(f, "=")
		if compared(name) {
			all[name] = append(all[name], value)
		}
	}
	return all
}

// differences is a row of testdata/tshark-differences.md: what is different in a
// capture, how often.
type differences map[[2]string]int

// knownDifferences reads the checked-in list.
func knownDifferences(t *testing.T) differences {
	t.Helper()
	text, err := os.ReadFile("testdata/tshark-differences.md")
	if err != nil {
		t.Fatal(err)
	}
	known := differences{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) < 5 || !strings.Contains(cells[1], ".pcap") {
			continue
		}
		n, err := strconv.Atoi(strings.TrimSpace(cells[3]))
		if err != nil {
			t.Fatalf("testdata/tshark-differences.md: %q is no count", cells[3])
		}
		if len(strings.TrimSpace(cells[4])) < 20 {
			t.Fatalf("testdata/tshark-differences.md: no reason in %q", line)
		}
		known[[2]string{strings.TrimSpace(cells[1]), strings.TrimSpace(cells[2])}] = n
	}
	return known
}

func TestMessagesAgreeWithTsharkFieldByField(t *testing.T) {
	known := knownDifferences(t)
	found := differences{}
	total := 0
	for _, path := range modbusCaptures(t) {
		name := strings.TrimPrefix(filepath.ToSlash(path), filepath.ToSlash(corpus(t))+"/")
		theirs := tshark(t, path)
		var ours []dissection
		replay(t, path, Config{}, func(e *protocols.Event, _ []byte) {
			if e.Role != protocols.RoleNotice {
				ours = append(ours, asTshark(e))
			}
		})
		t.Logf("%s: %d messages, tshark %d", name, len(ours), len(theirs))
		total += len(ours)
		for _, d := range compareAll(ours, theirs) {
			key := [2]string{name, d.what}
			if found[key]++; known[key] == 0 {
				t.Errorf("%s frame %d: %s:\n weir   %s\n tshark %s", name, d.frame, d.what, d.ours, d.theirs)
			}
		}
	}
	for key, n := range known {
		if found[key] != n {
			t.Errorf("%s: %q differs %d times, but the list says %d", key[0], key[1], found[key], n)
		}
	}
	if total < 46000 {
		t.Errorf("%d messages were compared; the captures hold more", total)
	}
}

type difference struct {
	frame              uint64
	what, ours, theirs string
}

// compareAll compares message by message, frame by frame.
func compareAll(ours, theirs []dissection) (all []difference) {
	sort.SliceStable(ours, func(i, j int) bool { return ours[i].frame < ours[j].frame })
	for len(ours) > 0 || len(theirs) > 0 {
		switch {
		case len(theirs) == 0 || len(ours) > 0 && ours[0].frame < theirs[0].frame:
			all = append(all, difference{ours[0].frame, "only weir", strings.Join(ours[0].fields, " "), ""})
			ours = ours[1:]
		case len(ours) == 0 || theirs[0].frame < ours[0].frame:
			all = append(all, difference{theirs[0].frame, "only tshark", "", strings.Join(theirs[0].fields, " ")})
			theirs = theirs[1:]
		default:
			a, b := ours[0].byName(), theirs[0].byName()
			fields := map[string]bool{}
			for name := range a {
				fields[name] = true
			}
			for name := range b {
				fields[name] = true
			}
			for field := range fields {
				if x, y := strings.Join(a[field], " "), strings.Join(b[field], " "); x != y {
					all = append(all, difference{ours[0].frame, field, x, y})
				}
			}
			ours, theirs = ours[1:], theirs[1:]
		}
	}
	return all
}
