package tags

import (
	"math"
	"net/netip"
	"strings"
	"testing"

	"github.com/weir-ics/weir/detect"
	"github.com/weir-ics/weir/protocols"
)

var (
	client = netip.MustParseAddr("10.0.0.1")
	plc    = netip.MustParseAddr("10.0.0.2")
)

// report makes the answer to a read of registers from first on.
func report(kind protocols.PointKind, first uint32, values ...uint16) *protocols.Event {
	e := &protocols.Event{Time: 1e9, Clock: 1e9, Frame: 7, Proto: protocols.ProtoModbus, Role: protocols.RoleResponse, Unit: 3}
	e.Src.IP, e.Dst.IP = plc, client
	for i, v := range values {
		e.Points = append(e.Points, protocols.Point{Kind: kind, Access: protocols.AccessReport,
			Index: first + uint32(i), Value: float64(v), Has: protocols.HasValue})
	}
	return e
}

func mustList(t *testing.T, csv string) *List {
	t.Helper()
	l, err := Load(strings.NewReader(csv), "tags.csv")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestWithoutAListEachRegisterIsAnUnsignedInteger(t *testing.T) {
	x := NewExtractor(nil, Settings{})
	var out []detect.Sample
	x.Observe(report(protocols.KindHoldingRegister, 10, 1, 65535), &out)
	if len(out) != 2 || out[0].Value != 1 || out[1].Value != 65535 {
		t.Fatalf("samples %+v", out)
	}
	s := out[1].Series
	if s.Device != plc || s.Unit != 3 || s.Index != 11 || s.Type != "uint16" || out[1].Frame != 7 || out[1].Client != client {
		t.Errorf("series %+v of sample %+v", s, out[1])
	}
	x.Observe(report(protocols.KindHoldingRegister, 11, 5), &out)
	if out[2].Series != s {
		t.Error("the same address got another series")
	}
}

func TestATagJoinsRegistersInItsOrder(t *testing.T) {
	l := mustList(t, "device,unit,table,address,name,type,order,scale,offset\n"+
		"10.0.0.2,3,holding-register,10,level,float32,CDAB,2,1\n"+
		"10.0.0.2,3,holding-register,12,temperature,int16,,0.1,\n")
	x := NewExtractor(l, Settings{})
	bits := math.Float32bits(3.25)
	var out []detect.Sample
	x.Observe(report(protocols.KindHoldingRegister, 10, uint16(bits), uint16(bits>>16), 0xffff), &out)
	if len(out) != 2 || out[0].Value != 3.25*2+1 || out[0].Series.Name != "level" || out[0].Series.Type != "float32 CDAB" {
		t.Fatalf("samples %+v", out)
	}
	if out[1].Value != -0.1 {
		t.Errorf("temperature %g, want -0.1", out[1].Value)
	}
	x.Observe(report(protocols.KindHoldingRegister, 11, 1), &out)
	x.Observe(report(protocols.KindHoldingRegister, 10, 1), &out)
	if len(out) != 2 || x.Stats().Partial != 2 {
		t.Errorf("half a value gave %d samples and %d partial", len(out)-2, x.Stats().Partial)
	}
}

func TestACommandIsToldFromAReportAndAnEchoIsLeftOut(t *testing.T) {
	x := NewExtractor(nil, Settings{})
	var out []detect.Sample
	e := report(protocols.KindCoil, 4, 1)
	e.Role, e.FromClient = protocols.RoleRequest, true
	e.Src.IP, e.Dst.IP = client, plc
	e.Points[0].Access = protocols.AccessWrite
	x.Observe(e, &out)
	e = report(protocols.KindCoil, 4, 1)
	e.Points[0].Access = protocols.AccessEcho
	x.Observe(e, &out)
	if len(out) != 1 || out[0].Access != protocols.AccessWrite || out[0].Series.Device != plc {
		t.Errorf("samples %+v", out)
	}
}

func TestDNP3PointsBelongToTheOutstation(t *testing.T) {
	x := NewExtractor(mustList(t, "device,unit,table,address,name,scale\n10.0.0.2,1024,analog-input,5,voltage,0.1\n"), Settings{})
	e := &protocols.Event{Time: 5, Proto: protocols.ProtoDNP3, Role: protocols.RoleUnsolicited, Source: 1024, Destination: 1}
	e.Src.IP, e.Dst.IP = plc, client
	e.Points = []protocols.Point{
		{Kind: protocols.KindAnalogInput, Access: protocols.AccessReport, Index: 5, Value: 2300, Flags: 1, Has: protocols.HasValue | protocols.HasFlags | protocols.HasTime, Time: 4},
		{Kind: protocols.KindOctetString, Access: protocols.AccessReport, Index: 5, Has: protocols.HasValue},
	}
	var out []detect.Sample
	x.Observe(e, &out)
	if len(out) != 1 || out[0].Value != 230 || out[0].DeviceTime != 4 || out[0].Flags != 1 || out[0].Series.Unit != 1024 || out[0].Series.Name != "voltage" {
		t.Errorf("samples %+v", out)
	}
}

func TestSeriesBeyondTheCapAreRefusedAndCounted(t *testing.T) {
	x := NewExtractor(nil, Settings{MaxSeries: 2})
	var out []detect.Sample
	x.Observe(report(protocols.KindCoil, 0, 1, 1), &out)
	Bound(x)
	x.Observe(report(protocols.KindCoil, 0, 1, 1, 1), &out)
	x.Observe(report(protocols.KindDiscreteInput, 0, 1), &out)
	if len(out) != 4 || x.Stats().Refused != 2 {
		t.Errorf("%d samples, %d refused; want 4 and 2", len(out), x.Stats().Refused)
	}
}

func TestTheCapOnSeriesIsOneForAllExtractors(t *testing.T) {
	a, b := NewExtractor(nil, Settings{MaxSeries: 2}), NewExtractor(nil, Settings{MaxSeries: 2})
	var out []detect.Sample
	a.Observe(report(protocols.KindCoil, 0, 1), &out)
	b.Observe(report(protocols.KindCoil, 1, 1), &out)
	Bound(a, b)
	a.Observe(report(protocols.KindCoil, 2, 1), &out)
	b.Observe(report(protocols.KindCoil, 3, 1), &out)
	if len(out) != 2 || a.Stats().Refused != 1 || b.Stats().Refused != 1 {
		t.Errorf("%d samples, %d and %d refused; want 2, 1 and 1", len(out), a.Stats().Refused, b.Stats().Refused)
	}
}

func TestExtractionDoesNotAllocate(t *testing.T) {
	x := NewExtractor(nil, Settings{})
	e := report(protocols.KindHoldingRegister, 0, make([]uint16, 100)...)
	out := make([]detect.Sample, 0, 200)
	x.Observe(e, &out)
	if n := testing.AllocsPerRun(100, func() { out = out[:0]; x.Observe(e, &out) }); n != 0 {
		t.Errorf("%g allocations an event", n)
	}
}

func BenchmarkExtract(b *testing.B) {
	x := NewExtractor(nil, Settings{})
	e := report(protocols.KindHoldingRegister, 0, make([]uint16, 100)...)
	out := make([]detect.Sample, 0, 200)
	b.ReportAllocs()
	for b.Loop() {
		out = out[:0]
		x.Observe(e, &out)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/point")
}

func BenchmarkExtractLearning(b *testing.B) {
	x := NewExtractor(nil, Settings{Learn: true})
	e := report(protocols.KindHoldingRegister, 0, make([]uint16, 100)...)
	out := make([]detect.Sample, 0, 200)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		for k := range e.Points {
			e.Points[k].Value = float64(uint16(i*k*7 + k))
		}
		out = out[:0]
		x.Observe(e, &out)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/point")
}
