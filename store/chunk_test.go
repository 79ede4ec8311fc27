package store

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var exact = cmp.Options{cmp.AllowUnexported(sample{}, sum{}), cmp.Comparer(func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }),
	cmp.Comparer(func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }), cmpopts.IgnoreFields(sum{}, "lastTime")}

// strange gives numbers that an encoding may stumble over.
func strange(r *rand.Rand) float64 {
	switch r.IntN(8) {
	case 0:
		return math.NaN()
	case 1:
		return math.Inf(1 - 2*r.IntN(2))
	case 2:
		return math.Copysign(0, -1)
	case 3:
		return math.Float64frombits(r.Uint64())
	case 4:
		return float64(r.IntN(65536))
	case 5:
		return math.SmallestNonzeroFloat64
	}
	return r.NormFloat64()
}

func TestDecodingAChunkIsTheInverseOfEncodingIt(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 200 {
		var want []sample
		for range 1 + r.IntN(2*chunkCap) {
			v := sample{time: r.Int64() - r.Int64(), value: strange(r)}
			if r.IntN(2) == 0 && len(want) > 0 {
				v.time, v.value = want[len(want)-1].time+1e9, want[len(want)-1].value
			}
			if r.IntN(2) == 0 {
				v.hasFlags, v.flags = true, uint8(r.IntN(3))
			}
			if r.IntN(3) == 0 {
				v.deviceTime = v.time - r.Int64N(1e12)
			}
			if r.IntN(3) == 0 {
				v.judged, v.score, v.low, v.high = true, r.Float32(), float32(r.IntN(2)), float32(r.IntN(2))
			}
			want = append(want, v)
		}
		var got []sample
		must(t, encodeSamples(want, func(start, end int64, count int, data []byte) error {
			if count > chunkCap {
				t.Fatalf("a chunk of %d", count)
			}
			n := len(got)
			var err error
			got, err = appendSamples(got, data)
			for _, v := range got[n:] {
				if v.time < start || v.time > end {
					t.Fatalf("%d is not from %d to %d", v.time, start, end)
				}
			}
			if len(got)-n != count {
				t.Fatalf("%d of %d", len(got)-n, count)
			}
			return err
		}))
		if d := cmp.Diff(want, got, exact); d != "" {
			t.Fatal(d)
		}
	}
}

func TestDecodingSumsIsTheInverseOfEncodingThem(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for range 200 {
		var want []sum
		for range 1 + r.IntN(100) {
			s := sum{time: r.Int64() - r.Int64(), count: 1 + r.Uint32N(1000), min: strange(r), max: strange(r), mean: strange(r), last: strange(r)}
			s.numbers = r.Uint32N(s.count + 1)
			if r.IntN(2) == 0 {
				s.judged, s.score, s.low, s.high = true, r.Float32(), r.Float32(), r.Float32()
			}
			want = append(want, s)
		}
		got, err := appendSums(nil, encodeSums(want))
		must(t, err)
		if d := cmp.Diff(want, got, exact); d != "" {
			t.Fatal(d)
		}
	}
}

func TestASumOfPartsIsTheSumOfTheWhole(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for range 200 {
		var whole, parts, part sum
		for i := range 1 + r.IntN(50) {
			v := sample{time: int64(i), value: r.NormFloat64(), judged: r.IntN(2) == 0, score: r.Float32()}
			if r.IntN(5) == 0 {
				v.value = math.NaN()
			}
			whole.add(&v)
			part.add(&v)
			if r.IntN(3) == 0 {
				parts.merge(&part)
				part = sum{}
			}
		}
		if part.count > 0 {
			parts.merge(&part)
		}
		near := cmp.Options{cmp.AllowUnexported(sum{}), cmpopts.EquateApprox(1e-9, 1e-12), cmpopts.EquateNaNs()}
		if d := cmp.Diff(whole, parts, near); d != "" {
			t.Fatal(d)
		}
	}
}

func TestAValueThatStaysCostsOneOctet(t *testing.T) {
	var c chunkState
	var data []byte
	for i := range 1000 {
		data = c.append(data, &sample{time: int64(i) * 1e9, value: 21.5})
	}
	if len(data) > 1020 {
		t.Fatalf("1,000 equal values a second apart take %d octets", len(data))
	}
}

func FuzzChunk(f *testing.F) {
	var c chunkState
	f.Add(c.append(c.append(nil, &sample{time: 5, value: 1, judged: true}), &sample{time: 6, hasFlags: true, flags: 3, deviceTime: 4}))
	f.Add(encodeSums([]sum{{time: 1, count: 3, numbers: 2, min: 1, judged: true}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		// A damaged chunk must not do worse than an error. (What is decoded need
		// not encode to the same octets: varints have several forms.)
		if samples, err := appendSamples(nil, data); err == nil {
			var again []sample
			must(t, encodeSamples(samples, func(_, _ int64, _ int, data []byte) error {
				var err error
				again, err = appendSamples(again, data)
				return err
			}))
			if d := cmp.Diff(samples, again, exact); d != "" {
				t.Fatal(d)
			}
		}
		if sums, err := appendSums(nil, data); err == nil {
			again, err := appendSums(nil, encodeSums(sums))
			must(t, err)
			if d := cmp.Diff(sums, again, exact); d != "" {
				t.Fatal(d)
			}
		}
	})
}
