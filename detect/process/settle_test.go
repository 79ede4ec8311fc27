package process

import (
	"bytes"
	"math"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// pumps makes devices with two pumps and eight flows each, which follow the pumps of
// their own device and a demand of all, and an engine that has learned from them for
// some rows. It returns a function that goes on with a row, in which points may be told
// to be something else than they are.
func pumps(devices, rows int, s Settings) (*Engine, func(lie func(device, point int, v float64) float64)) {
	const perDevice = 10
	e := NewEngine(s)
	series := make([]*detect.Series, devices*perDevice)
	for i := range series {
		series[i] = &detect.Series{Table: &detect.Table{Device: netip.AddrFrom4([4]byte{10, 0, byte(i / perDevice >> 8), byte(i / perDevice)}), Proto: protocols.ProtoModbus,
			Unit: 1, Kind: protocols.KindHoldingRegister}, Index: uint32(i % perDevice), Label: &detect.Label{Type: "uint16"}}
	}
	r := rand.New(rand.NewPCG(3, 4))
	values := make([]float64, len(series))
	frame, row := uint64(0), 0
	next := func(lie func(device, point int, v float64) float64) {
		demand := 30 * math.Sin(float64(row)/40)
		for d := range devices {
			mine := values[d*perDevice : (d+1)*perDevice]
			for p := range 2 {
				if r.IntN(20+d%7+5*p) == 0 {
					mine[p] = 1 - mine[p]
				}
			}
			for k := 2; k < perDevice; k++ {
				aim := 500 + demand*float64(k%3) + 200*mine[k%2]
				mine[k] += math.Round(0.5*(aim-mine[k]) + 4*r.NormFloat64())
			}
		}
		for i, x := range series {
			frame++
			now := int64(row+1)*1e9 + int64(i)*1e4
			v := values[i]
			if lie != nil {
				v = lie(i/perDevice, i%perDevice, v)
			}
			e.Observe(&detect.Sample{Series: x, Time: now, Clock: now, Frame: frame, Access: protocols.AccessReport, Value: max(0, v)})
		}
		row++
	}
	for range rows {
		next(nil)
	}
	e.watchAt = int64(rows+1) * 1e9
	return e, next
}

func TestTheSameIsLearnedOnAnyNumberOfProcessors(t *testing.T) {
	learn := func(processors int) []byte {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
		e, _ := pumps(64, 400, Settings{GroupSize: 24})
		e.settle()
		relations, responses := 0, 0
		for _, tick := range e.tickers {
			for _, r := range tick.relations {
				relations++
				responses += len(r.responses)
			}
		}
		if relations < 8 || responses < 8 {
			t.Errorf("%d relations with %d responses are too few to tell anything", relations, responses)
		}
		saved, err := e.Save()
		if err != nil {
			t.Fatal(err)
		}
		return saved
	}
	one := learn(1)
	for _, processors := range []int{2, 5} {
		if several := learn(processors); !bytes.Equal(one, several) {
			t.Errorf("one processor learns %d octets of baseline, %d learn %d others", len(one), processors, len(several))
		}
	}
}

func TestTheSameIsFoundByAnyNumberOfWorkers(t *testing.T) {
	watch := func(workers int) []detect.Finding {
		e, next := pumps(64, 400, Settings{GroupSize: 24, Workers: workers})
		for i := range 120 {
			more := 0.0
			if i%40 > 20 {
				more = 60
			}
			next(func(device, point int, v float64) float64 {
				if device < 16 && point >= 2 {
					v += more
				}
				return v
			})
		}
		if n := e.tickers[0].board.weights; n < worthSharing {
			t.Errorf("rows of %d weights are not shared", n)
		}
		return e.Findings(nil)
	}
	one := watch(1)
	if len(one) < 20 {
		t.Errorf("%d findings are too few to tell anything", len(one))
	}
	for _, workers := range []int{2, 5} {
		if d := cmp.Diff(one, watch(workers), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
			t.Errorf("%d workers find something else than one:\n%s", workers, d)
		}
	}
}

func TestALongHistoryIsFittedInNoMoreMemoryThanPastValuesMayTake(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(64))
	e := NewEngine(Settings{})
	if n := e.fitters(600); n < 16 {
		t.Errorf("a history of 600 rows is fitted by %d at once", n)
	}
	if n := e.fitters(16_384); n < 1 || n > 4 {
		t.Errorf("a history of 16,384 rows is fitted by %d at once", n)
	}
	if n := e.fitters(1 << 24); n != 1 {
		t.Errorf("a history that is too long is fitted by %d at once", n)
	}
}

func TestTheNearestSketchesAreThoseOfAllPairs(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, n := range []int{1, 2, 9, 300, 700, 900} {
		sketches := make([]sketch, n)
		for i := range sketches {
			for k := range sketches[i] {
				// Few bits differ, so that many pairs are as much alike.
				sketches[i][k] = 1 << r.IntN(64)
			}
		}
		var want []likeness
		for i := range sketches {
			var all []likeness
			for j := range sketches {
				if l := sketches[i].like(&sketches[j]); i != j && l > 0 {
					all = append(all, likeness{l, int32(i), int32(j)})
				}
			}
			slices.SortStableFunc(all, func(x, y likeness) int { return y.like - x.like })
			want = append(want, all[:min(len(all), neighbours)]...)
		}
		if got := nearest(sketches); !slices.Equal(got, want) {
			t.Errorf("the %d nearest pairs of %d sketches are other than by comparing all, of which there are %d", len(got), n, len(want))
		}
	}
}

func TestStaysThatAreLeftOutAreAsUsual(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	out, wide := 0, 0
	for range 2000 {
		n, scale := 50+r.IntN(400), 0.5+2*r.Float64()
		residuals := make([]float64, n)
		for i := range residuals {
			residuals[i] = r.NormFloat64() * scale
			if r.IntN(2000) == 0 {
				residuals[i] *= math.Pow(10, float64(r.IntN(12))) // sums lose what is small
			}
		}
		x := newLeftover(residuals, 1, nil)
		for i, known := 0, r.Float64(); i < n; i++ {
			if r.Float64() < known {
				x.learn(int32(i), spread{r.NormFloat64(), 1 + 3*r.Float64()})
			}
		}
		x.addUp()
		o := stays{n: float64(1 + r.IntN(8))}
		for at := int32(r.IntN(30)); at < int32(n); {
			end := min(int32(n), at+1+int32(r.IntN(40)))
			o.runs, o.size = append(o.runs, run{at, end}), o.size+int(end-at)
			at = end + 1 + int32(r.IntN(60))
		}
		// By definition, all of them are added up.
		rows := o.rowsInto(nil)
		seen := examples{n: float64(len(rows))}
		for _, i := range rows {
			v, left := x.plain[i], x.left[i]
			seen.sum, seen.squares = seen.sum+v, seen.squares+v*v
			seen.leftSum, seen.leftSquares = seen.leftSum+left, seen.leftSquares+left*left
			if math.Abs(v) > noticeable {
				seen.large++
			}
		}
		s := seen.spread(o.n, 1, nil)
		if got := x.spread(rows, o.n); got != s {
			t.Fatalf("the spread of %d rows is %v, want %v", o.size, got, s)
		}
		if s.width > 1 {
			wide++
		}
		if x.usualIn(&o) {
			if out++; s != (spread{0, 1}) {
				t.Fatalf("%d rows were left out whose spread is %v", o.size, s)
			}
		}
	}
	if out < 100 || wide < 100 {
		t.Errorf("%d stays were left out, and %d wide: too few to tell anything", out, wide)
	}
}

func TestTurnsTellTheStaysAndOccurrencesThatRowsTell(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for round := range 300 {
		n := 60 + r.IntN(200)
		room := &room{budget: 1 << 30, maxRows: 1 << 20}
		h := &history{room: room}
		from := r.IntN(5)
		c := column{only: 0, from: int32(from)}
		now, sequence := float32(0), int64(10)
		if round%3 == 0 {
			now = 0.5 // no whole number
		}
		low := now
		c.only = low
		for i := range n {
			if r.IntN(40) == 0 {
				sequence += int64(r.IntN(5)) // a gap
			}
			if i > from && r.IntN(12) == 0 {
				now = low + 1 - (now - low)
			}
			if i >= from {
				c.put(room, i, now)
			}
			h.times, h.sequences = append(h.times, 1e18+sequence*1e9), append(h.sequences, sequence)
			sequence++
		}
		if c.moved == nil {
			continue
		}
		h.columns = []column{c}
		p := &point{rare: &rare{tally: &tally{motion: &motion{nStates: 2, states: [maxStates]float64{float64(low), float64(low) + 1}}}}}
		rel := &relation{switches: []*point{p}}
		data := learned{from: h.whole()}
		data.rows = len(data.from)
		all := []turns{c.turns()}
		place := data.places(h)

		// What the rows tell, one by one.
		since, was, is := int64(0), -1, 0
		var wantRows [2][]int32
		var wantN [2]float64
		var wantSwitched [2][]int32
		for row := from; row < n; row++ {
			is = 0
			if c.at(row) == float64(low)+1 {
				is = 1
			}
			if is != was {
				wantN[is]++
				since = 0
				if row > from && h.sequences[row] == h.sequences[row-1]+1 {
					since = h.times[row]
					wantSwitched[is] = append(wantSwitched[is], int32(row))
				}
			}
			was = is
			if i := place[row]; i > 0 && ageOf(h.times[row]-since, 1e9) >= longestResponse {
				wantRows[is] = append(wantRows[is], i-1)
			}
		}
		for _, o := range rel.staysOf(h, 1e9, all, before(place)) {
			if got := o.rowsInto(nil); !slices.Equal(got, wantRows[o.kind]) || o.n != wantN[o.kind] || o.size != len(got) {
				t.Fatalf("round %d: stays of kind %d are %v rows in %g stays, want %v in %g", round, o.kind, got, o.n, wantRows[o.kind], wantN[o.kind])
			}
			wantRows[o.kind] = nil
		}
		for _, o := range rel.occurrencesOf(h, all) {
			if !slices.Equal(o.rows, wantSwitched[o.kind]) {
				t.Fatalf("round %d: kind %d occurs in rows %v, want %v", round, o.kind, o.rows, wantSwitched[o.kind])
			}
			wantSwitched[o.kind] = nil
		}
		if len(wantRows[0])+len(wantRows[1])+len(wantSwitched[0])+len(wantSwitched[1]) > 0 {
			t.Fatalf("round %d: not found: stays %v, occurrences %v", round, wantRows, wantSwitched)
		}
	}
}

func TestWeightsAreTheRegressionOfEachMemberOnTheOthers(t *testing.T) {
	const d, n = 5, 300
	r := rand.New(rand.NewPCG(11, 12))
	f := d*(1+lags) + 1
	x := newMatrix(n, f)
	data := learned{x: x, rows: n}
	for i := range n {
		row := x.row(i)
		for k := range f - 1 {
			row[k] = r.NormFloat64()
		}
		row[0] = row[1] - 0.5*row[d] + 0.1*r.NormFloat64() // of another now, and its own past
		row[f-1] = 1
		data.z = append(data.z, row[:d])
	}
	fit := crossValidate(data, d)
	if w := fit.weights[0]; math.Abs(w[1]-1) > 0.05 || math.Abs(w[d]+0.5) > 0.05 || w[0] != 0 {
		t.Errorf("the weights are %.2f on another and %.2f on its own past, want 1 and -0.5", w[1], w[d])
	}
	if w := fit.anchors[0]; math.Abs(w[1]-1) > 0.1 || w[0] != 0 || w[d] != 0 || w[2*d] != 0 {
		t.Errorf("without its own past, the weight on another is %.2f, want 1; its own are %v", w[1], []float64{w[0], w[d], w[2*d]})
	}
	// What is left of the parts that were not fitted is about what chance put there.
	if s := math.Sqrt(fit.free.error[0] / n); s < 0.08 || s > 0.12 {
		t.Errorf("a deviation of %.3f is left, want 0.1", s)
	}
	for j := range d {
		for i, v := range fit.free.best[j] {
			if math.IsNaN(v) {
				t.Fatalf("what is left of member %d in row %d is no number", j, i)
			}
		}
	}
}

// BenchmarkSettle is the end of learning of 2,000 points of which all move, a fifth of
// them switches, after 600 rows.
func BenchmarkSettle(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		e, _ := pumps(200, 600, Settings{})
		b.StartTimer()
		e.settle()
	}
}
