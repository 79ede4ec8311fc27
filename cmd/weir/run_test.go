package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/weir-ics/weir/capture"
	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
	"github.com/weir-ics/weir/sinks"
)

// learnedSensor is a sensor that has learned for ten minutes, its baseline and the alerts
// of then in a directory.
func learnedSensor(t *testing.T) (s *sensor, path func(name string) string, must func(args ...string)) {
	t.Helper()
	dir := t.TempDir()
	path = func(name string) string { return filepath.Join(dir, name) }
	must = func(args ...string) {
		t.Helper()
		if _, stderr, status := weir(args...); status != 0 {
			t.Fatalf("weir %v: %s", args, stderr)
		}
	}
	must("plant", "write", path("a.pcap"), "-d", "20m", "--attack", "write.from-plc@15m")
	must("replay", path("a.pcap"), "--learn", "10m", "--store", "none", "--alerts", path("alerts.jsonl"), "--save-baseline", path("plant.json"))

	c := defaultConfig()
	c.Learn.Baseline, c.Workers = path("plant.json"), 1
	options, err := c.pipeline()
	if err != nil {
		t.Fatal(err)
	}
	if options.baseline, err = readBaseline(path("plant.json")); err != nil {
		t.Fatal(err)
	}
	options.schedule = detect.WatchOnly()
	p, err := newPipeline(options)
	if err != nil {
		t.Fatal(err)
	}
	return &sensor{config: c, log: slog.New(slog.NewTextHandler(io.Discard, nil)), pipeline: p, learned: true}, path, must
}

func TestWhatIsApprovedWhileTheSensorRunsOutlivesItsEnd(t *testing.T) {
	s, path, must := learnedSensor(t)
	must("baseline", "approve", path("plant.json"), firstAlert(t, path("alerts.jsonl")), "--alerts", path("alerts.jsonl"), "--why", "work order 4711")
	if err := s.saveLearned(); err != nil {
		t.Fatal(err)
	}
	b, err := readBaseline(path("plant.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Decisions) != 1 || b.Decisions[0].Why != "work order 4711" {
		t.Errorf("the baseline holds the decisions %+v", b.Decisions)
	}
}

func TestAPointThatLearnedLaterIsSavedOnceADay(t *testing.T) {
	s, path, _ := learnedSensor(t)
	added := &detect.Series{Table: &detect.Table{Device: netip.MustParseAddr("10.20.1.99"), Proto: protocols.ProtoModbus, Unit: 1, Kind: protocols.KindHoldingRegister}, Index: 4711, Label: new(detect.Label)}
	at := int64(1_900_000_000e9)
	for i := range 700 {
		now := at + int64(i)*1e9
		s.pipeline.process.Observe(&detect.Sample{Series: added, Time: now, Clock: now, Frame: uint64(i + 1), Access: protocols.AccessReport, Value: 7})
	}
	s.saveLater(at)
	if !s.pipeline.asked.Load() {
		t.Fatal("what was learned of links is not asked for")
	}
	s.pipeline.links = s.pipeline.site.Learned() // as one of the next steps has it
	s.saveLater(at + 1)
	b, err := readBaseline(path("plant.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(b.Sections[laterSection], []byte(`"index":4711`)) || bytes.Contains(b.Sections[processSection], []byte("10.20.1.99")) {
		t.Errorf("what was learned later is not saved apart: %s", b.Sections[laterSection])
	}
	if err := os.Remove(path("plant.json")); err != nil {
		t.Fatal(err)
	}
	s.saveLater(at + saveLaterEvery)
	if _, err := os.Stat(path("plant.json")); err == nil {
		t.Error("it is saved again though nothing was learned since")
	}
}

func TestWhatCouldNotBeSavedIsSavedAMinuteLaterAndSaidOnce(t *testing.T) {
	s, path, _ := learnedSensor(t)
	var said bytes.Buffer
	s.log = slog.New(slog.NewTextHandler(&said, nil))
	s.config.Learn.Baseline = path("missing/plant.json")
	at := int64(1_900_000_000e9)
	s.laterSaved = at
	s.trySave(at)
	s.pipeline.links = s.pipeline.site.Learned()
	for clock := at; clock < at+3*saveAgainEvery; clock += int64(10 * time.Second) {
		s.saveLater(clock)
	}
	if n := bytes.Count(said.Bytes(), []byte("could not be saved")); n != 1 || !s.unsaved {
		t.Fatalf("said %d times, unsaved %v: %s", n, s.unsaved, &said)
	}
	if err := os.Mkdir(path("missing"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.saveLater(s.tried + saveAgainEvery/2)
	if _, err := os.Stat(s.config.Learn.Baseline); err == nil {
		t.Error("it was tried again at once")
	}
	s.saveLater(s.tried + saveAgainEvery)
	b, err := readBaseline(s.config.Learn.Baseline)
	if err != nil || len(b.Links) == 0 || s.unsaved || !bytes.Contains(said.Bytes(), []byte("what was learned is saved")) {
		t.Fatalf("error %v, unsaved %v: %s", err, s.unsaved, &said)
	}
}

// firstAlert is the id of the first alert of a file that can be approved.
func firstAlert(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var a struct{ ID, Kind string }
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			t.Fatal(err)
		}
		if a.Kind == "role.new" {
			return a.ID
		}
	}
	t.Fatalf("%s holds no alert of a new role", path)
	return ""
}

// livePipeline is one that learns for ten minutes, as a sensor has it.
func livePipeline(t *testing.T, c *config) *pipeline {
	t.Helper()
	o, err := c.pipeline()
	if err != nil {
		t.Fatal(err)
	}
	o.schedule, o.live = detect.LearnFor(10*time.Minute), true
	p, err := newPipeline(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// patientSink notes what it is told of patience.
type patientSink struct {
	sinks.Sink
	told []bool
}

func (s *patientSink) Patient(on bool) { s.told = append(s.told, on) }

func TestSinksArePatientFromTheFittingUntilWhatCameMeanwhileIsJudged(t *testing.T) {
	s, path, _ := learnedSensor(t)
	c := defaultConfig()
	c.Workers = 2
	s.pipeline = livePipeline(t, c)
	sink := new(patientSink)
	s.outlets = &outlets{sinks: []sinks.Sink{sink}}
	s.config, s.learned, s.pipeline.after = c, false, s.after
	s.pipeline.fitting = func() {
		s.fitting()
		for behind := 0; behind < 2; behind, _ = s.pipeline.engine.Behind() {
			time.Sleep(time.Millisecond)
		}
		if st := s.current.Load(); st == nil || st.Fitting == 0 {
			t.Errorf("the status while models are fitted is %+v", st)
		}
	}
	if err := s.pipeline.run(t.Context(), capture.Open([]string{path("a.pcap")}, capture.FileOptions{})); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(sink.told, []bool{true, false}) {
		t.Errorf("it was told %v", sink.told)
	}
	if st := s.current.Load(); st.Fitting != 0 {
		t.Errorf("the status afterwards is %+v", st)
	}
}

func TestABaselineIsSavedBesideTheTraffic(t *testing.T) {
	s, path, _ := learnedSensor(t)
	c := defaultConfig()
	c.Learn.Baseline, c.Workers = path("plant.json"), 3
	s.pipeline = livePipeline(t, c)
	s.learned, s.pipeline.saves = false, true
	saved := 0
	s.pipeline.after = func(clock int64) {
		s.after(clock)
		if !s.learned { // before that, a sensor saves only once nothing is in use any more
			return
		}
		if s.pipeline.links == nil {
			s.pipeline.asked.Store(true)
			return
		}
		saved++
		if err := s.saveLearned(); err != nil {
			t.Error(err)
		}
	}
	if err := s.pipeline.run(t.Context(), capture.Open([]string{path("a.pcap")}, capture.FileOptions{})); err != nil {
		t.Fatal(err)
	}
	b, err := readBaseline(path("plant.json"))
	if err != nil || saved < 2 || len(b.Links) == 0 || b.Sections[processSection] == nil {
		t.Errorf("saved %d times: %d links, error %v", saved, len(b.Links), err)
	}
}
