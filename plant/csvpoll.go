package plant

import (
	"fmt"
	"io"
	"net/netip"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/weir-ics/weir/plant/wire"
	"github.com/weir-ics/weir/protocols"
)

// csvPoller turns the rows of a table into polls.
type csvPoller struct {
	table    *csvTable
	survey   *csvSurvey
	res      *CSVResult
	n        *network
	stations []*csvStation
	// where says for each value column which station it is in and which tag.
	where []csvPlace
	rows  io.Writer
	// now collects the frames of the row that is being sent.
	sent [2]uint64
	runs []csvRun // by label column
	line []byte
}

type csvPlace struct {
	column  int
	station int
	tag     int
}

// csvStation is one PLC or outstation.
type csvStation struct {
	host   *host
	tags   []Tag
	values []float64
	// Modbus:
	device *device
	client *modbusClient
	plan   []poll
	// DNP3:
	dnp3 *dnp3Client
	rtu  *outstation
}

type csvRun struct {
	open  bool
	label Label
}

func newCSVPoller(t *csvTable, s *csvSurvey, res *CSVResult, out *wire.PcapWriter) *csvPoller {
	p := &csvPoller{table: t, survey: s, res: res, rows: t.opt.RowLabels, runs: make([]csvRun, len(t.labels))}
	p.n = newNetwork(t.opt.Seed, s.first, func(k *Packet) error {
		if p.sent[0] == 0 {
			p.sent[0] = k.Frame
		}
		p.sent[1] = k.Frame
		res.Packets++
		return out.Write(k.Time, k.Data)
	})
	p.place()
	return p
}

// place decides where every column goes.
func (p *csvPoller) place() {
	t := p.table
	devices := t.opt.Devices
	if devices <= 0 {
		devices = (len(t.values) + 49) / 50
	}
	known := make(map[string]Tag)
	for _, tag := range t.opt.Tags {
		known[tag.Name] = tag
	}
	chosen := make(map[string]CSVColumn)
	for _, c := range t.opt.Columns {
		chosen[strings.ToLower(c.Name)] = c
	}
	for d := range devices {
		ip := csvFirst.As4()
		ip[3] += byte(d)
		ip[2] += byte((int(csvFirst.As4()[3]) + d) >> 8)
		h := newHost("PLC"+strconv.Itoa(d+1), netip.AddrFrom4(ip), wire.MAC{0x00, 0x80, 0xf4, 0x60, ip[2], ip[3]}, true, 4*millisecond)
		p.stations = append(p.stations, &csvStation{host: h})
	}
	perDevice := (len(t.values) + devices - 1) / devices
	dnp3 := t.opt.Protocol == "dnp3"
	for k, i := range t.values {
		tag := Tag{Name: t.names[i], Table: protocols.KindInputRegister, Type: "float32", Order: "ABCD", Scale: 1, Unit: 1}
		d := k / perDevice
		if p.survey.bits[i] {
			tag.Table, tag.Type = protocols.KindDiscreteInput, "bool"
		} else if t.opt.Scaled {
			tag.Type, tag.Scale = p.survey.ranges[i].scaled()
		}
		if c, ok := chosen[strings.ToLower(tag.Name)]; ok {
			if c.Table != protocols.KindUnknown {
				tag.Table = c.Table
				tag.Type = "float32"
				if c.Table == protocols.KindCoil || c.Table == protocols.KindDiscreteInput {
					tag.Type = "bool"
				}
			}
			if c.Type != "" {
				tag.Type = c.Type
			}
			if c.Order != "" {
				tag.Order = c.Order
			}
			if c.Scale != 0 {
				tag.Scale = c.Scale
			}
			tag.Offset = c.Offset
		}
		// Every column keeps a place of its own in every table, so that one that is
		// judged otherwise in another file moves no other.
		slot := k % perDevice
		tag.Address = uint16(slot)
		if tag.Table == protocols.KindInputRegister || tag.Table == protocols.KindHoldingRegister {
			tag.Address = uint16(2 * slot)
		}
		if dnp3 {
			tag.Unit, tag.Address = uint16(OutstationAddress+d), uint16(slot)
			if tag.Type == "bool" {
				tag.Table = protocols.KindBinaryInput
			} else {
				tag.Table, tag.Type, tag.Scale, tag.Offset = protocols.KindAnalogInput, "number", 1, 0
			}
		}
		if old, ok := known[tag.Name]; ok {
			for at := range p.stations {
				if netip.AddrFrom4(p.stations[at].host.ip) == old.Device {
					tag, d = old, at
				}
			}
		}
		st := p.stations[d]
		tag.Device = netip.AddrFrom4(st.host.ip)
		st.tags = append(st.tags, tag)
		st.values = append(st.values, 0)
		p.where = append(p.where, csvPlace{i, d, len(st.tags) - 1})
	}
	client := newHost("HMI", csvClient, wire.MAC{0x00, 0x1b, 0x21, 0x60, 0x02, 0x0a}, false, millisecond)
	for d, st := range p.stations {
		p.res.Tags = append(p.res.Tags, st.tags...)
		if dnp3 {
			st.rtu = newRowOutstation(st)
			st.dnp3 = newDNP3Client(p.n, client, st.host, st.rtu, MasterAddress)
			st.dnp3.remote = uint16(OutstationAddress + d)
			continue
		}
		st.device = &device{host: st.host, told: -1, units: map[uint8]*unit{1: newUnit(0, st.tags...)}}
		st.client = newModbusClient(p.n, client, st.host, st.device)
		st.plan = planReads(st.tags)
	}
}

// planReads covers the tags with as few reads as the protocol allows, one table
// after the other.
func planReads(tags []Tag) []poll {
	var plan []poll
	functions := map[protocols.PointKind]uint8{
		protocols.KindCoil: wire.ReadCoils, protocols.KindDiscreteInput: wire.ReadDiscreteInputs,
		protocols.KindHoldingRegister: wire.ReadHoldingRegisters, protocols.KindInputRegister: wire.ReadInputRegisters,
	}
	for _, kind := range tableKinds {
		var in []Tag
		for _, t := range tags {
			if t.Table == kind {
				in = append(in, t)
			}
		}
		sort.Slice(in, func(i, j int) bool { return in[i].Address < in[j].Address })
		most := 124
		if kind == protocols.KindCoil || kind == protocols.KindDiscreteInput {
			most = 1000
		}
		for i := 0; i < len(in); {
			first, end := int(in[i].Address), 0
			for i < len(in) && int(in[i].Address)+in[i].registers()-first <= most {
				end = int(in[i].Address) + in[i].registers()
				i++
			}
			plan = append(plan, poll{uint8(in[0].Unit), functions[kind], uint16(first), uint16(end - first)})
		}
	}
	return plan
}

func (p *csvPoller) run(r io.Reader) error {
	t := p.table
	jitter := int64(t.opt.Jitter)
	if jitter == 0 {
		jitter = min(int64(p.survey.interval)/100, 20*millisecond)
	}
	reconnect := t.opt.Reconnect || p.survey.interval >= time.Minute
	last := p.survey.first - millisecond
	if p.rows != nil {
		head := "row;time;first;last"
		for _, i := range t.labels {
			head += ";" + t.names[i]
		}
		if _, err := io.WriteString(p.rows, head+"\n"); err != nil {
			return fmt.Errorf("write row labels: %w", err)
		}
	}
	row := 0
	var cells []string
	var at int64
	err := t.rows(r, func(cell []string) error {
		now := p.survey.first + int64(row)*int64(p.survey.interval)
		if t.clock != nil {
			v, ok := t.clock.read(t.timeCell(cell))
			if !ok {
				return fmt.Errorf("time %q is not written as those before", t.timeCell(cell))
			}
			now = v
		}
		if now <= last {
			p.res.Late++
			now = last + millisecond
		}
		last = now
		// Everything of the row before is on the wire by now.
		if err := p.n.run(now); err != nil {
			return err
		}
		if row > 0 {
			if err := p.rowDone(row, at, cells); err != nil {
				return err
			}
		}
		row++
		at = now
		cells = cells[:0]
		for _, i := range t.labels {
			c := ""
			if i < len(cell) {
				c = strings.TrimSpace(cell[i])
			}
			cells = append(cells, c)
		}
		for _, w := range p.where {
			if w.column < len(cell) {
				if v, ok := t.number(cell[w.column]); ok {
					p.stations[w.station].values[w.tag] = v
					continue
				}
			}
			p.res.Missing++
		}
		for _, st := range p.stations {
			st.poll(now+int64(p.n.rnd.Float64()*float64(jitter)), reconnect)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := p.n.run(last + 30*second); err != nil {
		return err
	}
	if err := p.rowDone(row, at, cells); err != nil {
		return err
	}
	for c := range p.runs {
		p.endRun(c)
	}
	sort.SliceStable(p.res.Labels, func(i, j int) bool { return p.res.Labels[i].Start.Before(p.res.Labels[j].Start) })
	p.res.Rows = row
	return nil
}

// poll sends one cycle of polls that finds the present row in the station.
func (st *csvStation) poll(t int64, reconnect bool) {
	if st.rtu != nil {
		st.rtu.setRow(st.values)
		t = st.dnp3.readAll(t)
		if reconnect {
			st.dnp3.close(t + millisecond)
		}
		return
	}
	u := st.device.units[1]
	for i := range st.tags {
		tag := &st.tags[i]
		for k, kind := range tableKinds {
			if tag.Table != kind {
				continue
			}
			if tag.Type == "bool" {
				u.words[k][tag.Address] = 0
				if st.values[i] != 0 {
					u.words[k][tag.Address] = 1
				}
			} else {
				tag.put(u.words[k][tag.Address:], st.values[i])
			}
		}
	}
	for _, q := range st.plan {
		_, t = st.client.read(t, q)
	}
	if reconnect {
		st.client.close(t + millisecond)
	}
}

// rowDone notes which frames a row made and what its labels say.
func (p *csvPoller) rowDone(row int, at int64, cells []string) error {
	t := time.Unix(0, at).UTC()
	if p.rows != nil {
		p.line = strconv.AppendInt(p.line[:0], int64(row), 10)
		p.line = append(p.line, ';')
		p.line = t.AppendFormat(p.line, time.RFC3339Nano)
		p.line = append(p.line, ';')
		p.line = strconv.AppendUint(p.line, p.sent[0], 10)
		p.line = append(p.line, ';')
		p.line = strconv.AppendUint(p.line, p.sent[1], 10)
		for _, c := range cells {
			p.line = append(p.line, ';')
			p.line = append(p.line, c...)
		}
		p.line = append(p.line, '\n')
		if _, err := p.rows.Write(p.line); err != nil {
			return fmt.Errorf("write row labels: %w", err)
		}
	}
	for c, cell := range cells {
		if !marked(cell) {
			p.endRun(c)
			continue
		}
		run := &p.runs[c]
		if !run.open {
			run.open = true
			name := p.table.names[p.table.labels[c]]
			run.label = Label{Kind: name, Start: t, Frames: p.sent, Description: "rows that column " + name + " marks", Malicious: true}
		}
		// A row stands for the time up to the next.
		run.label.End = t.Add(p.survey.interval)
		run.label.Frames[1] = p.sent[1]
		run.label.Packets = run.label.Frames[1] - run.label.Frames[0] + 1
	}
	p.sent = [2]uint64{}
	return nil
}

func (p *csvPoller) endRun(c int) {
	if p.runs[c].open {
		p.res.Labels = append(p.res.Labels, p.runs[c].label)
		p.runs[c].open = false
	}
}

// marked tells whether a label's cell says that something is wrong.
func marked(cell string) bool {
	if v, err := strconv.ParseFloat(strings.Replace(cell, ",", ".", 1), 64); err == nil {
		return v > 0
	}
	switch strings.ToLower(cell) {
	case "", "normal", "no", "false", "ok", "none", "nan", "benign":
		return false
	}
	return true
}
