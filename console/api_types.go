package console

import (
	"encoding/json"
	"math"
	"strconv"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

// What the API answers with. The names are stable: fields are added, never
// renamed.

type apiError struct {
	Error string `json:"error"`
}

type apiStatus struct {
	Mode string `json:"mode"`
	// Live tells a sensor that runs from one that has ended, or of which there are no
	// news, and from a capture that was replayed.
	Live bool `json:"live"`
	// Skipping tells that values are left out because packets come too fast.
	Skipping bool `json:"skipping"`
	// Fitting is how many points' models are being fitted.
	Fitting int            `json:"fitting,omitempty"`
	Source  string         `json:"source,omitempty"`
	Since   string         `json:"since,omitempty"`
	Until   string         `json:"until,omitempty"`
	First   string         `json:"first,omitempty"`
	Clock   string         `json:"clock,omitempty"`
	Unseen  *float64       `json:"unseen,omitempty"`
	Open    map[string]int `json:"open"`
	Waiting map[string]int `json:"unacknowledged"`
	Total   map[string]int `json:"total"`
	Version string         `json:"version"`
	// Told is when the sensor said this, and Ended when it ended, by the wall clock.
	// Stale tells that it has said nothing for too long.
	Told  string `json:"told,omitempty"`
	Ended string `json:"ended,omitempty"`
	Stale bool   `json:"stale"`
	// Down are the interfaces on which it hears nothing.
	Down string `json:"down,omitempty"`
	// Warnings are what a person has to know of the sensor, in sentences.
	Warnings []string `json:"warnings,omitempty"`
}

func (c *console) statusJSON(s detect.Status, n detect.AlertCounts) apiStatus {
	stale := c.noNews(s) > 0
	out := apiStatus{
		Told: stamp(s.Told), Ended: stamp(s.Ended), Stale: stale, Down: s.Down, Warnings: c.warnings(s),
		Mode: s.Mode.String(), Live: s.Live && s.Ended == 0 && !stale, Skipping: s.Skipping, Fitting: s.Fitting, Source: s.Source, Since: stamp(s.Since), Until: stamp(s.Until),
		First: stamp(s.First), Clock: stamp(s.Clock), Version: c.Version,
		Open: bySeverity(n.Open), Waiting: bySeverity(n.Unacknowledged), Total: bySeverity(n.Total),
	}
	if s.Unseen >= 0 {
		out.Unseen = &s.Unseen
	}
	return out
}

func bySeverity(n [protocols.NumSeverities]int) map[string]int {
	m := make(map[string]int, len(n))
	for s, k := range n {
		m[protocols.Severity(s).String()] = k
	}
	return m
}

type apiCounters struct {
	Time     string       `json:"time,omitempty"`
	Counters []apiCounter `json:"counters"`
}

type apiCounter struct {
	Name  string `json:"name"`
	Value uint64 `json:"value"`
	Loss  bool   `json:"loss"`
}

type apiAlerts struct {
	Total  int        `json:"total"`
	Offset int        `json:"offset"`
	Alerts []apiAlert `json:"alerts"`
}

type apiAlert struct {
	// Alert is the alert line as weir writes it everywhere.
	Alert            json.RawMessage      `json:"alert"`
	Acknowledgements []apiAcknowledgement `json:"acknowledgements"`
}

type apiAcknowledgement struct {
	Time string `json:"time"`
	By   string `json:"by"`
	Note string `json:"note"`
}

func alertJSON(a *detect.KeptAlert) apiAlert {
	out := apiAlert{Alert: a.Alert.AppendJSON(nil), Acknowledgements: []apiAcknowledgement{}}
	for _, k := range a.Acknowledgements {
		out.Acknowledgements = append(out.Acknowledgements, apiAcknowledgement{stamp(k.Time), k.By, k.Note})
	}
	return out
}

type apiIncidents struct {
	Total     int           `json:"total"`
	Offset    int           `json:"offset"`
	Incidents []apiIncident `json:"incidents"`
}

type apiIncident struct {
	ID       string `json:"id"`
	Severity string `json:"severity"`
	Title    string `json:"title"`
	Start    string `json:"start"`
	End      string `json:"end"`
	Alerts   int    `json:"alerts"`
	Open     int    `json:"open"`
}

func incidentJSON(in detect.Incident) apiIncident {
	return apiIncident{in.ID, in.Severity.String(), in.Title, stamp(in.Start), stamp(in.End), in.Alerts, in.Open}
}

type apiAssets struct {
	Total  int        `json:"total"`
	Offset int        `json:"offset"`
	Assets []apiAsset `json:"assets"`
}

type apiAsset struct {
	IP        string   `json:"ip"`
	MACs      []string `json:"macs"`
	VLANs     []uint16 `json:"vlans"`
	Name      string   `json:"name,omitempty"`
	Vendor    string   `json:"vendor,omitempty"`
	Product   string   `json:"product,omitempty"`
	Model     string   `json:"model,omitempty"`
	Version   string   `json:"version,omitempty"`
	Roles     []string `json:"roles"`
	Units     []uint16 `json:"units"`
	FirstSeen string   `json:"first_seen"`
	LastSeen  string   `json:"last_seen"`
	Messages  uint64   `json:"messages"`
	Known     bool     `json:"known"`
}

func assetJSON(a *detect.Asset) apiAsset {
	out := apiAsset{
		IP: address(a.IP), MACs: []string{}, VLANs: list(a.VLANs), Name: a.Name, Vendor: a.Vendor, Product: a.Product,
		Model: a.Model, Version: a.Version, Roles: list(a.Roles), Units: list(a.Units),
		FirstSeen: stamp(a.FirstSeen), LastSeen: stamp(a.LastSeen), Messages: a.Messages, Known: a.Known,
	}
	for _, m := range a.MACs {
		out.MACs = append(out.MACs, mac(m))
	}
	return out
}

// list makes an empty list of none, so that JSON has [] and not null.
func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}

type apiLinks struct {
	Total  int       `json:"total"`
	Offset int       `json:"offset"`
	Links  []apiLink `json:"links"`
}

type apiLink struct {
	Client    string        `json:"client"`
	Server    string        `json:"server"`
	Port      uint16        `json:"port"`
	Proto     string        `json:"proto"`
	Unit      *uint16       `json:"unit,omitempty"`
	Master    *uint16       `json:"master,omitempty"`
	Outstat   *uint16       `json:"outstation,omitempty"`
	Functions []apiFunction `json:"functions"`
	FirstSeen string        `json:"first_seen"`
	LastSeen  string        `json:"last_seen"`
	Messages  uint64        `json:"messages"`
	Known     bool          `json:"known"`
	Unseen    float         `json:"unseen"`
}

type apiFunction struct {
	Function uint8  `json:"function"`
	Name     string `json:"name"`
	Effect   string `json:"effect"`
	Count    uint64 `json:"count"`
}

func linkJSON(l *detect.Link) apiLink {
	out := apiLink{
		Client: address(l.Client), Server: address(l.Server), Port: l.Port, Proto: l.Proto.String(), Functions: []apiFunction{},
		FirstSeen: stamp(l.FirstSeen), LastSeen: stamp(l.LastSeen), Messages: l.Messages, Known: l.Known, Unseen: float(l.Unseen),
	}
	if l.Proto == protocols.ProtoDNP3 {
		out.Master, out.Outstat = &l.Master, &l.Outstation
	} else {
		out.Unit = &l.Unit
	}
	for _, f := range l.Functions {
		out.Functions = append(out.Functions, apiFunction{f.Function, f.Name, f.Effect.String(), f.Count})
	}
	return out
}

type apiSeriesList struct {
	Total  int         `json:"total"`
	Offset int         `json:"offset"`
	Series []apiSeries `json:"series"`
}

type apiSeries struct {
	ID      string `json:"id"`
	Name    string `json:"name,omitempty"`
	Device  string `json:"device"`
	Proto   string `json:"proto"`
	Unit    uint16 `json:"unit"`
	Kind    string `json:"kind"`
	Index   uint32 `json:"index"`
	EU      string `json:"engineering_unit,omitempty"`
	Type    string `json:"type,omitempty"`
	First   string `json:"first"`
	Last    string `json:"last"`
	Value   float  `json:"value"`
	Samples uint64 `json:"samples"`
}

func seriesJSON(s *detect.KeptSeries) apiSeries {
	return apiSeries{
		s.ID, s.Name, address(s.Device), s.Proto.String(), s.Unit, s.Kind.String(), s.Index, s.EngineeringUnit, s.Series.Type,
		stamp(s.First), stamp(s.Last), float(s.Value), s.Samples,
	}
}

// apiSamples holds columns of equal length; low, high and score are null where
// nothing was judged.
type apiSamples struct {
	// Time is in seconds since the Unix epoch.
	Time  []float `json:"time"`
	Min   []float `json:"min"`
	Max   []float `json:"max"`
	Mean  []float `json:"mean"`
	Last  []float `json:"last"`
	Count []int   `json:"count"`
	Low   []float `json:"low"`
	High  []float `json:"high"`
	Score []float `json:"score"`
}

func samplesJSON(buckets []detect.Bucket) apiSamples {
	n := len(buckets)
	out := apiSamples{
		Time: make([]float, n), Min: make([]float, n), Max: make([]float, n), Mean: make([]float, n), Last: make([]float, n),
		Count: make([]int, n), Low: make([]float, n), High: make([]float, n), Score: make([]float, n),
	}
	for i, b := range buckets {
		out.Time[i] = float(float64(b.Time/1000) / 1e6)
		out.Min[i], out.Max[i], out.Mean[i], out.Last[i] = float(b.Min), float(b.Max), float(b.Mean), float(b.Last)
		out.Count[i] = b.Count
		out.Low[i], out.High[i], out.Score[i] = nothing, nothing, nothing
		if b.Judged {
			out.Low[i], out.High[i], out.Score[i] = float(b.Low), float(b.High), float(b.Score)
		}
	}
	return out
}

type apiKinds struct {
	Kinds []apiKind `json:"kinds"`
}

type apiKind struct {
	Name       string      `json:"name"`
	Severity   string      `json:"severity"`
	Meaning    string      `json:"meaning"`
	Decision   string      `json:"decision"`
	Action     string      `json:"action"`
	Techniques []Technique `json:"techniques"`
}

// float is a number that JSON may have no way to write: that is null.
type float float64

var nothing = float(math.NaN())

// MarshalJSON writes the shortest decimal that reads back as the same number.
func (f float) MarshalJSON() ([]byte, error) {
	v := float64(f)
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, v, 'g', -1, 64), nil
}
