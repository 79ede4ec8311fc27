package detect_test

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

const fakeCommand = "corpus/lemay/send_a_fake_command_modbus_6RTU_with_operate.pcap"

func show(t *testing.T, r *run) {
	t.Helper()
	for _, a := range r.final() {
		t.Log("\n" + a.Text())
	}
}

func TestTheForgedCommandIsTheMostSevereAlert(t *testing.T) {
	r := replay(t, detect.LearnFor(seconds(270)), replayOptions{}, shared(t, fakeCommand))
	show(t, r)
	var forged *detect.Alert
	alerts := r.final()
	for i := range alerts {
		a := &alerts[i]
		if a.Client.Endpoint.IP.String() == "192.168.1.101" {
			if forged != nil {
				t.Errorf("more than one alert for the forged command: %s", a.Text())
			}
			forged = a
		}
	}
	if forged == nil {
		t.Fatal("the forged command was not found")
	}
	if forged.Server.Endpoint.IP.String() != "192.168.1.102" || forged.Function != 5 || len(forged.Points) != 1 ||
		forged.Points[0] != (detect.PointRef{Kind: protocols.KindCoil, First: 2, Last: 2}) || forged.FirstFrame != 4785 || forged.LastFrame != 4786 {
		t.Errorf("the alert does not name what was done: %s", forged.AppendJSON(nil))
	}
	if want := "It set coil 2 to on. The device accepted it. 192.168.1.101 had only ever answered"; !strings.Contains(forged.Explanation, want) {
		t.Errorf("the explanation does not say %q: %s", want, forged.Explanation)
	}
	if !contains(forged.Techniques, "T0855") {
		t.Errorf("techniques %v lack T0855", forged.Techniques)
	}
	for _, a := range alerts {
		if a.ID == forged.ID {
			continue
		}
		if a.Severity+1 >= forged.Severity {
			t.Errorf("not clearly less severe: %s", a.Text())
		}
		if a.Client.Endpoint.IP.String() != "192.168.1.100" || a.Function != 5 {
			t.Errorf("an alert that is neither the forged command nor an operation by the master: %s", a.Text())
		}
	}
}

func contains(all []string, s string) bool {
	for _, x := range all {
		if x == s {
			return true
		}
	}
	return false
}

func TestAlertsAreTheSameForAnyNumberOfWorkersAndAnyBatch(t *testing.T) {
	path := shared(t, fakeCommand)
	want := replay(t, detect.LearnFor(seconds(270)), replayOptions{}, path).lines
	for _, o := range []replayOptions{{workers: 2}, {workers: 3}, {workers: 5, batch: 100}, {batch: 7}} {
		if got := replay(t, detect.LearnFor(seconds(270)), o, path).lines; !bytes.Equal(got, want) {
			t.Errorf("%d workers, batches of %d: %s", o.workers, o.batch, firstDifference(got, want))
		}
	}
}

// labels returns the frames of a capture that are labelled malicious.
func labels(t *testing.T, path string) map[uint64]bool {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	bad := map[uint64]bool{}
	for _, line := range strings.Split(string(data), "\n") {
		frame, label, _ := strings.Cut(strings.TrimSpace(line), ";")
		if label == "1" {
			n, err := strconv.ParseUint(frame, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			bad[n] = true
		}
	}
	return bad
}

func TestEveryLabelledAttackIsFoundWithAtMostOneOtherIncident(t *testing.T) {
	for _, name := range []string{"send_a_fake_command_modbus_6RTU_with_operate", "exploit_ms08_netapi_modbus_6RTU_with_operate", "moving_two_files_modbus_6RTU"} {
		t.Run(name, func(t *testing.T) {
			path := shared(t, "corpus/lemay/"+name+".pcap")
			bad := labels(t, strings.TrimSuffix(path, ".pcap")+"_labeled.csv")
			clean := replay(t, detect.LearnOnly(), replayOptions{keep: func(frame uint64) bool { return !bad[frame] }}, path)
			r := replay(t, detect.WatchOnly(), replayOptions{baseline: clean.site.Baseline()}, path)
			attacks, others := map[string]bool{}, map[string]bool{}
			for _, a := range r.final() {
				if bad[a.FirstFrame] {
					attacks[a.Incident] = true
				} else {
					others[a.Incident] = true
					t.Log("not an attack:\n" + a.Text())
				}
			}
			for id := range attacks {
				t.Logf("attack: %+v", r.incidents[id])
				delete(others, id)
			}
			if len(attacks) == 0 {
				t.Error("the attack was not found")
			}
			if len(others) > 1 {
				t.Errorf("%d incidents that are no attack", len(others))
			}
		})
	}
}

func TestAnAttackIsFoundAfterTenSecondsOfLearning(t *testing.T) {
	path := shared(t, "corpus/lemay/moving_two_files_modbus_6RTU.pcap")
	bad := labels(t, strings.TrimSuffix(path, ".pcap")+"_labeled.csv")
	r := replay(t, detect.LearnFor(seconds(10.8)), replayOptions{}, path)
	attacks, others := map[string]bool{}, map[string]bool{}
	for _, a := range r.final() {
		if bad[a.FirstFrame] {
			attacks[a.Incident] = true
		} else {
			others[a.Incident] = true
		}
	}
	if len(attacks) == 0 || len(others) > 1 {
		t.Errorf("%d incidents of the attack, %d others; want at least 1 and at most 1", len(attacks), len(others))
		show(t, r)
	}
}

// firstDifference shows where two lists of lines part.
func firstDifference(got, want []byte) string {
	g, w := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
	for i := range g {
		if i >= len(w) || !bytes.Equal(g[i], w[i]) {
			other := "nothing"
			if i < len(w) {
				other = string(w[i])
			}
			return fmt.Sprintf("line %d", i+1) + "\n got " + string(g[i]) + "\nwant " + other
		}
	}
	return "lines are missing at the end"
}
