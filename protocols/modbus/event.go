package modbus

import (
	"slices"

	"github.com/weir-ics/weir/protocols"
)

// describe fills the part of the Event that the function alone decides.
func describe(e *protocols.Event, m *Message) {
	f := m.Info()
	e.Proto = protocols.ProtoModbus
	e.Function = m.Function
	e.Unit = m.Unit
	e.Sequence = m.Transaction
	e.Detail = m
	e.Sub = m.Sub
	e.Name, e.Effect = f.Name, f.Effect
	if m.Sub >= 0 {
		if s := f.Sub(int(m.Sub)); s != nil {
			e.Name, e.Effect = s.Title, s.Effect
		}
	}
}

// fillRequest adds the addresses and values of a request.
func fillRequest(e *protocols.Event, m *Message) {
	f := m.Info()
	if f.Kind == protocols.KindUnknown {
		return
	}
	addRanges(e, m, f, f.access)
	addWrites(e, m, f, protocols.AccessWrite)
}

// addRanges adds what the message itself names.
func addRanges(e *protocols.Event, m *Message, f *Function, access protocols.Access) {
	if f.Kind == protocols.KindFileRecord {
		data := m.Data
		for {
			g, n := nextGroup(m.layout.Tail, data)
			if n == 0 {
				return
			}
			data = data[n:]
			addRecords(e, access, g.File, g.Record, g.Length)
		}
	}
	if address, ok := m.Get(FieldAddress); ok {
		count := uint32(1)
		if q, ok := m.Get(FieldQuantity); ok {
			count = uint32(q)
		}
		if count > 0 {
			e.Ranges = append(e.Ranges, protocols.Range{Kind: f.Kind, Access: access, First: uint32(address), Count: count})
		}
	}
	if q, ok := m.Get(FieldWriteQuantity); ok && q > 0 {
		e.Ranges = append(e.Ranges, protocols.Range{Kind: f.Kind, Access: protocols.AccessWrite,
			First: uint32(m.fields[FieldWriteAddress]), Count: uint32(q)})
	}
}

// addWrites adds the values that the message itself carries with addresses.
func addWrites(e *protocols.Event, m *Message, f *Function, access protocols.Access) {
	switch f.Code {
	case 5:
		// Only FF00 and 0000 mean something (AP 6.5).
		if v, ok := m.Get(FieldValue); ok && (v == 0xFF00 || v == 0) {
			e.Points = append(e.Points, protocols.Point{Kind: f.Kind, Access: access, Index: uint32(m.fields[FieldAddress]),
				Value: float64(v >> 15), Has: protocols.HasValue})
		}
	case 6:
		if v, ok := m.Get(FieldValue); ok {
			e.Points = append(e.Points, protocols.Point{Kind: f.Kind, Access: access, Index: uint32(m.fields[FieldAddress]),
				Value: float64(v), Has: protocols.HasValue})
		}
	case 15:
		addBits(e, m, f.Kind, access, uint32(m.fields[FieldAddress]), int(m.fields[FieldQuantity]))
	case 16:
		addRegisters(e, m.Data, f.Kind, access, uint32(m.fields[FieldAddress]), int(m.fields[FieldQuantity]))
	case 21:
		data := m.Data
		for {
			g, n := nextGroup(m.layout.Tail, data)
			if n == 0 {
				return
			}
			data = data[n:]
			addRegisters(e, g.Data, f.Kind, access, recordIndex(g.File, g.Record), int(g.Length))
		}
	case 23:
		addRegisters(e, m.Data, f.Kind, access, uint32(m.fields[FieldWriteAddress]), int(m.fields[FieldWriteQuantity]))
	}
}

// addRegisters adds up to count registers of data, from address first on.
func addRegisters(e *protocols.Event, data []byte, kind protocols.PointKind, access protocols.Access, first uint32, count int) {
	points := grow(e, min(count, len(data)/2))
	for i := range points {
		p := &points[i]
		p.Kind, p.Access, p.Has, p.Index = kind, access, protocols.HasValue, first+uint32(i)
		p.Value = float64(uint16(data[2*i])<<8 | uint16(data[2*i+1]))
	}
}

// addBits adds up to count bits of the message.
func addBits(e *protocols.Event, m *Message, kind protocols.PointKind, access protocols.Access, first uint32, count int) {
	points := grow(e, min(count, 8*len(m.Data)))
	for i := range points {
		p := &points[i]
		p.Kind, p.Access, p.Has, p.Index = kind, access, protocols.HasValue, first+uint32(i)
		p.Value = float64(m.Data[i>>3] >> (i & 7) & 1)
	}
}

// grow adds n points to the Event and returns them, to be filled in. They are
// zero but for what a Modbus message before may have left in the fields that
// every Modbus point has: clearing all of a Point costs more than filling it.
func grow(e *protocols.Event, n int) []protocols.Point {
	at := len(e.Points)
	e.Points = slices.Grow(e.Points, n)[:at+n]
	return e.Points[at:]
}

// fillResponse adds what a normal response reports or confirms. x is the
// request that it answers, nil if that was not seen; values tells that
// it was, and that what is reported is wanted.
func fillResponse(e *protocols.Event, m *Message, x *transaction, values bool) {
	f := m.Info()
	switch f.Code {
	case 1, 2:
		if x != nil {
			addReport(e, f.Kind, x.address, x.quantity)
		}
		if values {
			addBits(e, m, f.Kind, protocols.AccessReport, uint32(x.address), int(x.quantity))
		}
	case 3, 4:
		if x != nil {
			addReport(e, f.Kind, x.address, x.quantity)
		}
		if values {
			addRegisters(e, m.Data, f.Kind, protocols.AccessReport, uint32(x.address), int(x.quantity))
		}
	case 23:
		if x != nil {
			addReport(e, f.Kind, x.address, x.quantity)
			if x.writeQuantity > 0 {
				e.Ranges = append(e.Ranges, protocols.Range{Kind: f.Kind, Access: protocols.AccessEcho,
					First: uint32(x.writeAddress), Count: uint32(x.writeQuantity)})
			}
		}
		if values {
			addRegisters(e, m.Data, f.Kind, protocols.AccessReport, uint32(x.address), int(x.quantity))
		}
	case 24:
		if x != nil {
			addReport(e, f.Kind, x.address, 1)
		}
		if values {
			at := len(e.Points)
			addRegisters(e, m.Data, f.Kind, protocols.AccessReport, 0, len(m.Data)/2)
			for i := range e.Points[at:] {
				e.Points[at+i].Index = uint32(x.address)
			}
		}
	case 20:
		fillFileRecords(e, m, x, values)
	case 5, 6, 15, 16, 21, 22:
		addRanges(e, m, f, protocols.AccessEcho)
		if f.Code != 15 && f.Code != 16 {
			addWrites(e, m, f, protocols.AccessEcho)
		}
	case 17:
		identifyServer(e, m.Data)
	case 43:
		if m.Sub == meiDeviceID {
			identifyDevice(e, m.Data)
		}
	case umasFunction:
		if m.Sub == umasReadID && m.fields[FieldResult] == umasDone {
			identifyUMAS(e, m.Data)
		}
	}
}

func addReport(e *protocols.Event, kind protocols.PointKind, first, count uint16) {
	if count > 0 {
		e.Ranges = append(e.Ranges, protocols.Range{Kind: kind, Access: protocols.AccessReport, First: uint32(first), Count: uint32(count)})
	}
}

// recordIndex is how an Event counts file records.
func recordIndex(file, record uint16) uint32 { return uint32(file)<<16 | uint32(record) }

func addRecords(e *protocols.Event, access protocols.Access, file, record, length uint16) {
	if length > 0 {
		e.Ranges = append(e.Ranges, protocols.Range{Kind: protocols.KindFileRecord, Access: access,
			First: recordIndex(file, record), Count: uint32(length)})
	}
}

// fillFileRecords gives the groups of a response the files and records that the
// request's groups named, in the same order (AP 6.14).
func fillFileRecords(e *protocols.Event, m *Message, x *transaction, values bool) {
	if x == nil {
		return
	}
	asked, data := x.files, m.Data
	for {
		g, n := nextGroup(TailFileRecords, data)
		q, k := nextGroup(TailFileRequests, asked)
		if n == 0 || k == 0 {
			return
		}
		data, asked = data[n:], asked[k:]
		addRecords(e, protocols.AccessReport, q.File, q.Record, g.Length)
		if values {
			addRegisters(e, g.Data, protocols.KindFileRecord, protocols.AccessReport, recordIndex(q.File, q.Record), int(g.Length))
		}
	}
}

// fillAsked adds the addresses of a request to what is said about it later: its
// exception, or that it stayed unanswered.
func fillAsked(e *protocols.Event, x *transaction) {
	f := &functions[x.function&0x7f]
	if f.Kind == protocols.KindUnknown {
		return
	}
	if f.Kind == protocols.KindFileRecord {
		for data := x.files; ; {
			g, n := nextGroup(f.Request.Tail, data)
			if n == 0 {
				return
			}
			data = data[n:]
			addRecords(e, f.access, g.File, g.Record, g.Length)
		}
	}
	if x.has&(1<<FieldAddress) != 0 && x.quantity > 0 {
		e.Ranges = append(e.Ranges, protocols.Range{Kind: f.Kind, Access: f.access, First: uint32(x.address), Count: uint32(x.quantity)})
	}
	if x.has&(1<<FieldWriteQuantity) != 0 && x.writeQuantity > 0 {
		e.Ranges = append(e.Ranges, protocols.Range{Kind: f.Kind, Access: protocols.AccessWrite, First: uint32(x.writeAddress), Count: uint32(x.writeQuantity)})
	}
}
