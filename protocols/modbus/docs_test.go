package modbus

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/weir-ics/weir/protocols"
)

var update = flag.Bool("update", false, "write docs/modbus.md anew")

const docsFile = "../../docs/modbus.md"

// TestDocsAreCurrent holds docs/modbus.md to the tables that decoding uses. To
// write it anew: go test ./protocols/modbus -run TestDocsAreCurrent -update
func TestDocsAreCurrent(t *testing.T) {
	want := docs()
	if *update {
		if err := os.MkdirAll("../../docs", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(docsFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/modbus.md is not what the tables say: go test ./protocols/modbus -run TestDocsAreCurrent -update")
	}
}

const docsHead = `# What weir decodes of Modbus

This page is written from the tables that the decoder uses (` + "`go test ./protocols/modbus -run TestDocsAreCurrent -update`" + `).

Clauses: AP is the Modbus Application Protocol Specification V1.1b3, TCP the Modbus Messaging on TCP/IP Implementation Guide
V1.0b, SL the Modbus over Serial Line Specification and Implementation Guide V1.02.

## Framings

| framing | in weir decode | over | found by |
|---|---|---|---|
| Modbus/TCP (MBAP header) | ` + "`mbap`" + ` | TCP and UDP, any port | protocol identifier 0, a length that fits the function, another header behind it |
| RTU | ` + "`rtu`" + ` | TCP and UDP, any port | a length that follows from the function, a right CRC |
| ASCII | ` + "`ascii`" + ` | TCP and UDP, any port | colon, hexadecimal digits, a right LRC, CR LF |
| Modbus/TCP Security | not decoded | TCP port 802 | a TLS handshake: recognised and counted |

Messages may be split over segments and several may share one. After bytes that the tap lost, or garbage, the next message is
taken where a header and its content agree and another header or nothing follows, where it is all that a segment holds, or where it
answers an open request. What was passed over is counted, and, if the sender sent it, told as ` + "`modbus.skipped`" + `.

Who is client: who opened the connection, port 502, and the messages themselves (most can only go one way) vote. ` +
	"`RoleGuessed`" + ` stays
set until a message has agreed.

## Requests and responses

A response is paired with the request of the same transaction identifier and unit (on serial framings: unit and order); of several,
with the oldest that is open. It then has a round-trip time, the frame of its request, and the addresses that the request named: the
values of a read are points of one of the four tables. Up to 64 open requests a connection are remembered. A request that got no
answer in 10 s of packet time is told as a notice with the violation ` + "`modbus.unanswered`" + `. For as long after a gap, or after the capture
of a conversation began in its midst, a response without a request is no violation.

An exception carries the addresses of the request that caused it. A frame with a wrong checksum asks and answers nothing and has no
addresses and values.

## Fields of weir decode

Every message has ` + "`framing`" + `; with MBAP also ` + "`transaction`, `length`" + ` and, if it is not 0, ` + "`protocol`" + `. Then the fields of its function, below.
An exception has ` + "`exception` and `exception_name`" + `. What follows where nothing should is ` + "`extra`" + `, a message that ends too early has
` + "`missing`" + ` (octets, at least) and, if it ends inside its fixed fields, ` + "`body`" + `. Octets are hexadecimal.

`

func docs() []byte {
	var b bytes.Buffer
	b.WriteString(docsHead)
	b.WriteString("| field | meaning |\n|---|---|\n")
	for f := range numFields {
		fmt.Fprintf(&b, "| `%s` | %s |\n", fields[f].key, fields[f].meaning)
	}
	b.WriteString("\n## Functions\n\n")
	b.WriteString("Codes 65 to 72 and 100 to 110 are `User Defined`, those that nobody has are `Undefined` and have the violation\n" +
		"`modbus.function`; their content is shown as `data`.\n\n")
	b.WriteString("| code | name | effect | whose | clause | request | response |\n|---|---|---|---|---|---|---|\n")
	for _, f := range Functions() {
		whose := f.Class.String()
		if f.Vendor != "" {
			whose += ": " + f.Vendor
		}
		fmt.Fprintf(&b, "| %d (0x%02X) | %s | %v | %s | %s | %s | %s |\n", f.Code, f.Code, f.Name, f.Effect, whose, f.Clause,
			describeLayout(f, f.Request), describeLayout(f, f.Response))
	}
	for _, f := range Functions() {
		if len(f.Subs) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n### %s (function %d): sub-functions\n\n", f.Name, f.Code)
		if f.Code == umasFunction {
			b.WriteString("Not published by the vendor: names are those of public research. A response does not repeat the function; weir takes it\n" +
				"from the request. The function inside a signed message (0x38) counts as the sub-function, `signed_function`.\n\n")
		}
		b.WriteString("| code | name | effect | clause | request | response |\n|---|---|---|---|---|---|\n")
		for _, s := range f.Subs {
			answer := describeLayout(f, s.Response)
			if s.Silent {
				answer = "none"
			}
			fmt.Fprintf(&b, "| %d (0x%02X) | %s | %v | %s | %s | %s |\n", s.Code, s.Code, s.Name, s.Effect, s.Clause, describeLayout(f, s.Request), answer)
		}
	}
	b.WriteString("\n## Exceptions\n\n| code | name | meaning |\n|---|---|---|\n")
	for code, x := range exceptions {
		if x.name != "" {
			fmt.Fprintf(&b, "| %d | %s | %s |\n", code, x.name, x.meaning)
		}
	}
	b.WriteString("\n## Identification\n\nWhat devices say of themselves goes into the asset.\n\n| from | object | asset |\n|---|---|---|\n")
	for id, o := range objects {
		if o.name != "" {
			fmt.Fprintf(&b, "| function 43/14 | %d %s | %v |\n", id, o.name, o.key)
		}
	}
	fmt.Fprintf(&b, "| function 17 | the longest printable text of the server ID | %v |\n", protocols.IdentityProduct)
	fmt.Fprintf(&b, "| function 90, read identification | the product's name; vendor Schneider Electric | %v, %v |\n", protocols.IdentityProduct, protocols.IdentityVendor)
	b.WriteString("\n## Violations\n\n| name | severity | clause | meaning | observed and expected are |\n|---|---|---|---|---|\n")
	for _, k := range violations {
		fmt.Fprintf(&b, "| `%s` | %v | %s | %s | %s |\n", k.Name, k.Severity, k.Clause, k.Meaning, k.Units)
	}
	b.WriteString("\n## Counters\n\n| counter | counts |\n|---|---|\n")
	for c := range numCounters {
		fmt.Fprintf(&b, "| `%v` | %s |\n", c, counterMeanings[c])
	}
	return b.Bytes()
}

// describeLayout lists the fields of a layout with their limits.
func describeLayout(f *Function, l Layout) string {
	if l.Free {
		return "`data`"
	}
	var parts []string
	for _, s := range l.Fields {
		key := fields[s.Field].key
		if s.Field == FieldSub && f.Code == 43 {
			key = "mei"
		}
		part := "`" + key + "`"
		if s.Max != 0 {
			part += fmt.Sprintf(" %d to %d", s.Min, s.Max)
		}
		if text := checkMeanings[s.check]; text != "" {
			part += " " + text
		}
		parts = append(parts, part)
	}
	if l.Tail != TailNone {
		parts = append(parts, tailMeanings[l.Tail])
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}
