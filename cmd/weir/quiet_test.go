package main

import (
	"testing"
	"time"
)

func TestThatNoModbusIsSeenIsToldAfterAMinuteAndLaterAfterTen(t *testing.T) {
	var q quiet
	for _, tt := range []struct {
		second int64
		heard  uint64
		want   bool
	}{
		{1, 0, false}, {60, 0, false}, {61, 0, true}, {100, 0, true},
		{101, 5, false}, {170, 5, false}, {700, 5, false}, {701, 5, true}, {702, 6, false},
	} {
		if q.look(tt.second*int64(time.Second), tt.heard); q.told != tt.want {
			t.Errorf("second %d, %d messages: %v", tt.second, tt.heard, q.told)
		}
	}
}
