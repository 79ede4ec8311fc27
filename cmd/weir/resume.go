package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"time"

	"github.com/weir-ics/weir/capture"
	"github.com/weir-ics/weir/detect"
)

// A sensor that is stopped while it learns keeps what it has learned in a file beside
// the baseline, and goes on when it is started again. What came between the stops is
// learned part by part, and merged as two baselines are: a restart on the sixth day
// costs a day of it at most, not six.

// partFile is that file.
func partFile(baseline string) string { return baseline + ".part" }

// learningSection is of a part: for how long it was learned.
const learningSection = "learning"

type learning struct {
	Seconds float64 `json:"seconds"`
}

// learnedPart reads how long was learned before, up to the last stop; 0 if there is
// no such part.
func learnedPart(baseline string) (time.Duration, error) {
	b, err := readBaseline(partFile(baseline))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return learnedFor(b)
}

func learnedFor(b *detect.Baseline) (time.Duration, error) {
	var l learning
	if err := json.Unmarshal(b.Sections[learningSection], &l); err != nil || !(l.Seconds >= 0 && l.Seconds < 1e9) {
		return 0, errors.New("it does not say for how long was learned")
	}
	return time.Duration(l.Seconds * 1e9), nil
}

// whole puts what was learned up to the last stop together with b, which was learned
// since.
func whole(baseline string, b *detect.Baseline) (*detect.Baseline, error) {
	if err := inMemory(b); err != nil {
		return nil, err
	}
	before, err := readBaseline(partFile(baseline))
	if err != nil {
		return nil, err
	}
	delete(before.Sections, learningSection)
	all, err := detect.Merge(before, b, mergeSection)
	if err != nil {
		return nil, fmt.Errorf("merge %s with what was learned since: %w", partFile(baseline), err)
	}
	return all, nil
}

// inMemory makes a baseline whole that has parts to be written out only.
func inMemory(b *detect.Baseline) error {
	for name, save := range b.Streams {
		var text bytes.Buffer
		if err := save(&text); err != nil {
			return err
		}
		b.Sections[name] = text.Bytes()
	}
	b.Streams = nil
	return nil
}

// savePart keeps what a sensor has learned that is stopped before learning ends.
func (s *sensor) savePart() error {
	path := s.config.Learn.Baseline
	learned := s.before + s.learning(s.pipeline.last)
	if learned <= s.before {
		return nil // nothing came
	}
	b, err := s.pipeline.baseline()
	if err == nil && s.before > 0 {
		b, err = whole(path, b)
	}
	if err != nil {
		return err
	}
	section, err := json.Marshal(learning{learned.Seconds()})
	if err != nil {
		return err
	}
	b.Sections = maps.Clone(b.Sections)
	b.Sections[learningSection] = section
	if err := saveBaseline(partFile(path), b); err != nil {
		return err
	}
	s.kept = learned
	return nil
}

// learning is for how long the sensor has learned since it was started, up to a clock.
func (s *sensor) learning(clock int64) time.Duration {
	if s.pipeline.learnFrom == 0 {
		return 0 // there was nothing to learn
	}
	return time.Duration(max(0, clock-s.pipeline.learnFrom))
}

// resumeEnds looks whether a sensor that goes on with its learning has learned for long
// enough. Then it ends, and the next takes its place, which watches by all that was
// learned; its source takes packets in from now on.
func (s *sensor) resumeEnds(clock int64) {
	if s.before == 0 || s.enough || s.before+s.learning(clock) < time.Duration(s.config.Learn.Duration) {
		return
	}
	s.enough = true
	s.log.Info("learning has ended; the models are fitted, and merged with what was learned before the sensor was stopped")
	var err error
	if s.next.source, err = openLive(s.config); err != nil {
		s.log.Warn("packets are lost until the sensor watches by what was learned", "error", err)
	}
	s.stop()
}

// beginAnew lets another sensor take the place of this one, because the system clock was
// set: every time-out would be early or late, and learning be over at once or never. The
// other goes on with what was learned, and takes packets in from now on.
func (s *sensor) beginAnew() {
	s.anew = true
	s.log.Warn("the system clock was set; the sensor begins anew, with what was learned", "by", s.pipeline.set.By.Round(time.Second).String())
	if s.next.source != nil {
		return
	}
	var err error
	if s.next.source, err = openLive(s.config); err != nil {
		s.log.Warn("packets are lost until the sensor has begun anew", "error", err)
	}
}

// keepLearned leaves what was learned, and is kept in no file, to the sensor that takes
// the place of this one.
func (s *sensor) keepLearned() error {
	if !s.anew || !s.learned || s.config.Learn.Duration == 0 {
		return nil
	}
	b, err := s.pipeline.baseline()
	if err == nil {
		err = inMemory(b)
	}
	if err != nil {
		return err
	}
	s.next.baseline = b
	return nil
}

// handover is what a sensor leaves to the one that takes its place: a source that takes
// packets in, and a baseline that could not be saved.
type handover struct {
	source   *capture.Live
	baseline *detect.Baseline
}

func (h handover) close() {
	if h.source != nil {
		h.source.Close()
	}
}

// saveWhole writes what a sensor has learned that has gone on with its learning to the
// end. If it cannot, the next sensor has it from memory.
func (s *sensor) saveWhole() error {
	path := s.config.Learn.Baseline
	b, err := s.pipeline.baseline()
	if err == nil {
		b, err = whole(path, b)
	}
	if err != nil {
		return err
	}
	if err := saveBaseline(path, b); err != nil {
		s.log.Error("what was learned could not be saved; it is kept in memory", "error", err)
		s.next.baseline = b
		return nil
	}
	s.forgetPart()
	return nil
}

// forgetPart removes the part, which is in the baseline now: who removes that wants
// to learn from the beginning.
func (s *sensor) forgetPart() {
	file := partFile(s.config.Learn.Baseline)
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.log.Warn("this file is no longer needed; remove it", "file", file, "error", err)
	}
}

// openLive makes the source of a configuration, which takes packets in from then on.
func openLive(c *config) (*capture.Live, error) {
	return capture.OpenLive(capture.LiveOptions{
		Interfaces: c.Capture.Interfaces, Filter: c.Capture.Filter, NotPromiscuous: !c.Capture.Promiscuous, RingBytes: int(c.Capture.Buffer), Rings: c.Capture.Rings,
	})
}
