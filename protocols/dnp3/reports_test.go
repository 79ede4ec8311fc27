package dnp3

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weir-ics/weir/protocols"
)

// TestReportsThatNobodyWantsAreCountedAllTheSame decodes the same messages with
// and without the values that outstations report: all else must be the same, and
// so must be all values that are not reports or that carry a status.
func TestReportsThatNobodyWantsAreCountedAllTheSame(t *testing.T) {
	g := newGenerator(77)
	left, kept := 0, 0
	for range 1500 {
		var f Fragment
		m := g.message(1500)
		if g.IntN(4) == 0 { // also what is cut off
			m.body = m.body[:g.IntN(len(m.body)+1)]
		}
		if g.IntN(50) == 0 { // and what has more points than are kept
			f.Response(Single(1), FunctionResponse, 0)
			f.Header(110, 0, QualifierRange16, 0, 0xFFFF)
			for range 3 {
				f.Header(1, 1, QualifierRange16, 0, 30000).Octets(g.octets(30001/8 + 1)...)
			}
			m.body = f.Bytes()
		}
		var seq uint8
		octets := AppendSegments(nil, m.header, &seq, m.body)
		var with, without recorder
		all, few := new(Pool), &Pool{NoReports: true}
		NewDecoder(conversation, with.emit, all).Stream(0, protocols.Stamp{}, octets)
		NewDecoder(conversation, without.emit, few).Stream(0, protocols.Stamp{}, octets)
		if all.Stats != few.Stats {
			t.Fatalf("counters are %+v with reports and %+v without", all.Stats, few.Stats)
		}
		for i := range with.events {
			e := &with.events[i]
			var rest []protocols.Point
			for _, p := range e.Points {
				if p.Access == protocols.AccessReport && p.Has&protocols.HasStatus == 0 {
					left++
					continue
				}
				kept++
				rest = append(rest, p)
			}
			e.Points = rest
			got := without.events[i]
			// Objects of variable length may be there or not.
			got.Points = without.events[i].Points[:0:0]
			for _, p := range without.events[i].Points {
				if p.Access != protocols.AccessReport || p.Has&protocols.HasStatus != 0 {
					got.Points = append(got.Points, p)
				}
			}
			same := cmp.Options{cmpopts.EquateEmpty(), cmpopts.EquateNaNs(), cmp.AllowUnexported(seen{}), cmpopts.EquateComparable(protocols.Endpoint{}), cmpopts.IgnoreFields(protocols.Event{}, "Detail", "Memo")}
			if diff := cmp.Diff(*e, got, same); diff != "" {
				t.Fatalf("% X without reports:\n%s", m.body, diff)
			}
		}
	}
	if left < 1000 || kept < 50 {
		t.Fatalf("only %d reports and %d other values were there", left, kept)
	}
}

func TestWithoutReportsAResponseHasItsIndexesAndNoPoints(t *testing.T) {
	var f Fragment
	f.Response(Single(3), FunctionResponse, 0).Header(30, 2, QualifierRange8, 4, 5).Octets(1, 10, 0, 1, 20, 0).
		Header(2, 1, QualifierIndex8, 2, 0).Octets(7, 0x81, 9, 0x01)
	var r recorder
	pool := &Pool{NoReports: true}
	var seq uint8
	NewDecoder(conversation, r.emit, pool).Stream(1, protocols.Stamp{}, AppendSegments(nil, LinkHeader{Prm: true, Function: LinkUnconfirmedUserData, Source: 10, Destination: 1}, &seq, f.Bytes()))
	e := r.only(t)
	want := []protocols.Range{
		{Kind: protocols.KindAnalogInput, Access: protocols.AccessReport, First: 4, Count: 2},
		{Kind: protocols.KindBinaryInput, Access: protocols.AccessReport, First: 7, Count: 1},
		{Kind: protocols.KindBinaryInput, Access: protocols.AccessReport, First: 9, Count: 1},
	}
	if len(e.Points) != 0 || cmp.Diff(e.Ranges, want) != "" {
		t.Errorf("points %v, ranges %v", e.Points, e.Ranges)
	}
	if pool.Stats.Points != 4 {
		t.Errorf("%d points were counted, want 4", pool.Stats.Points)
	}
}
