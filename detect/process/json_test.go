package process

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
)

// numbersToRead are numbers as a baseline has them, and on the edges.
func numbersToRead() []string {
	list := []string{"0", "-0", "1", "-1", "0.5", "123456789012345", "1234567890123456", "0.1", "1e5", "-1.5e-3", "3.4028235e+38", "1e-45", "5e-324",
		"16777217", "16777219", "33554433.5", "0.000000000000001", "999999999999999", "9007199254740993", "2.00000011920929", "1.00000005960464477539"}
	random := rand.New(rand.NewPCG(5, 6))
	for range 20_000 {
		v := (random.Float64() - 0.5) * math.Pow(10, float64(random.IntN(24)-8))
		list = append(list, strconv.FormatFloat(v, 'g', -1, 64), strconv.FormatFloat(v, 'g', -1, 32), strconv.FormatFloat(v, 'f', random.IntN(9), 64),
			// The middle of two binary32.
			strconv.FormatFloat((float64(float32(v))+float64(math.Nextafter32(float32(v), 1e30)))/2, 'g', -1, 64))
	}
	return list
}

func TestNumbersAreReadAsStrconvReadsThem(t *testing.T) {
	for _, s := range numbersToRead() {
		want, _ := strconv.ParseFloat(s, 64)
		d := decoder{data: []byte(s)}
		got := d.number()
		if d.end(); d.err != nil || math.Float64bits(got) != math.Float64bits(want) {
			t.Errorf("%s was read as %v (error %v), want %v", s, got, d.err, want)
		}
		narrow, err := strconv.ParseFloat(s, 32)
		d = decoder{data: []byte(s)}
		single := d.single()
		if d.end(); (d.err == nil) != (err == nil) || err == nil && math.Float32bits(single) != math.Float32bits(float32(narrow)) {
			t.Errorf("%s was read as the binary32 %v (error %v), want %v (error %v)", s, single, d.err, float32(narrow), err)
		}
	}
}

func TestWhatIsNoNumberIsNotRead(t *testing.T) {
	for _, s := range []string{"", "-", "1-2", "1.2.3", "e5", "1e", "null", `"1"`, "1e999", "--1"} {
		d := decoder{data: []byte(s)}
		if v := d.number(); d.err == nil {
			if d.end(); d.err == nil {
				t.Errorf("%q was read as %v", s, v)
			}
		}
	}
}

func TestWholeNumbersAreReadWithTheirSign(t *testing.T) {
	for _, v := range []int64{0, 1, -1, 1234567890123, math.MaxInt64, math.MinInt64} {
		d := decoder{data: fmt.Append(nil, v)}
		if got := d.signed(); d.err != nil || got != v {
			t.Errorf("%d was read as %d (error %v)", v, got, d.err)
		}
	}
	for _, s := range []string{"1.5", "1e3", "9223372036854775808", "x"} {
		d := decoder{data: []byte(s)}
		if got := d.signed(); d.err == nil {
			t.Errorf("%s was read as the whole number %d", s, got)
		}
	}
}
