// Package catalogue lists every kind of alert that weir can raise by itself: of
// the behaviour detectors, the process detectors and the conformance checks.
// Only the kinds of rules are not here; they are in the rules.
package catalogue

import (
	"fmt"
	"sort"
	"strings"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/detect/process"
	"github.com/weir-ics/weir/protocols"
	"github.com/weir-ics/weir/protocols/dnp3"
	"github.com/weir-ics/weir/protocols/modbus"
)

// Kinds returns every kind in alphabetical order, each name once.
func Kinds() []*detect.Kind {
	var out []*detect.Kind
	seen := map[string]bool{}
	add := func(k *detect.Kind) {
		if !seen[k.Name] {
			seen[k.Name] = true
			out = append(out, k)
		}
	}
	for _, k := range detect.Kinds() {
		add(k)
	}
	for _, k := range process.Kinds() {
		add(k)
	}
	for _, v := range violations() {
		add(detect.ConformanceKind(v))
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

func violations() []*protocols.ViolationKind {
	return append(modbus.Violations(), dnp3.Violations()...)
}

const head = `# Alerts

This is the catalogue of everything weir raises by itself. It is written from the code by
` + "`go test ./detect/catalogue -update`" + ` and checked against it by the tests. Alerts of rules have the kind and the
meaning that the rule gives them.

How to read an alert: **observed** is what happened, **expected** what was learned or required and on how much evidence it
rests. The severity given here is the usual one; it is lower where little was learned (the explanation then says so), and
higher where an unknown host commands. Repeats never become new alerts: one alert counts on. An alert about an occurrence is
cleared when it was not seen for a week; one about a condition (a poll that stopped, a silent device, a flood) when the
condition ended and did not come back for five minutes. Techniques are those of MITRE ATT&CK for ICS.

What is normal after all can be approved. How far an approval goes depends on what was approved: see
[operating.md](operating.md#when-an-alert-comes).

`

// Markdown returns docs/alerts.md.
func Markdown() []byte {
	var b strings.Builder
	b.WriteString(head)
	all := Kinds()
	b.WriteString("| kind | severity | what it means |\n|---|---|---|\n")
	for _, k := range all {
		if strings.HasPrefix(k.Name, "conformance.") {
			continue
		}
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s |\n", k.Name, anchor(k.Name), k.Severity, cell(k.Meaning))
	}
	b.WriteString("| [conformance.*](#conformance) | | What the standard forbids. |\n\n")
	for _, k := range all {
		if strings.HasPrefix(k.Name, "conformance.") {
			continue
		}
		fmt.Fprintf(&b, "## %s\n\n%s\n\n", k.Name, k.Meaning)
		fmt.Fprintf(&b, "- **Severity:** %s\n- **How it is decided:** %s\n- **What to do:** %s\n", k.Severity, k.Decision, k.Action)
		if len(k.Techniques) > 0 {
			fmt.Fprintf(&b, "- **ATT&CK for ICS:** %s\n", strings.Join(k.Techniques, ", "))
		}
		b.WriteByte('\n')
	}
	b.WriteString("## conformance\n\nWhat a standard forbids needs no learning: it is raised from the first packet if it is high or critical, and " +
		"otherwise once weir watches. What a link did in the learning is its habit and is not raised again, unless it comes far more often " +
		"(burst.malformed). Violations of severity info are only counted. **What to do:** look at the message in the packets of the alert: " +
		"a faulty device, a poor line, or someone who tries what the device makes of it.\n\n| kind | severity | what it means | clause |\n|---|---|---|---|\n")
	clauses := map[string]string{}
	for _, v := range violations() {
		clauses[detect.ConformanceKind(v).Name] = v.Clause
	}
	for _, k := range all {
		if strings.HasPrefix(k.Name, "conformance.") {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", k.Name, k.Severity, cell(k.Meaning), cell(clauses[k.Name]))
		}
	}
	return []byte(b.String())
}

func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }

// anchor is how a heading is linked to on the usual Markdown viewers.
func anchor(s string) string { return strings.ReplaceAll(s, ".", "") }
