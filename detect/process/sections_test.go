package process

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"testing"
)

// richSections are sections of plants of which much was learned, and by name what is in
// them that a plain one has not.
func richSections(t testing.TB) map[string]json.RawMessage {
	t.Helper()
	guests := newTwoPaces(10, Settings{})
	guests.run(4 * 3600)
	guests.watch()
	habits := newRelatedTown()
	habits.learn(70)
	late := extended(t, Settings{})
	late.live(4000)
	out := make(map[string]json.RawMessage)
	for name, e := range map[string]*Engine{
		"guests": guests.engine, "habit": habits.engine, "responses": surging(t, 30).engine, "reactions": worksAfter(9).engine, "effects": stationAfter(9).engine, "unmet": newTwoPumps(t).engine,
	} {
		saved, err := e.Save()
		if err != nil {
			t.Fatal(err)
		}
		out[name] = saved
	}
	var err error
	if out["since"], err = late.engine.SaveLater(); err != nil {
		t.Fatal(err)
	}
	for name, section := range out {
		if !bytes.Contains(section, []byte(`"`+name+`":`)) {
			t.Errorf("the section that is to have %s has none", name)
		}
	}
	return out
}

func TestNothingIsKeptOfASectionThatHasBeenRead(t *testing.T) {
	sections := richSections(t)
	for _, name := range slices.Sorted(maps.Keys(sections)) {
		if name == "since" {
			continue // it is loaded after another
		}
		section := bytes.Clone(sections[name])
		e := NewEngine(Settings{})
		read := 0
		err := e.LoadOnce(section, func(octets int) {
			if octets <= read || octets > len(section) {
				t.Errorf("%s: read up to %d after %d of %d", name, octets, read, len(section))
			}
			clear(section[read:octets])
			read = octets
		})
		if err != nil || read < len(section)/2 {
			t.Errorf("%s: of %d octets %d are told to have been read (error %v)", name, len(section), read, err)
			continue
		}
		clear(section)
		again, err := e.Save()
		if err != nil || !bytes.Equal(again, sections[name]) {
			t.Errorf("%s: what is loaded from a section that goes is saved otherwise (error %v)", name, err)
		}
	}
}

func TestASectionWhosePacesComeFirstIsReadTwice(t *testing.T) {
	section := []byte(`{"version":3,"paces":[{"interval":1000000000,"points":[0]}],"tables":[{"device":"10.0.0.1","proto":"modbus","unit":1,"kind":"coil","n":9,"interval":1000000000,"regular":true,"constants":[[0,1]]}]}`)
	e := NewEngine(Settings{})
	read := 0
	if err := e.LoadOnce(section, func(octets int) { clear(section[read:octets]); read = octets }); err != nil || len(e.tickers) != 1 || e.order.at(0).ticker != e.tickers[0] {
		t.Errorf("%d paces were read (error %v), want 1", len(e.tickers), err)
	}
}

func TestWhatIsSavedInPiecesIsWhatIsSavedAtOnce(t *testing.T) {
	e := surging(t, 30).engine
	var pieces recorder
	if err := e.SaveTo(&pieces); err != nil {
		t.Fatal(err)
	}
	whole, err := e.Save()
	if err != nil || !bytes.Equal(bytes.Join(pieces, nil), whole) || !json.Valid(whole) {
		t.Errorf("%d octets in pieces and %d at once (error %v)", len(bytes.Join(pieces, nil)), len(whole), err)
	}
	var w encoder
	w.to = &pieces
	for range 3 * passEvery {
		w.dst = append(w.dst, '1')
		w.pass(passEvery)
	}
	if len(w.dst) != 0 || cap(w.dst) > 3*passEvery {
		t.Errorf("%d octets of %d are still to be passed on, in %d", len(w.dst), 3*passEvery, cap(w.dst))
	}
	bad := errors.New("the disk is full")
	if err := e.SaveTo(failing{bad}); !errors.Is(err, bad) {
		t.Errorf("saving where nothing can be written raised %v", err)
	}
}

// recorder keeps what it is given, piece by piece.
type recorder [][]byte

func (r *recorder) Write(data []byte) (int, error) {
	*r = append(*r, bytes.Clone(data))
	return len(data), nil
}

// failing raises an error.
type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
