package modbus

import (
	"bytes"
	"flag"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-ics/weir/protocols"
)

// seed lets the properties be tried on other random traffic.
var seed = flag.Uint64("seed", 0, "seed of the random traffic")

func generatorNames() []string {
	var names []string
	for name := range generators {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func TestWellFormedMessagesHaveNoViolationAndEncodeAgainToTheSameBytes(t *testing.T) {
	for _, name := range generatorNames() {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(*seed+1, 2))
			for range 200 {
				x := generators[name](r)
				for f := range numFramings {
					ask, answer := exchange(t, f, x.request, x.response)
					if !bytes.Equal(ask.PDU, x.request) || !bytes.Equal(answer.PDU, x.response) {
						t.Fatalf("%v: % x | % x became % x | % x", f, x.request, x.response, ask.PDU, answer.PDU)
					}
					if len(ask.Violations)+len(answer.Violations) > 0 {
						t.Fatalf("%v: % x | % x: violations %v %v", f, x.request, x.response, ask.Violations, answer.Violations)
					}
				}
			}
		})
	}
}

// traffic is both directions of a conversation, in the order of turns.
type turn struct {
	dir  protocols.Direction
	data []byte
}

// conversationOf makes n random exchanges, some of them pipelined.
func conversationOf(r *rand.Rand, f Framing, n int) (turns []turn) {
	names := generatorNames()
	for i := 0; i < n; {
		var asks, answers []byte
		depth := 1
		if f == MBAP {
			depth += r.IntN(4)
		}
		for range depth {
			x := generators[names[r.IntN(len(names))]](r)
			asks = AppendADU(asks, f, uint16(i), 3, x.request)
			answers = AppendADU(answers, f, uint16(i), 3, x.response)
			i++
		}
		turns = append(turns, turn{0, asks}, turn{1, answers})
	}
	return turns
}

func decodeTurns(f Framing, conv protocols.Conversation, turns []turn, cut func(n int) int) (*recorder, *Worker) {
	var r recorder
	w := &Worker{}
	d := Config{Framing: f, Worker: w}.NewDecoder(conv, r.emit)
	for i, turn := range turns {
		for data := turn.data; len(data) > 0; {
			n := cut(len(data))
			// A copy that is overwritten shows what a decoder wrongly kept.
			b := bytes.Clone(data[:n])
			d.Stream(turn.dir, stamp(i), b)
			for j := range b {
				b[j] = 0xEE
			}
			data = data[n:]
		}
	}
	d.Close(stamp(len(turns)))
	return &r, w
}

func TestSplittingAStreamAnywhereGivesTheSameMessages(t *testing.T) {
	for f := range numFramings {
		t.Run(f.String(), func(t *testing.T) {
			r := rand.New(rand.NewPCG(*seed+3, uint64(f)))
			for range 15 {
				turns := conversationOf(r, f, 20)
				whole, _ := decodeTurns(f, conversation(), turns, func(n int) int { return n })
				if len(whole.events) < 40 {
					t.Fatalf("%d messages of 20 exchanges", len(whole.events))
				}
				for _, most := range []int{1, 2, 7, 50, 300} {
					parts, w := decodeTurns(f, conversation(), turns, func(n int) int { return min(n, 1+r.IntN(most)) })
					if want, got := whole.summary(), parts.summary(); !slices.Equal(want, got) {
						t.Fatalf("in pieces of up to %d:\n%s", most, cmp.Diff(want, got))
					}
					if n := w.Stats.Get(CountSkippedBytes) + w.Stats.Get(CountUnfinishedBytes); n != 0 {
						t.Fatalf("%d bytes of a good stream were left out", n)
					}
				}
			}
		})
	}
}

func TestAConversationCaughtInTheMiddleIsReadFromTheNextMessageOn(t *testing.T) {
	for f := range numFramings {
		t.Run(f.String(), func(t *testing.T) {
			r := rand.New(rand.NewPCG(*seed+4, uint64(f)))
			for range 100 {
				turns := conversationOf(r, f, 10)
				whole, _ := decodeTurns(f, conversation(), turns, func(n int) int { return n })
				// The tap comes up in the midst of the first request.
				lost := 1 + r.IntN(min(len(turns[0].data)-1, 5))
				turns[0].data = turns[0].data[lost:]
				part, _ := decodeTurns(f, midstream(), turns, func(n int) int { return n })
				want, got := pdus(whole), pdus(part)
				if len(got) > len(want) || len(got) < len(want)-1 {
					t.Fatalf("%d messages of %d", len(got), len(want))
				}
				if diff := cmp.Diff(want[len(want)-len(got):], got); diff != "" {
					t.Fatalf("messages were invented or lost:\n%s", diff)
				}
			}
		})
	}
}

func damaged(s seen) bool {
	return slices.Contains(s.Violations, "modbus.crc") || slices.Contains(s.Violations, "modbus.lrc")
}

// pdus gives the messages whose checksum is right.
func pdus(r *recorder) (all [][]byte) {
	for _, e := range r.events {
		if e.Event.Role != protocols.RoleNotice && !damaged(e) {
			all = append(all, e.PDU)
		}
	}
	return all
}

func TestGarbageBetweenMessagesIsCountedAndInventsNothing(t *testing.T) {
	for f := range numFramings {
		t.Run(f.String(), func(t *testing.T) {
			r := rand.New(rand.NewPCG(*seed+5, uint64(f)))
			for range 100 {
				turns := conversationOf(r, f, 10)
				whole, _ := decodeTurns(f, conversation(), turns, func(n int) int { return n })
				noisy := slices.Clone(turns)
				at := 2 * r.IntN(len(turns)/2)
				noise := octets(r, 1+r.IntN(100))
				for f == RTU && holdsFrame(noise) {
					// A CRC of 16 bits finds a frame in noise now and then.
					noise = octets(r, len(noise))
				}
				noisy = slices.Insert(noisy, at, turn{0, noise})
				got, w := decodeTurns(f, conversation(), noisy, func(n int) int { return n })
				if diff := cmp.Diff(pdus(whole), pdus(got)); diff != "" {
					t.Fatalf("noise % x before turn %d:\n%s", noise, at, diff)
				}
				n := w.Stats.Get(CountSkippedBytes)
				for _, e := range got.events {
					// Noise of just the right length is a frame with a wrong CRC.
					if damaged(e) {
						n += uint64(e.Event.Size)
					}
				}
				if n != uint64(len(noise)) {
					t.Fatalf("%d octets of noise, %d counted", len(noise), n)
				}
			}
		})
	}
}

// holdsFrame tells whether any part of noise has a right CRC.
func holdsFrame(noise []byte) bool {
	for i := range noise {
		for j := i + minRTU; j <= len(noise); j++ {
			if CRC(noise[i:j]) == 0 {
				return true
			}
		}
	}
	return false
}

func TestAfterAGapTheNextMessageIsFound(t *testing.T) {
	for f := range numFramings {
		t.Run(f.String(), func(t *testing.T) {
			r := rand.New(rand.NewPCG(*seed+6, uint64(f)))
			for range 100 {
				turns := conversationOf(r, f, 12)
				whole, _ := decodeTurns(f, conversation(), turns, func(n int) int { return n })
				var got recorder
				w := &Worker{}
				d := Config{Framing: f, Worker: w}.NewDecoder(conversation(), got.emit)
				hole := r.IntN(len(turns) - 2)
				cut := r.IntN(len(turns[hole].data))
				for i, turn := range turns {
					data := turn.data
					if i == hole {
						// The end of this turn is lost, and nothing else.
						d.Stream(turn.dir, stamp(i), data[:cut])
						d.Gap(turn.dir, stamp(i), len(data)-cut)
						continue
					}
					d.Stream(turn.dir, stamp(i), data)
				}
				d.Close(stamp(len(turns)))
				for i, e := range got.events {
					// Two equal requests in a pipeline look like a retry, gap or not.
					if len(e.Violations) > 0 && e.Violations[0] != "modbus.retried" {
						t.Fatalf("hole %d cut %d: the tap's loss became a violation: %v", hole, cut, got.summary()[i])
					}
				}
				ours, all := pdus(&got), pdus(whole)
				for _, p := range ours {
					i := slices.IndexFunc(all, func(q []byte) bool { return bytes.Equal(p, q) })
					if i < 0 {
						t.Fatalf("a message was invented: % x", p)
					}
					all = all[i+1:]
				}
				if len(ours) < len(pdus(whole))-5 {
					t.Fatalf("%d messages of %d after one gap", len(ours), len(pdus(whole)))
				}
			}
		})
	}
}
