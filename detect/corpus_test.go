package detect_test

import (
	"bytes"
	"context"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weir-ics/weir/capture"
	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// justified are the alerts above low in the second half of a capture learned on
// its first half that a person would want to see, and why.
var justified = map[string]map[string]string{
	"iti/dnp3/conformance/6.6.2.2.pcap":    {"conformance.dnp3.link-function": "the procedure sends a wrong link function on purpose"},
	"iti/dnp3/conformance/8.2.1.2.14.pcap": {"sequence.operate-without-select": "the procedure operates without a select on purpose"},
	"iti/dnp3/conformance/8.2.1.2.15.pcap": {"sequence.operate-without-select": "the procedure operates without a select on purpose"},
	"iti/dnp3/conformance/8.2.1.2.5.pcap":  {"sequence.select-differs": "the procedure changes the objects on purpose"},
	"iti/dnp3/conformance/8.2.1.2.6.pcap":  {"sequence.select-differs": "the procedure changes the objects on purpose"},
	"iti/dnp3/conformance/8.2.1.2.7.pcap":  {"sequence.select-differs": "the procedure changes the objects on purpose"},
	"iti/dnp3/conformance/8.2.1.2.8.pcap":  {"sequence.select-differs": "the procedure changes the objects on purpose"},
	"iti/dnp3/conformance/8.4.1.2.11.pcap": {"sequence.operate-without-select": "the procedure operates without a select on purpose"},
	"iti/dnp3/conformance/8.4.1.2.12.pcap": {"sequence.operate-without-select": "the procedure operates without a select on purpose"},
	"iti/dnp3/conformance/8.4.1.2.5.pcap":  {"sequence.select-differs": "the procedure changes the objects on purpose"},
	"iti/dnp3/conformance/8.6.2.2.pcap":    {"conformance.dnp3.reserved-function": "the procedure sends a reserved function on purpose"},
	"iti/dnp3/dnp3_test_data_part1.pcap": {
		"conformance.dnp3.qualifier":         "hand-made test messages with wrong qualifiers",
		"conformance.dnp3.unknown-object":    "hand-made test messages with objects that do not exist",
		"conformance.dnp3.response-sequence": "hand-made test messages out of sequence",
		"message.broadcast":                  "the application is stopped and unsolicited reporting disabled by broadcast",
		"program.access":                     "the application is stopped for the first time",
		"unit.new":                           "an outstation address that was never there",
	},
	"iti/dnp3/dnp3_test_data_part2.pcap": {"conformance.dnp3.unknown-object": "hand-made test messages with objects that do not exist"},
	"iti/modbus/ModbusTCP.pcap":          {"scan.register": "at 45 s the client reads forty odd ranges from register 200 to 377, which it never touched: somebody walks through the registers"},
	"iti/modbus/modbus_test.pcap": {
		"unit.new":            "the client really goes from unit 2 to unit 1",
		"timing.poll-stopped": "the client really goes from unit 2 to unit 1",
	},
	"zeek/dnp3/dnp3.pcap": {
		"asset.new":                       "two captures years apart in one file: all of the second is new",
		"command.new":                     "two captures years apart in one file: all of the second is new",
		"conformance.dnp3.unknown-object": "the second capture has one",
	},
	"zeek/modbus/fuzz-72.pcap": {
		"device.silent": "a fuzzed capture", "asset.mac-changed": "a fuzzed capture",
		"network.ttl-changed": "a fuzzed capture", "network.tcp-overlap": "a fuzzed capture",
	},
	"lemay/send_a_fake_command_modbus_6RTU_with_operate.pcap": {},
}

func TestTheSecondHalfOfACaptureGivesNoAlertAboveLowThatIsNotJustified(t *testing.T) {
	root := shared(t, "corpus")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !isCapture(path) {
			return err
		}
		name, _ := filepath.Rel(root, path)
		first, last := clocks(t, path)
		r := replay(t, detect.LearnFor(time.Duration((last-first)/2)), replayOptions{}, path)
		found := map[string]bool{}
		for _, a := range r.final() {
			if a.Severity <= protocols.Low {
				continue
			}
			found[a.Kind.Name] = true
			if justified[name][a.Kind.Name] == "" {
				t.Errorf("%s: not justified:\n%s", name, a.Text())
			}
		}
		for kind := range justified[name] {
			if !found[kind] {
				t.Errorf("%s: %s is justified but does not occur any more", name, kind)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestEveryCaptureGivesTheSameAlertsForAnyNumberOfWorkersAndAnyBatch(t *testing.T) {
	root := shared(t, "corpus")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !isCapture(path) {
			return err
		}
		first, last := clocks(t, path)
		learn := time.Duration((last - first) / 3)
		want := replay(t, detect.LearnFor(learn), replayOptions{}, path).lines
		for _, o := range []replayOptions{{workers: 2}, {workers: 3, batch: 11}, {batch: 50}} {
			if got := replay(t, detect.LearnFor(learn), o, path).lines; !bytes.Equal(got, want) {
				t.Errorf("%s, %d workers, batches of %d: %s", path, o.workers, o.batch, firstDifference(got, want))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func isCapture(path string) bool {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".pcap", ".pcapng", ".trace", ".cap":
		return true
	}
	return false
}

// clocks returns the watermark at the beginning and the end of a capture.
func clocks(t *testing.T, path string) (first, last int64) {
	t.Helper()
	src := capture.Open([]string{path}, capture.FileOptions{})
	defer src.Close()
	var b capture.Batch
	for src.Read(context.Background(), &b) == nil {
		if first == 0 && len(b.Packets) > 0 {
			first = b.Packets[0].Clock
		}
		last = b.Clock
	}
	return first, last
}
