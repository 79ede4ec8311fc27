package detect_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/weir-ics/weir/detect"
)

// saved writes a baseline and reads it back.
func saved(t *testing.T, b *detect.Baseline) (*detect.Baseline, []byte) {
	t.Helper()
	var file bytes.Buffer
	if err := b.Save(&file); err != nil {
		t.Fatal(err)
	}
	data := append([]byte(nil), file.Bytes()...)
	loaded, err := detect.LoadBaseline(&file)
	if err != nil {
		t.Fatal(err)
	}
	return loaded, data
}

func TestABaselineSavedAndLoadedGivesTheSameAlertsAsOneKeptInMemory(t *testing.T) {
	for _, name := range []string{fakeCommand, "corpus/iti/modbus/ModbusTCP.pcap", "corpus/iti/modbus/modbus_test.pcap",
		"corpus/iti/dnp3/dnp3_test_data_part1.pcap", "corpus/zeek/modbus/fuzz-72.pcap"} {
		path := shared(t, name)
		first, last := clocks(t, path)
		memory := replay(t, detect.LearnFor(time.Duration((last-first)/2)), replayOptions{}, path)

		// Learn the first half, write it, and watch the second half with it. The
		// decoders see the whole capture in both, so that only the learning is
		// compared.
		half := replay(t, detect.LearnOnly(), replayOptions{observeUntil: first + (last-first)/2}, path)
		b, data := saved(t, half.site.Baseline())
		again, data2 := saved(t, b)
		if !bytes.Equal(data, data2) {
			t.Errorf("%s: a baseline loaded and saved is not the same file", name)
		}
		for _, workers := range []int{1, 2} {
			r := replay(t, detect.WatchOnly(), replayOptions{baseline: again, observeFrom: first + (last-first)/2, workers: workers}, path)
			if !bytes.Equal(r.lines, memory.lines) {
				t.Errorf("%s, %d workers: %s", name, workers, firstDifference(r.lines, memory.lines))
			}
		}
	}
}

func TestABaselineIsTheSameFileForAnyNumberOfWorkers(t *testing.T) {
	path := shared(t, fakeCommand)
	_, want := saved(t, replay(t, detect.LearnOnly(), replayOptions{}, path).site.Baseline())
	_, got := saved(t, replay(t, detect.LearnOnly(), replayOptions{workers: 3}, path).site.Baseline())
	if !bytes.Equal(got, want) {
		t.Error(firstDifference(got, want))
	}
}

func TestAFileThatIsNoBaselineIsRefusedInPlainWords(t *testing.T) {
	for file, want := range map[string]string{
		"":                   "unexpected end of JSON input",
		"{\n \"format\": 7}": "line 2, column",
		`{"format":"else"}`:  `the format is "else", not "weir-baseline"`,
		`{"format":"weir-baseline","version":99}`: "version 99 is not one this weir reads",
		`{"format":"weir-baseline","version":1,"links":[{"client":"10.0.0.1","server":"10.0.0.2","proto":"x"}]}`:                                              `links[0] (10.0.0.1 to 10.0.0.2): protocol "x" is neither`,
		`{"format":"weir-baseline","version":1,"links":[{"client":"10.0.0.1","server":"10.0.0.2","proto":"modbus","requested":[{"function":3,"hash":"1"}]}]}`: "function 3 is not one of the link's 0",
	} {
		_, err := detect.LoadBaseline(strings.NewReader(file))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("load %q: %v, want it to say %q", file, err, want)
		}
	}
}
