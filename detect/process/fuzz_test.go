package process

import (
	"encoding/binary"
	"encoding/json"
	"io"
	"maps"
	"math"
	"net/netip"
	"slices"
	"testing"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// FuzzEngine feeds an engine with samples made of the input: any values, any
// pace, commands, flags, a switch to watching somewhere. It must not panic, its
// findings must be whole, and what it learned must be saved and loaded again.
func FuzzEngine(f *testing.F) {
	f.Add([]byte("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09"), uint16(3))
	f.Add([]byte{1, 2, 200, 9, 0, 0, 77, 31, 5, 255, 128, 64, 32, 16, 8, 4, 2, 1}, uint16(200))
	f.Fuzz(func(t *testing.T, data []byte, watch uint16) {
		if len(data) == 0 {
			return
		}
		e := NewEngine(Settings{MaxPoints: 12, HistoryBytes: 1 << 14})
		var series []*detect.Series
		for i := range 16 {
			kinds := []protocols.PointKind{protocols.KindHoldingRegister, protocols.KindCoil, protocols.KindAnalogInput, protocols.KindBinaryOutput}
			s := &detect.Series{Table: &detect.Table{Device: netip.AddrFrom4([4]byte{10, 0, 0, byte(i / 8)}), Proto: protocols.ProtoModbus, Unit: 1, Kind: kinds[i%4]}, Index: uint32(i), Label: new(detect.Label)}
			if i%4 >= 2 {
				s.Proto = protocols.ProtoDNP3
			}
			series = append(series, s)
		}
		clock, frame := int64(1e18), uint64(0)
		at := func(i int) byte { return data[i%len(data)] }
		// A short input goes round, with a little that never repeats.
		for i := range 1500 {
			a, b, c := at(3*i), at(3*i+1), at(3*i+2)
			clock += int64(a%32) * 1e8
			frame++
			v := float64(int8(b)) + float64(i%7)*float64(c)/16
			switch c {
			case 250:
				v = math.Inf(1)
			case 251:
				v = math.NaN()
			case 252:
				v = math.Float64frombits(binary.LittleEndian.Uint64([]byte{a, b, c, a, b, c, a, b}))
			}
			s := detect.Sample{Series: series[(int(a)+i)%len(series)], Time: clock - int64(b%3)*1e7, Clock: clock, Frame: frame, Access: protocols.AccessReport, Value: v, Flags: b, HasFlags: a&1 != 0}
			if c%17 == 0 {
				s.Access = protocols.AccessWrite
			}
			if i == int(watch) {
				e.Watch(clock)
			}
			e.Observe(&s)
			if s.Judged && (math.IsNaN(s.Score) || math.IsNaN(s.Low) || math.IsNaN(s.High)) {
				t.Fatalf("judgement %+v", s)
			}
		}
		e.Watch(clock)
		e.Advance(clock + 1e12)
		for _, x := range e.Findings(nil) {
			if x.Kind == nil || x.Key == "" || x.Start > x.Time || math.IsNaN(x.Score) || math.IsInf(x.Score, 0) {
				t.Fatalf("finding %+v", x)
			}
		}
		unwritten(t, e)
		saved, err := e.Save()
		if err != nil {
			t.Fatal(err)
		}
		again := NewEngine(Settings{MaxPoints: 12})
		if err := again.Load(saved); err != nil {
			t.Fatalf("what was saved is not loaded: %v", err)
		}
		if _, err := Merge(saved, saved); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzLoad loads anything as a baseline, and lets samples run over what loads.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(`{"version":1,"points":[{"device":"10.0.0.1","proto":"modbus","unit":1,"kind":"coil","index":0,"nature":"state","n":9,"states":[0,1],"visits":[3,4],"dwell":[1,2],"interval":1000000000,"regular":true}],"paces":[{"interval":1000000000,"points":[0]}]}`))
	x := newScene(Settings{})
	x.run(700)
	x.engine.Watch(x.t)
	x.engine.Advance(x.t)
	saved, err := x.engine.Save()
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(saved))
	sections := richSections(f)
	for _, name := range slices.Sorted(maps.Keys(sections)) {
		f.Add([]byte(sections[name]))
	}
	f.Add([]byte(`{"version":2,"tables":[{"device":"10.0.0.1","proto":"modbus","unit":1,"kind":"coil","n":9,"interval":1000000000,"regular":true,"points":[{"index":5,"nature":"constant","since":1000000000000000000,"states":[1],"visits":[1]}]}]}`))
	f.Add([]byte(`{"version":2,"tables":[{"device":"10.0.0.1","proto":"modbus","unit":1,"kind":"coil","n":9,"flags":[1],"interval":1000000000,"regular":true,"constants":[[0,1,0],[7,1e3]],"points":[{"index":5,"name":"a\"b","nature":"state","states":[0,1],"visits":[3,4],"transitions":1,"dwell":[1,2]}]}],"paces":[{"interval":1000000000,"points":[[0,4]]}]}`))
	f.Fuzz(func(t *testing.T, section []byte) {
		later := NewEngine(Settings{MaxPoints: 100})
		later.watching = true
		if later.LoadLater(section) == nil {
			saved, err := later.SaveLater()
			if err != nil || saved != nil && later.LoadLater(saved) != nil {
				t.Fatalf("what was learned later is not saved (error %v): %s", err, saved)
			}
		}
		e := NewEngine(Settings{MaxPoints: 100})
		if e.Load(json.RawMessage(section)) != nil {
			return
		}
		for i := range 60 {
			for n, p := range e.each() {
				if n == 20 {
					break
				}
				now := int64(1e18) + int64(i)*1e9
				s := detect.Sample{Series: p.series, Time: now, Clock: now, Frame: uint64(i + 1), Access: protocols.AccessReport, Value: float64(i % 5), HasFlags: i%2 == 0}
				if i%16 == 3 {
					s.Access, s.Value = protocols.AccessWrite, float64(i/16%2)
				}
				e.Observe(&s)
			}
		}
		e.Findings(nil)
		saved, err := e.Save()
		if err != nil {
			t.Fatalf("what was loaded is not saved: %v", err)
		}
		if !json.Valid(saved) {
			t.Fatalf("what was saved is no JSON: %s", saved)
		}
		again := NewEngine(Settings{MaxPoints: 100})
		if err := again.Load(saved); err != nil {
			t.Fatalf("what was saved is not loaded: %v\n%s", err, saved)
		}
		if twice, err := again.Save(); err != nil || string(twice) != string(saved) {
			t.Fatalf("saved, loaded and saved (error %v):\n%s\n%s", err, saved, twice)
		}
		if differs, err := Diff(io.Discard, Learned{Process: saved}, Learned{Process: saved}); err != nil || differs {
			t.Fatalf("differs from itself: %v, error %v\n%s", differs, err, saved)
		}
	})
}
