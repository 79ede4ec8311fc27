package rules

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/token"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

//go:embed shipped/*.yaml
var shipped embed.FS

// Set is the rules that are loaded, in the order of their ids.
type Set struct {
	rules []*Rule
	index [protocols.NumProtos][256][]*Rule
}

// Rules returns the rules, ordered by id. The caller must not change them.
func (s *Set) Rules() []*Rule { return s.rules }

// Error is what is wrong in a rule file.
type Error struct {
	File         string
	Line, Column int
	Message      string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("read %s: %s", e.File, e.Message)
	}
	return fmt.Sprintf("read %s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
}

// Load reads the rules shipped with weir and those in paths: files, or folders
// whose *.yaml files are read in the order of their names. A rule with the id
// of a shipped one replaces it. The error joins all that is wrong, each an
// *Error with file, line and column; the Set holds what was right.
func Load(paths ...string) (*Set, error) {
	byID := map[string]*Rule{}
	var problems []error
	names, err := fs.Glob(shipped, "shipped/*.yaml")
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		data, err := shipped.ReadFile(n)
		if err != nil {
			return nil, err
		}
		problems = append(problems, add(byID, n, data)...)
	}
	own := map[string]*Rule{}
	for _, p := range paths {
		files, err := list(p)
		if err != nil {
			problems = append(problems, &Error{File: p, Message: reason(err)})
		}
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				problems = append(problems, &Error{File: f, Message: reason(err)})
				continue
			}
			problems = append(problems, add(own, f, data)...)
		}
	}
	for id, r := range own {
		byID[id] = r
	}
	return build(byID), errors.Join(problems...)
}

// Parse reads rules from data; name is used in errors.
func Parse(name string, data []byte) (*Set, error) {
	byID := map[string]*Rule{}
	problems := add(byID, name, data)
	return build(byID), errors.Join(problems...)
}

func list(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	files, err := filepath.Glob(filepath.Join(path, "*.yaml"))
	if err == nil && len(files) == 0 {
		err = errors.New("the folder holds no *.yaml file")
	}
	return files, err
}

// reason leaves out the path and call that an *fs.PathError repeats.
func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

func build(byID map[string]*Rule) *Set {
	s := &Set{}
	for _, r := range byID {
		s.rules = append(s.rules, r)
	}
	slices.SortFunc(s.rules, func(a, b *Rule) int { return strings.Compare(a.ID, b.ID) })
	for _, r := range s.rules {
		for p := range s.index {
			if r.on.proto != protocols.ProtoUnknown && r.on.proto != protocols.Proto(p) {
				continue
			}
			for f := range s.index[p] {
				if len(r.on.functions) == 0 || contains(r.on.functions, uint8(f)) {
					s.index[p][f] = append(s.index[p][f], r)
				}
			}
		}
	}
	return s
}

// document is a rule file.
type document struct {
	Rules []entry `yaml:"rules"`
}

// entry is a rule as it is written.
type entry struct {
	ID         text      `yaml:"id"`
	Title      text      `yaml:"title"`
	Severity   text      `yaml:"severity"`
	On         selection `yaml:"on"`
	When       text      `yaml:"when"`
	Why        text      `yaml:"why"`
	Action     text      `yaml:"action"`
	Techniques texts     `yaml:"techniques"`
	References texts     `yaml:"references"`
	Fires      []example `yaml:"fires"`
	Silent     []example `yaml:"silent"`
}

type selection struct {
	Protocol  text  `yaml:"protocol"`
	Role      texts `yaml:"role"`
	Function  texts `yaml:"function"`
	Sub       texts `yaml:"sub"`
	Effect    texts `yaml:"effect"`
	Violation texts `yaml:"violation"`
	Broadcast bool  `yaml:"broadcast"`
}

func add(into map[string]*Rule, name string, data []byte) []error {
	var doc document
	if err := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict()).Decode(&doc); err != nil {
		return []error{located(name, err)}
	}
	if len(doc.Rules) == 0 {
		return []error{&Error{File: name, Message: `no rules: the file needs a list under the key "rules"`}}
	}
	var problems []error
	for i := range doc.Rules {
		r, errs := doc.Rules[i].rule(name, i)
		if r != nil && into[r.ID] != nil {
			errs = append(errs, &Error{name, doc.Rules[i].ID.line, doc.Rules[i].ID.column,
				fmt.Sprintf("rule id %q is already used in %s:%d", r.ID, into[r.ID].File, into[r.ID].Line)})
		}
		if len(errs) > 0 {
			problems = append(problems, errs...)
			continue
		}
		into[r.ID] = r
	}
	return problems
}

func located(name string, err error) error {
	var at interface {
		GetToken() *token.Token
		GetMessage() string
	}
	if errors.As(err, &at) && at.GetToken() != nil && at.GetToken().Position != nil {
		p := at.GetToken().Position
		return &Error{name, p.Line, p.Column, at.GetMessage()}
	}
	if text := err.Error(); text != "EOF" {
		return &Error{File: name, Message: text}
	}
	return &Error{File: name, Message: "the file is empty"}
}

var (
	idPattern        = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	techniquePattern = regexp.MustCompile(`^T0\d{3}$`)
)

// reader gathers what is wrong while an entry is turned into a rule.
type reader struct {
	file     string
	fallback text
	problems []error
}

func (r *reader) fail(at text, format string, args ...any) {
	if at.line == 0 {
		at = r.fallback
	}
	r.problems = append(r.problems, &Error{r.file, at.line, at.column, fmt.Sprintf(format, args...)})
}

func (y *entry) rule(path string, i int) (*Rule, []error) {
	rd := &reader{file: path, fallback: y.ID}
	if y.ID.line == 0 {
		rd.fallback = y.Title
	}
	if !idPattern.MatchString(y.ID.value) {
		rd.fail(y.ID, "rule %d: id %q is not lower-case words joined by hyphens", i+1, y.ID.value)
	}
	for _, must := range []struct {
		name string
		t    text
	}{{"title", y.Title}, {"why", y.Why}, {"action", y.Action}} {
		if must.t.value == "" {
			rd.fail(must.t, "rule %q has no %s", y.ID.value, must.name)
		}
	}
	severity, err := protocols.ParseSeverity(y.Severity.value)
	if err != nil {
		rd.fail(y.Severity, "%v", err)
	}
	for _, t := range y.Techniques {
		if !techniquePattern.MatchString(t.value) {
			rd.fail(t, "%q is not an ATT&CK for ICS technique (T0 and three digits)", t.value)
		}
	}
	r := &Rule{
		ID: y.ID.value, File: path, Line: y.ID.line, Title: y.Title.value, Severity: severity,
		Why: y.Why.value, Action: y.Action.value, Techniques: y.Techniques.values(), References: y.References.values(),
		on: rd.selector(&y.On), whenText: y.When.value, fires: y.Fires, silent: y.Silent,
	}
	if y.When.value != "" {
		r.when = rd.expression(y.When)
	}
	rd.examples(r)
	r.kind = &detect.Kind{
		Name: "rule." + r.ID, Severity: severity, Meaning: r.Title + ". " + r.Why,
		Decision: "Rule " + r.ID + ": a message that the rule describes; no learning.", Action: r.Action, Techniques: r.Techniques,
	}
	return r, rd.problems
}

func (rd *reader) expression(when text) *vm.Program {
	p, err := compile(when.value)
	if err == nil {
		return p
	}
	at, message := when, err.Error()
	var fe *file.Error
	if errors.As(err, &fe) {
		message = fe.Message
		if fe.Line == 1 {
			at.column += fe.Column
		}
	}
	rd.fail(at, "when: %s", message)
	return nil
}

func (rd *reader) selector(y *selection) selector {
	s := selector{broadcast: y.Broadcast, violation: y.Violation.values()}
	if y.Protocol.value != "" {
		s.proto = protocols.Proto(rd.oneOf(y.Protocol, "protocol", int(protocols.NumProtos), func(i int) string { return protocols.Proto(i).String() }))
	}
	for _, t := range y.Role {
		s.roles |= 1 << rd.oneOf(t, "role", int(protocols.NumRoles), func(i int) string { return protocols.Role(i).String() })
	}
	for _, t := range y.Effect {
		s.effects |= 1 << rd.oneOf(t, "effect", int(protocols.NumEffects), func(i int) string { return protocols.Effect(i).String() })
	}
	for _, t := range y.Function {
		s.functions = append(s.functions, uint8(rd.number(t, "function", 255)))
	}
	for _, t := range y.Sub {
		s.subs = append(s.subs, int32(rd.number(t, "sub", 65535)))
	}
	if len(s.functions) > 0 && s.proto == protocols.ProtoUnknown {
		rd.fail(y.Function[0], "function codes need a protocol: the same code means other things in Modbus and DNP3")
	}
	if len(s.subs) > 0 && len(s.functions) == 0 {
		rd.fail(y.Sub[0], "a sub-function needs a function")
	}
	return s
}

func (rd *reader) oneOf(t text, what string, n int, name func(int) string) int {
	var names []string
	for i := range n {
		if name(i) == t.value {
			return i
		}
		if name(i) != "unknown" {
			names = append(names, name(i))
		}
	}
	rd.fail(t, "%s %q is none of %s", what, t.value, strings.Join(names, ", "))
	return 0
}

func (rd *reader) number(t text, what string, most uint64) uint64 {
	n, err := strconv.ParseUint(t.value, 0, 64)
	if err != nil || n > most {
		rd.fail(t, "%s %q is not a number from 0 to %d (0x for hexadecimal)", what, t.value, most)
	}
	return n
}

// Without returns the set without the rules of the ids given.
func (s *Set) Without(ids ...string) *Set {
	left := map[string]*Rule{}
	for _, r := range s.rules {
		if !contains(ids, r.ID) {
			left[r.ID] = r
		}
	}
	return build(left)
}
