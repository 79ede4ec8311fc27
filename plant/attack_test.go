package plant

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weir-ics/weir/capture"
	"github.com/weir-ics/weir/plant/water"
	"github.com/weir-ics/weir/protocols"
)

// noPackets are the kinds that show by what is not sent any more, or whose
// packets are those of normal life at another pace.
var noPackets = map[string]bool{"poll.stopped": true, "poll.slower": true, "poll.narrowed": true, "dnp3.poll-stopped": true, "device.silent": true, "process.pump-slowed": false}

func TestThereAreMoreThanFortyKindsOfAttackAndEachIsDescribed(t *testing.T) {
	seen := make(map[string]bool)
	technique := regexp.MustCompile(`^T0[0-9]{3}$`)
	for _, a := range Attacks() {
		if seen[a.Kind] {
			t.Errorf("%s is there twice", a.Kind)
		}
		seen[a.Kind] = true
		if !technique.MatchString(a.Technique) || a.Description == "" || a.source == "" || a.target == "" || a.run == nil {
			t.Errorf("%s lacks something: %+v", a.Kind, a)
		}
	}
	if len(seen) < 40 {
		t.Errorf("%d kinds", len(seen))
	}
	t.Logf("%d kinds", len(seen))
}

func TestEveryAttackMarksItsOwnPacketsAndNoOther(t *testing.T) {
	for _, a := range Attacks() {
		t.Run(a.Kind, func(t *testing.T) {
			at := 15 * time.Minute
			length := min(a.Duration, 12*time.Minute)
			s := &Scenario{Seed: 11, Duration: at + length + 12*time.Minute, Poll: 2 * time.Second,
				Attacks: []AttackAt{{Kind: a.Kind, At: at, Duration: length}}}
			var first, last uint64
			var marked uint64
			var early, late time.Time
			intruders := 0
			labels, err := s.Run(func(p *Packet) error {
				when := time.Unix(0, p.Time)
				if p.Attack >= 0 {
					if marked == 0 {
						first, early = p.Frame, when
					}
					last, late = p.Frame, when
					marked++
				} else if src := p.Data[6:12]; bytes.Equal(src, []byte{0x08, 0x00, 0x27, 0x5e, 0x13, 0x66}) {
					intruders++
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			l := labels[0]
			if (marked == 0) != noPackets[a.Kind] {
				t.Fatalf("%d packets are marked", marked)
			}
			if l.Packets != marked || l.Frames != [2]uint64{first, last} {
				t.Errorf("label says %d packets %v, seen were %d from %d to %d", l.Packets, l.Frames, marked, first, last)
			}
			if marked > 0 && (early.Before(l.Start) || late.After(l.End)) {
				t.Errorf("packets from %v to %v, label from %v to %v", early, late, l.Start, l.End)
			}
			if !l.Start.Equal(DefaultStart.Add(at)) || l.End.Sub(l.Start) < length {
				t.Errorf("label from %v to %v", l.Start, l.End)
			}
			if intruders > 0 {
				t.Errorf("%d packets of the intruder's machine are not marked", intruders)
			}
			t.Logf("%d packets in %v", marked, l.End.Sub(l.Start).Round(time.Millisecond))
		})
	}
}

func TestTheSiteIsNormalAgainAfterEveryAttack(t *testing.T) {
	var s Scenario
	s.Seed, s.Poll = 4, 5*time.Second
	at := 20 * time.Minute
	for _, a := range Attacks() {
		s.Attacks = append(s.Attacks, AttackAt{Kind: a.Kind, At: at})
		at += a.Duration + 15*time.Minute
	}
	s.Duration = at + 6*time.Hour
	labels := make(Labels, len(s.Attacks))
	w, err := s.build(labels, func(*Packet) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if err := w.n.run(w.end); err != nil {
		t.Fatal(err)
	}
	p := w.process
	for _, name := range []string{"SP_T1_ON", "SP_T1_OFF", "SP_T3_ON", "SP_T3_OFF", "SP_T4_ON", "SP_T4_OFF", "SP_FLOW", "SP_CHLORINE", "SP_PRESSURE", "SP_V2", "SP_BACKWASH"} {
		tag, _, _ := w.tag(name)
		was := tag.get(&water.Plant{Set: water.DefaultSetpoints})
		if now := tag.get(p); math.Abs(now-was) > 1e-6 {
			t.Errorf("%s is %v, was %v", name, now, was)
		}
	}
	if p.V1Jammed {
		t.Error("the treatment valve is jammed")
	}
	for i := range p.Pumps {
		if u := &p.Pumps[i]; !u.Auto || !u.Powered || u.SpeedLimit != 1 {
			t.Errorf("P%d is %+v", i+1, *u)
		}
	}
	if e := &p.Electric; e.Breaker != [3]uint8{water.Closed, water.Closed, water.Closed} || e.TapSet != 9 {
		t.Errorf("breakers %v, tap set to %d", e.Breaker, e.TapSet)
	}
	for _, d := range w.devices {
		if d.listenOnly || d.stopped {
			t.Errorf("%s listens only %v, stands %v", d.host.name, d.listenOnly, d.stopped)
		}
		for _, u := range d.units {
			for k := range u.tags {
				for _, tag := range u.tags[k] {
					if tag.lie != nil {
						t.Errorf("%s still lies", tag.Name)
					}
				}
			}
		}
	}
	if !w.rtu.unsolicited || w.rtu.stopped || w.rtu.restarted {
		t.Errorf("outstation: unsolicited %v, stopped %v, restarted %v", w.rtu.unsolicited, w.rtu.stopped, w.rtu.restarted)
	}
	for _, h := range w.hosts() {
		if h.poisoned != nil || h.down {
			t.Errorf("%s is poisoned or down", h.name)
		}
	}
}

func TestAnAttackChangesNothingBeforeIt(t *testing.T) {
	collect := func(attacks ...AttackAt) (data []string) {
		s := &Scenario{Seed: 9, Duration: 10 * time.Minute, Life: NormalLife(), Attacks: attacks}
		if _, err := s.Run(func(p *Packet) error {
			if p.Time < DefaultStart.Add(5*time.Minute).UnixNano() {
				data = append(data, fmt.Sprintf("%d %x", p.Time, p.Data))
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return data
	}
	clean, attacked := collect(), collect(AttackAt{Kind: "scan.units", At: 5 * time.Minute})
	if strings.Join(clean, "\n") != strings.Join(attacked, "\n") {
		t.Error("the packets before the attack differ")
	}
}

func TestLabelsPointAtTheRightFrames(t *testing.T) {
	attacks := []AttackAt{
		{Kind: "write.new-host", At: 2 * time.Minute},
		{Kind: "scan.hosts", At: 3 * time.Minute},
		{Kind: "write.setpoint-range", At: 5 * time.Minute, Duration: time.Minute},
		{Kind: "dnp3.trip", At: 7 * time.Minute, Duration: time.Minute},
		{Kind: "plc.umas-stop", At: 9 * time.Minute, Duration: time.Minute},
	}
	s := &Scenario{Seed: 2, Duration: 16 * time.Minute, Poll: 3 * time.Second, Life: NormalLife(), Attacks: attacks}
	path := filepath.Join(t.TempDir(), "attacked.pcap")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var frames bytes.Buffer
	labels, err := s.WriteLabeled(f, &frames)
	if err != nil {
		t.Fatal(err)
	}
	marked := make(map[string]bool)
	for _, l := range strings.Fields(frames.String()) {
		number, mark, _ := strings.Cut(l, ";")
		marked[number] = mark == "1"
	}
	// What tshark has to see within each label, by its fields.
	type fields struct{ modbus, dnp3, src, flags, port, malformed string }
	found := make([]int, len(labels))
	for _, line := range tshark(t, path, "-T", "fields", "-E", "separator=;", "-E", "occurrence=f", "-e", "frame.number", "-e", "modbus.func_code",
		"-e", "dnp3.al.func", "-e", "ip.src", "-e", "tcp.flags", "-e", "tcp.dstport", "-e", "_ws.malformed") {
		c := strings.Split(line, ";")
		f := fields{c[1], c[2], c[3], c[4], c[5], c[6]}
		if f.malformed != "" {
			t.Errorf("malformed: %s", line)
		}
		n, _ := strconv.ParseUint(c[0], 10, 64)
		for i, is := range []bool{
			f.modbus == "5" && f.src == intruder,
			f.flags == "0x0002" && f.src == intruder && f.port == "502" && n >= labels[1].Frames[0] && n <= labels[1].Frames[1],
			f.modbus == "16" && f.src == hmiAddr && n >= labels[2].Frames[0] && n <= labels[2].Frames[1],
			(f.dnp3 == "3" || f.dnp3 == "4") && f.src == intruder,
			f.modbus == "90",
		} {
			if !is {
				continue
			}
			found[i]++
			if n < labels[i].Frames[0] || n > labels[i].Frames[1] || !marked[c[0]] {
				t.Errorf("%s: frame %d (marked %v) is not within %v", labels[i].Kind, n, marked[c[0]], labels[i].Frames)
			}
		}
	}
	for i, least := range []int{2, 4, 1, 2, 6} {
		if found[i] < least {
			t.Errorf("%s: tshark sees %d of its packets, expected %d", labels[i].Kind, found[i], least)
		}
	}
	total := uint64(0)
	for _, m := range marked {
		if m {
			total++
		}
	}
	want := uint64(0)
	for _, l := range labels {
		want += l.Packets
	}
	if total != want {
		t.Errorf("%d frames are marked, the labels count %d", total, want)
	}
	var b bytes.Buffer
	if err := labels.Write(&b); err != nil {
		t.Fatal(err)
	}
	if back, err := ReadLabels(&b); err != nil || len(back) != len(labels) || back[3] != labels[3] {
		t.Errorf("labels read back: %v, %+v", err, back)
	}
}

func TestTheSameAttacksGiveTheSameBytes(t *testing.T) {
	sum := func() string {
		h := sha256.New()
		s := &Scenario{Seed: 3, Poll: 10 * time.Second, Life: NormalLife()}
		s.Spread(20*time.Minute, 7*time.Minute)
		labels, err := s.Write(h)
		if err != nil {
			t.Fatal(err)
		}
		if err := labels.Write(h); err != nil {
			t.Fatal(err)
		}
		return string(h.Sum(nil))
	}
	if one, two := sum(), sum(); one != two {
		t.Error("two runs differ")
	}
}

func hasFlag(points []protocols.Point, flag uint8) bool {
	for _, p := range points {
		if p.Kind == protocols.KindAnalogInput && p.Flags&flag != 0 {
			return true
		}
	}
	return false
}

// What weir's own capture and decoders have to see of attacks that are about
// it.
func TestAttacksLookLikeWhatTheyAre(t *testing.T) {
	count := func(kind string, each func(*protocols.Event) bool) (matches int, r *reader) {
		s := &Scenario{Seed: 5, Duration: 20 * time.Minute, Poll: 2 * time.Second, Attacks: []AttackAt{{Kind: kind, At: 14 * time.Minute, Duration: 2 * time.Minute}}}
		path, _ := capturePath(t, s)
		r = read(t, path, func(e *protocols.Event) {
			if each != nil && each(e) {
				matches++
			}
		})
		return matches, r
	}
	for kind, notice := range map[string]capture.NoticeKind{
		"tcp.overlap": capture.OverlapConflict, "dnp3.spoofed-unsolicited": capture.OverlapConflict,
		"scan.ports": capture.ConnectionRefused, "flood.syn": capture.ConnectionTried, "mitm.arp": capture.ARPReply, "host.new": capture.ARPRequest,
	} {
		_, normal := count("poll.stopped", nil)
		if _, r := count(kind, nil); r.notices[notice] <= normal.notices[notice] {
			t.Errorf("%s: %d notices of kind %d, normally %d", kind, r.notices[notice], notice, normal.notices[notice])
		}
	}
	for kind, is := range map[string]func(e *protocols.Event) bool{
		"write.new-host": func(e *protocols.Event) bool {
			return e.FromClient && e.Effect == protocols.Control && e.Src.IP == AddrIntruder
		},
		"write.from-plc":        func(e *protocols.Event) bool { return e.FromClient && e.Src.IP == AddrPLC1 },
		"scan.functions":        func(e *protocols.Event) bool { return e.Role == protocols.RoleException && e.Exception == 1 },
		"scan.units":            func(e *protocols.Event) bool { return e.Role == protocols.RoleException && e.Exception == 11 },
		"recon.device-id":       func(e *protocols.Event) bool { return len(e.Identity) > 0 && e.Dst.IP == AddrIntruder },
		"recon.dnp3-attributes": func(e *protocols.Event) bool { return e.Proto == protocols.ProtoDNP3 && len(e.Identity) > 0 },
		"plc.umas-stop":         func(e *protocols.Event) bool { return e.Function == 90 && e.Effect == protocols.Program },
		"plc.listen-only":       func(e *protocols.Event) bool { return e.Function == 8 && e.Sub == 4 },
		"dnp3.trip": func(e *protocols.Event) bool {
			return e.FromClient && e.Effect == protocols.Control && e.Src.IP == AddrIntruder
		},
		"dnp3.operate-without-select": func(e *protocols.Event) bool { return e.FromClient && e.Function == 4 && e.Src.IP == AddrIntruder },
		"dnp3.cold-restart": func(e *protocols.Event) bool {
			return e.HasIIN && e.IIN&(1<<7) != 0 && e.Time > DefaultStart.Add(14*time.Minute).UnixNano()
		},
		"dnp3.broadcast":   func(e *protocols.Event) bool { return e.Broadcast },
		"dnp3.file-read":   func(e *protocols.Event) bool { return len(e.Files) > 0 && e.Files[0].Complete },
		"dnp3.file-delete": func(e *protocols.Event) bool { return len(e.Files) > 0 && string(e.Files[0].Name) == rtuFile },
		"dnp3.time-set": func(e *protocols.Event) bool {
			return len(e.Points) > 0 && e.Points[0].Kind == protocols.KindTime && e.Src.IP == AddrIntruder
		},
		"sensor.dnp3-forced": func(e *protocols.Event) bool {
			return len(e.Points) > 20 && e.Points[len(e.Points)-1].Has&protocols.HasFlags != 0 && hasFlag(e.Points, localForced)
		},
		"dnp3.bad-requests": func(e *protocols.Event) bool { return e.HasIIN && e.IIN&0x0700 != 0 },
		"host.impersonated": func(e *protocols.Event) bool {
			return e.Src.IP == AddrHMI && e.Src.MAC == [6]byte(newSite(1, 0).intruder.mac)
		},
		"flood.malformed": func(e *protocols.Event) bool { return len(e.Violations) > 0 },
		"dnp3.malformed":  func(e *protocols.Event) bool { return len(e.Violations) > 0 },
	} {
		if n, _ := count(kind, is); n == 0 {
			t.Errorf("%s does not show", kind)
		}
	}
}

func TestAnUnknownAttackIsRefused(t *testing.T) {
	s := &Scenario{Attacks: []AttackAt{{Kind: "write.newhost"}}}
	if _, err := s.Write(&bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "write.newhost") {
		t.Errorf("error is %v", err)
	}
}

func TestAddressesOfTheTableAreThoseOfTheSite(t *testing.T) {
	for _, a := range Attacks() {
		for _, s := range []string{a.source, a.target} {
			if _, err := netip.ParseAddr(s); err != nil && s != everybody && s != "forged" {
				t.Errorf("%s: %q is no address", a.Kind, s)
			}
		}
	}
}
