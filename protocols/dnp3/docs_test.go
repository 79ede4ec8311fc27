package dnp3

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/weir-ics/weir/protocols"
)

var update = flag.Bool("update", false, "write docs/dnp3.md from the tables")

const docsFile = "../../docs/dnp3.md"

// TestDocsAreCurrent compares docs/dnp3.md with the tables.
func TestDocsAreCurrent(t *testing.T) {
	want := document()
	if *update {
		if err := os.WriteFile(docsFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the tables say; run go test ./protocols/dnp3 -run TestDocsAreCurrent -update", docsFile)
	}
}

// table writes a Markdown table.
func table(b *bytes.Buffer, head string, rows func(row func(cells ...any))) {
	columns := strings.Split(head, "|")
	fmt.Fprintf(b, "|%s|\n|%s\n", strings.Join(columns, "|"), strings.Repeat("---|", len(columns)))
	rows(func(cells ...any) {
		for _, c := range cells {
			fmt.Fprintf(b, "| %s ", strings.ReplaceAll(fmt.Sprint(c), "|", "\\|"))
		}
		b.WriteString("|\n")
	})
	b.WriteString("\n")
}

// document writes docs/dnp3.md.
func document() []byte {
	b := new(bytes.Buffer)
	b.WriteString(`# DNP3

What weir knows of DNP3 (IEEE Std 1815-2012). This page is generated from the tables that decode and encode it; clauses are
those of the standard, and names are the standard's.

weir finds link frames by their CRC in TCP on any port, in UDP, and in serial streams that a gateway carries over TCP. It
puts transport segments together for each pair of link addresses of a connection, and decodes every application fragment to
its last object. One fragment is one message; the frame given is the packet that completed it.

## How to read a message

` + "`weir decode`" + ` writes for each message, besides the fields of every protocol:

`)
	table(b, " field | what it is ", func(row func(...any)) {
		row("`source`, `destination`", "link addresses; 65533 to 65535 are broadcasts, 65532 is the self address")
		row("`link`", "`function` and its `name`, `dir` (set by masters), `prm` (set in primary frames), then `fcb` and `fcv` or, in secondary frames, `dfc`")
		row("`transport_seq`", "sequence number of the last transport segment")
		row("`app`", "`fir`, `fin`, `con`, `uns`, `seq` of the application control octet")
		row("`iin`", "names of the internal indications that are set; only in responses")
		row("`objects`", "the object headers: `group`, `variation`, `name`, `qualifier`, `start` and `stop` or `count`, and `points`")
		row("`points`", "the objects behind a header: `index` (counted from 0 where the qualifier gives none; `size` where it gives that) and the fields of the layout below. `flags` are names; the state of a binary is `value`. A number with named values has its name beside it, as `status` and `status_name`. `time` is RFC 3339, UTC; a `relative_ms` counts from the common time of occurrence before it, and `time` is the sum. Octets are hexadecimal.")
		row("`files`", "the files that the message opens, transfers, describes or closes: `name`, `size` (announced, or transferred so far), `complete` once the last block went by and none was missed, and then `sha256` of the whole content")
		row("`unparsed`", "octets at the end that could not be decoded, with a violation that says why")
	})
	b.WriteString(`Frames without a message (link status, reset, acknowledgement) are messages of role ` + "`link`" + `. A link frame that is sent
again under the same frame count bit is told as such, and its message is not told twice.

For detectors, rules and time series each point is known by the outstation's address, its kind and its index. The value of a
double-bit input is its state 0 to 3, of a relay command its control code, of a time delay its milliseconds. A pattern mask
is told as a command to each point whose bit is set. A device attribute has the index set × 256 + variation; an
authentication object has the user number as index and the sequence number as value.

## Application functions

`)
	table(b, " code | name | what it does | effect | wants a response | clause ", func(row func(...any)) {
		for code := range functions {
			f := &functions[code]
			if f.name == "" {
				continue
			}
			answer := "yes"
			if f.silent {
				answer = "no"
			}
			row(code, f.name, f.does, f.effect, answer, "4.4")
		}
	})
	b.WriteString("A response has the effect of the request that it answers.\n\n## Link functions\n\n")
	table(b, " code | frame | name | frame count valid | carries data | wants an answer ", func(row func(...any)) {
		for prm, list := range [2]*[16]linkFunction{&primaryFunctions, &secondaryFunctions} {
			for code, f := range list {
				if f.name == "" {
					continue
				}
				name := f.name
				if f.obsolete {
					name += " (obsolete)"
				}
				row(code, [2]string{"primary", "secondary"}[prm], name, yes(f.counted), yes(f.data), yes(f.answered))
			}
		}
	})
	b.WriteString("## Internal indications\n\n")
	table(b, " bit | name ", func(row func(...any)) {
		for i, n := range iinNames {
			row(fmt.Sprintf("IIN%d.%d", i/8+1, i%8), n)
		}
	})
	b.WriteString("## Qualifiers\n\nThe high half of the code says what stands before each object, the low half what the range field holds.\n\n")
	table(b, " high | before each object ", func(row func(...any)) {
		for i := range prefixCodes {
			row(i, prefixCodes[i].name)
		}
	})
	table(b, " low | range field ", func(row func(...any)) {
		for i := range rangeCodes {
			row(fmt.Sprintf("%X", i), rangeCodes[i].name)
		}
	})
	b.WriteString("Allowed together: ")
	first := true
	for c, q := range qualifiers {
		if q.valid {
			if !first {
				b.WriteString(", ")
			}
			first = false
			fmt.Fprintf(b, "%02X", c)
		}
	}
	b.WriteString(".\n\n## Groups and variations\n\n")
	b.WriteString("Sizes are in octets unless bits are named; `*` is any variation. Fields are in the order in which they lie.\n\n")
	table(b, " group | variation | name | kind of point | class | size | fields | clause ", func(row func(...any)) {
		for i := range groups {
			g := &groups[i]
			kind := g.kind.String()
			if g.kind == protocols.KindUnknown {
				kind = ""
			}
			one := func(number string, v *variation) {
				size := fmt.Sprint(v.size)
				switch {
				case v.bits > 0:
					size = fmt.Sprintf("%d bits", v.bits)
					if v.bits == 1 {
						size = "1 bit"
					}
				case v.empty():
					size = "none"
				case v.size == 0:
					size = "its own"
				}
				var fields []string
				for j := range v.layout {
					f := &v.layout[j]
					fields = append(fields, fmt.Sprintf("`%s` %s", f.name, encodingNames[f.enc]))
				}
				if v.bits > 0 {
					fields = []string{"`value`"}
				}
				name := g.name
				if v.name != "" {
					name += ": " + v.name
				}
				row(g.number, number, name, kind, classNames[g.class], size, strings.Join(fields, ", "), g.clause)
			}
			if g.any != nil {
				one("*", g.any)
			}
			for j := range g.variations {
				one(fmt.Sprint(g.variations[j].number), &g.variations[j])
			}
		}
	})
	b.WriteString(`Variation 0 names "any variation" in requests. The content of groups 82, 83 variation 2, 86 variation 3 and 91 is shown as
octets. Groups 114 and 115 came after the 2012 edition; they are decoded when their sizes stand before them.

## Device attributes

The attributes of set 0 (A.1); others are shown by number.

`)
	table(b, " variation | attribute ", func(row func(...any)) {
		for i, n := range attributeNames {
			if n != "" {
				row(i, n)
			}
		}
	})
	b.WriteString("## Control statuses\n\n")
	table(b, " status | name ", func(row func(...any)) {
		for _, s := range controlStatuses {
			row(s.code, s.name)
		}
	})
	b.WriteString("## Violations\n\nWhat weir reports as breaking the standard, each also an alert of the kind `conformance.` and the name.\n\n")
	table(b, " name | severity | what it means | observed and expected are | clause ", func(row func(...any)) {
		for _, k := range Violations() {
			row("`"+k.Name+"`", k.Severity, k.Meaning, k.Units, k.Clause)
		}
	})
	fmt.Fprintf(b, `## Bounds

What a connection may cost, and what happens past it. Each is counted.

`)
	table(b, " what | bound | past it | counter ", func(row func(...any)) {
		row("pairs of addresses followed in a connection", maxAssociations, "the one used longest ago is let go", "`dnp3.associations-evicted`")
		row("octets of one fragment", MaxFragment, "it is dropped, with `dnp3.fragment-too-long`", "`dnp3.reassembly-dropped`")
		row("octets of unfinished fragments of a connection", maxPending, "the one that grew is dropped", "`dnp3.reassembly-dropped`")
		row("octets of unfinished fragments of a worker", maxPoolPending, "the one that grew is dropped", "`dnp3.reassembly-dropped`")
		row("points of one message", maxPoints, "the rest are not reported, with `dnp3.too-many-points`", "`dnp3.points-dropped`")
		row("open files followed in an association", maxFiles, "the one opened first is let go", "`dnp3.files-evicted`")
		row("seconds that a request waits for its response", int64(responseTimeout/1e9), "`dnp3.no-response`", "`dnp3.unanswered`")
	})
	b.WriteString("All counters: ")
	first = true
	new(Stats).Each(func(name string, _ uint64) {
		if !first {
			b.WriteString(", ")
		}
		first = false
		fmt.Fprintf(b, "`%s`", name)
	})
	b.WriteString(".\n\n## Where tshark reads the same octets differently\n\n")
	b.WriteString("`protocols/dnp3/" + differencesFile + "` lists every difference found over the captures that the tests use, with the clause that decides.\n")
	return b.Bytes()
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
