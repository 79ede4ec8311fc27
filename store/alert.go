package store

import (
	"encoding/json"
	"fmt"
	"math"
	"net/netip"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// alertBody is an alert as its row keeps it: everything, with the kind by name.
type alertBody struct {
	Kind         string            `json:"kind"`
	Severity     string            `json:"severity"`
	Score        float64           `json:"score,omitempty"`
	Key          string            `json:"key"`
	Start        int64             `json:"start"`
	Time         int64             `json:"time"`
	Clear        bool              `json:"clear,omitempty"`
	FirstFrame   uint64            `json:"first_frame"`
	LastFrame    uint64            `json:"last_frame"`
	Proto        protocols.Proto   `json:"proto"`
	Client       detect.Party      `json:"client"`
	Server       detect.Party      `json:"server"`
	Function     int               `json:"function"`
	FunctionName string            `json:"function_name,omitempty"`
	Points       []detect.PointRef `json:"points,omitempty"`
	Title        string            `json:"title"`
	Observed     string            `json:"observed"`
	Expected     string            `json:"expected"`
	Explanation  string            `json:"explanation"`
	Techniques   []string          `json:"techniques,omitempty"`
	Rule         string            `json:"rule,omitempty"`
	ID           string            `json:"id"`
	Incident     string            `json:"incident,omitempty"`
	State        detect.State      `json:"state"`
	Count        uint64            `json:"count"`
	End          int64             `json:"end"`
	Evidence     string            `json:"evidence,omitempty"`
}

func encodeAlert(a *detect.Alert) (string, error) {
	// JSON has no infinity, and a surprise may be infinite.
	score := a.Score
	if score != score {
		score = 0
	}
	score = max(-math.MaxFloat64, min(score, math.MaxFloat64))
	b := alertBody{
		Severity: a.Severity.String(), Score: score, Key: a.Key, Start: a.Start, Time: a.Time, Clear: a.Clear,
		FirstFrame: a.FirstFrame, LastFrame: a.LastFrame, Proto: a.Proto, Client: a.Client, Server: a.Server,
		Function: a.Function, FunctionName: a.FunctionName, Points: a.Points, Title: a.Title, Observed: a.Observed,
		Expected: a.Expected, Explanation: a.Explanation, Techniques: a.Techniques, Rule: a.Rule,
		ID: a.ID, Incident: a.Incident, State: a.State, Count: a.Count, End: a.End, Evidence: a.Evidence,
	}
	if a.Kind != nil {
		b.Kind = a.Kind.Name
	}
	data, err := json.Marshal(&b)
	return string(data), err
}

func (s *Store) decodeAlert(data string) (detect.Alert, error) {
	var b alertBody
	if err := json.Unmarshal([]byte(data), &b); err != nil {
		return detect.Alert{}, fmt.Errorf("read a kept alert: %w", err)
	}
	severity, err := protocols.ParseSeverity(b.Severity)
	if err != nil {
		return detect.Alert{}, fmt.Errorf("read kept alert %s: %w", b.ID, err)
	}
	return detect.Alert{
		Finding: detect.Finding{
			Kind: s.kind(b.Kind), Severity: severity, Score: b.Score, Key: b.Key, Start: b.Start, Time: b.Time, Clear: b.Clear,
			FirstFrame: b.FirstFrame, LastFrame: b.LastFrame, Proto: b.Proto, Client: b.Client, Server: b.Server,
			Function: b.Function, FunctionName: b.FunctionName, Points: b.Points, Title: b.Title, Observed: b.Observed,
			Expected: b.Expected, Explanation: b.Explanation, Techniques: b.Techniques, Rule: b.Rule,
		},
		ID: b.ID, Incident: b.Incident, State: b.State, Count: b.Count, End: b.End, Evidence: b.Evidence,
	}, nil
}

// kind is never nil.
func (s *Store) kind(name string) *detect.Kind {
	if k := s.opt.Kind(name); k != nil {
		return k
	}
	return &detect.Kind{Name: name}
}

// address is empty for no address.
func address(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
