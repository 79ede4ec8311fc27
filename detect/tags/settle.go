package tags

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/weir-ics/weir/detect"
)

// Settle ends the inference of types in the extractors of all shards: what they
// gathered is weighed together, and all of them read registers by the same list
// from then on. It returns that list (what was given, and what was inferred) and
// the series that take the place of raw ones.
func Settle(given *List, extractors ...*Extractor) (*List, []Retyped) {
	inferred := make([][]Tag, len(extractors))
	for i, x := range extractors {
		inferred[i] = x.Infer()
		x.lessons, x.lesson = nil, nil // they take more than what is made of them
	}
	list := Combine(given, inferred...)
	var out []Retyped
	for _, x := range extractors {
		out = append(out, x.Adopt(list)...)
	}
	if list != given {
		packed := list.Packed()
		for _, x := range extractors {
			x.list = packed
		}
		list = packed
	}
	// In an order that does not tell how the traffic was shared out.
	slices.SortStableFunc(out, func(a, b Retyped) int {
		x, y := a.Typed, b.Typed
		return cmp.Or(x.Device.Compare(y.Device), cmp.Compare(x.Unit, y.Unit), cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Index, y.Index))
	})
	return list, out
}

// Convert puts typed samples in the place of those of raw registers, for samples
// that were extracted before the types were settled and belong to the time
// after. It changes and returns samples. Registers that did not come with all of
// their number are left out, as an Extractor does.
func Convert(samples []detect.Sample, retyped []Retyped) []detect.Sample {
	type part struct {
		of *Retyped
		at int
	}
	parts := make(map[*detect.Series]part)
	for i := range retyped {
		for k, s := range retyped[i].Raw {
			parts[s] = part{&retyped[i], k}
		}
	}
	out := samples[:0]
	for i := 0; i < len(samples); {
		p, typed := parts[samples[i].Series]
		if !typed {
			out = append(out, samples[i])
			i++
			continue
		}
		n := len(p.of.Raw)
		var r [4]uint16
		whole := p.at == 0 && i+n <= len(samples)
		for k := 0; whole && k < n; k++ {
			s := &samples[i+k]
			whole = s.Series == p.of.Raw[k] && s.Frame == samples[i].Frame && s.Access == samples[i].Access
			r[k] = uint16(s.Value)
		}
		if !whole {
			i++
			continue
		}
		v := p.of.Decode(r[:n])
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			s := samples[i]
			s.Series, s.Value = p.of.Typed, v
			out = append(out, s)
		}
		i += n
	}
	return out
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
	return load(strings.NewReader(text), "baseline", strings.Count(text, "\n"))
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
