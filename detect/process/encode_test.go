package process

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestASectionOfTheFirstVersionIsReadAndWrittenInTheNew(t *testing.T) {
	first, err := os.ReadFile("testdata/section1.json")
	if err != nil {
		t.Fatal(err)
	}
	show := func(section json.RawMessage) string {
		var b bytes.Buffer
		if err := Show(&b, section); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	e := NewEngine(Settings{})
	if err := e.Load(first); err != nil {
		t.Fatal(err)
	}
	if e.stats.Points != 7 || len(e.tickers) != 1 || len(e.tickers[0].relations) != 1 {
		t.Errorf("%d points and %d paces were read", e.stats.Points, len(e.tickers))
	}
	second, err := e.Save()
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(second) || len(second) > len(first) {
		t.Errorf("it was written as %s", second)
	}
	if a, b := show(first), show(second); a != b || !strings.Contains(a, "relation of") {
		t.Errorf("what is shown differs:\n%s\n%s", a, b)
	}
}

func TestConstantsOfATableStandInRunsAndOthersOnLinesOfTheirOwn(t *testing.T) {
	s := savedPoint{Proto: "modbus", Kind: "coil", Nature: "constant", N: 9, Visits: []uint32{1}, Regular: true, Low: math.Inf(-1), High: math.Inf(1)}
	var points []savedPoint
	for i, v := range []float64{0, 1, 0.1, 7, 7, 7} {
		s.Index, s.States = uint32(i), []float64{v}
		points = append(points, s)
	}
	points[3].N = 8
	points[5].Index = 99
	var w encoder
	w.table(points, true)
	want := `
{"device":"","proto":"modbus","unit":0,"kind":"coil","n":9,"regular":true,"constants":[[0,0,1,0.1],[4,7],[99,7]],"points":[
{"index":3,"nature":"constant","n":8,"states":[7],"visits":[1]}]}`
	if string(w.dst) != want || w.err != nil {
		t.Errorf("got%s\nwant%s (error %v)", w.dst, want, w.err)
	}
	points[0].States[0] = math.Inf(1)
	if w.table(points, true); w.err == nil {
		t.Error("an infinite number is written")
	}
}

func TestWeightsAndPlacesAreReadAsTheyWereWritten(t *testing.T) {
	var w encoder
	weights := []float32{0, -1.5, 1e-30, 3.4e38}
	places := []int{5, 6, 7, 8, 1, 2, 40, 3, 4, 5}
	w.places(places)
	w.weights("weights", weights)
	d := decoder{data: append(append([]byte{'['}, bytes.Replace(w.dst, []byte(`"weights":`), nil, 1)...), ']')}
	d.array(func(i int) {
		if i == 0 {
			if got := d.places(nil); len(got) != len(places) || got[3] != 8 || got[6] != 40 || got[9] != 5 {
				t.Errorf("places %v became %v", places, got)
			}
			return
		}
		for k, v := range d.weights() {
			if v != weights[k] {
				t.Errorf("weight %g became %g", weights[k], v)
			}
		}
	})
	if d.end(); d.err != nil {
		t.Error(d.err)
	}
}

func TestRelationsOfAPaceAreReadOneByOne(t *testing.T) {
	d := decoder{data: []byte(`{"interval":5,"relations":[{"rows":3},{"rows":4}],"rules":[{"rows":9}]}`)}
	s := d.pace()
	if d.end(); d.err != nil || len(s.Relations) != 0 || len(s.Rules) != 1 {
		t.Fatalf("read %+v (error %v), want the relations left for later", s, d.err)
	}
	for range 2 {
		var rows []int
		if err := s.each(func(r *savedRelation) error { rows = append(rows, r.Rows); return nil }); err != nil || !slices.Equal(rows, []int{3, 4}) {
			t.Errorf("relations of %v rows (error %v), want of 3 and 4", rows, err)
		}
	}
	calls, bad := 0, errors.New("bad")
	if err := s.each(func(*savedRelation) error { calls++; return bad }); !errors.Is(err, bad) || calls != 1 {
		t.Errorf("went on with %d relations after an error (%v)", calls, err)
	}
	d = decoder{data: []byte(`{"relations":[{"rows":"many"}]}`)}
	s = d.pace()
	if err := s.each(func(*savedRelation) error { return nil }); err == nil {
		t.Error("a relation that is none raised no error")
	}
}

func TestSkippingAValueEndsWhereItsStringsEnd(t *testing.T) {
	for _, v := range []string{`"plain"`, `"a\"]b"`, `["c\\",{"x":"]}"},"\\\"",""]`, `{"a\\":1}`} {
		d := decoder{data: []byte(v + `,"next"`)}
		if got := string(d.skip()); got != v || d.err != nil {
			t.Errorf("skipped %s of %s (error %v)", got, v, d.err)
		}
	}
	for _, v := range []string{`"open`, `"open\`, `"open\"`, `["`} {
		if d := (decoder{data: []byte(v)}); d.skip() != nil || d.err == nil {
			t.Errorf("%s has no end, and was skipped", v)
		}
	}
}

func TestMemoryForRecordingsIsTakenWithTheFirstValue(t *testing.T) {
	r := newReplay(1, 0.01, minReplayRing)
	if r.marks != nil || r.places != nil {
		t.Error("there are rings before there is a value")
	}
	r.add(3, 1e9)
	if len(r.marks) != minReplayRing || len(r.places) != minReplayRing {
		t.Errorf("rings of %d and %d values, want %d", len(r.marks), len(r.places), minReplayRing)
	}
}
