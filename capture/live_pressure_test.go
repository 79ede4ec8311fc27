package capture

import (
	"context"
	"fmt"
	"testing"
	"time"
)

func TestPressureBeginsAtHalfARingAndIsOverAfterTenQuietSeconds(t *testing.T) {
	var p pressure
	for _, tt := range []struct {
		second float64
		used   float64
		want   bool
	}{
		{0, 0, false},
		{1, 0.49, false},
		{2, 0.5, true},
		{3, 0.3, true},
		{4, 0.2, true}, // there is room from here on
		{13.9, 0.25, true},
		{14, 0.1, false},
		{15, 0.4, false}, // a burst alone is none
		{16, 0.9, true},
		{17, 0.1, true},
		{26, 0.26, true}, // and begins anew
		{27, 0.1, true},
		{36.9, 0, true},
		{37, 0, false},
	} {
		if got := p.judge(tt.used, time.Duration(tt.second*float64(time.Second))); got != tt.want {
			t.Errorf("second %v, %.2f used: %v, want %v", tt.second, tt.used, got, tt.want)
		}
	}
}

// pressedSource marks some of the batches of files.
type pressedSource struct {
	Source
	n    int
	from int
	to   int
}

func (s *pressedSource) Read(ctx context.Context, b *Batch) error {
	err := s.Source.Read(ctx, b)
	b.Pressed = s.n >= s.from && s.n < s.to
	s.n++
	return err
}

// easer notes at which frames it was told to leave out what it can.
type easer struct {
	nothing
	last  *uint64
	notes []string
}

func (e *easer) Ease(on bool) { e.notes = append(e.notes, fmt.Sprint(on, " after ", *e.last)) }

func TestAllWorkersAreToldToDoLessAtTheSamePacket(t *testing.T) {
	path := polling(t, 6*BatchSize)
	for _, workers := range []int{1, 2, 3} {
		var handlers []Handler
		var last uint64
		for range workers {
			handlers = append(handlers, &easer{last: &last})
		}
		e := New(Settings{}, handlers)
		src := &pressedSource{Source: Open([]string{path}, FileOptions{}), from: 2, to: 4}
		if err := e.Run(t.Context(), src, func(int64) error { last = e.Stats().Packets; return nil }); err != nil {
			t.Fatal(err)
		}
		src.Close()
		want := fmt.Sprint("[true after ", 2*BatchSize, " false after ", 4*BatchSize, "]")
		for i, h := range handlers {
			if got := fmt.Sprint(h.(*easer).notes); got != want {
				t.Errorf("worker %d of %d was told %s, want %s", i+1, workers, got, want)
			}
		}
	}
}
