package process_test

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/weir-ics/weir/detect/process"
	"github.com/weir-ics/weir/plant"
	"github.com/weir-ics/weir/protocols"
)

// both gives the same events to two sensors, one of which is given every value,
// the other only those that change.
type both struct{ plain, sparse *sensor }

func newBoth() *both {
	b := &both{newSensor(nil, 0), newSensor(nil, 0)}
	b.plain.plain = true
	return b
}

func (b *both) observe(e *protocols.Event) {
	b.plain.observe(e)
	b.sparse.observe(e)
}

// same compares what they found and counted, and that there was something.
func (b *both) same(t *testing.T, least int) {
	t.Helper()
	for i := range max(len(b.plain.log), len(b.sparse.log)) {
		if i >= len(b.plain.log) || i >= len(b.sparse.log) || !reflect.DeepEqual(b.plain.log[i], b.sparse.log[i]) {
			t.Errorf("with every value there are %d findings, with changes %d; the first that differs is\n%+v\n%+v",
				len(b.plain.log), len(b.sparse.log), b.plain.log[i:min(i+1, len(b.plain.log))], b.sparse.log[i:min(i+1, len(b.sparse.log))])
			break
		}
	}
	if x, y := b.plain.engine.Stats(), b.sparse.engine.Stats(); x != y {
		t.Errorf("counters differ: %+v with every value, %+v with changes", x, y)
	}
	if len(b.plain.log) < least {
		t.Errorf("%d findings are too few to tell", len(b.plain.log))
	}
	t.Logf("%d findings: %v", len(b.plain.log), b.plain.kinds)
}

func TestWhatIsNotSpelledOutIsTakenInAllTheSameOnThePlant(t *testing.T) {
	var attacks []plant.AttackAt
	for i, kind := range []string{"sensor.frozen", "sensor.replayed", "sensor.noiseless", "sensor.dnp3-forced", "process.valve-hidden", "write.setpoint-range"} {
		attacks = append(attacks, plant.AttackAt{Kind: kind, At: 5*time.Hour + time.Duration(i)*40*time.Minute})
	}
	path := filepath.Join(t.TempDir(), "plant.pcap")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	s := plant.Scenario{Seed: 5, Start: time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC), Duration: 9 * time.Hour, Poll: 5 * time.Second, Life: plant.NormalLife(), Attacks: attacks}
	if _, err := s.Write(f); err != nil {
		t.Fatal(err)
	}
	f.Close()
	b := newBoth()
	b.plain.learnFor, b.sparse.learnFor = int64(4*time.Hour), int64(4*time.Hour)
	b.plain.replay(t, path)
	b.sparse.replay(t, path)
	b.same(t, 10)
	x, err := b.plain.engine.Save()
	if err != nil {
		t.Fatal(err)
	}
	y, err := b.sparse.engine.Save()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(x, y) {
		t.Error("what was learned differs")
	}
}

// TestWhatIsNotSpelledOutIsTakenInAllTheSame reads registers of every nature by
// two clients in runs that overlap, with commands, values that stand still, data
// in registers and messages that come late.
func TestWhatIsNotSpelledOutIsTakenInAllTheSame(t *testing.T) {
	for seed := range uint64(6) {
		rnd := rand.New(rand.NewPCG(seed, 9))
		b := newBoth()
		var at int64 = 1e18
		var frame uint64
		b.plain.watchAt, b.sparse.watchAt = at+1800e9, at+1800e9
		words := make([]uint16, 60)
		message := func(client byte, kind protocols.PointKind, access protocols.Access, first int, values []uint16) {
			frame++
			e := &protocols.Event{Time: at, Clock: at, Frame: frame, Proto: protocols.ProtoModbus, Role: protocols.RoleResponse, Unit: 1,
				Src: protocols.Endpoint{IP: netip.MustParseAddr("10.0.0.9")}, Dst: protocols.Endpoint{IP: netip.AddrFrom4([4]byte{10, 0, 0, client})}}
			if access == protocols.AccessWrite {
				e.Src, e.Dst, e.FromClient, e.Role = e.Dst, e.Src, true, protocols.RoleRequest
			}
			for i, v := range values {
				e.Points = append(e.Points, protocols.Point{Kind: kind, Access: access, Index: uint32(first + i), Value: float64(v), Has: protocols.HasValue})
			}
			b.observe(e)
		}
		for row := range 4000 {
			late := row > 1900
			for i := range words {
				switch move := rnd.IntN(64); {
				case i < 8: // constants, of which one changes late
					if late && i == 3 && row%200 < 60 {
						words[i] = 7
					} else {
						words[i] = uint16(100 * i)
					}
				case i < 20: // states, which rest longer in the end
					if move < 4 && (!late || i != 9) {
						words[i] = uint16(rnd.IntN(3))
					}
				case i < 26: // counters; one stands still, one goes back
					if late && i == 21 && row > 2500 {
						break
					}
					words[i] += uint16(rnd.IntN(3))
					if i == 22 && row == 2200 {
						words[i] = 5
					}
				case i < 40: // measurements that move now and then
					if late && i == 30 && row%500 < 200 {
						break
					}
					if move < 30 {
						words[i] = uint16(int(words[i]) + rnd.IntN(9) - 4 + (2000-int(words[i]))/20)
					}
					if late && i == 31 && row%300 < 20 {
						words[i] += 300
					}
				case i < 48: // a letter box
					if row%900 > 600 {
						words[i] = uint16(rnd.Uint32())
					}
				default: // walks
					if move < 6 {
						words[i] += uint16(rnd.IntN(15) - 7)
					}
				}
			}
			message(1, protocols.KindHoldingRegister, protocols.AccessReport, 0, words)
			if row%3 == 0 {
				message(2, protocols.KindHoldingRegister, protocols.AccessReport, 54, words[54:])
			}
			if row%50 == 7 {
				message(1, protocols.KindHoldingRegister, protocols.AccessReport, 6, words[6:11])
			}
			if seed%2 == 1 && row%40 == 0 {
				message(1, protocols.KindHoldingRegister, protocols.AccessReport, 12, words[12:14])
			}
			if row%120 == 60 {
				v := uint16(rnd.IntN(3))
				message(1, protocols.KindHoldingRegister, protocols.AccessWrite, 12, []uint16{v})
				if row%240 == 60 {
					words[12] = v
				}
			}
			at += 1e9 + int64(rnd.IntN(20e6))
			if rnd.IntN(400) == 0 {
				at += 7e9
			}
		}
		b.same(t, 20)
	}
}

// TestEffectsAreMissedAllTheSameWhereOnlyChangesAreSpelledOut commands a coil
// that a status follows, which later it often does not, is late or is not read.
func TestEffectsAreMissedAllTheSameWhereOnlyChangesAreSpelledOut(t *testing.T) {
	for seed := range uint64(4) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		b := newBoth()
		var at int64 = 1e18
		var frame uint64
		b.plain.watchAt, b.sparse.watchAt = at+2400e9, at+2400e9
		message := func(kind protocols.PointKind, access protocols.Access, index uint32, values ...float64) {
			frame++
			e := &protocols.Event{Time: at, Clock: at, Frame: frame, Proto: protocols.ProtoModbus, Role: protocols.RoleResponse, Unit: 1,
				Src: protocols.Endpoint{IP: netip.MustParseAddr("10.0.0.9")}, Dst: protocols.Endpoint{IP: netip.MustParseAddr("10.0.0.1")}}
			if access == protocols.AccessWrite {
				e.Src, e.Dst, e.FromClient, e.Role = e.Dst, e.Src, true, protocols.RoleRequest
			}
			for i, v := range values {
				e.Points = append(e.Points, protocols.Point{Kind: kind, Access: access, Index: index + uint32(i), Value: v, Has: protocols.HasValue})
			}
			b.observe(e)
		}
		on, runs, follow, silent := 0.0, 0.0, 0, false
		for row := range 6000 {
			late := row > 2400
			if row%50 == 20 {
				if on = 1 - on; rnd.IntN(8) == 0 {
					on = 1 - on // the same again
				}
				message(protocols.KindCoil, protocols.AccessWrite, 4, on)
				follow = row + rnd.IntN(3)
				if late {
					follow += rnd.IntN(30) * rnd.IntN(2)
					silent = rnd.IntN(4) == 0
				}
			}
			if row >= follow {
				runs = on
			}
			message(protocols.KindCoil, protocols.AccessReport, 0, 0, 1, 0, 0, on, 0)
			if !silent || row%50 > 40 {
				message(protocols.KindDiscreteInput, protocols.AccessReport, 0, 1, runs, 0)
			}
			at += 1e9 + int64(rnd.IntN(20e6))
		}
		b.same(t, 10)
		missed := 0
		for _, f := range b.plain.log {
			if f.Kind == process.KindNoEffect && !f.Clear && len(f.Points) == 2 {
				missed++
			}
		}
		if missed < 5 {
			t.Errorf("%d effects were missed; what is known is %q", missed, b.plain.engine.Consequences())
		}
	}
}
