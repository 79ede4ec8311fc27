package modbus

import (
	"reflect"
	"testing"

	"github.com/weir-ics/weir/protocols"
)

// TestReportsThatNobodyWantsAreLeftOutAndNothingElse decodes the examples of the
// specification with and without the values that devices report.
func TestReportsThatNobodyWantsAreLeftOutAndNothingElse(t *testing.T) {
	left, kept := 0, 0
	for _, x := range examples {
		var with, without recorder
		for r, w := range map[*recorder]*Worker{&with: {}, &without: {NoReports: true}} {
			d := Config{Worker: w}.NewDecoder(conversation(), r.emit)
			d.Stream(0, protocols.Stamp{Time: 1, Clock: 1, Frame: 1}, AppendADU(nil, MBAP, 7, 1, unhexed(t, x.request)))
			d.Stream(1, protocols.Stamp{Time: 2, Clock: 2, Frame: 2}, AppendADU(nil, MBAP, 7, 1, unhexed(t, x.response)))
		}
		for i := range with.events {
			e, got := &with.events[i].Event, &without.events[i].Event
			var rest []protocols.Point
			for _, p := range e.Points {
				if p.Access == protocols.AccessReport {
					left++
				} else {
					rest = append(rest, p)
				}
			}
			kept += len(rest)
			e.Points = rest
			if len(got.Points) == 0 {
				got.Points = nil
			}
			if !reflect.DeepEqual(*e, *got) || with.events[i].Line != without.events[i].Line {
				t.Errorf("%s:\n%+v, want\n%+v", x.request, *got, *e)
			}
		}
	}
	if left == 0 || kept == 0 {
		t.Fatalf("%d values were reported and %d others were there", left, kept)
	}
}
