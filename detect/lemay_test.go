package detect_test

import (
	"bytes"
	"fmt"
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
