package process

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
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
			if got := d.places(); len(got) != len(places) || got[3] != 8 || got[6] != 40 || got[9] != 5 {
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
