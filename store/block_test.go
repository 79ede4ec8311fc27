package store

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-ics/weir/detect"
)

// plain is what a sample becomes in a chunk, unrounded.
func plain(v *detect.Sample) sample {
	s := sample{time: v.Time, deviceTime: v.DeviceTime, value: v.Value, flags: v.Flags, hasFlags: v.HasFlags}
	if v.Judged {
		s.judged, s.score, s.low, s.high = true, float32(v.Score), float32(v.Low), float32(v.High)
	}
	return s
}

// eyes compares samples: to the bit, but for what is for the eye.
func eyes(a, b sample) bool {
	if a.time != b.time || a.deviceTime != b.deviceTime || math.Float64bits(a.value) != math.Float64bits(b.value) ||
		a.flags != b.flags || a.hasFlags != b.hasFlags || a.judged != b.judged {
		return false
	}
	near := func(x, y float32, by float64) bool {
		return math.Float32bits(x) == math.Float32bits(y) || math.Abs(float64(x)-float64(y)) <= by+math.Abs(float64(x))/(1<<22) || x != x && y != y
	}
	width := math.Abs(float64(a.high) - float64(a.low))
	return near(a.score, b.score, math.Abs(float64(a.score))/500+1e-38) && near(a.low, b.low, width/500) && near(a.high, b.high, width/500)
}

// wander makes the samples of a group's members, as devices and models might.
func wander(r *rand.Rand, before []detect.Sample, at int64) []detect.Sample {
	out := make([]detect.Sample, len(before))
	for i := range out {
		v := before[i]
		v.Time, v.DeviceTime = at, 0
		switch r.IntN(12) {
		case 0:
			v.Value = strange(r)
		case 1:
			v.Value = float64(r.IntN(65536)) * []float64{1, 0.1, 0.01, 0.001, 0.3}[r.IntN(5)]
		case 2:
			v.Value = float64(r.IntN(65536)) / []float64{10, 100, 1000, 7}[r.IntN(4)]
		case 3:
			v.Value = float64(float32(r.NormFloat64()))
		case 4:
			v.HasFlags, v.Flags = r.IntN(2) == 0, uint8(r.IntN(3))
		case 5:
			v.DeviceTime = at - r.Int64N(1e12)
		case 6:
			v.Judged, v.Score, v.Low, v.High = false, 0, 0, 0
		case 7, 8:
			v.Judged = true
			v.Score = math.Abs(strange(r))
			v.Low = 100 * r.NormFloat64()
			v.High = v.Low + math.Exp(4*r.NormFloat64())*float64(r.IntN(4))
			if r.IntN(10) == 0 {
				v.Low = math.Inf(-1)
			}
		}
		out[i] = v
	}
	return out
}

func TestWhatBlocksSayOfAPointIsWhatWasReported(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for round := range 100 {
		var s Store
		members := make([]*seriesBuf, 1+r.IntN(maxMembers))
		for i := range members {
			members[i] = &seriesBuf{id: int64(64*5 + i)}
		}
		g := s.newGroup(members...)
		now := make([]detect.Sample, len(members))
		want := make([][]sample, len(members))
		at := t0
		var b batch
		var blocks [][]byte
		flush := func() {
			b.close(g)
			var block []byte
			for i := range b.segments {
				block = appendSection(block, &b.segments[i], b.log[b.segments[i].from:b.segments[i].to])
			}
			blocks = append(blocks, block)
			b.reset()
		}
		for range 200 {
			at += []int64{1e9, 1e9 + 1000*r.Int64N(1000), 1e9 + r.Int64N(1e6)}[min(round%4, 2)]
			now = wander(r, now, at)
			s.addReadings(&b, g, now)
			for i := range now {
				want[i] = append(want[i], plain(&now[i]))
			}
			switch r.IntN(30) {
			case 0:
				flush()
			case 1:
				s.epoch++
			}
		}
		flush()
		each := func(f func([]byte)) error {
			for _, b := range blocks {
				f(b)
			}
			return nil
		}
		all, err := total(each)
		must(t, err)
		for i := range members {
			got, err := collect(byte(i), each)
			must(t, err)
			if d := cmp.Diff(want[i], got, cmp.AllowUnexported(sample{}), cmp.Comparer(eyes)); d != "" {
				t.Fatalf("round %d, point %d: %s", round, i, d)
			}
			// And the minutes are those of the values.
			var minutes []sum
			for j := range got {
				var one sum
				one.add(&got[j])
				minutes = gatherSum(minutes, &one, minute)
			}
			if d := cmp.Diff(minutes, all[i].minutes, cmp.AllowUnexported(sum{}), sumsBut(alike)); d != "" {
				t.Fatalf("round %d, point %d: %s", round, i, d)
			}
			x, last := all[i], got[len(got)-1]
			if x.count != uint64(len(got)) || x.first != got[0].time || x.last != last.time || math.Float64bits(x.value) != math.Float64bits(last.value) {
				t.Fatalf("round %d, point %d: %d values from %d to %d, the last %v", round, i, x.count, x.first, x.last, x.value)
			}
		}
	}
}

// sumsBut compares sums to the bit, but for their means.
func sumsBut(means func(a, b float64) bool) cmp.Option {
	return cmp.Comparer(func(a, b sum) bool {
		va, vb := valuesOf(&a), valuesOf(&b)
		va[2], vb[2] = 0, 0
		return means(a.mean, b.mean) && va == vb && judgementOf(&a) == judgementOf(&b) && a.judged == b.judged &&
			a.time == b.time && a.count == b.count && a.numbers == b.numbers
	})
}

// alike allows for another order of addition; that of infinities has no sense.
func alike(a, b float64) bool {
	return a == b || math.IsNaN(a-a) || math.IsNaN(b-b) || math.Abs(a-b) <= 1e-9*math.Max(math.Abs(a), math.Abs(b))
}

func TestUnpackingAColumnIsTheInverseOfPackingIt(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	for range 200 {
		var want []sum
		at := t0
		for range 1 + r.IntN(100) {
			at += minute + r.Int64N(3)*r.Int64N(1e9)
			s := sum{time: at, count: 60, numbers: 60, min: 5, max: 5, mean: 5, last: 5}
			switch r.IntN(4) {
			case 0:
				s.count, s.numbers = uint32(r.IntN(100)), 0
			case 1:
				s.min, s.max, s.mean, s.last = strange(r), strange(r), strange(r), strange(r)
			case 2:
				s.judged, s.score, s.low, s.high = true, r.Float32(), r.Float32(), float32(strange(r))
			}
			s.numbers = min(s.numbers, s.count)
			want = append(want, s)
		}
		n := 0
		columns(appendColumn(appendColumn(nil, 7, want), 8, want[:1]), func(place byte, column []byte) {
			n++
			got, err := unpack(nil, column)
			must(t, err)
			wanted := want
			if place == 8 {
				wanted = want[:1]
			}
			if d := cmp.Diff(wanted, got, cmp.AllowUnexported(sum{}), sumsBut(func(a, b float64) bool {
				return math.Float64bits(a)>>meanBits == math.Float64bits(b)>>meanBits
			})); d != "" {
				t.Fatal(d)
			}
		})
		if n != 2 {
			t.Fatalf("%d columns", n)
		}
	}
}

// FuzzBlock reads damaged blocks and columns: nothing worse than less may come of
// it.
func FuzzBlock(f *testing.F) {
	var s Store
	g := s.newGroup(&seriesBuf{id: 3}, &seriesBuf{id: 4})
	for i := range int64(3) {
		s.addReadings(&batch{}, g, []detect.Sample{{Time: t0 + i*1e9, Value: float64(i), Judged: true, Score: 1, Low: -1, High: 3}, {Time: t0 + i*1e9, Value: 0.1}})
	}
	block := appendSection(nil, &segment{group: g, fresh: true, unit: g.unit, readings: g.readings}, g.log)
	f.Add(block)
	f.Add(append(block, block...))
	f.Add(appendColumn(nil, 1, []sum{{time: 5, count: 3, numbers: 2, min: 1, max: 2, mean: 1.5, last: 2, judged: true}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		each := func(f func([]byte)) error {
			half := len(data) / 2
			f(data[:half])
			f(data[half:])
			f(data)
			return nil
		}
		all, err := total(each)
		must(t, err)
		for p := range all {
			if n := len(all[p].minutes); n > 3*len(data) {
				t.Fatalf("%d minutes of %d octets", n, len(data))
			}
		}
		values, err := collect(4, each)
		must(t, err)
		if len(values) > 3*maxMembers*len(data) {
			t.Fatalf("%d values of %d octets", len(values), len(data))
		}
		columns(data, func(_ byte, column []byte) {
			rows, _ := unpack(nil, column)
			if len(rows) > len(column) {
				t.Fatalf("%d rows of %d octets", len(rows), len(column))
			}
		})
		var h head
		h.parse(data)
	})
}

// FuzzReadings gives a group whatever readings there are, and reads them again.
func FuzzReadings(f *testing.F) {
	f.Add(uint64(1), uint64(2), uint8(3), uint16(20))
	f.Fuzz(func(t *testing.T, seed1, seed2 uint64, members uint8, readings uint16) {
		r := rand.New(rand.NewPCG(seed1, seed2))
		var s Store
		buf := make([]*seriesBuf, 1+int(members)%maxMembers)
		for i := range buf {
			buf[i] = &seriesBuf{id: int64(i)}
		}
		g := s.newGroup(buf...)
		now := make([]detect.Sample, len(buf))
		want := make([][]sample, len(buf))
		at := r.Int64() - r.Int64()
		var b batch
		for range readings % 50 {
			if r.IntN(20) == 0 {
				at = r.Int64() - r.Int64()
			}
			at += int64(r.ExpFloat64() * 1e9)
			now = wander(r, now, at)
			s.addReadings(&b, g, now)
			for i := range now {
				want[i] = append(want[i], plain(&now[i]))
			}
		}
		b.close(g)
		each := func(f func([]byte)) error {
			for i := range b.segments {
				f(appendSection(nil, &b.segments[i], b.log[b.segments[i].from:b.segments[i].to]))
			}
			return nil
		}
		for i := range buf {
			got, err := collect(byte(i), each)
			must(t, err)
			if d := cmp.Diff(tidy(want[i]), got, cmp.AllowUnexported(sample{}), cmp.Comparer(eyes)); d != "" {
				t.Fatalf("point %d: %s", i, d)
			}
		}
		if _, err := total(each); err != nil {
			t.Fatal(err)
		}
	})
}

func TestPointsThatTwoClientsReadAreSummedUpInOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 16))
	var s Store
	members := make([]*seriesBuf, 40)
	for i := range members {
		members[i] = &seriesBuf{id: int64(i)}
	}
	groups := []*group{s.newGroup(members...), s.newGroup(members[:20]...)}
	want := make([][]sample, len(members))
	var b batch
	for i := range int64(300) {
		g := groups[i%2]
		now := make([]detect.Sample, len(g.members))
		for j := range now {
			now[j] = detect.Sample{Time: t0 + i*1e9, Value: float64(r.IntN(5))}
			want[j] = append(want[j], plain(&now[j]))
		}
		s.addReadings(&b, g, now)
		if i%50 == 49 { // so that a section of the one tells of times between those of the other
			b.close(groups[0])
			b.close(groups[1])
		}
	}
	each := func(f func([]byte)) error {
		for i := range b.segments {
			f(appendSection(nil, &b.segments[i], b.log[b.segments[i].from:b.segments[i].to]))
		}
		return nil
	}
	all, err := total(each)
	must(t, err)
	for i := range members {
		var minutes []sum
		for j := range want[i] {
			var one sum
			one.add(&want[i][j])
			minutes = gatherSum(minutes, &one, minute)
		}
		if d := cmp.Diff(minutes, all[i].minutes, cmp.AllowUnexported(sum{}), sumsBut(alike)); d != "" {
			t.Fatalf("point %d: %s", i, d)
		}
		if last := want[i][len(want[i])-1]; all[i].count != uint64(len(want[i])) || all[i].value != last.value || all[i].last != last.time {
			t.Fatalf("point %d: %d values, the last %v", i, all[i].count, all[i].value)
		}
	}
}

func TestWhatTheLastRunLeftIsSummedUp(t *testing.T) {
	ctx := context.Background()
	path := newPath(t)
	s := openTest(t, path, Options{}) // a sensor that is stopped: it does not wait to sum up
	all := fill(t, s, testSeries(1), 30*hour, 10e9)
	must(t, s.Close(ctx))
	s = openTest(t, path, Options{Existing: true})
	idle(t, s)
	var left int
	must(t, s.read.QueryRow("SELECT count(DISTINCT hour) FROM flush WHERE state = 0").Scan(&left))
	if left > 2 { // those that may not be over
		t.Errorf("%d hours are not summed up", left)
	}
	k := onlySeries(t, s)
	got, err := s.Samples(ctx, k.ID, t0, k.Last, 100)
	must(t, err)
	agree(t, "after all", all, got, t0, k.Last)
}
