package tags

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// Settle ends the inference of types in the extractors of all shards: what they
// gathered is weighed together, and all of them read registers by the same list
// from then on. It returns that list (what was given, and what was inferred) and
// the series that take the place of raw ones.
func Settle(given *List, extractors ...*Extractor) (*List, []Retyped) {
	inferred := make([][]Tag, len(extractors))
	for i, x := range extractors {
		inferred[i] = x.Infer()
	}
	list := Combine(given, inferred...)
	var out []Retyped
	for _, x := range extractors {
		out = append(out, x.Adopt(list)...)
	}
	return list, out
}

// Section returns the list as a section of a baseline file: the CSV of Save, as
// a JSON string.
func (l *List) Section() (json.RawMessage, error) {
	var b bytes.Buffer
	if err := l.Save(&b); err != nil {
		return nil, err
	}
	return json.Marshal(b.String())
}

// FromSection reads what Section wrote.
func FromSection(section json.RawMessage) (*List, error) {
	var text string
	if err := json.Unmarshal(section, &text); err != nil {
		return nil, fmt.Errorf("read the tags of the baseline: %w", err)
	}
	return Load(strings.NewReader(text), "baseline")
}

// MergeSections puts two sections together; where they differ, the more
// confident tag is right, and the first of two that are equally confident.
func MergeSections(a, b json.RawMessage) (json.RawMessage, error) {
	x, err := FromSection(a)
	if err != nil {
		return nil, err
	}
	y, err := FromSection(b)
	if err != nil {
		return nil, err
	}
	return Combine(nil, x.Tags(), y.Tags()).Section()
}
